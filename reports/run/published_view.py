"""Sizes and qualities of fully trained networks beside a run, for the eye only: other training, other test images.

They are published, or measured here with the authors' weights where nobody publishes a figure; never mixed up.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.tasks import TaskRules
from reports.run.pareto_view import budget_limits
from search.records import RunResult
from space.zoo.literature import measured_results, one_per_network, published_results
from space.zoo.measured_result import MeasuredResult
from space.zoo.published_result import METRICS, PublishedResult

FARTHEST = 25  # networks more than this many times the size budget are left off the axis and counted
LARGEST = 3_000_000  # the same without a size budget, in parameters

FullResult = PublishedResult | MeasuredResult  # of a network after its authors' whole training


@dataclass(frozen=True)
class PublishedView:
    """``fits`` says for each of ``results`` whether its size is within the budget; None without one.

    Results are sorted by size; ``left_off`` are larger networks. Every result has a size and a PSNR and ran once per
    image. ``degradation`` is the scale or the noise: ``×4``, ``σ 25``, or nothing.
    """

    results: tuple[FullResult, ...]
    fits: tuple[bool | None, ...]
    left_off: tuple[FullResult, ...]
    budget_params: float | None
    degradation: str
    dataset: str
    metric_name: str

    @property
    def title(self) -> str:
        kinds = "Published and measured" if self.measured else "Published results"
        return f"{kinds}, {self.dataset} {self.degradation}".rstrip() + ", own training"

    @property
    def measured(self) -> tuple[MeasuredResult, ...]:
        """Those of ``results`` that nobody published."""
        return tuple(result for result in self.results if isinstance(result, MeasuredResult))


def results_for(run: RunResult) -> tuple[PublishedResult, ...]:
    """The published results of the run's task, scale, channels and noise, on any data set."""
    rules = run.settings.rules
    metrics = (rules.measure.metric_name, METRICS["PSNR_dB"], None)
    return tuple(
        result
        for result in published_results(run.settings.task, run.settings.scale)
        if result.level == rules.measure.published_level and result.metric in metrics
    )


def full_results(run: RunResult, results: tuple[PublishedResult, ...] | None = None) -> tuple[FullResult, ...]:
    """Those of ``results`` on the task's data set, one per network that ran once per image.

    Without ``results``, ``results_for`` the run, then what was measured here of networks without a published one.
    """
    rules = run.settings.rules
    task, scale, dataset = run.settings.task, run.settings.scale, rules.measure.published_set
    asked = (task, scale, rules.measure.published_level, dataset)
    given = results_for(run) if results is None else results
    published = one_per_network(r for r in given if (r.task, r.scale, r.level, r.dataset) == asked)
    chosen = tuple(result for result in published if result.psnr_db and not result.is_self_ensemble)
    if results is not None:
        return chosen
    names = {result.network for result in chosen}
    return *chosen, *(
        result
        for result in measured_results(task, scale, dataset)
        if result.metric == rules.measure.metric_name and result.network not in names
    )


def published_view(run: RunResult, results: tuple[PublishedResult, ...] | None = None) -> PublishedView | None:
    """The ``full_results`` whose size is known; None where none can be drawn.

    The axis is the size and not the work, because sources count work by different rules.
    """
    rules = run.settings.rules
    chosen = [result for result in full_results(run, results) if result.params]
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
