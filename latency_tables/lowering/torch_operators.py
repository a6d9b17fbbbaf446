"""One of torch's operators as those that a phone engine runs.

Operators that no phone engine has are replaced by equivalent ones: bicubic enlargement by a convolution and a pixel
shuffle, a variance by a mean of squares, a norm that is not folded into a convolution by its passes over the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from latency_tables.lowering.operators import EngineOperator
from space.errors import UserError
from space.operators import Operator

BICUBIC_TAPS = 5  # of the polyphase form: four taps, whose place depends on the phase
SHARED_CHANNELS = 4  # up to as many, a dense convolution enlarges faster than a depthwise one, which spares the zeros


def engine_function(operator: Operator) -> str:
    """The engine's name for the function of an operator within its kind."""
    name = operator.name.rstrip("_")
    if operator.kind == "activation":
        return {"_prelu_kernel": "prelu", "hardtanh": "relu6"}.get(name, name)
    if operator.kind == "resize":
        return name.removeprefix("_").removeprefix("upsample_").removesuffix("_aa").removesuffix("2d")
    if operator.kind == "pool":
        return "max" if "max" in name else "average"
    if operator.kind == "norm":
        bare = name.removeprefix("_").removeprefix("native_")
        return bare.removesuffix("_no_training").removesuffix("_legit")
    if operator.kind == "pad":
        return "" if name == "constant_pad_nd" else name.partition("_")[0].replace("ion", "")
    if operator.kind == "copy" and name != "channel_shuffle" and not operator.permuted:
        return "slice" if operator.slices else "plain"
    if operator.kind in ("reduce", "elementwise", "gather"):
        return name
    if operator.kind in ("add", "multiply"):
        sizes = [math.prod(shape) for shape in operator.input_shapes]
        if len(sizes) == 1:
            return "scalar"
        return "" if min(sizes) == max(sizes) else "broadcast"
    return ""


