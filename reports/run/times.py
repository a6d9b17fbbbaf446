"""Where a run's milliseconds come from: the tables, what they are worth, and what the time goes into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluators.compression.design import design_explained
from latency_tables.tables.estimate import Latency
from latency_tables.tables.rows import ORIGINS
from latency_tables.tables.table import PROVENANCE_KEYS, LatencyTable
from reports.run.shown import shown_members
from search.records import RunResult, TrialRecord
from search.request.tables import TableUse, load_used
from space.errors import UserError

UPSAMPLER = "upsampler"  # the part of every backbone that enlarges
TRAFFIC_ESTIMATE = ORIGINS[-1]
MOST_KINDS = 4
_LATER = {"held_out", "residual"}  # of the provenance: shown by themselves
HELD_OUT = {
    "lofo_mape": "{:.1f} % on average with a whole family of networks left out of the fit",
    "lomo_mape": "{:.1f} % with one network left out",
    "reference_lofo_mape": "a plain fit by class with a family left out: {:.1f} %",
    "reference_lomo_mape": "a plain fit by class with one network left out: {:.1f} %",
    "spearman": "rank correlation {:.3f}",
    "coverage_90": "{:.0%} within the 90 % band",
}
"""How a table's held-out errors, by their keys in its provenance, are said; other keys stand as they are."""


@dataclass(frozen=True, slots=True)
class NetworkTime:
    """What the time of one network goes into; ``kinds`` and the other shares are of its milliseconds, 0 to 1.

    ``guessed`` is the share that is only a traffic estimate.
    """

    label: str
    figure: Latency
    kinds: tuple[tuple[str, float], ...]
    upsampler: float
    guessed: float


@dataclass(frozen=True, slots=True)
class TimeSource:
    """One table of a run. ``problem`` is why it cannot be read as the run used it; then only ``use`` is known."""

    use: TableUse
    problem: str | None
    provenance: tuple[tuple[str, str], ...]
    held_out: str | None
    networks: tuple[NetworkTime, ...]


def time_sources(run: RunResult) -> tuple[TimeSource, ...]:
    """Every latency table of ``run``, with the networks that are worth a picture explained by it."""
    members = shown_members(run) if run.settings.tables else {}
    return tuple(_source(run, use, members) for use in run.settings.tables)


def worst_origin(trials: Sequence[TrialRecord], name: str) -> str | None:
    """The worst origin of the milliseconds of ``trials`` on the table ``name``; None of no trials."""
    return max((trial.costs.latency[name].origin for trial in trials), key=ORIGINS.index, default=None)


def _source(run: RunResult, use: TableUse, members: Mapping[str, TrialRecord]) -> TimeSource:
    try:
        (table,) = load_used((use,))
    except UserError as error:
        return TimeSource(use, str(error), (), None, ())
    keys = [*PROVENANCE_KEYS, *(key for key in table.provenance if key not in (*PROVENANCE_KEYS, *_LATER))]
    provenance = tuple((key.replace("_", " "), _text(table.provenance[key])) for key in keys)
    held_out = table.provenance.get("held_out")
    networks = tuple(_network(run, table, label, trial) for label, trial in members.items())
    return TimeSource(use, None, provenance, _error_text(held_out) if held_out else None, networks)


def _network(run: RunResult, table: LatencyTable, label: str, trial: TrialRecord) -> NetworkTime:
    found = design_explained(*trial.as_design, run.settings.input_size, table)
    ms = found.latency.ms
    kinds = tuple((kind, of_kind / ms) for kind, of_kind in list(found.by_kind.items())[:MOST_KINDS])
    return NetworkTime(
        label,
        trial.costs.latency[table.name],
        kinds,
        found.by_part.get(UPSAMPLER, 0.0) / ms,
        found.by_origin.get(TRAFFIC_ESTIMATE, 0.0) / ms,
    )


def _error_text(held_out: Any) -> str:
    if not isinstance(held_out, Mapping):
        return _text(held_out)
    return "; ".join(
        HELD_OUT[key].format(value) if key in HELD_OUT else f"{key.replace('_', ' ')} {_text(value)}"
        for key, value in held_out.items()
    )


def _text(value: Any) -> str:
    """A provenance entry, however nested, on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
