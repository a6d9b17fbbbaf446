"""Training one network to the end, from request to model folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from evaluators.training.weights import save_weights
from latency_tables.cli.console import Console
from search.api.listed_options import command_line, with_options
from search.api.searching import StoppedError
from search.api.trained import PAGE_FILE, write_trained
from search.durations import duration_text
from search.experiments.course import course_for
from search.experiments.curve import CURVE_FILE, read_points
from search.experiments.event_files import check_installed
from search.experiments.sessions import Outcome, run_trainings, time_steps
from search.experiments.train_folder import Settings, begin, is_finished
from search.experiments.train_request import VALIDATIONS, TrainRequest, train_request, validations_every
from search.experiments.training import START_FILE, Begun, Training, TrainingRecord
from search.experiments.training_data import Pictures, checked_data
from search.models.folder import load_model
from search.request.train_options import FLAGS, TRAIN_OPTIONS
from search.sessions.first_step import tried
from search.sessions.interrupts import noted_interrupts
from search.storage.artifacts import LocalArtifacts
from space.errors import UserError
from space.logs import LOG_FILE

MEASURING_SHARE = 0.03  # of --time, kept for measuring and the page
FEWEST_STEPS = 10  # that a time must carry


class TrainingFailedError(RuntimeError):
    """The network cannot be trained so: it diverged, or its training process dies. Its last checkpoint stays."""


@dataclass(frozen=True)
class Trained:
    """What ``search.train`` returns; ``record`` is None where it was interrupted: the same call continues."""

    folder: Path
    record: TrainingRecord | None

    @property
    def page(self) -> Path:
        return self.folder / PAGE_FILE

    def network(self) -> nn.Module:
        """The trained network in eval mode, as ``search.load_model`` gives it."""
        if self.record is None:
            raise UserError(f"{self.folder} must be trained to the end, got a training that was interrupted")
        return load_model(self.folder)


def train(
    model: str, trial: int | str | None = None, *, progress: bool = True, stop: Callable[[], bool] = lambda: False,
    **options: object,
) -> Trained:  # fmt: skip
    """Train one network to the end, from its weights, into a model folder with a page.

    The rate falls to zero at the last step, and the weights are averaged. The same call continues a training that was
    interrupted or killed, on a CPU bit for bit. Training runs in a process of its own.

    >>> import search
    >>> trained = search.train(
    ...     "ecbsr-m4c8", steps=4, validate_every=4, batch=2, out="runs/trained-example", overwrite=True, progress=False
    ... )
    >>> trained.record.training.steps
    4
    >>> network = trained.network()

    Args:
        model: a run and ``trial``, ``RUN#TRIAL``, a model folder, a weights file of litefront, a published network, or
            MODULE:FACTORY with ``task``.
        trial: the number of the network in the run ``model``.
        progress: whether to print what was understood, and the curve as it grows.
        stop: called several times a second; True interrupts the training, with a checkpoint.

    Raises:
        UserError: an option is invalid or does not fit; nothing was written.
        TrainingFailedError: the network diverged.
        StoppedError: trouble with the machine (disk, memory, GPU); the same call continues.
    """
    spec = spec_of(model, trial)
    request = train_request(command_line("train", spec, TRAIN_OPTIONS, FLAGS, options), spec, **options)
    return train_for(request, Console() if progress else None, stop)


def spec_of(model: str, trial: int | str | None) -> str:
    """``RUN`` and ``TRIAL`` as one name."""
    return model if trial is None else f"{model}#{trial}"


def train_for(
    request: TrainRequest, console: Console | None, stop: Callable[[], bool] = lambda: False, owns_process: bool = False
) -> Trained:
    """Do what is asked for; raises as ``train``."""
    folder = request.folder
    if request.session.has_events:
        check_installed()
    if request.begun is not None and is_finished(folder):
        say(console, f"This training is finished: {folder / PAGE_FILE}")
        return Trained(folder, TrainingRecord.read(LocalArtifacts(folder)))
    say(console, understood(request))
    data = checked_data([request.training], request.session.places)
    request = _in_working_precision(request, console)
    with noted_interrupts(owns_process) as interrupted:

        def ends() -> bool:
            return interrupted() or stop()

        request = request if request.is_fitted else _fitted(request, console, data, ends)
        if not request.is_fitted:
            return Trained(folder, None)
        _begin(request)
        earlier = read_points(folder / CURVE_FILE)
        metric = request.training.rules.measure.metric_name
        with course_for(console, earlier, metric) as course:
            outcome = run_trainings([request.training], request.session, course, ends, data)
    record = finished_record(outcome, request.training, folder, folder)
    if record is None:
        say(console, f"stopped; {_kept(folder)}, and the same command continues")
        return Trained(folder, None)
    say(console, "writing the model folder ...")
    write_trained(folder, record, request.model, request.starts_from)
    return Trained(folder, record)


def finished_record(outcome: Outcome, training: Training, own: Path, folder: Path) -> TrainingRecord | None:
    """The record of ``training``; None where it was stopped. ``own`` has its checkpoint, ``folder`` the log.

    Raises:
        StoppedError: trouble with the machine.
        TrainingFailedError: the network diverged, or cannot be trained.
    """
    if outcome.problem:
        raise StoppedError(
            f"stopped: {outcome.problem}; nothing of the training up to its last checkpoint is lost, and the same "
            f"command continues (more in {folder / LOG_FILE})"
        )
    if outcome.failed:
        reason = outcome.failed[training]
        remedy = "; a lower --rate may help, in another --out" if "not finite" in reason else ""
        raise TrainingFailedError(f"{training.name} failed: {reason}; {_kept(own)}{remedy}")
    return outcome.finished[0] if outcome.finished else None


def understood(request: TrainRequest) -> str:
    """The network, its plan, its data and its folder, in lines."""
    training, session = request.training, request.session
    plan, rules = training.plan, training.rules
    length = (
        f"{training.steps:,} steps"
        if request.is_fitted
        else f"as many steps as {duration_text(request.time_s or 0.0)} carry"
    )
    tests = f"; at the end also on {', '.join(training.test)}" if training.test else ""
    added = "" if training.loss.is_own else f"  loss: the task's own and {training.loss.said}\n"
    return (
        f"{training.name} for {rules.title}, {length}, from {request.starts_from}\n"
        f"  batches of {plan.batch} patches of {plan.patch_px}x{plan.patch_px}, rate {plan.learning_rate:g} falling to "
        f"zero, averaged weights, seed {training.seed}\n"
        f"{added}  training in {session.precision.name} on {session.precision.device} ({session.precision.reason})\n"
        f"  training on {', '.join(training.train)}; held-out pictures: {training.validation}{tests}\n"
        f"  model folder {request.folder}" + ("; continuing" if request.begun is not None else "")
    )


def _in_working_precision(request: TrainRequest, console: Console | None) -> TrainRequest:
    """In float32 where a first step shows that the wanted arithmetic does not work here."""
    training = request.training
    if request.begun is not None:
        return request
    precision, failed = tried(request.session.precision, [(training.architecture, training.rules)])
    if failed:
        say(console, failed)
    return replace(request, session=replace(request.session, precision=precision))


def _fitted(request: TrainRequest, console: Console | None, data: Pictures, ends: Callable[[], bool]) -> TrainRequest:
    """With as many steps as fit the time asked for; as it is if interrupted while steps were timed.

    They are timed in a folder of their own, so that nothing is left behind where the time is too short.
    """
    folder, time_s = request.folder, request.time_s or 0.0
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.", suffix=".timed") as beside:
        session = replace(request.session, folder=Path(beside))
        _keep_start(request, session.folder)
        timed = time_steps(request.training, session, data, ends)
    if timed is None:
        return request
    left_s, every = (1 - MEASURING_SHARE) * time_s, int(request.said.get("validate-every", 0))
    if every:
        steps = int(left_s / (timed.step_s + timed.validation_s / every))
    else:
        steps = int((left_s - (VALIDATIONS + 1) * timed.validation_s) / timed.step_s)
    if steps < FEWEST_STEPS:
        raise UserError(
            f"--time must carry at least {FEWEST_STEPS} steps of {timed.step_s:.2g} s and the validations of "
            f"{timed.validation_s:.2g} s, got {duration_text(time_s)}; give it longer, or --steps"
        )
    say(console, f"{duration_text(time_s)} carry {steps:,} steps, at {timed.step_s:.3g} s a step as measured")
    return request.of_steps(steps, every or validations_every(steps))


def _begin(request: TrainRequest) -> None:
    """Give the folder its settings and the weights to start from, where they are not there yet."""
    folder, session = request.folder, request.session
    if request.begun is None:
        begin(folder, Settings(request.said, request.training, session.threads, session.command), request.overwrite)
    _keep_start(request, folder)


def _keep_start(request: TrainRequest, folder: Path) -> None:
    training = request.training
    if training.start and not (folder / START_FILE).is_file():
        save_weights(folder / START_FILE, request.model.network, {"network": training.name})


def _kept(folder: Path) -> str:
    begun = Begun.read(LocalArtifacts(folder))
    return f"the checkpoint of step {begun.step:,} stays in {folder}" if begun else f"{folder} has no checkpoint yet"


def say(console: Console | None, text: str) -> None:
    if console is not None:
        console.print(text, highlight=False, soft_wrap=True)


with_options(train, TRAIN_OPTIONS, FLAGS)
