"""How each torch operator moves over the picture: for its output, what it reads of each input along both axes.

An operator without a rule, or one that cannot be followed (a reshape that mixes the axes), reads the whole picture:
that is always true, and the network is then not cut into tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from evaluators.restore.axis_maps import (
    ONE,
    RESIZES,
    SAME,
    AxisMap,
    Mirrored,
    Window,
    convolved,
    shuffled,
    transposed,
    unshuffled,
)
from space.operators.kinds import KIND_OF

Axes = tuple[int | None, int | None]  # which dimensions of a tensor are the picture's rows and columns
Maps = tuple[AxisMap, AxisMap]
LAST_TWO: Axes = (-2, -1)


class NotLocalError(Exception):
    """The operator reads the whole picture, or cannot be followed; the text says why."""


@dataclass(frozen=True)
class Call:
    """An operator with its arguments, on shapes alone; ``axes`` are those of the tensors that hold the picture."""

    name: str
    args: dict[str, Any]
    axes: dict[int, Axes]  # by id of the tensor
    outputs: Sequence[Tensor]

    def axes_of(self, tensor: Tensor) -> Axes:
        return self.axes[id(tensor)]


@dataclass(frozen=True)
class Effect:
    """What an operator does: the axes of each output, and the maps to each tensor that it reads."""

    axes: tuple[Axes, ...]
    sources: tuple[tuple[Tensor, Maps], ...]
    fills: tuple[int, int] = (0, 0)  # positions added after the last row and column
    rounded: bool = False  # weights of interpolation that float32 does not hold exactly


def _length(tensor: Tensor, axis: int | None) -> int:
    return 1 if axis is None else tensor.shape[axis]


def _normal(tensor: Tensor, axes: Axes) -> Axes:
    dims = tensor.dim()
    row, column = ((None if axis is None else axis % dims) for axis in axes)
    return row, column


def _image(call: Call, name: str = "self") -> Tensor:
    """The image that a convolution, resize or shuffle works on: its rows and columns are the last two dimensions."""
    tensor: Tensor = call.args[name]
    if call.axes_of(tensor) != _normal(tensor, LAST_TWO):
        raise NotLocalError("it does not work on rows and columns")
    return tensor


def _on_image(call: Call, image: Tensor, maps: Maps, fills: tuple[int, int] = (0, 0), rounded: bool = False) -> Effect:
    return Effect(tuple(_normal(out, LAST_TWO) for out in call.outputs), ((image, maps),), fills, rounded)


def convolution(call: Call) -> Effect:
    image = _image(call, "input")
    values = call.args
    kernel = values["weight"].shape[2:]
    if len(kernel) != 2:
        raise NotLocalError("it does not work on rows and columns")
    make = transposed if values["transposed"] else convolved
    settings = (_both(values[name]) for name in ("stride", "padding", "dilation"))
    row, column = (make(*each) for each in zip(kernel, *settings, strict=True))
    return _on_image(call, image, (row, column))


def _both(value: Sequence[int]) -> tuple[int, int]:
    return (int(value[0]), int(value[-1]))


def pooling(call: Call) -> Effect:
    image = _image(call)
    values = call.args
    kernel = _both(values["kernel_size"])
    stride = _both(values["stride"]) if values.get("stride") else kernel
    padding, dilation = _both(values.get("padding") or (0,)), _both(values.get("dilation") or (1,))
    row, column = (convolved(*each) for each in zip(kernel, stride, padding, dilation, strict=True))
    return _on_image(call, image, (row, column))


def adaptive_pooling(call: Call) -> Effect:
    image = _image(call)
    maps = []
    for axis in LAST_TWO:
        before, after = _length(image, axis), _length(call.outputs[0], axis)
        if after == 1 and before > 1:
            raise NotLocalError("a figure of the whole picture")
        if before % after:
            raise NotLocalError("windows of different sizes")
        maps.append(convolved(before // after, before // after, 0, 1))
    return _on_image(call, image, (maps[0], maps[1]))


def resize(call: Call) -> Effect:
    image = _image(call)
    values, output = call.args, call.outputs[0]
    scales = values.get("scales") or (values.get("scales_h"), values.get("scales_w"))
    maps, rounded = [], False
    for axis, scale in zip(LAST_TWO, scales, strict=True):
        before, after = _length(image, axis), _length(output, axis)
        if values.get("align_corners") and before != after:
            raise NotLocalError("corners are aligned over the whole picture")
        ratio = 1 / Fraction(scale).limit_denominator(64) if scale else Fraction(before, after)
        maps.append(RESIZES[call.name](ratio))
        rounded = rounded or not is_exact(ratio)
    return _on_image(call, image, (maps[0], maps[1]), rounded=rounded and "nearest" not in call.name)


def is_exact(ratio: Fraction) -> bool:
    """Whether float32 holds the coordinates of such a resize without rounding."""
    return all(number & (number - 1) == 0 for number in (ratio.numerator, ratio.denominator))


def padding(call: Call) -> Effect:
    image, pads = call.args["self"], call.args.get("pad") or call.args["padding"]
    axes = call.axes_of(image)
    maps: list[AxisMap] = [SAME, SAME]
    fills: list[int] = [0, 0]
    for index in range(len(pads) // 2):
        if image.dim() - 1 - index in axes:
            place = axes.index(image.dim() - 1 - index)
            before, after = pads[2 * index : 2 * index + 2]
            mirrors = call.name.startswith("reflection")
            maps[place] = Mirrored(before) if mirrors else Window(1, 1, -before, -before)
            fills[place] = after
    return Effect((axes,), ((image, (maps[0], maps[1])),), (fills[0], fills[1]))


def pixel_shuffle(call: Call) -> Effect:
    factor = call.args["upscale_factor"]
    return _on_image(call, _image(call), (shuffled(factor), shuffled(factor)))


def pixel_unshuffle(call: Call) -> Effect:
    factor = call.args["downscale_factor"]
    return _on_image(call, _image(call), (unshuffled(factor), unshuffled(factor)))


def pointwise(call: Call) -> Effect:
    """Element by element, with broadcasting: also of some channels, or of a whole row of them."""
    output = call.outputs[0]
    dims = output.dim()
    tensors = [value for value in _tensors_in(call.args.values()) if id(value) in call.axes]
    found: list[int | None] = [None, None]
    for tensor in tensors:
        for place, axis in enumerate(call.axes_of(tensor)):
            if axis is not None:
                at = axis + dims - tensor.dim()
                if found[place] not in (None, at):
                    raise NotLocalError("rows meet columns")
                found[place] = at
    axes = (found[0], found[1])
    sources = []
    for tensor in tensors:
        maps = []
        for place_out, axis in zip(axes, call.axes_of(tensor), strict=True):
            short = place_out is not None and _length(tensor, axis) == 1 and output.shape[place_out] > 1
            maps.append(ONE if short or axis is None else SAME)
        sources.append((tensor, (maps[0], maps[1])))
    return Effect((axes,) * len(call.outputs), tuple(sources))


def _tensors_in(values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors_in(value)
    return found


def along_channels(call: Call) -> Effect:
    """A softmax, or a choice of channels."""
    tensor, dim = call.args["self"], call.args["dim"]
    if dim % tensor.dim() in call.axes_of(tensor):
        raise NotLocalError("along rows or columns")
    return pointwise(call)


def normalisation(call: Call) -> Effect:
    """Of stored statistics; or over the channels of a pixel, where these are the last dimension."""
    if call.name == "native_layer_norm":
        tensor, shape = call.args["input"], call.args["normalized_shape"]
        dims = range(tensor.dim() - len(shape), tensor.dim())
        if any(axis in dims for axis in call.axes_of(tensor)):
            raise NotLocalError("a figure of the whole picture")
        return _first_only(call, tensor)
    if call.name == "native_group_norm" or call.args.get("training") or call.args.get("running_mean") is None:
        raise NotLocalError("a figure of the whole picture")
    return _first_only(call, call.args["input"])


def _first_only(call: Call, tensor: Tensor) -> Effect:
    """Of an operator whose further outputs are statistics that nobody reads in eval mode."""
    axes = call.axes_of(tensor)
    return Effect((axes,) + ((None, None),) * (len(call.outputs) - 1), ((tensor, (SAME, SAME)),))


def reduction(call: Call) -> Effect:
    tensor = call.args["self"]
    dims = call.args.get("dim")
    if dims is None or dims == []:
        raise NotLocalError("a figure of the whole picture")
    gone = sorted({dim % tensor.dim() for dim in ([dims] if isinstance(dims, int) else dims)})
    axes = call.axes_of(tensor)
    if any(axis in gone and tensor.shape[axis] > 1 for axis in axes if axis is not None):
        raise NotLocalError("a figure of the whole picture")
    if not call.args.get("keepdim"):
        axes = _moved(axes, lambda axis: None if axis in gone else axis - sum(dim < axis for dim in gone))
    return Effect((axes,) * len(call.outputs), ((tensor, (SAME, SAME)),))


def _moved(axes: Axes, where: Callable[[int], int | None]) -> Axes:
    row, column = (None if axis is None else where(axis) for axis in axes)
    return row, column


def joining(call: Call) -> Effect:
    tensors = _tensors_in([call.args["tensors"]])
    output = call.outputs[0]
    dim = (call.args.get("dim") or 0) % output.dim()
    known = [tensor for tensor in tensors if id(tensor) in call.axes]
    shifts = call.name == "stack"
    axes = {_moved(call.axes_of(t), lambda axis: axis + 1 if shifts and axis >= dim else axis) for t in known}
    if len(axes) > 1 or (not shifts and any(dim in each for each in axes)):
        raise NotLocalError("parts of the picture are put side by side")
    return Effect((axes.pop(),), tuple((tensor, (SAME, SAME)) for tensor in known))


def reshape(call: Call) -> Effect:
    """A view keeps an axis where the same number of elements lies before and after it."""
    tensor, output = call.args["self"], call.outputs[0]
    return Effect((_moved(call.axes_of(tensor), lambda axis: _place(tensor, output, axis)),), ((tensor, (SAME, SAME)),))


def _place(tensor: Tensor, output: Tensor, axis: int) -> int | None:
    length, before = tensor.shape[axis], tensor.shape[:axis].numel()
    if length == 1:
        return None
    for place, size in enumerate(output.shape):
        if size == length and output.shape[:place].numel() == before:
            return place
    raise NotLocalError("rows and columns are mixed")


def permutation(call: Call) -> Effect:
    tensor = call.args["self"]
    dims = tensor.dim()
    order = list(range(dims))
    if "dims" in call.args:
        order = [dim % dims for dim in call.args["dims"]]
    else:
        first, second = (call.args.get(name, default) % dims for name, default in (("dim0", 0), ("dim1", 1)))
        order[first], order[second] = order[second], order[first]
    return Effect((_moved(call.axes_of(tensor), order.index),), ((tensor, (SAME, SAME)),))


def slicing(call: Call) -> Effect:
    """``slice``, ``select`` and ``narrow``, and the parts of ``split`` and ``unbind``."""
    tensor, dim = call.args["self"], (call.args.get("dim") or 0) % call.args["self"].dim()
    axes = call.axes_of(tensor)
    if call.name in ("select", "unbind"):
        if dim in axes:
            raise NotLocalError("one row or column for all")
        axes = _moved(axes, lambda axis: axis - (axis > dim))
    maps: list[AxisMap] = [SAME, SAME]
    if dim in axes and call.name not in ("select", "unbind"):
        if call.name != "slice":
            raise NotLocalError("parts of the picture are taken apart")
        start = call.args.get("start") or 0
        start = max(start + tensor.shape[dim], 0) if start < 0 else start
        maps[axes.index(dim)] = Window(call.args.get("step") or 1, 1, start, start)
    return Effect((axes,) * len(call.outputs), ((tensor, (maps[0], maps[1])),))


def unsqueezing(call: Call) -> Effect:
    tensor, output = call.args["self"], call.outputs[0]
    dim = call.args["dim"] % output.dim()
    return Effect((_moved(call.axes_of(tensor), lambda axis: axis + (axis >= dim)),), ((tensor, (SAME, SAME)),))


def product(call: Call) -> Effect:
    """A matrix product that changes the channels of each pixel, which are the last dimension of its first factor."""
    first, second = (call.args[name] for name in ("self", "mat2"))
    if id(second) in call.axes or first.dim() - 1 in call.axes_of(first):
        raise NotLocalError("every place with every other")
    return Effect((call.axes_of(first),), ((first, (SAME, SAME)),))


@dataclass(frozen=True)
class _Rules:
    by_name: dict[str, Callable[[Call], Effect]] = field(default_factory=dict)

    def add(self, rule: Callable[[Call], Effect], *names: str) -> None:
        self.by_name.update(dict.fromkeys(names, rule))


def _all_rules() -> dict[str, Callable[[Call], Effect]]:
    rules = _Rules()
    local = ("activation", "add", "multiply", "copy")
    rules.add(pointwise, *(name for name, kind in KIND_OF.items() if kind in local))
    rules.add(pointwise, "expand", "detach", "alias", "lift_fresh", "contiguous", "view_as_real")
    rules.add(convolution, "convolution")
    rules.add(pooling, "max_pool2d_with_indices", "avg_pool2d", "max_pool2d")
    rules.add(adaptive_pooling, "_adaptive_avg_pool2d", "adaptive_max_pool2d")
    rules.add(resize, *RESIZES)
    rules.add(padding, "constant_pad_nd", "reflection_pad2d", "replication_pad2d")
    rules.add(pixel_shuffle, "pixel_shuffle")
    rules.add(pixel_unshuffle, "pixel_unshuffle")
    rules.add(along_channels, "_softmax", "_safe_softmax", "index_select")
    rules.add(
        normalisation,
        "native_batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_no_training",
        "native_layer_norm",
        "native_group_norm",
    )
    rules.add(reduction, *(name for name, kind in KIND_OF.items() if kind == "reduce"), "prod", "std", "argmax", "any")
    rules.add(joining, "cat", "stack")
    rules.add(reshape, "view", "_unsafe_view", "reshape", "_reshape_alias", "squeeze")
    rules.add(permutation, "permute", "transpose", "t")
    rules.add(slicing, "slice", "select", "narrow", "split", "split_with_sizes", "unbind", "chunk")
    rules.add(unsqueezing, "unsqueeze")
    rules.add(product, "mm")
    for name in ("repeat", "copy_", "_unsafe_view"):  # kinds of "copy" that need more than this
        rules.by_name.pop(name, None)
    rules.add(reshape, "_unsafe_view")
    return rules.by_name


RULES = _all_rules()


def rule_of(function: torch._ops.OpOverload) -> Callable[[Call], Effect] | None:
    """The rule of an ATen operator; None of one that reads the whole picture, as far as is known."""
    name = function._schema.name.removeprefix("aten::")
    if name in RULES:
        return RULES[name]
    return pointwise if torch.Tag.pointwise in function.tags else None
