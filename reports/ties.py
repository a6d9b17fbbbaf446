"""Which neighbours on a front cannot be told apart by quality."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from search.records import TrialRecord

SEED_NOISE_DB = 0.045
"""A smaller difference between two networks says nothing: another seed may turn them round.

Measured on s-LWSR16 and its two ablations with an input skip, 400 steps, three seeds each: the standard deviation over
seeds is 0.016 dB, that of a difference of two networks 0.023 dB, and this is twice that
(``reports/published/seed-noise``)."""


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
