"""This machine as the device."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from latency_tables.measuring.engines import engine_format
from latency_tables.measuring.targets.agent_session import AGENT, AgentSession


def local_session(engine: str, cores: Sequence[int] = (), threads: int = 1) -> AgentSession:
    """The agent in a Python process of its own, pinned to ``cores``.

    Raises:
        UserError: the engine is unknown or not installed.
    """
    engine_format(engine).require()
    return AgentSession((sys.executable, str(AGENT)), engine, cores, threads)
