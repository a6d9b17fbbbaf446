"""Which neighbours on a front cannot be told apart by quality."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from search.records import TrialRecord

SEED_NOISE_DB = 0.03
"""Two trainings of one network with different seeds may differ by this much in PSNR; a smaller difference between two
networks says nothing. An upper figure for short trainings, to be replaced by one measured with the shipped ladder."""


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


def tied_with(trial: TrialRecord, pairs: Sequence[tuple[TrialRecord, TrialRecord]]) -> tuple[int, ...]:
    """Numbers of the trials that ``trial`` is tied with."""
    partners = {other.trial for pair in pairs if trial in pair for other in pair}
    return tuple(sorted(partners - {trial.trial}))
