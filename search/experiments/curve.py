"""``training.csv``: the course of a training, a row every so many steps and after every validation."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from search.storage.artifacts import ArtifactStore
from space.files import write_csv_atomically

CURVE_FILE = "training.csv"
COLUMNS = ("step", "loss", "learning_rate", "validation_psnr_db", "seconds")
ROWS = 400  # of the losses of a whole training; more are not told apart on a page


@dataclass(frozen=True, slots=True)
class Point:
    """After ``step`` steps; ``loss`` is the mean since the point before, None where no step was made since.

    ``seconds`` counts from the start, over all sessions, without the time between them.
    """

    step: int
    loss: float | None
    learning_rate: float
    psnr_db: float | None
    seconds: float


@dataclass
class Curve:
    """The points so far, by rising step, and the losses since the last one; ``told`` hears of each that is added."""

    points: list[Point] = field(default_factory=list)
    told: Callable[[Point], object] = lambda _point: None
    loss_sum: float = 0.0
    losses: int = 0

    @classmethod
    def read(cls, artifacts: ArtifactStore, until: int, losses: tuple[float, int]) -> Curve:
        """What was written up to step ``until``; what a killed session wrote after its last checkpoint is cut off.

        ``losses`` are the sum and the number of those before ``until`` that no point had at the checkpoint.
        """
        path = artifacts.get(CURVE_FILE)
        points = [point for point in read_points(path) if point.step <= until] if path is not None else []
        if points and points[-1].step == until:
            losses = (0.0, 0)  # that point, of a validation, was added after the checkpoint
        return cls(points, loss_sum=losses[0], losses=losses[1])

    def is_validated(self, step: int) -> bool:
        return any(point.step == step and point.psnr_db is not None for point in self.points)

    def add_loss(self, loss: float) -> None:
        self.loss_sum += loss
        self.losses += 1

    def add_point(self, step: int, learning_rate: float, seconds: float, psnr_db: float | None = None) -> None:
        """A further point, or the PSNR of the last one."""
        last = self.points[-1] if self.points else None
        if last is not None and last.step == step:
            if psnr_db is not None:
                self.points[-1] = replace(last, psnr_db=psnr_db)
                self.told(replace(self.points[-1], loss=None))
            return
        loss = self.loss_sum / self.losses if self.losses else None
        self.points.append(Point(step, loss, learning_rate, psnr_db, seconds))
        self.loss_sum, self.losses = 0.0, 0
        self.told(self.points[-1])

    def write(self, artifacts: ArtifactStore) -> None:
        rows = [COLUMNS, *(tuple(map(_text, _values(point))) for point in self.points)]
        artifacts.put(CURVE_FILE, lambda path: write_csv_atomically(path, rows))


def rows_every(steps: int) -> int:
    """Steps between two points of the losses."""
    return max(1, steps // ROWS)


def read_points(path: Path) -> tuple[Point, ...]:
    """The points in ``training.csv``; those up to a damaged row."""
    points: list[Point] = []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                step, loss, rate, psnr_db, seconds = (row[name] for name in COLUMNS)
                points.append(Point(int(step), _number(loss), float(rate), _number(psnr_db), float(seconds)))
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        pass
    return tuple(points)


def _values(point: Point) -> tuple[int, float | None, float, float | None, float]:
    return point.step, point.loss, point.learning_rate, point.psnr_db, round(point.seconds, 2)


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)


def _number(text: str) -> float | None:
    return float(text) if text else None
