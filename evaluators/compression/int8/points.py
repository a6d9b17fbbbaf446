"""Which values of a network an int8 file rounds: those that its engine writes to memory, by the operator list.

The list is the one that every cost comes from, so that what is rounded and what is paid for are the same operators. A
convolution and the ReLU after it are one operator and round once; operators that move values keep their scale; those
that LiteRT has no int8 kernel for compute in float, between a dequantization and a quantization.

Some kernels prescribe a scale: a resize and an average pool keep that of what they read, a sigmoid, a softmax and a
tanh have one that never changes, and a concatenation gives its own to what is written for it alone (the constraints of
ai-edge-quantizer, ``algorithms/uniform_quantize/common_quantize.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import torch
from torch import nn

from evaluators.export.quantization import WEIGHTED
from latency_tables.lowering.fusion import written_values
from space.operators import Operator, OperatorList, trace

COPY = "copy"  # whether one is needed depends on the order in which a value lies in memory
MOVING = (COPY, "pixel_shuffle", "gather")  # they keep values, and so their scale
KEEPS_SCALE = ("constant_pad_nd", "reflection_pad2d", "replication_pad2d", "upsample_nearest2d",
               "max_pool2d_with_indices", "adaptive_max_pool2d")  # fmt: skip
ROUNDS_ON_READ_SCALE = ("upsample_bilinear2d", "avg_pool2d")  # new values on the scale of what they are computed of
FIXED_RANGES = {
    **dict.fromkeys(("sigmoid", "sigmoid_", "_softmax", "_safe_softmax"), (0.0, 255 / 256)),
    **dict.fromkeys(("tanh", "tanh_"), (-1.0, 127 / 128)),
}
INPUT = "input"  # key of the image's own range


class Role(Enum):
    """What becomes of an operator's output."""

    INSIDE = auto()  # a part of the operator that an engine makes of this one and the next
    MOVED = auto()  # has the scale of what was moved
    ROUNDED = auto()  # int8, with a scale and a zero point of its own
    FLOAT = auto()


@dataclass(frozen=True, slots=True)
class Point:
    """One operator of a run: ``key`` names it whatever the image's size, ``layer`` is the module that it belongs to.

    ``scale`` is the key of the point whose range its output is rounded to, mostly its own; ``name`` is torch's.
    """

    key: str
    layer: str
    kind: str
    name: str
    role: Role
    scale: str
    is_end: bool  # its value, or one that it is moved to, is the network's output


def points(network: nn.Module, shape: tuple[int, ...], float_layers: Collection[str] = ()) -> tuple[Point, ...]:
    """What becomes of each operator that ``network`` runs on an image of ``shape`` `(N, C, h, w)`, in order; copies are
    left out.

    A value is float where only operators of ``float_layers`` write and read it; the output never is.

    Raises:
        UserError: the network runs an operator of unknown cost.
    """
    with torch.inference_mode(False):  # in which operators are not taken apart into those that are known
        listed = trace(network, (1, *shape[1:]))
    written = written_values(listed.operators, listed.outputs)
    layers = [operator.part for operator in listed.operators]
    moved = [_moves(operator) for operator in listed.operators]
    is_float = _float_values(listed, frozenset(float_layers))
    ends = _ends(listed, moved)
    clipped = _clipped_at_the_end(listed, ends)
    found: list[Point] = []
    seen = Counter[tuple[str, str]]()
    scales = dict.fromkeys(listed.inputs, INPUT)  # by value
    for place, operator in enumerate(listed.operators):
        name = (operator.part, operator.name)
        seen[name] += 1
        if moved[place]:
            role = Role.MOVED
        elif place not in written and not clipped & set(operator.writes):
            role = Role.INSIDE
        else:
            role = Role.FLOAT if is_float[place] else Role.ROUNDED
        key = f"{operator.part}/{operator.name}/{seen[name]}"
        keeps = moved[place] or operator.name in ROUNDS_ON_READ_SCALE
        scale = scales.get(operator.reads[0], key) if keeps and operator.reads else key
        scales.update(dict.fromkeys(operator.writes, scale))
        is_end = operator.writes[0] in ends
        found.append(Point(key, layers[place], operator.kind, operator.name, role, scale, is_end))
    return tuple(point for point in _concatenated(found, listed) if point.kind != COPY)


def _concatenated(found: Sequence[Point], listed: OperatorList) -> Sequence[Point]:
    """``found``, a point for each operator, with the scale of a concatenation for what is written for it alone."""
    result = list(found)
    operators = listed.operators
    for place in reversed(range(len(result))):  # so that a concatenation within another has the outer one's scale
        if operators[place].kind != "concat" or result[place].role is not Role.ROUNDED:
            continue
        for value in operators[place].reads:
            writer = next((each for each in reversed(range(place)) if value in operators[each].writes), None)
            if writer is None or value in listed.outputs:
                continue
            readers = [each for each in range(writer + 1, len(result)) if value in operators[each].reads]
            point = result[writer]
            has_own = point.role is Role.ROUNDED and point.scale == point.key and point.name not in FIXED_RANGES
            if readers == [place] and has_own:
                result[writer] = replace(point, scale=result[place].scale)
    return result


def layers_of(network: nn.Module, shape: tuple[int, ...]) -> tuple[str, ...]:
    """The paths of the modules with weights to round, in the order in which they first run."""
    return tuple(dict.fromkeys(point.layer for point in points(network, shape) if point.kind in WEIGHTED))


def _moves(operator: Operator) -> bool:
    return operator.kind in MOVING or operator.name in KEEPS_SCALE


def _ends(listed: OperatorList, moved: Sequence[bool]) -> set[int]:
    """The values that are the network's output, or are moved to it."""
    found = set(listed.outputs)
    for operator, moves in zip(reversed(listed.operators), reversed(moved), strict=True):
        if moves and found & set(operator.writes):
            found |= set(operator.reads)
    return found


def _clipped_at_the_end(listed: OperatorList, ends: set[int]) -> set[int]:
    """What a clipping to [0, 1] reads, as a network's last operator is: LiteRT has it in float alone, fused to nothing.

    The one that engines have in int8, and fuse, is that to [-1, 1] within a network.
    """
    return {
        value
        for operator in listed.operators
        if operator.name.startswith("hardtanh") and ends & set(operator.writes)
        for value in operator.reads
    }


def _float_values(listed: OperatorList, float_layers: frozenset[str]) -> list[bool]:
    """Of each operator, whether its output stays in float.

    What moves it, other than a copy, is an operator of LiteRT's in int8, unless it belongs to a layer in float.
    """
    operators = listed.operators
    result = []
    for place, operator in enumerate(operators):
        values, parts = set(operator.writes), {operator.part}
        for later in operators[place + 1 :]:
            if values & set(later.reads):
                if later.kind == COPY:
                    values.update(later.writes)
                else:
                    parts.add(later.part)
        result.append(not values & set(listed.outputs) and parts <= float_layers)
    return result
