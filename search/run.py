"""One run from request to records: check everything, open or make the run, search, and read it back."""

from __future__ import annotations

import itertools
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
import torch

from evaluators import data
from evaluators.evaluate import baseline
from evaluators.training.plan import TrainingPlan
from evaluators.training.precision import Precision, choose_precision
from search.budget import Budget
from search.environment import environment
from search.jobs import PAIRS_FILE, POOL_FOLDER, Setting, Timed, TimingJob
from search.journal import own
from search.loop import Limits, Listener, SearchLoop
from search.proposals import enqueue_fixed, fixed_trials
from search.records import RunResult, RunSettings
from search.rungs import default_ladder, fit_ladder
from search.smallest import check_possible
from search.study import Study
from search.workers import ProcessWorkers, Workers
from space.errors import UserError
from space.sample import random_architecture
from space.tasks import Task

REPORT_RESERVE_S = 20  # of the time asked for, kept for pictures and page
TIMED_NETWORKS = 4  # random networks that stand for what the search will propose
SAME = ("task", "scale", "budget", "objectives", "input_size", "sampler", "seed", "train_data", "val_data", "training")


@dataclass(frozen=True)
class Request:
    """What a person asked for, checked and complete."""

    task: Task
    scale: int
    budget: Budget
    objectives: tuple[str, ...]
    input_size: tuple[int, int]
    sampler: str
    seed: int
    folder: Path
    time_s: float | None
    trials: int | None
    workers: int
    rungs: tuple[int, ...] | None = None
    train_folder: Path | None = None
    val_folder: Path | None = None
    device: str | None = None
    command: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a session ended: ``problem`` is why it had to stop early, if it had to."""

    finished: bool
    searched: bool
    problem: str | None = None


class Session:
    """A request whose every part was checked before the run's folder is touched."""

    def __init__(self, request: Request) -> None:
        """Raises: UserError for anything that cannot work, with the existing run as it was."""
        self.request = request
        self.begun = time.time()
        self.plan = TrainingPlan()
        self.precision: Precision = choose_precision(request.device)
        shape = request.task.shape(request.scale)
        check_possible(request.budget, shape, request.task.backbones, request.input_size)
        self.train = data.training_images(request.train_folder, self.plan.patch_px, request.scale)
        self.val = data.validation_images(request.val_folder, self.plan.patch_px, request.scale)
        self.settings = self._settings()
        self.existing = Study.open(request.folder, owned=False)
        if self.existing is None:
            _check_new(request.folder)
        else:
            _check_same(self.existing.settings, self.settings, request.folder)

    @property
    def threads(self) -> int:
        return max(1, available_cores() // self.request.workers)

    @property
    def is_finished(self) -> bool:
        """Whether the run on disk has all that this request asks for."""
        done = self.existing.noted("done") if self.existing else None
        if done is None:
            return False
        unlimited = math.inf
        return (self.request.time_s or unlimited) <= (done["time_s"] or unlimited) and (
            self.request.trials or unlimited
        ) <= (done["trials"] or unlimited)

    def search(self, listener: Listener, interrupted: Callable[[], bool]) -> Outcome:
        """Search until the request is met, it is interrupted, or the disk is full."""
        folder = self.request.folder
        folder.mkdir(parents=True, exist_ok=True)
        with own(folder):
            study = Study.open(folder, owned=True)
            if study is None:
                study = Study.create(folder, self.settings)
                study.note("command", self.request.command)
            pairs = self._prepare_data(folder / "data")
            try:
                if study.noted("baseline") is None:
                    quality = baseline(pairs, self.request.task.name, self.request.scale)
                    study.note("baseline", {"psnr_db": quality.psnr_db, "by_image": quality.psnr_db_by_image})
                (folder / "checkpoints").mkdir(exist_ok=True)
                return self._search(study, listener, interrupted)
            finally:
                shutil.rmtree(folder / "data", ignore_errors=True)

    def _search(self, study: Study, listener: Listener, interrupted: Callable[[], bool]) -> Outcome:
        request = self.request
        spent_s = study.noted("elapsed_s", 0.0)
        enqueue_fixed(study, request.task, request.budget)
        setting = Setting(
            request.folder / "data", request.task.name, request.scale, self.plan, self.precision, self.threads
        )
        workers = ProcessWorkers(request.workers, setting)
        clock = _Clock(study, spent_s, self.begun, listener)
        try:
            stop_at = (
                None
                if request.time_s is None
                else (self.begun + request.time_s - spent_s - min(REPORT_RESERVE_S, 0.15 * request.time_s))
            )
            self._fit_ladder(study, workers, stop_at, interrupted)
            loop = SearchLoop(
                study,
                request.task,
                request.budget,
                workers,
                Limits(stop_at, request.trials),
                request.folder,
                clock,
                interrupted,
            )
            problem = loop.run()
        finally:
            workers.close()
            clock.save()
        finished = problem is None and not interrupted()
        if finished:
            study.note("done", {"time_s": request.time_s, "trials": request.trials})
            drop_checkpoints(study, request.folder)
        return Outcome(finished, True, problem)

    def _fit_ladder(
        self, study: Study, workers: Workers, stop_at: float | None, interrupted: Callable[[], bool]
    ) -> None:
        """Make the ladder as long as the whole time asked for can carry; it never gets shorter."""
        if self.request.rungs:
            wanted = self.request.rungs
        elif stop_at is None:
            wanted = default_ladder()
        else:
            fixed_s, searched_s = self._step_seconds(study, workers, interrupted)
            wanted = fit_ladder(self.request.time_s * self.request.workers, fixed_s, searched_s)
        if len(wanted) > len(study.settings.rungs):
            study.extend(wanted)

    def _step_seconds(self, study: Study, workers: Workers, interrupted: Callable[[], bool]) -> tuple[float, float]:
        """Seconds per step: of all fixed trials together, and of a typical network within the budget."""
        known = study.noted("step_seconds")
        if known is None:
            request = self.request
            fixed = [
                record.architecture
                for record in fixed_trials(request.task, request.scale, request.input_size, request.budget)
            ]
            networks = [*fixed, *itertools.islice(self._random_within_budget(), TIMED_NETWORKS)]
            workers.submit(TimingJob(tuple(network.to_dict() for network in networks)))
            answers: list = []
            while not answers and not interrupted():
                answers = [answer for answer in workers.poll(0.25) if isinstance(answer, Timed)]
            if not answers:
                return 0.0, 0.0
            measured = answers[0].step_s
            known = {"fixed": sum(measured[: len(fixed)]), "searched": median(measured[len(fixed) :] or measured)}
            study.note("step_seconds", known)
        return known["fixed"], known["searched"]

    def _random_within_budget(self):
        from evaluators.cost import architecture_costs

        request, generator = self.request, np.random.default_rng(self.request.seed)
        for _ in range(2_000):
            arch = random_architecture(request.task.shape(request.scale), request.task.backbones, generator)
            if request.budget.allows(architecture_costs(arch, request.input_size)):
                yield arch

    def _prepare_data(self, folder: Path) -> tuple[data.Pair, ...]:
        """Write pool and validation pairs where every worker maps them from."""
        folder.mkdir(exist_ok=True)
        task, scale = self.request.task.name, self.request.scale
        data.training_pool(self.train, task, scale).save(folder / POOL_FOLDER)
        pairs = data.validation_pairs(self.val, task, scale)
        data.save_pairs(folder / PAIRS_FILE, pairs)
        return pairs

    def _settings(self) -> RunSettings:
        request = self.request
        return RunSettings(
            task=request.task.name,
            scale=request.scale,
            budget=request.budget.text,
            objectives=request.objectives,
            input_size=request.input_size,
            sampler=request.sampler,
            seed=request.seed,
            rungs=(),
            workers=request.workers,
            train_data=data.describe(request.train_folder, self.train),
            val_data=data.describe(request.val_folder, self.val),
            training=self.plan.to_dict(),
            environment=environment(self.precision, request.workers, self.threads),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )


class _Clock:
    """Passes events on to the listener, and keeps the run's elapsed time in the storage."""

    SAVE_EVERY_S = 10.0

    def __init__(self, study: Study, spent_s: float, begun: float, listener: Listener) -> None:
        self._study, self._spent_s, self._begun, self._saved = study, spent_s, begun, time.time()
        self._listener = listener

    def save(self) -> None:
        self._saved = time.time()
        try:
            self._study.note("elapsed_s", round(self._spent_s + self._saved - self._begun, 1))
        except OSError:
            pass  # a full disk: the clock runs a little late, no result is touched

    def tick(self, time_left_s: float | None) -> None:
        if time.time() - self._saved > self.SAVE_EVERY_S:
            self.save()
        self._listener.tick(time_left_s)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return getattr(self._listener, name)


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers(device: str | None) -> int:
    """A process per core on a CPU, one thread each (measured 1.33 times as fast on two cores); one on a GPU."""
    if (device or ("cuda" if torch.cuda.is_available() else "cpu")).startswith("cuda"):
        return 1
    return min(available_cores(), 8)


def read_run(folder: Path) -> RunResult:
    """All that is known of the run in ``folder``.

    Raises:
        UserError: there is no run, or it cannot be read.
    """
    study = Study.open(folder, owned=False)
    if study is None:
        raise UserError(f"{folder} must hold a run, got no journal there; see: python -m search list")
    return RunResult(
        name=folder.resolve().name,
        settings=study.settings,
        trials=tuple(sorted(study.records.values(), key=lambda record: record.trial)),
        baseline_psnr_db=(study.noted("baseline") or {"psnr_db": math.nan})["psnr_db"],
        elapsed_s=study.noted("elapsed_s", 0.0),
        command=study.noted("command", ""),
    )


def drop_checkpoints(study: Study, folder: Path) -> None:
    """Delete checkpoints that are least likely to be continued: searched trials in the worse half of a rung.

    Should one be promoted after all, it is trained again from its seed, to the same weights.
    """
    from search.rungs import ranked

    records = [record for record in study.records.values() if record.rungs and not record.is_fixed]
    for rung in range(len(study.settings.rungs)):
        here = [record for record in records if len(record.rungs) == rung + 1]
        if here:
            for record in ranked(here, rung, study.settings.objectives)[(len(here) + 1) // 2 :]:
                (folder / "checkpoints" / f"trial-{record.trial}.safetensors").unlink(missing_ok=True)


def _check_new(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--run-dir must be a folder, got the file {folder}")
    if folder.exists() and any(entry.name not in ("owner.lock", "journal.log") for entry in folder.iterdir()):
        raise UserError(f"--run-dir must be empty or hold a run, got {folder} with other files; choose another")


def _check_same(existing: RunSettings, asked: RunSettings, folder: Path) -> None:
    for name in SAME:
        before, now = getattr(existing, name), getattr(asked, name)
        if before != now:
            raise UserError(
                f"run {folder} was made with {name.replace('_', ' ')} {_shown(before)}, "
                f"got {_shown(now)}; use --run-dir for a new run"
            )


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
