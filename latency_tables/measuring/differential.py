"""Operators as they cost inside a network, for engines whose models pay for their boundary.

An engine with a memory layout of its own converts what goes in and out of a model, and a model of one operator pays
that every time. A chain of copies pays it once: the difference between a long chain and one operator, shared among the
copies that were added, is the operator alone. Operators that cannot be chained, because they change the shape, are
corrected by the boundary's cost per element, which the chains show: that of convolutions for all that works on images
(MNN keeps channels in fours for those), that of element-wise operators for the rest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median

from latency_tables.lowering.operators import COMPUTE_KINDS, EngineOperator
from latency_tables.measuring.engines.model_format import ModelFormat
from latency_tables.measuring.engines.tflite import chain
from latency_tables.measuring.raw_timings import Figure
from latency_tables.measuring.rounds import Models
from latency_tables.tables.rows import SHAPE
from space.errors import UserError

COPIES = 5
IMAGE_KINDS = (*COMPUTE_KINDS, "pool", "resize", "pixel_shuffle", "pixel_unshuffle")
LEAST_SHARE = 0.2  # of what an operator takes alone, that is its own at least


def baseline_key(op: EngineOperator) -> str:
    return json.dumps({name: getattr(op, name) for name in SHAPE}, separators=(",", ":"))


def _chain_key(op: EngineOperator) -> str:
    return f"chain of {COPIES} {baseline_key(op)}"


def differential_models(engine: ModelFormat, operators: Sequence[EngineOperator]) -> Models:
    """The chains of those that can be chained."""
    models = {}
    for op in operators:
        try:
            copies = chain(op, COPIES)
        except UserError:
            continue
        models[_chain_key(op)] = partial(engine.write, copies)
    return models


def differential_figures(operators: Sequence[EngineOperator], figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Figures of operators without their boundary; those that end up at nothing are left out."""
    found: dict[str, Figure] = {}
    boundary: dict[bool, list[float]] = {True: [], False: []}  # milliseconds per element
    for op in operators:
        alone, chained = figures.get(baseline_key(op)), figures.get(_chain_key(op))
        if alone is None or chained is None:
            continue
        ms = (chained.ms - alone.ms) / (COPIES - 1)
        error = math.hypot(chained.relative_error * chained.ms, alone.relative_error * alone.ms) / (COPIES - 1)
        if ms > 0:
            found[baseline_key(op)] = Figure(ms, error / ms, min(alone.rounds, chained.rounds))
            boundary[op.kind in IMAGE_KINDS].append(max(0.0, alone.ms - ms) / _boundary_elements(op))
    for op in operators:
        alone = figures.get(baseline_key(op))
        if alone is None or baseline_key(op) in found or _chain_key(op) in figures:
            continue
        prices = boundary[op.kind in IMAGE_KINDS]
        over = median(prices) * _boundary_elements(op) if prices else 0.0
        ms = max(alone.ms - over, LEAST_SHARE * alone.ms)
        found[baseline_key(op)] = replace(alone, ms=ms, relative_error=alone.relative_error * alone.ms / ms)
    return found


def _boundary_elements(op: EngineOperator) -> int:
    """Elements that go in and out, channels in whole fours."""
    read, written = (_fours(channels) for channels in (op.in_channels, op.out_channels))
    return op.read_elements // op.in_channels * read + op.written_elements // op.out_channels * written


def _fours(channels: int) -> int:
    return -(-channels // 4) * 4
