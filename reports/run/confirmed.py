"""A front after its networks were trained again with several seeds: means, spread, ties, and what changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev

import numpy as np
from scipy.stats import t as student

from evaluators.quantities import Quantity
from reports.run.quantities import cost_objectives
from search.experiments.training import TrainingRecord
from search.pareto import front, non_dominated_ranks
from search.records import RunResult, TrialRecord

CONFIDENCE = 0.95  # of the two-sided interval of a difference of means; one that holds zero is a tie


@dataclass(frozen=True, slots=True)
class Repeated:
    """The mean PSNR of one trial's network over ``seeds`` trainings of ``steps`` steps, in dB.

    ``sd_db`` is their sample standard deviation, NaN of a single one. ``was_on_front``: on the run's own front.
    """

    trial: TrialRecord
    steps: int
    seeds: int
    psnr_db: float
    sd_db: float
    was_on_front: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One network beside the others; ``tied_with`` are numbers of its neighbours on the front by the means whose
    difference is within the noise. ``below`` is the best network that dominates it, None of a member of the front."""

    repeated: Repeated
    gain_db: float
    on_front: bool
    tied_with: tuple[int, ...]
    below: Repeated | None

    @property
    def trial(self) -> TrialRecord:
        return self.repeated.trial


@dataclass(frozen=True, slots=True)
class ConfirmedFront:
    """All networks, cheapest first by ``cost``. ``sd_db`` is the standard deviation over seeds, pooled over the
    networks with ``degrees`` of freedom; NaN where no network has two trainings."""

    cost: Quantity
    networks: tuple[Confirmed, ...]
    sd_db: float
    degrees: int

    def noise_db(self, one: Repeated, other: Repeated) -> float:
        """Half the interval of the difference of two means; NaN where the spread is not known."""
        return noise_db(self.sd_db, self.degrees, one.seeds, other.seeds)


def noise_db(sd_db: float, degrees: int, *seeds: int) -> float:
    """Half the two-sided ``CONFIDENCE`` interval of a difference of two means over so many ``seeds``, in dB."""
    if not degrees:
        return math.nan
    return float(student.ppf((1 + CONFIDENCE) / 2, degrees)) * sd_db * math.sqrt(sum(1 / count for count in seeds))


def repeated_of(run: RunResult, trial: TrialRecord, records: Sequence[TrainingRecord]) -> Repeated:
    """Of the finished trainings of ``trial``, one at least, all measured on the run's validation pictures."""
    values = [record.validation.psnr_db for record in records if record.validation is not None]
    spread = stdev(values) if len(values) > 1 else math.nan
    was_on_front = any(member.trial == trial.trial for member in front(run))
    return Repeated(trial, records[0].training.steps, len(values), fmean(values), spread, was_on_front)


def confirmed_front(run: RunResult, repeated: Sequence[Repeated]) -> ConfirmedFront:
    """The front over the means, by the run's objectives; as in the run, what is no better than the baseline is not on
    it."""
    cost = cost_objectives(run.settings)[0]
    ordered = sorted(repeated, key=lambda each: (cost.of(each.trial.costs), each.trial.trial))
    spreads = [(each.seeds - 1, each.sd_db) for each in ordered if each.seeds > 1]
    degrees = sum(freedom for freedom, _ in spreads)
    variance = sum(freedom * sd_db**2 for freedom, sd_db in spreads) / degrees if degrees else math.nan
    sd_db = math.sqrt(variance)
    losses = np.array([_losses(run, each) for each in ordered])
    better = [not each.psnr_db <= run.baseline_psnr_db for each in ordered]
    ranks = np.ones(len(ordered), dtype=int)
    if any(better):
        ranks[better] = non_dominated_ranks(losses[better])
    members = [each for each, rank in zip(ordered, ranks, strict=True) if rank == 0]
    ties = [
        (one.trial.trial, other.trial.trial)
        for one, other in pairwise(members)
        if abs(one.psnr_db - other.psnr_db) < noise_db(sd_db, degrees, one.seeds, other.seeds)
    ]
    networks = tuple(
        Confirmed(
            each,
            each.psnr_db - run.baseline_psnr_db,
            each in members,
            tuple(number for pair in ties if each.trial.trial in pair for number in pair if number != each.trial.trial),
            _best_above(losses[index], ordered, losses),
        )
        for index, each in enumerate(ordered)
    )
    return ConfirmedFront(cost, networks, sd_db, degrees)


def _losses(run: RunResult, each: Repeated) -> list[float]:
    return [-each.psnr_db if name == "psnr" else each.trial.cost(name) for name in run.settings.objectives]


def _best_above(own: np.ndarray, ordered: Sequence[Repeated], losses: np.ndarray) -> Repeated | None:
    """Of the networks that dominate the one with the losses ``own``, the one with the highest PSNR."""
    above = (losses <= own).all(axis=1) & (losses < own).any(axis=1)
    return max(
        (each for each, is_above in zip(ordered, above, strict=True) if is_above),
        key=lambda each: each.psnr_db,
        default=None,
    )


def changes(run: RunResult, confirmed: ConfirmedFront) -> tuple[str, ...]:
    """In sentences: the spread and what counts as a tie, which members stay on the front, which are new, which fell off
    and what lies above them."""
    return tuple(filter(None, (_spread(confirmed), _kept(confirmed), *_fallen(run, confirmed))))


def _spread(confirmed: ConfirmedFront) -> str:
    most = max(each.repeated.seeds for each in confirmed.networks)
    if not confirmed.degrees:
        return "No network has two trainings yet: what is a tie is not known."
    apart_db = noise_db(confirmed.sd_db, confirmed.degrees, most, most)
    return (
        f"Seeds spread by {confirmed.sd_db:.3f} dB (pooled standard deviation, {confirmed.degrees} degrees of freedom);"
        f" means of {most} seeds less than {apart_db:.3f} dB apart are a tie."
    )


def _kept(confirmed: ConfirmedFront) -> str:
    members = [each for each in confirmed.networks if each.on_front]
    stayed = [network_name(each.trial) for each in members if each.repeated.was_on_front]
    new = [network_name(each.trial) for each in members if not each.repeated.was_on_front]
    before = sum(each.repeated.was_on_front for each in confirmed.networks)
    sentence = f"Still on the front: {', '.join((f'{len(stayed)} of {before}', *stayed))}"
    return sentence + (f"; new on it: {', '.join(new)}." if new else ".")


def _fallen(run: RunResult, confirmed: ConfirmedFront) -> list[str]:
    sentences = []
    for each in confirmed.networks:
        if each.on_front or not each.repeated.was_on_front:
            continue
        name, above = network_name(each.trial), each.below
        if above is None:
            sentences.append(f"{name} fell off: no better than {run.settings.rules.show.baseline_in_words}.")
            continue
        gain_db = above.psnr_db - each.repeated.psnr_db
        is_tie = gain_db < confirmed.noise_db(above, each.repeated)
        sentences.append(
            f"{name} fell off: {network_name(above.trial)} is no dearer and {gain_db:.3f} dB better"
            + (", within the noise." if is_tie else ".")
        )
    return sentences


def network_name(trial: TrialRecord) -> str:
    """``#12``, or a published network's name."""
    return trial.source if trial.is_fixed else f"#{trial.trial}"
