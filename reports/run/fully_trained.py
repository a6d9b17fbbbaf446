"""Networks of the zoo after their authors' whole training, priced as the run prices its own: what to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluators.costs import Costs, architecture_costs
from latency_tables.tables.estimate import Latency
from latency_tables.tables.table import LatencyTable
from reports.run.published_view import FullResult, full_results
from search.records import RunResult
from search.request.tables import load_used
from space.architecture import Architecture
from space.errors import UserError
from space.zoo import ZOO
from space.zoo.measured_result import MeasuredResult

PUBLISHED, MEASURED = "published", "measured here"


@dataclass(frozen=True, slots=True)
class FullyTrained:
    """One network of the zoo: its own costs at the run's input, and the PSNR that its authors' training gives.

    ``ms`` are by latency table of the run; a table that is gone, or that lacks one of its operators, has none.
    """

    name: str
    costs: Costs
    ms: Mapping[str, Latency]
    result: FullResult

    @property
    def origin(self) -> str:
        """Of the PSNR: ``published``, or ``measured here`` with the authors' weights."""
        return MEASURED if isinstance(self.result, MeasuredResult) else PUBLISHED


def fully_trained(run: RunResult) -> tuple[FullyTrained, ...]:
    """The zoo's networks of the run's task and scale with a PSNR on the task's data set, the fewest MACs first."""
    found = {result.network: result for result in full_results(run)}
    tables = _tables(run)
    rows = []
    for entry in ZOO.values():
        if entry.task != run.settings.task or entry.title not in found:
            continue
        arch = entry.at_scale(run.settings.scale)
        ms = {table.name: figure for table in tables if (figure := _ms(arch, run, table)) is not None}
        rows.append(FullyTrained(entry.name, architecture_costs(arch, run.settings.input_size), ms, found[entry.title]))
    return tuple(sorted(rows, key=lambda row: row.costs.macs))


def _tables(run: RunResult) -> list[LatencyTable]:
    """The run's tables that can still be read as the run used them; the page says elsewhere why others cannot."""
    tables: list[LatencyTable] = []
    for use in run.settings.tables:
        try:
            tables += load_used((use,))
        except UserError:
            continue
    return tables


def _ms(arch: Architecture, run: RunResult, table: LatencyTable) -> Latency | None:
    try:
        return architecture_costs(arch, run.settings.input_size, [table]).latency[table.name]
    except UserError:  # the table lacks one of its operators
        return None
