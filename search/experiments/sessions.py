"""Sessions of long trainings: several at once, in order, until all are done or the time is over."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from evaluators.data import training_pool
from evaluators.training.precision import Precision
from search.environment import available_cores
from search.experiments.data_specs import check_apart, describe, pictures
from search.experiments.training import Training, TrainingRecord
from search.experiments.training_jobs import Finished, TrainingJob, TrainingRunner
from search.sessions.deadline import Deadline
from search.storage.artifacts import LocalArtifacts
from search.storage.lock import own
from search.workers.dispatcher import Dispatcher
from search.workers.messages import Failed, Job, Progress, Result
from search.workers.processes import ProcessWorkers
from space.errors import UserError
from space.logs import LOG_FILE, LOGGER, log_to

DATA_FOLDER = "data"  # pools of patches, shared by the trainings that want the same
ON_A_GPU = 4  # trainings side by side unless the user says otherwise: one phone-sized network does not fill a GPU


class Listener(Protocol):
    """Whoever shows the trainings to a person."""

    def started(self, training: Training, number: int, of: int) -> None: ...
    def progressed(self, training: Training, progress: Progress) -> None: ...
    def finished(self, record: TrainingRecord) -> None: ...
    def failed(self, training: Training, reason: str) -> None: ...


@dataclass(frozen=True)
class TrainingSession:
    """Where, with what and how long trainings run."""

    folder: Path
    data_root: Path | None
    precision: Precision
    count: int
    threads: int
    time_s: float | None
    command: str

    def artifacts_of(self, training: Training) -> LocalArtifacts:
        """The training's own: its record, weights and checkpoint."""
        return artifacts_of(training, self.folder)


@dataclass(frozen=True)
class Outcome:
    """Of the trainings asked for: records of those that are finished, reasons of those that failed, and all that are
    not finished; ``problem`` is what ended the session early.
    """

    finished: tuple[TrainingRecord, ...]
    failed: dict[Training, str]
    left: tuple[Training, ...]
    problem: str | None = None


def artifacts_of(training: Training, folder: Path) -> LocalArtifacts:
    """Where the record, weights and checkpoint of ``training`` lie among those of ``folder``."""
    return LocalArtifacts(folder / training.folder_name)


def run_trainings(
    trainings: Sequence[Training], session: TrainingSession, listener: Listener, interrupted: Callable[[], bool]
) -> Outcome:
    """Do ``trainings`` in their order; those that have a record are not done again, but measured on further sets.

    Raises:
        UserError: data that cannot be used, or training data that hold pictures of a test set, before anything runs.
    """
    deadline = Deadline(session.time_s or math.inf)
    asked = tuple(dict.fromkeys(trainings))
    waiting = [training for training in asked if _record(training, session) is None]
    _check_data(waiting, session.data_root)
    queue = _Queue(waiting, session, listener)
    problem = None
    if waiting:
        session.folder.mkdir(parents=True, exist_ok=True)
        with own(session.folder), log_to(session.folder / LOG_FILE):
            LOGGER.info("%s", session.command)
            problem = _run(queue, deadline, interrupted)
    records = {training: _record(training, session) for training in asked}
    finished = tuple(record for record in records.values() if record is not None)
    return Outcome(finished, queue.broken, tuple(t for t, record in records.items() if record is None), problem)


def _run(queue: _Queue, deadline: Deadline, interrupted: Callable[[], bool]) -> str | None:
    session = queue.session
    make_runner = partial(
        TrainingRunner, session.data_root, session.precision, session.count, session.threads, session.command
    )
    count = min(session.count, len(queue.trainings))
    workers = ProcessWorkers(count, make_runner, session.threads, session.folder / LOG_FILE)
    try:
        return Dispatcher(workers, deadline, interrupted).run(queue)
    finally:
        workers.close()


@dataclass
class _Queue:
    """``trainings`` in their order, as a source of jobs; a job's number is its training's place, from 0."""

    trainings: Sequence[Training]
    session: TrainingSession
    listener: Listener
    broken: dict[Training, str] = field(default_factory=dict)  # and why
    _handed_out: int = 0
    _pools: dict[object, tuple[Path, str]] = field(default_factory=dict)

    def next_job(self, unavailable: frozenset[int]) -> TrainingJob | None:
        if self._handed_out == len(self.trainings):
            return None
        training, number = self.trainings[self._handed_out], self._handed_out
        self._handed_out += 1
        data = (training.rules, training.train)
        if data not in self._pools:
            self._pools[data] = _pool(training, self.session)
        pool, train_data = self._pools[data]
        return TrainingJob(
            number=number,
            network=training.architecture.key,
            training=training,
            artifacts=self.session.artifacts_of(training),
            pool=pool,
            train_data=train_data,
        )

    def began(self, job: Job) -> None:
        self.listener.started(self.trainings[job.number], job.number + 1, len(self.trainings))

    def progressed(self, progress: Progress) -> None:
        self.listener.progressed(self.trainings[progress.number], progress)

    def took(self, result: Result) -> None:
        assert isinstance(result, Finished)
        self.listener.finished(result.record)

    def failed(self, failure: Failed) -> None:
        training = self.trainings[failure.number]
        self.broken[training] = failure.reason
        self.listener.failed(training, failure.reason)

    def settled(self, failure: Failed) -> None:
        """It is told of at once: the same command tries it again."""

    def stopped(self, number: int, train_s: float) -> None:
        """Its own files say how far it has come."""

    def tick(self, left_s: float) -> None:
        """Nothing is shown of the time."""


def _record(training: Training, session: TrainingSession) -> TrainingRecord | None:
    """Of a training that is finished and measured on all that is asked for."""
    record = TrainingRecord.read(session.artifacts_of(training))
    return record if record is not None and not record.lacks(training) else None


def _check_data(trainings: Sequence[Training], root: Path | None) -> None:
    """Read all data once, and refuse what cannot be used; each combination of specs once."""
    seen = set()
    for training in trainings:
        key = (training.rules, training.train, training.test)
        if key not in seen:
            seen.add(key)
            train = {spec: pictures(spec, root, training.rules, validates=False) for spec in training.train}
            test = {spec: pictures(spec, root, training.rules, validates=True) for spec in training.test}
            check_apart(train, test)
            if len({type(picture) for each in train.values() for picture in each}) > 1:
                raise UserError(
                    f"training data must be all single pictures or all pairs, got both in {' '.join(training.train)}"
                )


def _pool(training: Training, session: TrainingSession) -> tuple[Path, str]:
    """The folder of the training's patches, made if it is not there yet, and what its pictures are."""
    rules, root = training.rules, session.data_root
    found = {spec: pictures(spec, root, rules, validates=False) for spec in training.train}
    described = "; ".join(describe(spec, root, each, rules, validates=False) for spec, each in found.items())
    about = json.dumps([described, rules.task, rules.scale, rules.options], sort_keys=True)
    folder = session.folder / DATA_FOLDER / hashlib.sha256(about.encode()).hexdigest()[:12]
    if not (folder / "pool.json").is_file():
        images = tuple(picture for each in found.values() for picture in each)
        training_pool(images, rules).save(folder)
    return folder, described


def default_count(precision: Precision) -> int:
    """A training per core on a CPU; ``ON_A_GPU`` on a GPU."""
    return ON_A_GPU if precision.device.startswith("cuda") else available_cores()
