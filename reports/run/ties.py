"""Which neighbours on a front cannot be told apart: by quality, or by predicted milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from evaluators.compression.design import design_difference
from latency_tables.tables.table import LatencyTable
from search.pareto import SEED_NOISE_DB
from search.records import RunResult, RunSettings, TrialRecord
from search.request.tables import load_used
from space.errors import UserError


def ties(
    members: Sequence[TrialRecord], rung: int, noise_db: float = SEED_NOISE_DB
) -> tuple[tuple[TrialRecord, TrialRecord], ...]:
    """Pairs of neighbours, of ``members`` as given (cheapest first), whose PSNR at ``rung`` differs by less than
    ``noise_db``: the cheaper of the two is as good as far as this run can say."""
    return tuple(
        (cheaper, dearer)
        for cheaper, dearer in pairwise(members)
        if abs(dearer.at_rung(rung).psnr_db - cheaper.at_rung(rung).psnr_db) < noise_db
    )


def usable_table(settings: RunSettings, name: str) -> LatencyTable | None:
    """The run's table called ``name``; None where it is gone or holds something else than when the run was made."""
    use = next(use for use in settings.tables if use.name == name)
    try:
        return load_used((use,))[0]
    except UserError:
        return None


def same_time(
    run: RunResult, name: str, members: Sequence[TrialRecord]
) -> tuple[tuple[TrialRecord, TrialRecord], ...] | None:
    """Pairs of neighbours, of ``members`` by their milliseconds on the table ``name``, that it cannot tell apart: the
    band of their difference holds zero. None where the table can no longer be asked."""
    table = usable_table(run.settings, name)
    if table is None:
        return None
    ordered = sorted(members, key=lambda trial: (trial.costs.latency[name].ms, trial.trial))
    size = run.settings.input_size
    return tuple(
        (faster, slower)
        for faster, slower in pairwise(ordered)
        if design_difference(faster.as_design, slower.as_design, size, table).tied
    )


def tied_with(trial: TrialRecord, pairs: Sequence[tuple[TrialRecord, TrialRecord]]) -> tuple[int, ...]:
    """Numbers of the trials that ``trial`` is tied with."""
    partners = {other.trial for pair in pairs if trial in pair for other in pair}
    return tuple(sorted(partners - {trial.trial}))
