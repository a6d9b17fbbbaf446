"""From the operators that torch traces to those that a phone engine runs.

The rules are those of TensorFlow Lite's converter and XNNPACK: batch norm disappears in the convolution before it, ReLU
and ReLU6 in the convolution or addition before them, a bias in its matrix product. An enlargement by bicubic
interpolation, which no phone engine has, becomes the convolution and pixel shuffle that compute the same, and a
variance a mean of squares. Some of a value's channels, in torch a view, are a copy where channels come last.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from torch import nn

from latency_tables.operators import EngineOperator
from space.architecture import Architecture
from space.build import deploy_form
from space.errors import UserError
from space.operators import Operator, meta_copy, screen, trace
from space.operators.operator import Shape

FUSED_FUNCTIONS = ("relu", "relu6")
FUSES_ACTIVATION = ("conv", "depthwise_conv", "grouped_conv", "transposed_conv", "matmul", "add", "multiply")
REMEMBERED = 4096  # architectures whose operators are kept: a front is priced again for every picture and page
BICUBIC_TAPS = 5  # of the polyphase form: four taps, whose place depends on the phase


def engine_operators(operators: Iterable[Operator], outputs: Sequence[int] = ()) -> tuple[EngineOperator, ...]:
    """``operators`` as an engine runs them, in the same order; ``outputs`` are the network's own output values.

    Raises:
        UserError: an operator that no rule describes; the message names it, never a cost of zero.
    """
    traced = [operator for operator in operators if not _is_free(operator)]
    readers = Counter(value for operator in traced for value in set(operator.reads))
    readers.update(outputs)
    fused: list[EngineOperator] = []
    writer: dict[int, int] = {}  # position in ``fused`` of the operator that wrote a value
    copied: dict[tuple[int, int, Shape], int] = {}  # the value that holds a slice
    next_value = 1 + max((value for operator in traced for value in (*operator.reads, *operator.writes)), default=0)
    for operator in traced:
        if operator.slices:
            copies, operator = _slices_copied(operator, copied, next_value)
            next_value += len(copies)
            fused += copies
        source = writer.get(operator.reads[0]) if operator.reads else None
        if source is not None and _fuses(fused[source], operator, readers):
            fused[source] = replace(fused[source], output=operator.writes[0])
            writer[operator.writes[0]] = source
            continue
        for step in _lower(operator, next_value):
            next_value = max(next_value, step.output + 1)
            fused.append(step)
        for value in operator.writes:
            writer[value] = len(fused) - 1
    return tuple(fused)


@lru_cache(maxsize=REMEMBERED)
def architecture_operators(arch: Architecture, input_size: tuple[int, int]) -> tuple[EngineOperator, ...]:
    """The operators that an engine runs for ``arch`` at an input of (width, height) pixels, by screening.

    Raises:
        UserError: it has an operator without a cost model.
    """
    screening = screen(arch, *input_size)
    return engine_operators(screening.operators, (screening.output,))


def network_operators(
    network: nn.Module, in_channels: int, input_size: tuple[int, int], more_inputs: Sequence[Shape] = ()
) -> tuple[EngineOperator, ...]:
    """The operators that an engine runs for ``network`` in its deploy form, at an input of (width, height) pixels.

    ``more_inputs`` are the shapes of its inputs besides that image. The network is left as it is.

    Raises:
        UserError: it cannot run at this size, or it has an operator without a cost model.
    """
    width, height = input_size
    deployed = deploy_form(meta_copy(network))
    listed = trace(deployed, (1, in_channels, height, width), *more_inputs)
    return engine_operators(listed.operators, listed.outputs)


def _slices_copied(
    operator: Operator, copied: dict[tuple[int, int, Shape], int], value: int
) -> tuple[list[EngineOperator], Operator]:
    """The copies of slices that ``operator`` is the first to read, and ``operator`` reading copies.

    ``copied`` learns of the new ones; ``value`` is the first free id of an activation.
    """
    copies: list[EngineOperator] = []
    reads = list(operator.reads)
    for position, begin in enumerate(operator.slices):
        if begin is None:
            continue
        shape = operator.input_shapes[position]
        key = (reads[position], begin, shape)
        if key not in copied:
            copied[key] = value + len(copies)
            channels, height, width = _image(shape)
            copies.append(
                EngineOperator(
                    "copy", height, width, channels, channels, math.prod(shape), "slice", part=operator.part,
                    inputs=(reads[position],), output=copied[key],
                )
            )  # fmt: skip
        reads[position] = copied[key]
    return copies, replace(operator, reads=tuple(reads))


def _is_free(operator: Operator) -> bool:
    """A copy onto itself is a view."""
    return operator.kind == "copy" and set(operator.writes) <= set(operator.reads)


def _fuses(before: EngineOperator, operator: Operator, readers: Counter[int]) -> bool:
    in_place = operator.writes[0] == operator.reads[0]
    if not in_place and readers[operator.reads[0]] > 1:
        return False
    if operator.kind == "norm":
        return before.kind.endswith("conv") and "batch_norm" in operator.name
    if operator.kind == "add" and before.kind == "matmul":
        return len(operator.input_shapes) == 1  # the other operand is a weight: the bias
    return _function(operator) in FUSED_FUNCTIONS and before.kind in FUSES_ACTIVATION


def _function(operator: Operator) -> str:
    """The engine's name of what an operator computes within its kind."""
    name = operator.name.rstrip("_")
    if operator.kind == "activation":
        return {"_prelu_kernel": "prelu", "hardtanh": "relu6"}.get(name, name)
    if operator.kind == "resize":
        return name.removeprefix("_").removeprefix("upsample_").removesuffix("_aa").removesuffix("2d")
    if operator.kind == "pool":
        return "max" if "max" in name else "average"
    if operator.kind == "norm":
        return name.removeprefix("native_").removeprefix("_native_").removesuffix("_legit_no_training")
    if operator.kind in ("reduce", "elementwise", "gather"):
        return name
    if operator.kind in ("add", "multiply"):
        sizes = [math.prod(shape) for shape in operator.input_shapes]
        if len(sizes) == 1:
            return "scalar"
        return "" if min(sizes) == max(sizes) else "broadcast"
    return ""


