"""Which values of a network an int8 file rounds: those that its engine writes to memory, by the operator list.

The list is the one that every cost comes from, so that what is rounded and what is paid for are the same operators. A
convolution and the ReLU after it are one operator and round once; operators that move values keep their scale; those
that LiteRT has no int8 kernel for compute in float, between a dequantization and a quantization.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
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


class Role(Enum):
    """What becomes of an operator's output."""

    INSIDE = auto()  # a part of the operator that an engine makes of this one and the next
    MOVED = auto()  # has the scale of what was moved
    ROUNDED = auto()  # int8, with a scale and a zero point of its own
    FLOAT = auto()


@dataclass(frozen=True, slots=True)
class Point:
    """One operator of a run: ``key`` names it whatever the image's size, ``layer`` is the module that it belongs to."""

    key: str
    layer: str
    kind: str
    role: Role
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
    found, seen = [], Counter[tuple[str, str]]()
    for place, operator in enumerate(listed.operators):
        name = (operator.part, operator.name)
        seen[name] += 1
        if moved[place]:
            role = Role.MOVED
        elif place not in written:
            role = Role.INSIDE
        else:
            role = Role.FLOAT if is_float[place] else Role.ROUNDED
        if operator.kind == COPY:
            continue
        key = f"{operator.part}/{operator.name}/{seen[name]}"
        found.append(Point(key, layers[place], operator.kind, role, operator.writes[0] in ends))
    return tuple(found)


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
