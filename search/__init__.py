"""Which networks to try next: budgets, proposals, training rungs, workers, and the run on disk.

Programs use ``search.run``, ``search.load`` and ``search.load_model``. They are imported on first use, so that reading
a command line or starting a worker does not wait for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api.restoring import Restoration, restore
    from search.api.run import RecostedRun, Run, load
    from search.api.searching import StoppedError, run
    from search.models.folder import load_model, write_model
    from search.models.model import Model
    from search.models.named import model_named
    from search.records import TrialRecord

_HOMES = {
    "search.api.restoring": ("Restoration", "restore"),
    "search.api.run": ("RecostedRun", "Run", "load"),
    "search.api.searching": ("StoppedError", "run"),
    "search.models.folder": ("load_model", "write_model"),
    "search.models.model": ("Model",),
    "search.models.named": ("model_named",),
    "search.records": ("TrialRecord",),
}
__all__ = [
    "Model",
    "RecostedRun",
    "Restoration",
    "Run",
    "StoppedError",
    "TrialRecord",
    "load",
    "load_model",
    "model_named",
    "restore",
    "run",
    "write_model",
]


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
