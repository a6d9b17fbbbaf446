"""What a list of trainings tells while it goes on: lines."""

from __future__ import annotations

import time
from collections.abc import Callable

from latency_tables.cli.console import Console
from search.durations import duration_text
from search.experiments.training import Training, TrainingRecord
from search.workers.messages import Progress

PROGRESS_EVERY_S = 30


class EventLines:
    """Prints one line per event; of each training's progress, one every half minute. Nothing without a ``console``.

    ``on_finished`` is called with each training that is finished, at once.
    """

    def __init__(
        self, console: Console | None, on_finished: Callable[[TrainingRecord], object] = lambda _record: None
    ) -> None:
        self._console, self._on_finished = console, on_finished
        self._told: dict[str, float] = {}

    def started(self, training: Training, number: int, of: int) -> None:
        self._line(f"training {number} of {of}: {training.name} ({training.rules.title}) to {training.steps:,} steps")

    def progressed(self, training: Training, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told.setdefault(training.folder_name, now) > PROGRESS_EVERY_S:
            self._told[training.folder_name] = now
            self._line(f"  {training.name}, seed {training.seed}: step {progress.step:,}, loss {progress.loss:.4f}")

    def finished(self, record: TrainingRecord) -> None:
        results = dict(record.results) | ({"held out": record.validation} if record.validation else {})
        measured = ", ".join(f"{spec} {result.psnr_db:.2f} dB" for spec, result in results.items())
        training = record.training
        self._line(f"finished {training.name}, seed {training.seed}, after {duration_text(record.train_s)}: {measured}")
        self._on_finished(record)

    def failed(self, training: Training, reason: str) -> None:
        self._line(f"failed   {training.name}, seed {training.seed}: {reason}")

    def _line(self, text: str) -> None:
        if self._console is not None:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
