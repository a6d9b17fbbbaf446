"""Screening: the exact costs of a candidate, computed before any training."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from functools import lru_cache

from evaluators.compression.compression import Compression
from evaluators.compression.design import design_costs
from evaluators.costs import Costs, architecture_costs
from evaluators.quantities import quantity
from search.records import SEARCHED, Descent, RunSettings, Status, TrialRecord
from search.request.budget import Budget
from search.request.tables import load_used
from space.architecture import Architecture
from space.errors import UserError
from space.knobs import Value
from space.search_space import SearchSpace, Values
from space.tasks import Task

KNOWN = 4096  # designs whose costs are kept: the choice of families asks again and again for the same ones


class Screen:
    """Costs of the points of one run's search space.

    Raises:
        UserError: a latency table of the run is missing or has changed.
    """

    def __init__(self, task: Task, settings: RunSettings, budget: Budget) -> None:
        self.task, self.settings, self.budget = task, settings, budget
        self.space = SearchSpace(task, settings.shape)
        self._uncompressed = Compression(dtype=settings.dtype)
        self._tables = load_used(settings.tables)
        self._known = lru_cache(KNOWN)(self._computed)

    def within(self, space: SearchSpace) -> Screen:
        """The same for ``space``, a part of the run's."""
        part = copy(self)
        part.space = space
        return part

    def costs(self, arch: Architecture, compression: Compression | None = None) -> Costs:
        """Costs with the milliseconds that the run asks for, in the number format of the design.

        Raises:
            UserError: a table cannot price ``arch``.
        """
        return self._known(arch, compression or self._uncompressed)

    def _computed(self, arch: Architecture, compression: Compression) -> Costs:
        return design_costs(arch, compression, self.settings.input_size, self._tables)

    def excess(self, values: Mapping[str, Value]) -> float:
        """Relative excess over the most exceeded limit: 0 or less fits, infinite means that it cannot be priced."""
        try:
            costs = self.costs(self.space.decode(values))
            return max((limit.excess(costs) / limit.value for limit in self.budget.limits), default=-1.0)
        except UserError:
            return float("inf")

    def record(
        self, number: int, source: str, arch: Architecture, values: Mapping[str, Value], approximation: bool = False
    ) -> TrialRecord:
        """A trial to train; "failed", with the reason and without milliseconds, if a table cannot price ``arch``."""
        status, reason = Status.RUNNING, None
        try:
            costs = self.costs(arch)
        except UserError as error:
            costs = architecture_costs(arch, self.settings.input_size)
            status, reason = Status.FAILED, str(error)
        return TrialRecord(
            number,
            source,
            status,
            arch,
            dict(values),
            costs,
            reason=reason,
            approximation=approximation,
            compression=self._uncompressed,
        )

    def child(self, arch: Architecture, compression: Compression, descent: Descent) -> TrialRecord:
        """A compressed trial, which has no number yet; as ``record``, but for the knobs, of which it has none: it lies
        off the grid."""
        made = self.record(-1, SEARCHED, arch, {})
        if made.status != Status.FAILED:
            made = replace(made, costs=self.costs(arch, compression))
        return replace(made, compression=compression, descent=descent)

    def candidate(self, number: int, values: Values) -> TrialRecord:
        """The trial at a point of the search space."""
        return self.record(number, SEARCHED, self.space.decode(values), values)


def over_budget(costs: Costs, budget: Budget) -> str:
    """Which limits ``costs`` exceed, and by what: the reason of a trial that is not trained."""
    return ", ".join(f"{quantity(each.quantity).exact_text(costs)} > {each.text}" for each in budget.broken(costs))
