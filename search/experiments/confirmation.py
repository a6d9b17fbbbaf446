"""A run's front again: which networks are trained with several seeds, and for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluators.compression.compression import UNCOMPRESSED
from search.experiments.training import Training
from search.pareto import front, front_rung
from search.records import RunResult, TrialRecord
from space.errors import UserError

USABLE_SHARE = 0.85  # of a time, for steps; the rest is for processes that start, and for steps that take longer


@dataclass(frozen=True)
class Confirmation:
    """``trials`` of ``run`` again from random weights, for ``steps`` steps, with ``seeds`` seeds from the run's on.

    ``train`` and ``validation`` are data specs (``search.experiments.data_specs``).
    """

    run: RunResult
    trials: tuple[TrialRecord, ...]
    seeds: int
    steps: int
    train: str
    validation: str

    def trainings(self) -> tuple[Training, ...]:
        """All trials with the first seed, then with the next: what is done early is of use."""
        first = self.run.settings.seed
        return tuple(self.training(trial, first + index) for index in range(self.seeds) for trial in self.trials)

    def training(self, trial: TrialRecord, seed: int) -> Training:
        """As the run trained it: its plan, its data."""
        settings = self.run.settings
        return Training(
            trial.source if trial.is_fixed else f"trial-{trial.trial}",
            trial.architecture,
            settings.rules,
            "short",
            self.steps,
            seed,
            train=(self.train,),
            test=(),
            plan_changes=settings.rules.degrade.plan.changes(settings.plan),
            validation=self.validation,
        )


def chosen(run: RunResult, most: int | None) -> tuple[tuple[TrialRecord, ...], tuple[TrialRecord, ...]]:
    """The networks to train again, and those of the front that cannot be.

    They are the members of the front, at most ``most`` of them, evenly from the cheapest to the best, and the published
    networks beside it that have reached its rung. A compressed network is made of another's weights, and a training
    from random ones would not be its own.

    Raises:
        UserError: there is no front, or all of it is compressed.
    """
    members, rung = front(run), front_rung(run)
    numbers = {trial.trial for trial in members}
    if not members:
        baseline = run.settings.rules.measure.baseline_name
        raise UserError(f"{run.name} must have a front, got none: no network is better than {baseline}")
    own = [trial for trial in members if trial.compression == UNCOMPRESSED]
    if not own:
        raise UserError(
            f"the front of {run.name} must have networks trained from random weights, got compressed ones alone "
            "(pruned, int8 or taught), which are made of others' weights"
        )
    beside = [
        trial
        for trial in run.trials
        if trial.is_fixed
        and trial.trial not in numbers
        and trial.status == "trained"
        and trial.at_rung(rung) is not None
    ]
    left_out = tuple(trial for trial in members if trial.compression != UNCOMPRESSED)
    kept = [trial for trial in beside if trial.compression == UNCOMPRESSED]
    return (*spread(own, most or len(own)), *kept), left_out


def spread(members: Sequence[TrialRecord], most: int) -> list[TrialRecord]:
    """At most ``most``, both ends among them; of one it is the last."""
    if most >= len(members):
        return list(members)
    if most == 1:
        return [members[-1]]
    return [members[round(index * (len(members) - 1) / (most - 1))] for index in range(most)]


def recorded_step_s(trial: TrialRecord) -> float | None:
    """Seconds that a training step of ``trial`` took in its run; None where it was only measured there."""
    seconds, made, before = 0.0, 0, trial.descent.steps if trial.descent else 0
    for result in trial.rungs:
        if result.train_s:
            seconds, made = seconds + result.train_s, made + result.steps - before
        before = result.steps
    return seconds / made if made else None


def steps_within(confirmation: Confirmation, time_s: float, count: int, step_s: Mapping[int, float]) -> int:
    """Steps of each training with which all end within ``time_s`` seconds, ``count`` side by side; 0 where not even one
    does. Of more than a hundred, two digits.

    ``step_s`` are the seconds of a step by trial; measuring takes what it took in the run.
    """
    rung = front_rung(confirmation.run)
    results = [trial.at_rung(rung) or trial.rungs[-1] for trial in confirmation.trials]
    measuring_s = _until_last([result.eval_s for result in results], confirmation.seeds, count)
    a_step_s = _until_last([step_s[trial.trial] for trial in confirmation.trials], confirmation.seeds, count)
    steps = max(0, int((USABLE_SHARE * time_s - measuring_s) / a_step_s))
    digit = 10 ** max(0, len(str(steps)) - 2)
    return steps // digit * digit


def _until_last(seconds: Sequence[float], seeds: int, count: int) -> float:
    """Until the last of ``seeds`` times ``seconds`` has ended, at most, where each begins as one of ``count`` ends."""
    longest = max(seconds)
    return (seeds * sum(seconds) - longest) / count + longest
