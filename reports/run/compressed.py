"""What compression cost and brought: every compressed trial beside the one that it was made of."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.quantities import Quantity
from reports.run.describe import made_of
from reports.run.quantities import cost_objectives
from search.pareto import SEED_NOISE_DB, front, front_rung
from search.records import RunResult, TrialRecord


@dataclass(frozen=True, slots=True)
class CompressionStep:
    """``child`` against its ``parent`` at the front's rung: what was ``done``, the difference of PSNR in dB, and each
    cost objective before and after. ``is_noise``: the PSNR differs by less than the seed noise."""

    parent: TrialRecord
    child: TrialRecord
    done: str
    gain_db: float
    costs: tuple[tuple[Quantity, float, float], ...]
    on_front: bool

    @property
    def is_noise(self) -> bool:
        return abs(self.gain_db) < SEED_NOISE_DB


def compression_steps(run: RunResult) -> tuple[CompressionStep, ...]:
    """Of every compressed trial that was measured on the front's rung, as its parent was; the front's members first,
    and then those that saved most."""
    rung, members = front_rung(run), {trial.trial for trial in front(run)}
    there = {trial.trial: trial for trial in run.trials if trial.at_rung(rung) is not None}
    objectives = cost_objectives(run.settings)
    steps = [
        CompressionStep(
            there[child.parent],
            child,
            made_of(child),
            child.at_rung(rung).psnr_db - there[child.parent].at_rung(rung).psnr_db,
            tuple((each, each.of(there[child.parent].costs), each.of(child.costs)) for each in objectives),
            child.trial in members,
        )
        for child in there.values()
        if child.parent in there
    ]
    return tuple(sorted(steps, key=lambda step: (not step.on_front, step.costs[0][2] / step.costs[0][1])))


def compressed_time(run: RunResult) -> str | None:
    """Which share of training and measuring compressed trials took, as a sentence; None where there are none."""
    results = [(trial, result) for trial in run.trials for result in trial.rungs]
    sharing_s = sum(each.train_s for each in run.shared)
    whole = sum(result.train_s + result.eval_s for _, result in results) + sharing_s + run.pruning_s
    own = sum(result.train_s + result.eval_s for trial, result in results if trial.descent) + run.pruning_s
    if not own:
        return None
    return f"Pruning and compressed trials took {own / whole:.0%} of the time of training and measuring"
