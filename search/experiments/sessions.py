"""Trainings in order, several at once, until they are done or the time is over; what is begun continues later."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from evaluators.data import training_pool
from evaluators.training.precision import Precision
from search.deadline import Deadline
from search.environment import available_cores
from search.jobs import Failed, MachineTrouble, Progress, Stopped
from search.storage.journal import own
from search.experiments.data_specs import check_apart, describe, pictures
from search.experiments.training_jobs import Finished, TrainingJob, TrainingRunner
from search.experiments.training import Training, TrainingRecord
from search.workers.verdicts import Verdicts
from search.workers.processes import ProcessWorkers
from space.errors import UserError
from space.logs import LOG_FILE, LOGGER, log_to

DATA_FOLDER = "data"  # pools of patches, shared by the trainings that want the same
ON_A_GPU = 4  # trainings side by side unless the user says otherwise: one phone-sized network does not fill a GPU
POLL_S = 0.25


class Listener(Protocol):
    """Whoever shows the trainings to a person."""

    def started(self, training: Training, number: int, of: int) -> None: ...
    def progressed(self, training: Training, progress: Progress) -> None: ...
    def finished(self, record: TrainingRecord) -> None: ...
    def failed(self, training: Training, reason: str) -> None: ...


@dataclass(frozen=True)
class Sitting:
    """Where, with what and how long trainings run."""

    folder: Path
    data_root: Path | None
    precision: Precision
    count: int
    threads: int
    time_s: float | None
    command: str


@dataclass(frozen=True)
class Outcome:
    """Of the trainings asked for: records of those that are finished, reasons of those that failed, and all that are
    not finished; ``problem`` is what ended the sitting early.
    """

    finished: tuple[TrainingRecord, ...]
    failed: dict[Training, str]
    left: tuple[Training, ...]
    problem: str | None = None


def run_trainings(
    trainings: Sequence[Training], sitting: Sitting, listener: Listener, interrupted: Callable[[], bool]
) -> Outcome:
    """Do ``trainings`` in their order; those that have a record are not done again, but measured on further sets.

    Raises:
        UserError: data that cannot be used, or training data that hold pictures of a test set, before anything runs.
    """
    deadline = Deadline(sitting.time_s or math.inf)
    folders = {training: sitting.folder / training.folder_name for training in trainings}
    waiting = [training for training in folders if _record(training, folders[training]) is None]
    check_data(waiting, sitting.data_root)
    failed: dict[Training, str] = {}
    problem = None
    if waiting:
        sitting.folder.mkdir(parents=True, exist_ok=True)
        with own(sitting.folder), log_to(sitting.folder / LOG_FILE):
            LOGGER.info("%s", sitting.command)
            failed, problem = _run(waiting, folders, sitting, deadline, listener, interrupted)
    records = {training: _record(training, folder) for training, folder in folders.items()}
    finished = tuple(record for record in records.values() if record is not None)
    return Outcome(finished, failed, tuple(t for t, record in records.items() if record is None), problem)


def _record(training: Training, folder: Path) -> TrainingRecord | None:
    """Of a training that is finished and measured on all that is asked for."""
    record = TrainingRecord.read(folder)
    return record if record is not None and not record.lacks(training) else None


def check_data(trainings: Sequence[Training], root: Path | None) -> None:
    """Read all data once, and refuse what cannot be used; every combination of words only once."""
    seen = set()
    for training in trainings:
        key = (training.rules, training.train, training.test)
        if key not in seen:
            seen.add(key)
            train = {word: pictures(word, root, training.rules, validates=False) for word in training.train}
            test = {word: pictures(word, root, training.rules, validates=True) for word in training.test}
            check_apart(train, test)
            if len({type(picture) for each in train.values() for picture in each}) > 1:
                raise UserError(
                    f"training data must be all single pictures or all pairs, got both in {' '.join(training.train)}"
                )


def _run(
    waiting: list[Training],
    folders: dict[Training, Path],
    sitting: Sitting,
    deadline: Deadline,
    listener: Listener,
    interrupted: Callable[[], bool],
) -> tuple[dict[Training, str], str | None]:
    make_runner = partial(
        TrainingRunner, sitting.data_root, sitting.precision, sitting.count, sitting.threads, sitting.command
    )
    log = sitting.folder / LOG_FILE
    workers = ProcessWorkers(min(sitting.count, len(waiting)), make_runner, sitting.threads, log)
    jobs: dict[int, Training] = {}
    pools: dict[object, tuple[Path, str]] = {}
    queue, failed, verdicts = list(waiting), {}, Verdicts()
    try:
        while queue or workers.is_busy:
            if interrupted() or deadline.is_over or verdicts.problem:
                queue.clear()
                workers.stop()
            while queue and workers.idle():
                training = queue.pop(0)
                number = len(jobs)
                jobs[number] = training
                data = (training.rules, training.train)
                if data not in pools:
                    pools[data] = _pool(training, sitting)
                workers.submit(TrainingJob(number, training, folders[training], *pools[data], deadline.left_s))
                listener.started(training, number + 1, len(waiting))
            for answer in workers.poll(POLL_S):
                training = jobs[answer.trial]
                if isinstance(answer, Progress):
                    listener.progressed(training, answer)
                elif isinstance(answer, Finished):
                    verdicts.succeeded()
                    listener.finished(answer.record)
                elif isinstance(answer, MachineTrouble):
                    verdicts.machine(answer)
                elif isinstance(answer, Failed):
                    verdicts.failed(answer, training.architecture.key)
                    failed[training] = answer.reason
                    listener.failed(training, answer.reason)
                else:
                    assert isinstance(answer, Stopped)
    finally:
        workers.close()
    return failed, verdicts.problem


def _pool(training: Training, sitting: Sitting) -> tuple[Path, str]:
    """The folder of the training's patches, made if it is not there yet, and what its pictures are."""
    rules, root = training.rules, sitting.data_root
    found = {word: pictures(word, root, rules, validates=False) for word in training.train}
    described = "; ".join(describe(word, root, each, rules, validates=False) for word, each in found.items())
    about = json.dumps([described, rules.task, rules.scale, rules.options], sort_keys=True)
    folder = sitting.folder / DATA_FOLDER / hashlib.sha256(about.encode()).hexdigest()[:12]
    if not (folder / "pool.json").is_file():
        images = tuple(picture for each in found.values() for picture in each)
        training_pool(images, rules).save(folder)
    return folder, described


def default_count(precision: Precision) -> int:
    """A training per core on a CPU; ``ON_A_GPU`` on a GPU."""
    return ON_A_GPU if precision.device.startswith("cuda") else available_cores()
