"""What an operator costs on a phone, and how to measure one.

``predict`` is imported on first use, so that reading a command line does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latency_tables.networks import predict

__all__ = ["predict"]
_HOMES = {"predict": "latency_tables.networks"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
