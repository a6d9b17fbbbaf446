"""Engines: how a model file of operators is written for each; the agent runs it."""

from __future__ import annotations

from latency_tables.measuring.engines.litert import LITERT
from latency_tables.measuring.engines.mnn import MNN
from latency_tables.measuring.engines.model_format import ModelFormat
from space.errors import UserError

ENGINES: dict[str, ModelFormat] = {"litert": LITERT, "mnn": MNN}


def engine_format(name: str) -> ModelFormat:
    """The model format of the engine called ``name``.

    Raises:
        UserError: there is no such engine; the message lists all.
    """
    if name not in ENGINES:
        raise UserError(f"--engine must be one of {', '.join(ENGINES)}, got {name!r}")
    return ENGINES[name]