def _lower(operator: Operator, value: int) -> tuple[EngineOperator, ...]:
    """The engine's operators for one of torch's; ``value`` is the first free id of an activation."""
    kind, function = operator.kind, _function(operator)
    inputs, output = operator.reads, operator.writes[0]
    read_elements = sum(math.prod(shape) for shape in operator.input_shapes)
    in_channels, height, width = _image(operator.input_shapes[0])
    out_channels, out_height, out_width = _image(operator.output_shape)
    common = {
        "height": out_height, "width": out_width, "in_channels": in_channels, "out_channels": out_channels,
        "read_elements": read_elements, "part": operator.part, "inputs": inputs, "output": output,
    }  # fmt: skip
    if kind in ("conv", "conv_transpose"):
        windows = {"kernel": operator.kernel, "stride": operator.stride, "dilation": operator.dilation}
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
        rows, inner = math.prod(operator.output_shape[:-1]), operator.input_shapes[0][-1]
        return (
            EngineOperator(
                "matmul", rows, 1, inner, operator.output_shape[-1], read_elements, part=operator.part,
                inputs=inputs, output=output,
            ),
        )  # fmt: skip
    if kind == "resize":
        return _resize(operator, function, common, value)
    if kind == "pixel_shuffle":
        if operator.name == "pixel_unshuffle":
            return (EngineOperator("pixel_unshuffle", **common, factor=height // out_height),)
        return (EngineOperator(kind, **common, factor=out_height // height),)
    if kind == "pool":
        if not operator.kernel:  # adaptive
            if (out_height, out_width) == (1, 1):
                return (_reduce(common, "max" if function == "max" else "mean", height, width),)
            kernel = stride = (height // out_height, width // out_width)
        else:
            kernel, stride = _pair(operator.kernel), _pair(operator.stride or operator.kernel)
        return (EngineOperator(kind, **common, function=function, kernel=kernel, stride=stride),)
    if kind == "reduce":
        if function == "var":
            return _variance(common, height, width, value)
        return (_reduce(common, function, height, width),)
    if kind == "concat":
        common["in_channels"] = out_channels
        function = f"of {len(operator.input_shapes)}"
    if operator.name == "channel_shuffle":
        return (EngineOperator(kind, **common, function=operator.name, groups=operator.groups),)
    return (EngineOperator(kind, **common, function=function),)


def _reduce(common: dict, function: str, height: int, width: int) -> EngineOperator:
    return EngineOperator("reduce", **{**common, "height": height, "width": width}, function=function)


def _variance(common: dict, height: int, width: int, value: int) -> tuple[EngineOperator, ...]:
    """Mean, difference from it, square, and mean: engines have no variance. The mean is value ``value``."""
    channels, image = common["in_channels"], {"height": height, "width": width, "out_channels": common["in_channels"]}
    elements, (source,) = channels * height * width, common["inputs"]
    mean = {**common, "output": value}
    apart = {
        **common, **image, "read_elements": elements + channels, "inputs": (source, value), "output": value + 1,
    }  # fmt: skip
    square = {
        **common, **image, "read_elements": 2 * elements, "inputs": (value + 1, value + 1), "output": value + 2,
    }  # fmt: skip
    return (
        _reduce(mean, "mean", height, width),
        EngineOperator("add", **apart, function="broadcast"),
        EngineOperator("multiply", **square),
        _reduce({**common, "inputs": (value + 2,)}, "mean", height, width),
    )


def _resize(operator: Operator, function: str, common: dict, value: int) -> tuple[EngineOperator, ...]:
    _, height, width = _image(operator.input_shapes[0])
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
    return (
        EngineOperator("conv", **{**common, **phases}, kernel=taps),
        EngineOperator(
            "pixel_shuffle",
            **{
                **common, "in_channels": channels * factor**2, "read_elements": channels * factor**2 * height * width,
                "inputs": (value,),
            },
            factor=factor,
        ),
    )  # fmt: skip


def _image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(channels, height, width); of a tensor that is no image, what is left of it in that order of meaning."""
    if len(shape) == 4:
        return shape[1], shape[2], shape[3]
    if len(shape) == 0:
        return 1, 1, 1
    return shape[-1], math.prod(shape[:-1]), 1


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return (values[0], values[-1])
