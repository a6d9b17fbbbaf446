"""How good and how dear one network is: exact costs, images and metrics, training, evaluation.

The names below are loaded when they are first asked for: reading a command line must not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluators.costs import cost

__all__ = ["cost"]
_HOMES = {"cost": "evaluators.costs"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
