"""Operators as they cost inside a network, for engines whose models pay for their boundary.

An engine with a memory layout of its own converts what goes in and out of a model, and a model of one operator pays
that every time. A chain of copies pays it once: the difference between a long chain and one operator, shared among the
copies that were added, is the operator alone. Operators that cannot be chained, because they change the shape, are
corrected by the boundary's cost per element, as the chains show it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.optimize import nnls

from latency_tables.engines.model_format import ModelFormat
from latency_tables.engines.tflite import chain
from latency_tables.operators import EngineOperator
from latency_tables.raw_timings import Figure
from latency_tables.rounds import Models
from latency_tables.rows import SHAPE
from space.errors import UserError

COPIES = 5


def baseline_key(op: EngineOperator) -> str:
    return json.dumps({name: getattr(op, name) for name in SHAPE}, separators=(",", ":"))


def chain_key(op: EngineOperator) -> str:
    return f"chain of {COPIES} {baseline_key(op)}"


def differential_models(engine: ModelFormat, operators: Sequence[EngineOperator]) -> Models:
    """The chains of those that can be chained."""
    models = {}
    for op in operators:
        try:
            copies = chain(op, COPIES)
        except UserError:
            continue
        models[chain_key(op)] = partial(engine.write, copies)
    return models


def differential_figures(operators: Sequence[EngineOperator], figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Figures of operators without their boundary; those that end up at nothing are left out."""
    found: dict[str, Figure] = {}
    boundary: list[tuple[EngineOperator, float, float]] = []
    for op in operators:
        alone, chained = figures.get(baseline_key(op)), figures.get(chain_key(op))
        if alone is None or chained is None:
            continue
        ms = (chained.ms - alone.ms) / (COPIES - 1)
        error = np.hypot(chained.relative_error * chained.ms, alone.relative_error * alone.ms) / (COPIES - 1)
        if ms > 0:
            found[baseline_key(op)] = Figure(ms, float(error) / ms, min(alone.rounds, chained.rounds))
            boundary.append((op, max(0.0, alone.ms - ms), alone.ms))
    prices = _boundary_prices(boundary)
    for op in operators:
        alone = figures.get(baseline_key(op))
        if alone is None or baseline_key(op) in found or chain_key(op) in figures:
            continue
        ms = max(alone.ms - float(_elements(op) @ prices), 0.2 * alone.ms)
        found[baseline_key(op)] = replace(alone, ms=ms, relative_error=alone.relative_error * alone.ms / ms)
    return found


def _boundary_prices(boundary: Sequence[tuple[EngineOperator, float, float]]) -> np.ndarray:
    """Milliseconds per element read, per element written, and per model; relative to the operators' own cost."""
    if not boundary:
        return np.zeros(3)
    rows = np.array([_elements(op) / alone for op, _, alone in boundary])
    return nnls(rows, np.array([over / alone for _, over, alone in boundary]))[0]


def _elements(op: EngineOperator) -> np.ndarray:
    return np.array([op.read_elements, op.written_elements, 1.0])
