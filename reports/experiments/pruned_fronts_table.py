"""What pruned and scratch-trained networks reached: a cell for each arm at each pruned share, and its sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reports.experiments.precision_quality import interval_db
from search.experiments.front_records import FrontRecord
from search.experiments.pruned_fronts import ARMS, NARROWER, PARENT, PRUNED, SAME, SEARCHED

SHORT = {PRUNED: "pruned", SAME: "same design", NARROWER: "narrower", SEARCHED: "drawn"}  # in sentences and labels


@dataclass(frozen=True)
class Cell:
    """One arm at one pruned share; ``records`` are its seeds', in their order, without those that diverged."""

    arm: str
    ratio: float
    records: tuple[FrontRecord, ...]

    @property
    def ms(self) -> float:
        return float(np.mean([record.latency.ms for record in self.records]))

    @property
    def band_ms(self) -> tuple[float, float]:
        """Mean ends of the 90 % bands."""
        ends = [(record.latency.low, record.latency.high) for record in self.records]
        low, high = np.mean(ends, axis=0)
        return float(low), float(high)

    def psnr_db(self, test: str) -> dict[int, float]:
        """By seed."""
        return {record.place.seed: record.psnr_db[test] for record in self.records}

    def mean_db(self, test: str) -> float:
        return float(np.mean(list(self.psnr_db(test).values())))

    def deviation_db(self, test: str) -> float | None:
        """Standard deviation over seeds; None of one."""
        values = list(self.psnr_db(test).values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


@dataclass(frozen=True)
class Gain:
    """``pruned`` minus ``other``, seed by seed: the mean, and half its 95 % interval (None of one seed)."""

    pruned: Cell
    other: Cell
    each_db: dict[int, float]

    @property
    def mean_db(self) -> float:
        return interval_db(list(self.each_db.values()))[0]

    @property
    def half_db(self) -> float | None:
        return interval_db(list(self.each_db.values()))[1]

    @property
    def verdict(self) -> str:
        """``wins``, ``loses``, ``ties`` of what is pruned; of one seed nothing is known to differ."""
        if self.half_db is None or abs(self.mean_db) <= self.half_db:
            return "ties"
        return "wins" if self.mean_db > 0 else "loses"

    @property
    def text(self) -> str:
        return f"{self.mean_db:+.3f}" + ("" if self.half_db is None else f" ± {self.half_db:.3f}")


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def cells(records: Sequence[FrontRecord]) -> tuple[Cell, ...]:
    """Of the arms and the parent, what is trained of each, by share and in the arms' order."""
    sound = [record for record in records if not record.failure]
    found = []
    for ratio in sorted({record.place.ratio for record in sound}):
        for arm in (PARENT, *ARMS):
            own = [record for record in sound if (record.place.arm, record.place.ratio) == (arm, ratio)]
            if own:
                found.append(Cell(arm, ratio, tuple(sorted(own, key=lambda record: record.place.seed))))
    return tuple(found)


def gains(found: Sequence[Cell], test: str) -> tuple[Gain, ...]:
    """What is pruned against every other arm at its share, over the seeds that both have."""
    return tuple(_gains(found, test))


def _gains(found: Sequence[Cell], test: str) -> Iterator[Gain]:
    for pruned in found:
        for other in found:
            if pruned.arm == PRUNED and other.arm not in (PRUNED, PARENT) and other.ratio == pruned.ratio:
                own, theirs = pruned.psnr_db(test), other.psnr_db(test)
                each_db = {seed: own[seed] - theirs[seed] for seed in own if seed in theirs}
                if each_db:
                    yield Gain(pruned, other, each_db)


def sentences(found: Sequence[Cell], test: str) -> str:
    """Which wins and by how much, against the best of the other designs, and against the pruned design itself."""
    against = gains(found, test)
    best, same = [], []
    for ratio in sorted({gain.pruned.ratio for gain in against}):
        here = [gain for gain in against if gain.pruned.ratio == ratio]
        others = [gain for gain in here if gain.other.arm != SAME]
        if others:
            best.append(max(others, key=lambda gain: gain.other.mean_db(test)))
        same += [gain for gain in here if gain.other.arm == SAME]
    first = "; ".join(
        f"at {percent(gain.pruned.ratio)} ({gain.pruned.ms:,.0f} ms) {gain.verdict}, {gain.text} dB against "
        f"{SHORT[gain.other.arm]}"
        for gain in best
    )
    second = "; ".join(f"{gain.text} dB at {percent(gain.pruned.ratio)}" for gain in same)
    told = []
    if first:
        told.append(f"The pruned network, against the better of the narrower and the drawn design: {first}.")
    if second:
        told.append(f"Its parent's weights, against its own design from random weights, bring {second}.")
    return " ".join(told)
