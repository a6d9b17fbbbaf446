"""How many candidates climbed each rung, and whether a lower rung predicts a higher one."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from search.records import RunResult

FEWEST = 4  # a rank correlation of fewer networks says nothing


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung.

    ``correlation`` is Spearman's, between this rung's PSNR and the next one's, over the ``both`` networks that have
    both results; None where those are too few. Only promoted networks reach the next rung, so it is cautious. Where
    ``ends_generation``, the next rung belongs to other candidates.
    """

    rung: int
    steps: int
    reached: int
    reached_fixed: int
    both: int
    correlation: float | None
    ends_generation: bool


def ladder(run: RunResult) -> tuple[Rung, ...]:
    """One row per rung, lowest first."""
    trials = [trial for trial in run.trials if trial.rungs]
    psnr = pd.DataFrame(
        [{result.rung: result.psnr_db for result in trial.rungs} for trial in trials],
        columns=range(len(run.settings.rungs)),
        dtype=float,
    )
    rows = []
    for rung, steps in enumerate(run.settings.rungs):
        here = [trial for trial in trials if trial.at_rung(rung) is not None]
        ends = rung + 1 in run.inherited_rungs
        both = psnr[[rung, rung + 1]].dropna() if rung + 1 in psnr and not ends else psnr.iloc[:0]
        correlation = both.iloc[:, 0].rank().corr(both.iloc[:, 1].rank()) if len(both) >= FEWEST else float("nan")
        rows.append(
            Rung(
                rung=rung,
                steps=steps,
                reached=len(here),
                reached_fixed=sum(trial.is_fixed for trial in here),
                both=len(both),
                correlation=None if pd.isna(correlation) else float(correlation),
                ends_generation=ends,
            )
        )
    return tuple(rows)
