"""From the operators that torch traces to those that a phone engine runs.

The rules are those of TensorFlow Lite's converter and XNNPACK: batch norm disappears in the convolution just before it,
ReLU and ReLU6 in the convolution or addition before them, a bias in its matrix product. Some of a value's channels, in
torch a view, are a copy where channels come last.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from torch import nn

from latency_tables.lowering.operators import EngineOperator
from latency_tables.lowering.torch_operators import engine_function, image_size, lower
from space.architecture import Architecture
from space.channels.screening import screened
from space.deploy import deploy_form
from space.operators import Operator, meta_copy
from space.operators.operator import Shape
from space.operators.trace import trace_shadow

FUSED_FUNCTIONS = ("relu", "relu6")
FUSES_ACTIVATION = ("conv", "depthwise_conv", "grouped_conv", "transposed_conv", "matmul", "add", "multiply")
REMEMBERED = 4096  # architectures whose operators are kept: a front is priced again for every picture and page


def engine_operators(operators: Iterable[Operator], outputs: Sequence[int] = ()) -> tuple[EngineOperator, ...]:
    """``operators`` as an engine runs them, in the same order; ``outputs`` are the network's output values.

    Raises:
        UserError: no rule covers an operator, which the message names; its cost is never taken as zero.
    """
    return tuple(_fused(operators, outputs)[0])


def written_values(operators: Iterable[Operator], outputs: Sequence[int] = ()) -> frozenset[int]:
    """The places in ``operators`` of those whose output an engine writes to memory: a convolution before a ReLU has
    none, for the two are one operator.

    Raises:
        UserError: as ``engine_operators``.
    """
    return frozenset(_fused(operators, outputs)[1].values())


def _fused(operators: Iterable[Operator], outputs: Sequence[int]) -> tuple[list[EngineOperator], dict[int, int]]:
    """The engine's operators and, by the place of each that ends one of torch's, the place of that one."""
    traced = [(place, operator) for place, operator in enumerate(operators) if not _is_free(operator)]
    readers = Counter(value for _, operator in traced for value in set(operator.reads))
    readers.update(outputs)
    fused: list[EngineOperator] = []
    ends: dict[int, int] = {}
    writer: dict[int, int] = {}  # position in ``fused`` of the operator that wrote a value
    copied: dict[tuple[int, int, Shape], int] = {}  # the value that holds a slice
    next_value = 1 + max((value for _, operator in traced for value in (*operator.reads, *operator.writes)), default=0)
    for place, operator in traced:
        if operator.slices and operator.kind != "copy":
            copies, operator = _slices_copied(operator, copied, next_value)
            next_value += len(copies)
            fused += copies
        source = writer.get(operator.reads[0]) if operator.reads else None
        if source is not None and _fuses(fused[source], operator, readers):
            activation = fused[source].fused or (engine_function(operator) if operator.kind == "activation" else "")
            fused[source] = replace(fused[source], output=operator.writes[0], fused=activation)
            writer[operator.writes[0]] = source
            ends[source] = place
            continue
        for step in lower(operator, next_value):
            next_value = max(next_value, step.output + 1)
            fused.append(step)
        ends[len(fused) - 1] = place
        for value in operator.writes:
            writer[value] = len(fused) - 1
    return fused, ends


@lru_cache(maxsize=REMEMBERED)
def architecture_operators(arch: Architecture, input_size: tuple[int, int]) -> tuple[EngineOperator, ...]:
    """The operators that an engine runs for ``arch`` at an input of (width, height) pixels, by screening.

    Raises:
        UserError: it has an operator without a cost model.
    """
    screening = screened(arch, *input_size)
    return engine_operators(screening.operators, (screening.output,))


def network_operators(
    network: nn.Module, in_channels: int, input_size: tuple[int, int], more_inputs: Sequence[Shape] = ()
) -> tuple[EngineOperator, ...]:
    """The operators that an engine runs for ``network`` in its deploy form, at an input of (width, height) pixels.

    ``more_inputs`` are the shapes of the inputs after that image. The network is not changed.

    Raises:
        UserError: it cannot run at this size, or it has an operator without a cost model.
    """
    width, height = input_size
    deployed = deploy_form(meta_copy(network))
    listed = trace_shadow(deployed, (1, in_channels, height, width), *more_inputs)
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
            channels, height, width = image_size(shape)
            copies.append(
                EngineOperator(
                    "copy",
                    height,
                    width,
                    channels,
                    channels,
                    math.prod(shape),
                    "slice",
                    part=operator.part,
                    inputs=(reads[position],),
                    output=copied[key],
                )
            )
        reads[position] = copied[key]
    return copies, replace(operator, reads=tuple(reads))


def _is_free(operator: Operator) -> bool:
    """A copy onto itself is a view, unless it writes into another part of the same value."""
    return operator.kind == "copy" and operator.name != "copy_" and set(operator.writes) <= set(operator.reads)


def _fuses(before: EngineOperator, operator: Operator, readers: Counter[int]) -> bool:
    in_place = operator.writes[0] == operator.reads[0]
    if not in_place and readers[operator.reads[0]] > 1:
        return False
    if before.fused:  # what follows an activation is no part of the convolution's arithmetic
        return False
    if operator.kind == "norm":
        return before.kind.endswith("conv") and "batch_norm" in operator.name
    if operator.kind == "add" and before.kind == "matmul":
        return len(operator.input_shapes) == 1  # the other operand is a weight: the bias
    return engine_function(operator) in FUSED_FUNCTIONS and before.kind in FUSES_ACTIVATION
