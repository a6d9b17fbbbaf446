"""What the harness needs to know of an engine on the machine that prepares the models."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from latency_tables.lowering.operators import EngineOperator
from space.errors import UserError


@dataclass(frozen=True)
class ModelFormat:
    """``write`` makes a model file of operators whose ids connect them; ``modules`` is what it needs installed."""

    name: str
    title: str
    modules: tuple[str, ...]
    write: Callable[[Sequence[EngineOperator]], bytes]

    def require(self) -> None:
        """Raises: UserError: the engine's package is missing."""
        for module in self.modules:
            if importlib.util.find_spec(module) is None:
                raise UserError(f"engine {self.name} is not installed: pip install 'litefront[mobile]'")
