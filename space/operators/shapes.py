"""What operators give on the meta device, without torch's detours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
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


REDUCTIONS = ("mean", "sum", "amax")
KEEPS_SHAPE = ("activation", "add", "multiply")


def shapes_alone(function: Any, args: Any, read: list[Tensor]) -> Tensor | None:
    """What an operator that reads the tensors ``read`` gives on the meta device, where that is plain; otherwise None.

    torch computes the coordinates of a resize, which takes milliseconds, and goes through Python for the arithmetic of
    each element.
    """
    name = function._schema.name.removeprefix("aten::")
    if not read or not all(each.is_meta and each.dtype == read[0].dtype and each.is_contiguous() for each in read):
        return None
    kind, first = KIND_OF.get(name), read[0]
    if kind == "resize":
        shape: Sequence[int] | None = (*first.shape[:2], *args[1])
    elif not first.is_floating_point():
        shape = None
    elif name == "cat":
        shape = _joined(*args)
    elif name in REDUCTIONS:
        shape = _reduced(first, *args[1:3])
    elif kind in KEEPS_SHAPE:
        shape = _largest(read)
        if shape is not None and name.endswith("_"):
            return first if shape == first.shape else None
    else:
        shape = None
    return None if shape is None else torch.empty(shape, dtype=first.dtype, device="meta")


def _joined(parts: Sequence[Tensor], axis: int = 0) -> list[int] | None:
    shapes = [list(part.shape) for part in parts]
    total = sum(shape.pop(axis) if len(shape) > 1 else 0 for shape in shapes)
    if any(shape != shapes[0] for shape in shapes) or not shapes[0]:
        return None
    shapes[0].insert(axis % (len(shapes[0]) + 1), total)
    return shapes[0]


def _reduced(values: Tensor, axes: Sequence[int] | None = None, keeps: bool = False) -> list[int] | None:
    if not axes:
        return None
    gone = {axis % values.ndim for axis in axes}
    return [1 if axis in gone else size for axis, size in enumerate(values.shape) if keeps or axis not in gone]


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
    if isinstance(value, tuple | list):
        return [tensor for each in value for tensor in tensors_in(each)]
    return tensors_in(list(value.values())) if isinstance(value, dict) else []
