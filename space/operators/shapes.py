"""What operators give on the meta device, without torch's detours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from space.operators.kinds import KIND_OF


class ShapesMode(TorchDispatchMode):
    """Sees every operator of a run on shapes alone.

    torch keeps its compiler out of every other such mode, and imports it for this: a second in each process, and more
    time at every operator. Here nothing is compiled (``space.operators.trace.not_compiled``).
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch gives it no annotations

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class _NoInitialValues(TorchFunctionMode):
    """torch's initialisers leave a tensor as it is: on the meta device it has no values."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in INITIALISERS:
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta:
                return tensor
        return function(*args, **kwargs)


class _MadeOnMeta(ShapesMode):
    """What is made, and computed of it, while it is on the meta device."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = shapes_alone(function, args, tensors_in(args), kwargs)
        return function(*args, **kwargs) if result is None else result


@contextmanager
def made_on_meta() -> Iterator[None]:
    """Modules made within are on the meta device, as in ``with torch.device("meta")``, in a fraction of its time."""
    with torch.device("meta"), _NoInitialValues(), _MadeOnMeta():
        yield


INITIALISERS = frozenset({init.uniform_, init.normal_, init.constant_, init.kaiming_uniform_})
REDUCTIONS = ("mean", "sum", "amax")
KEEPS_SHAPE = ("activation", "add", "multiply")
OF_EACH_ELEMENT = ("sqrt", "clamp_min", "exp")
FILLS = ("uniform_", "normal_", "fill_", "zero_", "copy_")


def shapes_alone(
    function: Any, args: Any, read: list[Tensor], options: Mapping[str, Any] = MappingProxyType({})
) -> Tensor | None:
    """What an operator that reads the tensors ``read`` gives on the meta device, where that is plain; otherwise None.

    torch computes the coordinates of a resize, which takes milliseconds, and goes through Python for convolutions and
    the arithmetic of each element. Of ``options``, the arguments by name, those that say more than a number are left to
    torch: another type, or the tensor to write.
    """
    if not all(value is None or isinstance(value, int | float | str) for value in options.values()):
        return None
    name = function._schema.name.removeprefix("aten::")
    if not read or not all(each.is_meta and each.dtype == read[0].dtype and each.is_contiguous() for each in read):
        return None
    first = read[0]
    try:
        shape = _shape(name, first, args, read)
    except (IndexError, TypeError, ValueError, ZeroDivisionError):
        return None  # torch says what is wrong
    if name.endswith("_"):
        return first if shape == first.shape else None
    return None if shape is None else torch.empty(shape, dtype=first.dtype, device="meta")


def _shape(name: str, first: Tensor, args: Any, read: list[Tensor]) -> Sequence[int] | None:
    kind = KIND_OF.get(name)
    if kind == "resize":
        return _resized(first, args[1])
    if not first.is_floating_point():
        return None
    if name == "convolution":
        return _convolved(*args)
    if name == "cat":
        return _joined(*args)
    if name in REDUCTIONS:
        return _reduced(first, *args[1:3])
    if name == "constant_pad_nd":
        return _padded(first, args[1])
    if name == "bmm":
        return _multiplied(*args)
    if kind in KEEPS_SHAPE or name in OF_EACH_ELEMENT or name in FILLS:
        return _largest(read)
    return None


def _resized(image: Tensor, sides: Sequence[int]) -> list[int] | None:
    fits = image.ndim == 4 and len(sides) == 2 and image.numel() and min(sides) > 0
    return [*image.shape[:2], *sides] if fits else None


def _convolved(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> list[int] | None:
    """Of a convolution of matching channels that is not transposed; one number may stand for those of all axes."""
    batch, channels, *sides = image.shape
    out_channels, read_each, *kernel = weight.shape
    fits = channels == groups * read_each and out_channels % groups == 0 and len(sides) == len(kernel)
    if transposed or not fits or (bias is not None and bias.shape != (out_channels,)):
        return None
    of_axes = [[*given] * len(sides) if len(given) == 1 else given for given in (stride, padding, dilation)]
    found = [
        (side + 2 * around - apart * (taps - 1) - 1) // step + 1
        for side, taps, step, around, apart in zip(sides, kernel, *of_axes, strict=True)
    ]
    return [batch, out_channels, *found] if min(found) > 0 else None


def _padded(image: Tensor, pad: Sequence[int]) -> list[int] | None:
    """``pad`` has two numbers for each axis, from the last one on."""
    shape = list(image.shape)
    for place, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        if shape[-1 - place] + min(before, 0) + min(after, 0) <= 0:
            return None  # it crops all there is
        shape[-1 - place] += before + after
    return shape if image.numel() else None


def _multiplied(left: Tensor, right: Tensor) -> list[int] | None:
    fits = left.ndim == right.ndim == 3 and left.shape[0] == right.shape[0] and left.shape[2] == right.shape[1]
    return [*left.shape[:2], right.shape[2]] if fits else None


def _joined(parts: Sequence[Tensor], axis: int = 0) -> list[int] | None:
    """Of parts of one rank; to torch an empty vector fits any."""
    shapes = [list(part.shape) for part in parts]
    rank = len(shapes[0])
    total = sum(shape.pop(axis) for shape in shapes)
    if any(shape != shapes[0] for shape in shapes):
        return None
    shapes[0].insert(axis % rank, total)
    return shapes[0]


def _reduced(values: Tensor, axes: Sequence[int] | None = None, keeps: bool = False) -> list[int] | None:
    shape = values.shape
    if not axes or not all(shape):
        return None
    gone = {range(len(shape))[axis] for axis in axes}
    if len(gone) < len(axes):
        return None
    return [1 if axis in gone else size for axis, size in enumerate(shape) if keeps or axis not in gone]


def _largest(read: Sequence[Tensor]) -> torch.Size | None:
    """The shape to which torch broadcasts, if one of them has it."""
    found = max((each.shape for each in read), key=lambda shape: (len(shape), shape.numel()))
    return found if all(_fits(each.shape, found) for each in read) else None


def _fits(shape: torch.Size, other: torch.Size) -> bool:
    """Whether arithmetic with a tensor of ``shape`` leaves the shape of ``other`` as it is."""
    if shape == other:
        return True
    pairs = zip(reversed(shape), reversed(other), strict=False)
    return len(shape) <= len(other) and all(one in (1, two) for one, two in pairs)


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors among what an operator takes or gives, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, tuple | list):
        return []
    found: list[Tensor] = []
    for each in value:
        if isinstance(each, Tensor):
            found.append(each)
        elif isinstance(each, tuple | list | dict):
            found += tensors_in(each)
    return found
