"""ONNX operators in torch: one function each, by name. One that is not here is refused by name.

An operand is a torch tensor (an image's, or a weight), a Python float for a constant without axes, or a NumPy array for
what says how to compute: sizes, axes, pads.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from space.errors import UserError

Attributes = Mapping[str, Any]
Function = Callable[..., Any]  # (attributes, *operands) -> a value, or a tuple of values
RELU6 = (0.0, 6.0)


def _conv(how: Attributes, image: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    axes = weight.dim() - 2
    stride, dilation = _ints(how, "strides", axes), _ints(how, "dilations", axes)
    image, padding = _padded(how, image, weight.shape[2:], stride, dilation)
    return torch.convolution(image, weight, bias, stride, padding, dilation, False, [0] * axes, how.get("group", 1))


def _conv_transpose(how: Attributes, image: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    axes = weight.dim() - 2
    if "output_shape" in how or how.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise UserError("a ConvTranspose must say its pads, got output_shape or auto_pad; export it with pads")
    stride, dilation = _ints(how, "strides", axes), _ints(how, "dilations", axes)
    begin, end = _pads(how, axes)
    more = _ints(how, "output_padding", axes, 0)
    # Cut less from the end: the same as a larger output.
    rest = [each + first - last for each, first, last in zip(more, begin, end, strict=True)]
    if min(rest) < 0:
        raise UserError("a ConvTranspose must not cut more from the end than from the begin, got unequal pads")
    return torch.convolution(image, weight, bias, stride, begin, dilation, True, rest, how.get("group", 1))


def _padded(
    how: Attributes,
    image: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    fills: float = 0.0,
) -> tuple[Tensor, list[int]]:
    """The image, padded where its two ends differ, and the padding that is left to the operator."""
    axes, auto = len(kernel), how.get("auto_pad", "NOTSET")
    begin, end = _pads(how, axes)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max((-(-size // step) - 1) * step + (side - 1) * gap + 1 - size, 0)
            for size, side, step, gap in zip(image.shape[2:], kernel, stride, dilation, strict=True)
        ]
        small, large = [each // 2 for each in total], [each - each // 2 for each in total]
        begin, end = (small, large) if auto == "SAME_UPPER" else (large, small)
    if begin == end:
        return image, begin
    return F.pad(image, _torch_pads(begin, end), value=fills), [0] * axes


def _pads(how: Attributes, axes: int) -> tuple[list[int], list[int]]:
    pads = _ints(how, "pads", 2 * axes, 0)
    return pads[:axes], pads[axes:]


def _torch_pads(begin: Sequence[int], end: Sequence[int]) -> list[int]:
    """Torch names the last axis first."""
    return [side for pair in reversed(list(zip(begin, end, strict=True))) for side in pair]


def _ints(how: Attributes, name: str, count: int, default: int = 1) -> list[int]:
    return list(how.get(name) or [default] * count)


def _pool(function: Function, fills: float) -> Function:
    def pool(how: Attributes, image: Tensor) -> Tensor:
        kernel = list(how["kernel_shape"])
        axes = len(kernel)
        stride, dilation = _ints(how, "strides", axes), _ints(how, "dilations", axes)
        begin, end = _pads(how, axes)
        ceil = bool(how.get("ceil_mode", 0))
        counts_pads = bool(how.get("count_include_pad", 0)) or function is F.max_pool2d
        if how.get("auto_pad", "NOTSET") != "NOTSET" or begin != end:
            image, begin = _padded(how, image, kernel, stride, dilation, fills)
        if function is F.max_pool2d:
            return F.max_pool2d(image, kernel, stride, begin, dilation, ceil)
        return F.avg_pool2d(image, kernel, stride, begin, ceil, counts_pads)

    return pool


def _prelu(how: Attributes, image: Tensor, slope: Tensor | float) -> Tensor:
    if isinstance(slope, float):
        return F.leaky_relu(image, slope)
    if slope.numel() not in (1, image.shape[1]):
        raise UserError(f"a PRelu must have one slope a channel, got {tuple(slope.shape)}; export it so")
    return F.prelu(image, slope.reshape(-1))


def _clip(how: Attributes, image: Tensor, low: Any = None, high: Any = None) -> Tensor:
    least, most = (None if each is None else float(np.asarray(each)) for each in (low, high))
    least, most = how.get("min", least), how.get("max", most)
    return F.relu6(image) if (least, most) == RELU6 else torch.clamp(image, least, most)


def _slice(how: Attributes, image: Tensor, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Tensor:
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        length = image.shape[int(axis)]
        begin, stop, step = slice(int(start), int(end), int(step)).indices(length)
        if step < 0:
            image = image.flip(int(axis))
            begin, stop, step = length - 1 - begin, length - 1 - stop, -step
        image = torch.ops.aten.slice.Tensor(image, int(axis), begin, max(stop, begin), step)
    return image


def _split(how: Attributes, image: Tensor, sizes: Any = None) -> tuple[Tensor, ...]:
    axis = how.get("axis", 0)
    sizes = how.get("split") if sizes is None else sizes
    if sizes is not None:
        return torch.split(image, [int(each) for each in sizes], axis)
    parts = how.get("num_outputs") or how["outputs"]
    return torch.split(image, -(-image.shape[axis] // parts), axis)


def _gather(how: Attributes, image: Tensor, places: Any) -> Tensor:
    axis, places = how.get("axis", 0), np.asarray(places)
    if not places.ndim:
        return image.select(axis, int(places))
    return image.index_select(axis, torch.as_tensor(places.reshape(-1), device=image.device)).reshape(
        *image.shape[:axis], *places.shape, *image.shape[axis + 1 :]
    )


def _depth_to_space(how: Attributes, image: Tensor) -> Tensor:
    factor = how["blocksize"]
    if how.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(image, factor)
    count, channels, height, width = image.shape
    blocks = image.reshape(count, factor, factor, channels // factor**2, height, width)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(count, -1, height * factor, width * factor)


def _space_to_depth(how: Attributes, image: Tensor) -> Tensor:
    factor = how["blocksize"]
    count, channels, height, width = image.shape
    blocks = image.reshape(count, channels, height // factor, factor, width // factor, factor)
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(count, -1, height // factor, width // factor)


RESIZES = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}


def _resize(how: Attributes, image: Tensor, roi: Any = None, scales: Any = None, sizes: Any = None) -> Tensor:
    axes = [int(axis) % image.dim() for axis in how.get("axes") or range(image.dim())]
    wanted = list(image.shape)
    for place, axis in enumerate(axes):
        if sizes is not None and len(sizes):
            wanted[axis] = int(sizes[place])
        else:
            wanted[axis] = int(np.floor(image.shape[axis] * float(scales[place])))
    if image.dim() != 4 or wanted[:2] != list(image.shape[:2]):
        raise UserError(f"a Resize must change height and width alone, got {tuple(image.shape)} to {tuple(wanted)}")
    mode = RESIZES[how.get("mode", "nearest")]
    if mode == "nearest":
        return F.interpolate(image, wanted[2:], mode=mode)
    corners = how.get("coordinate_transformation_mode", "half_pixel") == "align_corners"
    smooth = bool(how.get("antialias", 0))
    return F.interpolate(image, wanted[2:], mode=mode, align_corners=corners, antialias=smooth)


PADS = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def _pad(how: Attributes, image: Tensor, pads: Any = None, value: Any = None, axes: Any = None) -> Tensor:
    pads = how["pads"] if pads is None else pads
    axes = range(image.dim()) if axes is None else [int(axis) % image.dim() for axis in axes]
    begin, end = [0] * image.dim(), [0] * image.dim()
    for place, axis in enumerate(axes):
        begin[axis], end[axis] = int(pads[place]), int(pads[place + len(pads) // 2])
    mode = PADS[how.get("mode", "constant")]
    if mode == "constant":
        filled = how.get("value", 0.0) if value is None else float(np.asarray(value).reshape(-1)[0])
        return F.pad(image, _torch_pads(begin, end), value=filled)
    if any(begin[:-2]) or any(end[:-2]):
        raise UserError(f"a Pad of mode {how['mode']} must change height and width alone, got {list(map(int, pads))}")
    return F.pad(image, _torch_pads(begin[-2:], end[-2:]), mode=mode)


def _reduce(function: Callable[[Tensor, Any, bool], Tensor]) -> Function:
    def reduce(how: Attributes, image: Tensor, axes: Any = None) -> Tensor:
        axes = how.get("axes") if axes is None else axes
        named = [int(axis) for axis in axes] if axes is not None and len(axes) else list(range(image.dim()))
        if (axes is None or not len(axes)) and how.get("noop_with_empty_axes", 0):
            return image
        return function(image, named, bool(how.get("keepdims", 1)))

    return reduce


def _global_mean(how: Attributes, image: Tensor) -> Tensor:
    return image.mean(list(range(2, image.dim())), keepdim=True)


def _gemm(how: Attributes, left: Tensor, right: Tensor, added: Any = None) -> Tensor:
    left = left.t() if how.get("transA") else left
    if how.get("alpha", 1.0) == how.get("beta", 1.0) == 1.0 and how.get("transB"):
        return F.linear(left, right, added)
    product = left @ (right.t() if how.get("transB") else right)
    product = product * how["alpha"] if how.get("alpha", 1.0) != 1.0 else product
    return product if added is None else product + (added * how["beta"] if how.get("beta", 1.0) != 1.0 else added)


def _reshape(how: Attributes, image: Tensor, shape: Any) -> Tensor:
    keeps = not how.get("allowzero", 0)
    return image.reshape([image.shape[i] if not side and keeps else int(side) for i, side in enumerate(shape)])


def _flatten(how: Attributes, image: Tensor) -> Tensor:
    axis = how.get("axis", 1) % (image.dim() + 1)
    return image.reshape(int(np.prod(image.shape[:axis])), -1)


def _transpose(how: Attributes, image: Tensor) -> Tensor:
    return image.permute(*how.get("perm", reversed(range(image.dim()))))


def _squeeze(how: Attributes, image: Tensor, axes: Any = None) -> Tensor:
    axes = how.get("axes") if axes is None else axes
    return image.squeeze() if axes is None else image.squeeze([int(axis) for axis in axes])


def _unsqueeze(how: Attributes, image: Tensor, axes: Any = None) -> Tensor:
    axes = how["axes"] if axes is None else axes
    rank = image.dim() + len(axes)
    for axis in sorted(int(each) % rank for each in axes):
        image = image.unsqueeze(axis)
    return image


def _expand(how: Attributes, image: Tensor, shape: Any) -> Tensor:
    return image.expand(torch.broadcast_shapes(image.shape, [int(side) for side in shape]))


def _batch_norm(how: Attributes, image: Tensor, weight: Any, bias: Any, mean: Any, variance: Any) -> Tensor:
    return F.batch_norm(image, mean, variance, weight, bias, False, 0.0, how.get("epsilon", 1e-5))


def _layer_norm(how: Attributes, image: Tensor, weight: Any, bias: Any = None) -> Tensor:
    axis = how.get("axis", -1) % image.dim()
    return F.layer_norm(image, image.shape[axis:], weight, bias, how.get("epsilon", 1e-5))


def _instance_norm(how: Attributes, image: Tensor, weight: Any, bias: Any) -> Tensor:
    return F.instance_norm(image, weight=weight, bias=bias, eps=how.get("epsilon", 1e-5))


def _group_norm(how: Attributes, image: Tensor, weight: Any, bias: Any) -> Tensor:
    return F.group_norm(image, how["num_groups"], weight, bias, how.get("epsilon", 1e-5))


def _hard_sigmoid(how: Attributes, image: Tensor) -> Tensor:
    slope, middle = how.get("alpha", 0.2), how.get("beta", 0.5)
    if abs(slope - 1 / 6) < 1e-6 and middle == 0.5:
        return F.hardsigmoid(image)
    return torch.clamp(image * slope + middle, 0.0, 1.0)


def _plain(function: Callable[..., Any]) -> Function:
    """Of an operator without attributes that torch or Python has alike."""
    return lambda how, *operands: function(*operands)


OPERATORS: dict[str, Function] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MatMul": _plain(torch.matmul),
    "Gemm": _gemm,
    "Einsum": lambda how, *operands: torch.einsum(how["equation"], *operands),
    "Relu": _plain(F.relu),
    "LeakyRelu": lambda how, image: F.leaky_relu(image, how.get("alpha", 0.01)),
    "PRelu": _prelu,
    "Elu": lambda how, image: F.elu(image, how.get("alpha", 1.0)),
    "Sigmoid": _plain(torch.sigmoid),
    "Tanh": _plain(torch.tanh),
    "Gelu": lambda how, image: F.gelu(image, approximate=how.get("approximate", "none")),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain(F.hardswish),
    "Swish": _plain(F.silu),
    "Mish": _plain(F.mish),
    "Softplus": _plain(F.softplus),
    "Clip": _clip,
    "Add": _plain(operator.add),
    "Sub": _plain(operator.sub),
    "Mul": _plain(operator.mul),
    "Div": _plain(operator.truediv),
    "Sum": _plain(lambda first, *others: sum(others, start=first)),
    "Pow": _plain(operator.pow),
    "Neg": _plain(operator.neg),
    **{name: _plain(getattr(torch, name.lower())) for name in ("Abs", "Exp", "Log", "Sqrt", "Floor", "Ceil", "Round")},
    **{name: _plain(getattr(torch, name.lower())) for name in ("Erf", "Sign", "Sin", "Cos", "Reciprocal", "Where")},
    "Min": _plain(torch.minimum),
    "Max": _plain(torch.maximum),
    "Greater": _plain(operator.gt),
    "GreaterOrEqual": _plain(operator.ge),
    "Less": _plain(operator.lt),
    "LessOrEqual": _plain(operator.le),
    "Equal": _plain(torch.eq),
    "Not": _plain(torch.logical_not),
    "And": _plain(torch.logical_and),
    "Or": _plain(torch.logical_or),
    "Concat": lambda how, *images: torch.cat(images, how["axis"]),
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Resize": _resize,
    "Upsample": lambda how, image, scales: _resize(how, image, None, scales),
    "Pad": _pad,
    "AveragePool": _pool(F.avg_pool2d, 0.0),
    "MaxPool": _pool(F.max_pool2d, float("-inf")),
    "GlobalAveragePool": _global_mean,
    "GlobalMaxPool": lambda how, image: image.amax(list(range(2, image.dim())), keepdim=True),
    "ReduceMean": _reduce(lambda image, axes, keep: image.mean(axes, keepdim=keep)),
    "ReduceSum": _reduce(lambda image, axes, keep: image.sum(axes, keepdim=keep)),
    "ReduceMax": _reduce(lambda image, axes, keep: image.amax(axes, keepdim=keep)),
    "ReduceMin": _reduce(lambda image, axes, keep: image.amin(axes, keepdim=keep)),
    "ReduceL2": _reduce(lambda image, axes, keep: torch.linalg.vector_norm(image, dim=axes, keepdim=keep)),
    "ReduceSumSquare": _reduce(lambda image, axes, keep: (image * image).sum(axes, keepdim=keep)),
    "Softmax": lambda how, image: F.softmax(image, how.get("axis", -1)),
    "LogSoftmax": lambda how, image: F.log_softmax(image, how.get("axis", -1)),
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Expand": _expand,
    "Tile": lambda how, image, times: image.repeat(*(int(each) for each in times)),
    "Identity": _plain(lambda image: image),
    "Dropout": lambda how, image, *_: image,
    "Cast": lambda how, image: image if image.is_floating_point() else image.float(),  # costs are those of one format
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "GridSample": lambda how, image, grid: F.grid_sample(image, grid, align_corners=bool(how.get("align_corners", 0))),
}

# By operator, the places of operands that say how to compute, not what with.
HOW: dict[str, frozenset[int]] = {
    name: frozenset(range(1, 5))
    for name in (
        "Reshape", "Expand", "Tile", "Slice", "Split", "Gather", "Resize", "Upsample", "Pad", "Clip", "Squeeze",
        "Unsqueeze", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare", "Dropout",
    )
}  # fmt: skip
STATISTICS = {"BatchNormalization": frozenset({3, 4})}  # stored with a network, and no parameters
