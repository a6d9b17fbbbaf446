"""Published sizes and qualities beside a run, for the eye only: other training, other test images."""

from __future__ import annotations

from dataclasses import dataclass

from reports.pareto_view import budget_limits
from search.records import RunResult
from space.papers.published import PublishedResult, one_per_network, published_results

DATASET = "Set5"
FARTHEST = 25           # networks more than this many times the size budget are left off the axis and counted
LARGEST = 3_000_000     # the same without a size budget, in parameters


@dataclass(frozen=True)
class PublishedView:
    """``fits`` says for each of ``results`` whether its published size is within the budget; None without one.

    ``left_off`` are larger networks. Every result has a size and a PSNR and ran once per image.
    """

    results: tuple[PublishedResult, ...]
    fits: tuple[bool | None, ...]
    left_off: tuple[PublishedResult, ...]
    budget_params: float | None
    scale: int
    dataset: str

    @property
    def title(self) -> str:
        return f"Published results, {self.dataset} ×{self.scale}, their own training"


def published_view(run: RunResult, results: tuple[PublishedResult, ...] | None = None) -> PublishedView | None:
    """Those of ``results``, the shipped table if None, at the run's task and scale on Set5; None where there are none.

    The axis is the size and not the work, because sources count work by different rules.
    """
    if results is None:
        results = published_results(run.settings.task)
    asked = (run.settings.task, run.settings.scale, DATASET)
    chosen = [
        result
        for result in one_per_network(r for r in results if (r.task, r.scale, r.dataset) == asked)
        if result.params and result.psnr_db and not result.is_self_ensemble
    ]
    if not chosen:
        return None
    budget = budget_limits(run.settings.budget).get("params")
    largest = budget * FARTHEST if budget else LARGEST
    drawn = tuple(sorted((r for r in chosen if r.params <= largest), key=lambda r: r.params))
    return PublishedView(
        results=drawn,
        fits=tuple(result.params <= budget if budget else None for result in drawn),
        left_off=tuple(result for result in chosen if result.params > largest),
        budget_params=budget,
        scale=run.settings.scale,
        dataset=DATASET,
    )
