"""Input shapes of an operator that stands alone, channels last, inferred from its description."""

from __future__ import annotations

import math

from latency_tables.lowering.operators import TRAFFIC_KINDS, EngineOperator
from space.errors import UserError

Shape = tuple[int, ...]


def input_shapes(op: EngineOperator, alone: bool = False) -> tuple[Shape, ...]:
    """Shapes (1, H, W, C) of the activations that ``op`` reads; (rows, columns) of a matmul, (B, rows, columns) of B.

    The first number is more than 1 where an operator treats the images of a batch one by one.

    A slice that stands ``alone`` takes half of the channels: its description does not say what it is cut from, and
    copying all channels would be another operation, on one run of memory.

    Raises:
        UserError: they do not follow from the operator; the message names it.
    """
    height, width, channels = op.height, op.width, op.in_channels
    shapes: tuple[Shape, ...]
    if op.kind in ("conv", "depthwise_conv", "grouped_conv", "pool"):
        shapes = (_before_window(op),)
    elif op.kind == "transposed_conv":
        shapes = ((1, height // op.stride[0], width // op.stride[1], channels),)
    elif op.kind == "resize" and op.read_elements > op.pixels * channels:
        times = math.isqrt(op.read_elements // channels // op.pixels)  # a reduction
        shapes = ((1, height * times, width * times, channels),)
    elif op.kind in ("resize", "pixel_shuffle"):
        shapes = ((1, height // op.factor, width // op.factor, channels),)
    elif op.kind == "pixel_unshuffle":
        shapes = ((1, height * op.factor, width * op.factor, channels),)
    elif op.kind == "concat":
        shapes = _joined(op)
    elif op.kind == "matmul":
        shapes = _factors(op)
    elif op.kind == "pad":
        shapes = (_before_pad(op),)
    elif op.kind in ("add", "multiply", "elementwise") and op.function != "scalar":
        shapes = _operands(op)
    elif op.function == "slice" and alone:
        shapes = ((1, height, width, 2 * channels),)
    elif op.kind in TRAFFIC_KINDS:
        shapes = ((op.images, height, width, channels),)
    else:
        raise UserError(f"no model can be written for {op}: what it reads does not follow from its description")
    return shapes


def _joined(op: EngineOperator) -> tuple[Shape, ...]:
    """The inputs of a concatenation, with what they are joined along divided as evenly as possible."""
    parts = int(op.function.removeprefix("of ").partition(" ")[0] or 2)
    axis, shape = joined_axis(op), [1, op.height, op.width, op.out_channels]
    least, more = divmod(shape[axis], parts)
    return tuple((*shape[:axis], least + (index < more), *shape[axis + 1 :]) for index in range(parts))


def joined_axis(op: EngineOperator) -> int:
    """Of (1, H, W, C), the one along which a concatenation joins its inputs."""
    return {"height": 1, "width": 2}.get(op.function.rpartition(" along ")[2], 3)


def _before_window(op: EngineOperator) -> Shape:
    """The input of a windowed operator: padded to keep the size, or without padding, whichever reads as many pixels."""
    padded = (op.height * op.stride[0], op.width * op.stride[1])
    bare = tuple(
        (size - 1) * stride + dilation * (taps - 1) + 1
        for size, stride, dilation, taps in zip((op.height, op.width), op.stride, op.dilation, op.kernel, strict=True)
    )
    pixels = op.read_elements // op.in_channels
    height, width = bare if bare[0] * bare[1] == pixels else padded
    return (1, height, width, op.in_channels)


def _operands(op: EngineOperator) -> tuple[Shape, ...]:
    """An image, and a second operand that is spread over it, if there is one."""
    height, width, channels = op.height, op.width, op.in_channels
    image = (1, height, width, channels)
    rest = op.read_elements - op.pixels * channels
    seconds = {
        1: (1, 1, 1, 1),
        op.pixels: (1, height, width, 1),
        channels: (1, 1, 1, channels),
        op.pixels * channels: image,
    }
    if not rest:
        return (image,)
    if rest in seconds:
        return (image, seconds[rest])
    images, part = divmod(rest, channels)  # one number for each channel of each image of a batch
    if part or height % images:
        raise UserError(f"no model can be written for {op}: its second operand of {rest} elements fits no broadcast")
    return ((images, height // images, width, channels), (images, 1, 1, channels))


def _factors(op: EngineOperator) -> tuple[Shape, ...]:
    """(M, K), and (K, N) if the second factor is an activation and not a weight; of a batch (B, M, K) and (B, K, N)."""
    rest = op.read_elements - op.height * op.in_channels
    if rest == 0:
        return ((op.height, op.in_channels),)
    rows, images = op.height // op.images, op.images
    if rest != images * op.in_channels * op.out_channels or rows * images != op.height:
        raise UserError(f"no model can be written for {op}: its second factor of {rest} elements fits no product")
    if images == 1:
        return ((rows, op.in_channels), (op.in_channels, op.out_channels))
    return ((images, rows, op.in_channels), (images, op.in_channels, op.out_channels))


def _before_pad(op: EngineOperator) -> Shape:
    pixels = op.read_elements // op.in_channels
    for height in range(op.height, 0, -1):
        width = pixels // height
        if height * width == pixels and 0 <= op.width - width <= 2 * (op.height - height) + 1:
            return (1, height, width, op.in_channels)
    raise UserError(f"no model can be written for {op}: {pixels} input pixels are no smaller image")
