"""One sitting at a run: check everything that was asked for, open or make the run, search until the limits."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from evaluators import data
from evaluators.evaluate import baseline, yardsticks
from evaluators.images.overlap import shared_picture
from evaluators.images.pair_folders import NamedPair
from search.step_timing import TimingFailedError, step_seconds
from search.clock import Clock
from search.deadline import Deadline
from search.durations import duration_text
from search.environment import available_cores, environment
from search.jobs import PAIRS_FILE, POOL_FOLDER, JobRunner, Setting
from search.storage.journal import own
from search.latency import changed, load_used
from search.loop import Limits, SearchLoop
from search.progress import Listener
from search.proposals import prepare_fixed
from search.records import KEPT, RunSettings
from search.request import Request
from search.run_files import drop_checkpoints
from search.run_precision import checked, precision_for
from search.rungs import default_ladder, fit_ladder
from search.smallest import check_possible
from search.study import Study
from search.too_short import too_short, usable_s
from search.workers.processes import ProcessWorkers, Workers
from space.errors import UserError
from space.knobs import SPECIALISTS
from space.logs import LOG_FILE, LOGGER, log_to

OURS = ("owner.lock", "journal.log", LOG_FILE)  # what a run has that was ended before its first result


class Session:
    """A request whose every part was checked before the run's folder is touched."""

    def __init__(self, request: Request) -> None:
        """Raises: UserError for anything that cannot work, with the existing run as it was."""
        self.request = request
        self.begun = time.monotonic()
        self.plan = request.rules.plan
        self.existing = Study.open(request.folder, owned=False)
        begun = self.existing.settings if self.existing else None
        self.precision, self.precision_note = precision_for(request.device, request.precision, begun, request.folder)
        tables = load_used(request.wanted.tables)
        input_size = request.wanted.input_size
        check_possible(request.budget, request.rules.shape, request.task.backbones, input_size, tables)
        self.train = data.training_images(request.train_folder, request.rules)
        self.val = data.validation_images(request.val_folder, request.rules)
        data.check_measurable(self.val, request.val_folder, request.rules)
        self.frames = data.frame_pairs(request.frames_folder, request.rules)
        self.settings = self._settings()
        if self.existing is None:
            _check_new(request.folder)
        else:
            _check_same(self.existing.settings, self.settings, request.folder)
        if not self.is_finished:
            self._check_precision()

    def _check_precision(self) -> None:
        """Make a first step, and have the record say what came of it."""
        request = self.request
        self.precision, failed = checked(
            self.precision, request.task, self.settings, request.budget, continues=self.existing is not None
        )
        if failed:
            self.precision_note = failed
            self.settings = self._settings()

    @property
    def threads(self) -> int:
        return max(1, available_cores() // self.request.wanted.workers)

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

    def search(self, listener: Listener, interrupted: Callable[[], bool]) -> str | None:
        """Search until the request is met or it is interrupted; returns why it had to stop early, if it had to."""
        folder = self.request.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--run-dir must be a folder that can be written, got {folder}: {error.strerror}") from None
        with own(folder), log_to(folder / LOG_FILE):
            study = Study.open(folder, owned=True)
            if study is None:
                study = Study.create(folder, self.settings)
                study.note("command", self.request.command)
            LOGGER.info("%s; %s", self.request.command or "a session", self._describe_session())
            study.note("sessions", [*study.noted("sessions", []), self._describe_session()])
            pairs = self._prepare_data(folder / "data")
            try:
                if study.noted("baseline") is None:
                    quality = baseline(pairs, self.request.rules)
                    figures = {"by_image": quality.psnr_db_by_image, "others_db": quality.others_db}
                    study.note("baseline", {"psnr_db": quality.psnr_db, **figures})
                if study.noted("yardsticks") is None:
                    classical = yardsticks(pairs, self.request.rules)
                    study.note("yardsticks", {name: quality.psnr_db for name, quality in classical.items()})
                (folder / "checkpoints").mkdir(exist_ok=True)
                return self._search(study, listener, interrupted)
            finally:
                shutil.rmtree(folder / "data", ignore_errors=True)

    def _search(self, study: Study, listener: Listener, interrupted: Callable[[], bool]) -> str | None:
        request = self.request
        spent_s = study.noted("elapsed_s", 0.0)
        prepare_fixed(study, request.task, request.budget)
        setting = Setting(request.folder / "data", request.rules, self.plan, self.precision)
        log = request.folder / LOG_FILE
        workers = ProcessWorkers(request.wanted.workers, partial(JobRunner, setting), self.threads, log)
        clock = Clock(study, spent_s, self.begun, listener)
        try:
            clock.known([record for record in study.records.values() if record.rungs])
            deadline = None
            if request.time_s is not None:
                deadline = Deadline(self.begun - time.monotonic() + usable_s(request.time_s) - spent_s)
            self._fit_ladder(
                study, workers, listener, lambda: interrupted() or (deadline is not None and deadline.is_over)
            )
            loop = SearchLoop(
                study,
                request.task,
                request.budget,
                workers,
                Limits(deadline, request.trials),
                request.folder,
                clock,
                interrupted,
            )
            problem = loop.run()
        except TimingFailedError as error:
            problem = str(error)
        finally:
            workers.close()
            clock.save()
        if problem is None and not interrupted():
            study.note("done", {"time_s": request.time_s, "trials": request.trials})
            drop_checkpoints(study, request.folder)
        return problem

    def _fit_ladder(self, study: Study, workers: Workers, listener: Listener, is_over: Callable[[], bool]) -> None:
        """Make the ladder as long as the whole time asked for can carry; it never gets shorter.

        It stays as it is where the session ``is_over`` before steps could be timed.
        """
        request = self.request
        if request.rungs:
            wanted = request.rungs
        elif request.time_s is None:
            wanted = default_ladder()
        else:
            fixed_s, searched_s = step_seconds(study, workers, request.task, request.budget, is_over)
            if is_over() and not searched_s:
                return
            wanted = fit_ladder(request.time_s * request.wanted.workers, fixed_s, searched_s)
            used_s = time.monotonic() - self.begun + study.noted("elapsed_s", 0.0)
            if not any(record.rungs for record in study.records.values()) and (
                notice := too_short(request.time_s, used_s, fixed_s, searched_s, request.wanted.workers)
            ):
                listener.said(notice)
        if len(wanted) > len(study.settings.rungs):
            study.extend(wanted)

    def _prepare_data(self, folder: Path) -> tuple[data.Pair, ...]:
        """Write pool and validation pairs where every worker maps them from."""
        folder.mkdir(exist_ok=True)
        data.training_pool(self.train, self.request.rules).save(folder / POOL_FOLDER)
        pairs = data.validation_pairs(self.val, self.request.rules)
        data.save_pairs(folder / PAIRS_FILE, pairs)
        return pairs

    def _describe_session(self) -> str:
        """Where and for what a sitting was: a run may be continued by another version."""
        limits = ", ".join(
            filter(
                None,
                (
                    duration_text(self.request.time_s) if self.request.time_s else "",
                    f"{self.request.trials} trials" if self.request.trials else "",
                ),
            )
        )
        return f"{self.settings.created}, commit {self.settings.environment['commit']}, up to {limits}"

    def _settings(self) -> RunSettings:
        request = self.request
        return RunSettings(
            **vars(request.wanted),
            rungs=(),
            train_data=data.describe(request.train_folder, self.train, request.rules),
            val_data=data.describe(request.val_folder, self.val, request.rules, validates=True),
            training=self.plan.to_dict(),
            environment=environment(self.precision, request.wanted.workers, self.threads),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            specialists=_specialists(request, (self.train[0], self.val[0])),
            precision=self.precision.to_dict(),
            overlap=_overlap(request, self.train, self.val),
        )


def _overlap(request: Request, train: Sequence[data.Picture], val: Sequence[data.Picture]) -> str:
    """In words, a picture that is measured on and was trained on; the embedded photographs share none."""
    if request.train_folder is None and request.val_folder is None:
        return ""
    shared = shared_picture(train, val)
    if shared is None:
        return ""
    return f"training has seen it: {shared[0]} shows what {shared[1]} of the validation pictures shows"


def _specialists(request: Request, examples: tuple[data.Picture, ...]) -> int:
    """The most networks that may share the range of noise levels; 1 where there is none, or where no level is known.

    Raises:
        UserError: more are asked for than there can be.
    """
    asked, most = request.specialists, max(SPECIALISTS.values)
    if not request.rules.divided(1):
        most, why = 1, f"{request.rules.title} has no range of noise levels"
    elif any(isinstance(picture, NamedPair) for picture in examples):
        most, why = 1, "the noise level of pairs in a folder is not known"
    else:
        why = "more are not searched"
    if asked is not None and asked > most:
        raise UserError(f"--specialists must be at most {most}, for {why}; got {asked}")
    return asked or most


def _check_new(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--run-dir must be a folder, got the file {folder}")
    if folder.exists() and any(entry.name not in OURS for entry in folder.iterdir()):
        raise UserError(f"--run-dir must be empty or hold a run, got {folder} with other files; choose another")


def _check_same(existing: RunSettings, asked: RunSettings, folder: Path) -> None:
    """Refuse to continue a run as another one.

    Raises:
        UserError: names the first value that a run keeps and that differs.
    """
    for kept in fields(RunSettings):
        before, now = getattr(existing, kept.name), getattr(asked, kept.name)
        if kept.metadata != KEPT or before == now:
            continue
        if kept.name == "tables":
            _check_tables(existing, asked, folder)
            continue
        what = "" if kept.name == "options" else f"{kept.name.replace('_', ' ')} "
        raise UserError(
            f"run {folder} was made with {what}{_shown(before) or 'none'}, got {_shown(now) or 'none'}; use "
            "--run-dir for a new run"
        )


def _check_tables(existing: RunSettings, asked: RunSettings, folder: Path) -> None:
    before, now = ({use.name: use for use in settings.tables} for settings in (existing, asked))
    if before.keys() != now.keys():
        raise UserError(
            f"run {folder} was made with latency tables {_shown(tuple(before)) or 'none'}, got "
            f"{_shown(tuple(now)) or 'none'}; for another phone: python -m search recost {folder} --device TABLE"
        )
    for name, use in before.items():
        if use.fingerprint != now[name].fingerprint:
            raise UserError(f"{changed(use, now[name].fingerprint)}; use --run-dir for a new run")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(option)}" for name, option in value.items())
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
