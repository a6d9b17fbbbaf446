"""Engines: how each one's model file is written for operators; the agent runs it."""

from __future__ import annotations

from latency_tables.measuring.engines.litert import LITERT
from latency_tables.measuring.engines.mnn import MNN
from latency_tables.measuring.engines.model_format import ModelFormat
from space.errors import UserError

ENGINES: dict[str, ModelFormat] = {"litert": LITERT, "mnn": MNN}


def engine_format(name: str) -> ModelFormat:
    """How models for the engine called ``name`` are written.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in ENGINES:
        raise UserError(f"--engine must be one of {', '.join(ENGINES)}, got {name!r}")
    return ENGINES[name]
