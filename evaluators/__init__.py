"""How good a network is and what it costs: exact costs, images and metrics, training, evaluation.

Names are imported on first use, so that reading a command line does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluators.costs import Costs, cost
    from evaluators.quality import Quality, baseline, classical_baselines, evaluate, restore
    from evaluators.tasks import Pair, TaskRules, rules_of
    from evaluators.training.plan import TrainingPlan
    from evaluators.training.trainer import Trainer

__all__ = [
    "Costs",
    "Pair",
    "Quality",
    "TaskRules",
    "Trainer",
    "TrainingPlan",
    "baseline",
    "classical_baselines",
    "cost",
    "evaluate",
    "restore",
    "rules_of",
]
_HOMES = {
    "Costs": "evaluators.costs",
    "cost": "evaluators.costs",
    "Pair": "evaluators.tasks",
    "Quality": "evaluators.quality",
    "TaskRules": "evaluators.tasks",
    "Trainer": "evaluators.training.trainer",
    "TrainingPlan": "evaluators.training.plan",
    "baseline": "evaluators.quality",
    "classical_baselines": "evaluators.quality",
    "evaluate": "evaluators.quality",
    "restore": "evaluators.quality",
    "rules_of": "evaluators.tasks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
