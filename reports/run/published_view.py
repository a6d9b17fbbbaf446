"""Published sizes and qualities beside a run, for the eye only: other training, other test images."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.tasks import TaskRules
from reports.run.pareto_view import budget_limits
from search.records import RunResult
from space.zoo.literature import one_per_network, published_results
from space.zoo.published_result import METRICS, PublishedResult

FARTHEST = 25  # networks more than this many times the size budget are left off the axis and counted
LARGEST = 3_000_000  # the same without a size budget, in parameters


@dataclass(frozen=True)
class PublishedView:
    """``fits`` says for each of ``results`` whether its published size is within the budget; None without one.

    ``left_off`` are larger networks. Every result has a size and a PSNR and ran once per image. ``degradation`` is the
    scale or the noise: ``×4``, ``σ 25``, or nothing.
    """

    results: tuple[PublishedResult, ...]
    fits: tuple[bool | None, ...]
    left_off: tuple[PublishedResult, ...]
    budget_params: float | None
    degradation: str
    dataset: str
    metric_name: str

    @property
    def title(self) -> str:
        return f"Published results, {self.dataset} {self.degradation}".rstrip() + ", own training"


def results_for(run: RunResult) -> tuple[PublishedResult, ...]:
    """The published results of the run's task, scale, channels and noise, on any data set."""
    rules = run.settings.rules
    metrics = (rules.measure.metric_name, METRICS["PSNR_dB"], None)
    return tuple(
        result
        for result in published_results(run.settings.task, run.settings.scale)
        if result.level == rules.measure.published_level and result.metric in metrics
    )


def published_view(run: RunResult, results: tuple[PublishedResult, ...] | None = None) -> PublishedView | None:
    """Those of ``results``, ``results_for`` the run if None, on the task's data set; None where none can be drawn.

    The axis is the size and not the work, because sources count work by different rules.
    """
    rules = run.settings.rules
    if results is None:
        results = results_for(run)
    asked = (run.settings.task, run.settings.scale, rules.measure.published_level, rules.measure.published_set)
    chosen = [
        result
        for result in one_per_network(r for r in results if (r.task, r.scale, r.level, r.dataset) == asked)
        if result.params and result.psnr_db and not result.is_self_ensemble
    ]
    budget = budget_limits(run.settings.budget).get("params")
    largest = budget * FARTHEST if budget else LARGEST
    drawn = tuple(sorted((r for r in chosen if r.params <= largest), key=lambda r: r.params))
    if not drawn:
        return None
    return PublishedView(
        results=drawn,
        fits=tuple(result.params <= budget if budget else None for result in drawn),
        left_off=tuple(result for result in chosen if result.params > largest),
        budget_params=budget,
        degradation=_degradation(rules),
        dataset=rules.measure.published_set,
        metric_name=rules.measure.metric_name,
    )


def _degradation(rules: TaskRules) -> str:
    if rules.scale > 1:
        return f"×{rules.scale}"
    return f"σ {rules.measure.published_level}" if rules.measure.published_level else ""
