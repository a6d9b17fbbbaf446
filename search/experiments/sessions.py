"""Sessions of long trainings: several at once, in order, until all are done or the time is over."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from evaluators.training.precision import Precision
from search.environment import available_cores
from search.experiments.data_specs import Place
from search.experiments.training import Training, TrainingRecord
from search.experiments.training_data import DATA_FOLDER, DataPlaces, Pictures, TrainingData, checked_data, made_data
from search.experiments.training_jobs import TrainingRunner
from search.experiments.training_messages import Finished, StepTimed, StepTimingJob, TrainingJob
from search.sessions.deadline import Deadline
from search.storage.artifacts import LocalArtifacts
from search.storage.lock import own
from search.workers.dispatcher import POLL_S, Dispatcher
from search.workers.messages import Answer, Failed, Job, MachineTrouble, Progress, Result
from search.workers.processes import ProcessWorkers
from space.errors import UserError
from space.logs import LOG_FILE, LOGGER, log_to

ON_A_GPU = 4  # trainings side by side unless the user says otherwise: one phone-sized network does not fill a GPU


class Listener(Protocol):
    """Whoever shows the trainings to a person."""

    def started(self, training: Training, number: int, of: int) -> None: ...
    def progressed(self, training: Training, progress: Progress) -> None: ...
    def finished(self, record: TrainingRecord) -> None: ...
    def failed(self, training: Training, reason: str) -> None: ...


@dataclass(frozen=True)
class TrainingSession:
    """Where, with what and how long trainings run.

    ``is_single``: there is one training, ``folder`` is its own, and its data to train and to validate on are named by
    paths and not below ``data_root``. ``has_events``: it also writes event files for TensorBoard. ``stage``: the folder
    in ``folder`` that is the training's own, where it is one of several that follow each other. ``reads_anywhere``:
    data to train and to validate on are named by paths, or are given as pictures.
    """

    folder: Path
    data_root: Path | None
    precision: Precision
    count: int
    threads: int
    time_s: float | None
    command: str
    is_single: bool = False
    has_events: bool = False
    stage: str = ""
    reads_anywhere: bool = False

    @property
    def places(self) -> DataPlaces:
        train_root = Place.ANYWHERE if self.is_single or self.reads_anywhere else self.data_root
        return DataPlaces(train_root, self.data_root, self.folder / DATA_FOLDER, refuses_small=self.is_single)

    def artifacts_of(self, training: Training) -> LocalArtifacts:
        """The training's own: its record, weights and checkpoint."""
        return LocalArtifacts(self.folder / self.stage) if self.is_single else artifacts_of(training, self.folder)


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
    trainings: Sequence[Training],
    session: TrainingSession,
    listener: Listener,
    interrupted: Callable[[], bool],
    data: Pictures | None = None,
) -> Outcome:
    """Do ``trainings`` in their order; those that have a record are not done again, but measured on further sets.

    ``data`` is what ``checked_data`` gave of them, if it was asked already.

    Raises:
        UserError: data that cannot be used, or training data that hold pictures of a test set, before anything runs.
    """
    deadline = Deadline(session.time_s or math.inf)
    asked = tuple(dict.fromkeys(trainings))
    waiting = [training for training in asked if _record(training, session) is None]
    read = checked_data(waiting, session.places) if data is None else data
    queue = _Queue(waiting, session, listener, read)
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
    workers = _workers(queue.session, min(queue.session.count, len(queue.trainings)))
    try:
        return Dispatcher(workers, deadline, interrupted).run(queue)
    finally:
        workers.close()


def _workers(session: TrainingSession, count: int) -> ProcessWorkers:
    make_runner = partial(
        TrainingRunner, session.data_root, session.precision, session.count, session.threads, session.command
    )
    return ProcessWorkers(count, make_runner, session.threads, session.folder / LOG_FILE)


def time_steps(
    training: Training, session: TrainingSession, data: Pictures, interrupted: Callable[[], bool]
) -> StepTimed | None:
    """How long a step of ``training`` takes here, and a validation; None if interrupted.

    ``data`` is what ``checked_data`` gave. What is written into the session's folder is of no use afterwards.

    Raises:
        UserError: it cannot be trained.
        OSError: trouble with the machine.
    """
    with own(session.folder), log_to(session.folder / LOG_FILE):
        made = made_data(training, session.places, data)
        workers = _workers(session, 1)
        try:
            workers.submit(
                StepTimingJob(
                    number=0,
                    training=training,
                    artifacts=session.artifacts_of(training),
                    pool=made.pool,
                    validation=made.validation,
                )
            )
            answers: list[Answer | Progress] = []
            while not answers:
                if interrupted():
                    return None
                answers = workers.poll(POLL_S)
        finally:
            workers.close()
    (answer,) = answers
    if isinstance(answer, StepTimed):
        return answer
    reason = answer.reason if isinstance(answer, Failed | MachineTrouble) else "the training process stopped"
    if isinstance(answer, MachineTrouble):
        raise OSError(reason)
    raise UserError(f"{training.name} must be a network that can be trained, got: {reason}")


@dataclass
class _Queue:
    """``trainings`` in their order, as a source of jobs; a job's number is its training's place, from 0."""

    trainings: Sequence[Training]
    session: TrainingSession
    listener: Listener
    pictures: Pictures
    broken: dict[Training, str] = field(default_factory=dict)  # and why
    _handed_out: int = 0
    _data: dict[object, TrainingData] = field(default_factory=dict)

    def next_job(self, unavailable: frozenset[int]) -> TrainingJob | None:
        if self._handed_out == len(self.trainings):
            return None
        training, number = self.trainings[self._handed_out], self._handed_out
        self._handed_out += 1
        key = (training.rules, training.train, training.validation)
        if key not in self._data:
            self._data[key] = made_data(training, self.session.places, self.pictures)
        data = self._data[key]
        return TrainingJob(
            number=number,
            network=training.architecture.key,
            training=training,
            artifacts=self.session.artifacts_of(training),
            pool=data.pool,
            train_data=data.train_data,
            validation=data.validation,
            validation_data=data.validation_data,
            events=self.session.folder if self.session.has_events else None,
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
    """Of a training that is finished and measured on all that is asked for, its validation pictures among them."""
    record = TrainingRecord.read(session.artifacts_of(training))
    if record is None or record.lacks(training) or (training.validation and record.validation is None):
        return None
    return record


def default_count(precision: Precision) -> int:
    """A training per core on a CPU; ``ON_A_GPU`` on a GPU."""
    return ON_A_GPU if precision.device.startswith("cuda") else available_cores()
