"""An engine as the machine that prepares the models needs to know it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from latency_tables.lowering.operators import EngineOperator
from space.errors import UserError


@dataclass(frozen=True)
class ModelFormat:
    """``write`` makes a model file of operators connected by their ids; ``modules`` must be installed."""

    name: str
    title: str
    modules: tuple[str, ...]
    write: Callable[[Sequence[EngineOperator]], bytes]

    def require(self) -> None:
        """Check that ``modules`` are installed.

        Raises:
            UserError: one is missing; the message says what to install.
        """
        for module in self.modules:
            if importlib.util.find_spec(module) is None:
                raise UserError(f"engine {self.name} is not installed: pip install 'litefront[mobile]'")
