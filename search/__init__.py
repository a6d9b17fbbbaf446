"""Which networks to try next: budgets, proposals, training rungs, workers, and the run on disk.

What programs use is imported on first use, so that reading a command line or starting a worker does not wait for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api.comparing import Comparison, compare
    from search.api.compressing import Compressed, compress
    from search.api.confirming import ConfirmedRun, confirm
    from search.api.deleting import delete
    from search.api.exporting import export
    from search.api.restoring import Restoration, restore
    from search.api.run import Pick, RecostedRun, Run, load
    from search.api.searching import StoppedError, run
    from search.api.training import Trained, TrainingFailedError, train
    from search.models.folder import load_model, write_model
    from search.models.model import Model
    from search.models.named import model_named
    from search.records import TrialRecord

_HOMES = {
    "search.api.comparing": ("Comparison", "compare"),
    "search.api.compressing": ("Compressed", "compress"),
    "search.api.confirming": ("ConfirmedRun", "confirm"),
    "search.api.deleting": ("delete",),
    "search.api.exporting": ("export",),
    "search.api.restoring": ("Restoration", "restore"),
    "search.api.run": ("Pick", "RecostedRun", "Run", "load"),
    "search.api.searching": ("StoppedError", "run"),
    "search.api.training": ("Trained", "TrainingFailedError", "train"),
    "search.models.folder": ("load_model", "write_model"),
    "search.models.model": ("Model",),
    "search.models.named": ("model_named",),
    "search.records": ("TrialRecord",),
}
__all__ = [
    "Comparison",
    "Compressed",
    "ConfirmedRun",
    "Model",
    "Pick",
    "RecostedRun",
    "Restoration",
    "Run",
    "StoppedError",
    "Trained",
    "TrainingFailedError",
    "TrialRecord",
    "compare",
    "compress",
    "confirm",
    "delete",
    "export",
    "load",
    "load_model",
    "model_named",
    "restore",
    "run",
    "train",
    "write_model",
]


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
