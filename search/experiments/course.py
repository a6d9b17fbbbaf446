"""One training as it goes on, for a person: a panel with its curves in a terminal, lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from latency_tables.cli.console import Console
from search.durations import duration_text
from search.experiments.curve import Point
from search.experiments.training import Training, TrainingRecord
from search.sessions.sparkline import blocks_for, sparkline
from search.workers.messages import Progress

LINE_EVERY_S = 30.0  # where no terminal redraws
LABEL, FIGURES = 18, 30  # characters before and after a curve
SMOOTHED = 0.2  # of a new loss in the one that is shown: single batches differ much
KEPT = 2_000  # losses; of more, every other one


class Course:
    """What is known of the training that is shown; ``earlier`` are points of sessions before."""

    def __init__(self, console: Console | None, earlier: Sequence[Point], metric: str) -> None:
        self._console, self._metric = console, metric
        self._losses = [point.loss for point in earlier if point.loss is not None]
        self._validated = [(point.step, point.psnr_db) for point in earlier if point.psnr_db is not None]
        self._progress: Progress | None = None
        self._first: tuple[float, int] | None = None  # when this session made its first step, and which
        self.failure: str | None = None

    def __enter__(self) -> Course:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def started(self, training: Training, number: int, of: int) -> None:
        self._said(f"training {training.name} to {training.steps:,} steps")

    def progressed(self, training: Training, progress: Progress) -> None:
        self._first = self._first or (time.monotonic(), progress.step)
        self._progress = progress
        if progress.psnr_db is not None:
            self._validated.append((progress.step, progress.psnr_db))
            self._on_validation(progress.step, progress.psnr_db)
        elif math.isfinite(progress.loss):
            last = self._losses[-1] if self._losses else progress.loss
            self._losses.append(last + SMOOTHED * (progress.loss - last))
            if len(self._losses) > KEPT:
                del self._losses[::2]
            self._on_step(progress)

    def finished(self, record: TrainingRecord) -> None:
        self._said(f"trained {record.training.steps:,} steps in {duration_text(record.train_s)}")

    def failed(self, training: Training, reason: str) -> None:
        self.failure = reason

    def left_s(self) -> float | None:
        """Seconds until the last step, by the steps of this session; None while too few were made."""
        if self._first is None or self._progress is None or self._progress.step == self._first[1]:
            return None
        begun, step = self._first
        return (time.monotonic() - begun) / (self._progress.step - step) * (self._progress.steps - self._progress.step)

    def _on_step(self, progress: Progress) -> None:
        pass

    def _on_validation(self, step: int, psnr_db: float) -> None:
        pass

    def _said(self, text: str) -> None:
        if self._console is not None:
            self._console.print(text, soft_wrap=True)

    def _left_text(self) -> str:
        left_s = self.left_s()
        return "" if left_s is None else f", {duration_text(left_s)} left"

    def _best_text(self) -> str:
        step, best = max(self._validated, key=lambda each: each[1])
        return f"best {best:.2f} at {step:,}" if step != self._validated[-1][0] else "the best so far"


class CourseLines(Course):
    """A line for every validation and, between them, twice a minute."""

    _told = 0.0

    def _on_step(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told > LINE_EVERY_S:
            self._told = now
            self._line(progress, "")

    def _on_validation(self, step: int, psnr_db: float) -> None:
        assert self._progress is not None
        self._told = time.monotonic()
        self._line(self._progress, f", {self._metric} {psnr_db:.2f} dB ({self._best_text()})")

    def _line(self, progress: Progress, more: str) -> None:
        loss = f", loss {self._losses[-1]:.4f}" if self._losses else ""
        self._said(f"  step {progress.step:,} of {progress.steps:,}{loss}{more}{self._left_text()}")


class CoursePanel(Course):
    """In a terminal: how far it is, and both curves, redrawn in place."""

    def __init__(self, console: Console, earlier: Sequence[Point], metric: str) -> None:
        super().__init__(console, earlier, metric)
        self._terminal = console
        self._blocks = blocks_for(console.encoding)
        self._live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self.draw)

    def __enter__(self) -> CoursePanel:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def draw(self) -> Group:
        progress = self._progress
        if progress is None:
            return Group(Text("  reading data ..."))
        width = max(10, self._terminal.width - LABEL - FIGURES)
        head = Text(f"  step {progress.step:,} of {progress.steps:,}{self._left_text()}")
        width_of_bar = min(60, self._terminal.width - 4)
        bar = Padding(ProgressBar(total=progress.steps, completed=progress.step, width=width_of_bar), (0, 0, 0, 2))
        rows: list[Text] = []
        if self._losses:
            rows.append(self._row("loss", self._losses, width, f"{self._losses[-1]:.4f}"))
        if self._validated:
            psnr_db = [value for _, value in self._validated]
            rows.append(self._row(self._metric, psnr_db, width, f"{psnr_db[-1]:.2f} dB, {self._best_text()}"))
        return Group(head, bar, *rows)

    def _row(self, label: str, values: Sequence[float], width: int, figures: str) -> Text:
        curve = sparkline(values, width, self._blocks)
        return Text(f"  {label[: LABEL - 3]:{LABEL - 3}} {curve} {figures}", no_wrap=True, overflow="crop")


def course_for(console: Console | None, earlier: Sequence[Point], metric: str) -> Course:
    """The panel in a terminal, lines elsewhere and where a terminal cannot move its cursor; nothing without a
    console."""
    if console is None:
        return Course(None, earlier, metric)
    if console.is_terminal and not console.is_dumb_terminal:
        return CoursePanel(console, earlier, metric)
    return CourseLines(console, earlier, metric)