def lower(operator: Operator, value: int) -> tuple[EngineOperator, ...]:
    """The engine's operators for one of torch's; ``value`` is the first free id of an activation."""
    kind, function = operator.kind, engine_function(operator)
    inputs, output = operator.reads, operator.writes[0]
    read_elements = sum(math.prod(shape) for shape in operator.input_shapes)
    in_channels, height, width = image_size(operator.input_shapes[0])
    images = operator.input_shapes[0][0] if len(operator.input_shapes[0]) == 4 else 1
    out_channels, out_height, out_width = image_size(operator.output_shape)
    common: dict[str, Any] = {
        "height": out_height,
        "width": out_width,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "read_elements": read_elements,
        "part": operator.part,
        "inputs": inputs,
        "output": output,
    }
    if kind in ("conv", "conv_transpose"):
        windows: dict[str, Any] = {"kernel": operator.kernel, "stride": operator.stride, "dilation": operator.dilation}
        if any(len(pair) != 2 for pair in windows.values()):
            raise UserError(f"{operator.name} over {len(operator.kernel)} axes at {operator.part!r} has no cost model")
        groups = operator.groups
        if kind == "conv_transpose":
            if groups > 1:
                raise UserError(f"a grouped transposed convolution at {operator.part!r} has no cost model")
            return (EngineOperator("transposed_conv", **common, **windows),)
        if groups > 1 and groups == in_channels and out_channels % in_channels == 0:
            return (EngineOperator("depthwise_conv", **common, **windows),)
        kind = "conv" if groups == 1 else "grouped_conv"
        return (EngineOperator(kind, **common, **windows, groups=groups),)
    if kind == "matmul":
        return (_product(operator, common),)
    if kind == "resize":
        return _resize(operator, function, common, value)
    if kind == "pixel_shuffle":
        if operator.name == "pixel_unshuffle":
            return (EngineOperator("pixel_unshuffle", **common, factor=height // out_height),)
        return (EngineOperator(kind, **common, factor=out_height // height),)
    if kind == "pool":
        if not operator.kernel:  # adaptive
            if operator.output_shape[-2:] == (1, 1):
                return (_reduce(common, "max" if function == "max" else "mean", height // images, width),)
            kernel = stride = (height // out_height, width // out_width)
        else:
            kernel, stride = _pair(operator.kernel), _pair(operator.stride or operator.kernel)
        return (EngineOperator(kind, **common, function=function, kernel=kernel, stride=stride),)
    if kind == "reduce":
        if function == "var":
            return _variance(common, images, height, width, value)
        return (_reduce(common, function, height // images, width),)
    if kind == "concat":
        common["in_channels"] = out_channels
        function = f"of {len(operator.input_shapes)}{_joined_along(operator)}"
    if kind == "norm":
        return _norm(operator, function, common, value)
    if operator.name == "copy_":  # reads the one that it copies; what it overwrites it does not read
        common |= {"read_elements": math.prod(operator.output_shape), "inputs": inputs[-1:]}
    if operator.name == "channel_shuffle":
        return (EngineOperator(kind, **common, function=operator.name, groups=operator.groups),)
    return (EngineOperator(kind, **common, function=function),)


def _joined_along(operator: Operator) -> str:
    """What the function of a concatenation says of the axis along which it joins, "" of the channels."""
    first, output = operator.input_shapes[0], operator.output_shape
    if len(output) != 4 or len(first) != 4 or first[1] != output[1]:
        return ""
    return " along width" if first[3] != output[3] else " along height"


def _reduce(common: dict[str, Any], function: str, height: int, width: int) -> EngineOperator:
    """Of each image of ``height`` x ``width``; how many there are follows from the elements read."""
    return EngineOperator("reduce", **{**common, "height": height, "width": width}, function=function)


def _product(operator: Operator, common: dict[str, Any]) -> EngineOperator:
    """A matrix product; the inner size is its work divided by its outputs, wherever the operands stand."""
    outputs = math.prod(operator.output_shape)
    inner = operator.macs // outputs
    if len(operator.input_shapes) == 1:  # by a weight: each row of what is read gives so many outputs
        rows = common["read_elements"] // inner
    else:
        rows = math.prod(operator.output_shape[:-1])
    sizes = {"height": rows, "width": 1, "in_channels": inner, "out_channels": outputs // rows}
    return EngineOperator("matmul", **{**common, **sizes})


def _norm(operator: Operator, function: str, common: dict[str, Any], value: int) -> tuple[EngineOperator, ...]:
    """A norm that no convolution takes in: scale and shift, after mean and mean square if the image's own count.

    The arithmetic on the statistics themselves, one number per channel or pixel, is left out. Layer norm is taken as
    one over channels.
    """
    elements, read = common["read_elements"], common["inputs"][0]
    channels, statistics = common["in_channels"], common["in_channels"]
    if function == "layer_norm":
        channels, statistics = operator.input_shapes[0][-1], elements // operator.input_shapes[0][-1]
        common = {**common, "height": statistics, "width": 1}
    image = {**common, "in_channels": channels, "out_channels": channels}
    scaled = {**image, "inputs": (read,), "output": value}
    shift = EngineOperator("add", **{**image, "inputs": (value,)}, function="broadcast")
    if function == "batch_norm":
        return (EngineOperator("multiply", **scaled, function="broadcast"), shift)
    reduced = {**image, "out_channels": 1 if function == "layer_norm" else channels}
    apart = {**image, "read_elements": elements + statistics, "inputs": (read, value), "output": value + 1}
    spread = {**reduced, "inputs": (value + 1,), "output": value + 2}
    scaled |= {"read_elements": elements + statistics, "inputs": (read, value + 2), "output": value + 3}
    return (
        EngineOperator("reduce", **{**reduced, "inputs": (read,), "output": value}, function="mean"),
        EngineOperator("add", **apart, function="broadcast"),  # squared difference
        EngineOperator("reduce", **spread, function="mean"),
        EngineOperator("multiply", **scaled, function="broadcast"),
        replace(shift, inputs=(value + 3,)),
    )


def _variance(common: dict[str, Any], images: int, height: int, width: int, value: int) -> tuple[EngineOperator, ...]:
    """Mean, difference from it, square, and mean: engines have no variance. The mean is value ``value``."""
    channels, image = common["in_channels"], {"height": height, "width": width, "out_channels": common["in_channels"]}
    elements, (source,) = channels * height * width, common["inputs"]
    means, mean = images * channels, {**common, "output": value}
    apart = {**common, **image, "read_elements": elements + means, "inputs": (source, value), "output": value + 1}
    square = {**common, **image, "read_elements": 2 * elements, "inputs": (value + 1, value + 1), "output": value + 2}
    return (
        _reduce(mean, "mean", height // images, width),
        EngineOperator("add", **apart, function="broadcast"),
        EngineOperator("multiply", **square),
        _reduce({**common, "inputs": (value + 2,)}, "mean", height // images, width),
    )


def _resize(operator: Operator, function: str, common: dict[str, Any], value: int) -> tuple[EngineOperator, ...]:
    _, height, width = image_size(operator.input_shapes[0])
    factor, rest = divmod(common["height"], height)
    if rest or common["width"] != width * factor:
        factor = 0  # not a whole factor
    if function != "bicubic":
        return (EngineOperator("resize", **common, function=function, factor=max(factor, 1)),)
    if factor < 2:
        raise UserError(
            f"{operator.name} at {operator.part!r} has no cost model: no phone engine has bicubic interpolation, and "
            "it becomes a convolution for whole factors of enlargement only"
        )
    channels = common["in_channels"]
    taps = (BICUBIC_TAPS, BICUBIC_TAPS)
    phases = {"height": height, "width": width, "out_channels": channels * factor**2, "output": value}
    conv = "conv" if channels <= SHARED_CHANNELS else "depthwise_conv"  # every channel is enlarged on its own
    return (
        EngineOperator(conv, **{**common, **phases}, kernel=taps),
        EngineOperator(
            "pixel_shuffle",
            **{
                **common,
                "in_channels": channels * factor**2,
                "read_elements": channels * factor**2 * height * width,
                "inputs": (value,),
            },
            factor=factor,
        ),
    )


def image_size(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(channels, height, width); of a tensor that is no image, what is left of it in that order of meaning.

    The images of a batch, windows of one for example, lie below each other: channels last, that is one tall image.
    """
    if len(shape) == 4:
        return shape[1], shape[0] * shape[2], shape[3]
    if len(shape) == 0:
        return 1, 1, 1
    return shape[-1], math.prod(shape[:-1]), 1


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return (values[0], values[-1])
