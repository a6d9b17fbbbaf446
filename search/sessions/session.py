"""One session of a run: check the request, open or create the run, and search."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from optuna.exceptions import StorageInternalError

from evaluators.quality import baseline, classical_baselines
from evaluators.training.precision import Precision
from search.candidates.initial_trials import enqueue_initial
from search.candidates.screening import Screen
from search.candidates.smallest import check_possible
from search.durations import duration_text
from search.environment import environment, threads_of
from search.loop import Limits, SearchLoop
from search.models.about import Origin
from search.records import ALONE, SHARED, RunSettings
from search.request.request import Request
from search.request.tables import load_used
from search.rungs import default_ladder, fit_ladder
from search.sessions.clock import Clock
from search.sessions.continuing import check_new, check_same
from search.sessions.deadline import Deadline
from search.sessions.precision import checked, precision_for
from search.sessions.progress import Listener
from search.sessions.run_data import RunData, read_data
from search.sessions.step_timing import TimingFailedError, step_seconds
from search.sessions.too_short import too_short, usable_s
from search.sharing.choosing import shares_weights
from search.sharing.session import sharing_loop
from search.storage.artifacts import LocalArtifacts
from search.storage.lock import own
from search.storage.note_names import ELAPSED_S, IS_TIMED
from search.storage.run_files import drop_checkpoints
from search.storage.study import Study
from search.workers.jobs import JobRunner, Setting
from search.workers.processes import ProcessWorkers
from search.workers.protocol import Workers
from space.errors import UserError
from space.logs import LOG_FILE, LOGGER, log_to
from space.os_errors import first_line
from space.search_space import SearchSpace


def check_and_read(request: Request) -> Session:
    """The session that ``request`` asks for: its data are read, and a first step is made where that can fail.

    Raises:
        UserError: anything cannot work; an existing run is left as it was.
    """
    begun = time.monotonic()
    existing = Study.open(request.folder, owned=False, url=request.storage)
    begun_settings = existing.settings if existing else None
    if begun_settings is not None:
        request = _with_its_own(request, begun_settings)
    precision, note = precision_for(request.device, request.precision, begun_settings, request.folder)
    wanted = request.wanted
    space = SearchSpace(request.task, request.rules.shape)
    if begun_settings is None:  # that of a run that was begun is possible, and another one is refused
        check_possible(request.budget, space, wanted.input_size, load_used(wanted.tables), wanted.dtype)
    data = read_data(request)
    settings = _settings(data, precision)
    if begun_settings is None:
        check_new(request.folder)
    else:
        check_same(begun_settings, settings, request.folder)
    if begun_settings is None and settings.evaluator == SHARED:
        request = _evaluated(request, settings)
        data = replace(data, request=request)
        settings = _settings(data, precision)
    session = Session(request, data, settings, precision, note, existing, begun)
    if session.is_finished:
        return session
    precision, failed = checked(precision, request.task, settings, request.budget, continues=existing is not None)
    if failed is None:
        return session
    return Session(request, data, _settings(data, precision), precision, failed, existing, begun)


def _evaluated(request: Request, settings: RunSettings) -> Request:
    """``request``, for a new run that would share weights; trained alone where ``auto`` may choose and too few fit.

    Raises:
        UserError: shared weights are asked for, and too few networks fit the budget.
    """
    if shares_weights(Screen(request.task, settings, request.budget)):
        return request
    if not request.has_auto_evaluator:
        raise UserError(
            f"--evaluator {SHARED} needs several networks of a kind within the budget, got {request.budget.text}; use "
            f"a larger one, or --evaluator {ALONE}"
        )
    return replace(request, wanted=replace(request.wanted, evaluator=ALONE))


def _with_its_own(request: Request, begun: RunSettings) -> Request:
    """What the request leaves open is as the run was begun, whatever is the default today."""
    wanted = request.wanted
    evaluator = begun.evaluator if request.has_auto_evaluator else wanted.evaluator
    sampler = begun.sampler if request.has_default_sampler else wanted.sampler
    return replace(request, wanted=replace(wanted, evaluator=evaluator, sampler=sampler))


@dataclass(frozen=True)
class Session:
    """A checked request with its data; ``existing`` is the run that it goes on with, if there is one.

    ``precision_note`` is the line to tell of the arithmetic, if there is anything to tell. ``begun`` is by
    ``time.monotonic``.
    """

    request: Request
    data: RunData
    settings: RunSettings
    precision: Precision
    precision_note: str | None
    existing: Study | None
    begun: float

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
            study = Study.open(folder, owned=True, url=self.request.storage)
            if study is None:
                study = Study.create(folder, self.settings, self.request.storage)
                study.note("command", self.request.command)
            LOGGER.info("%s; %s", self.request.command or "a session", self._describe_session())
            study.note("sessions", [*study.noted("sessions", []), self._describe_session()])
            pairs = self.data.write(folder / "data")
            try:
                if study.noted("baseline") is None:
                    quality = baseline(pairs, self.request.rules)
                    figures = {"by_image": quality.psnr_db_by_image, "others_db": quality.others_db}
                    study.note("baseline", {"psnr_db": quality.psnr_db, **figures})
                if study.noted("classical_baselines") is None:
                    classical = classical_baselines(pairs, self.request.rules)
                    study.note("classical_baselines", {name: quality.psnr_db for name, quality in classical.items()})
                return self._search(study, listener, interrupted)
            except StorageInternalError as error:
                raise OSError(f"the storage of the run does not answer: {first_line(error)}") from error
            finally:
                shutil.rmtree(folder / "data", ignore_errors=True)

    def _search(self, study: Study, listener: Listener, interrupted: Callable[[], bool]) -> str | None:
        request = self.request
        spent_s = study.noted(ELAPSED_S, 0.0)
        shares = study.settings.evaluator == SHARED
        study.note(IS_TIMED, request.time_s is not None)
        if not shares:
            enqueue_initial(study, request.task, request.budget)
        artifacts, count = LocalArtifacts(request.folder), request.wanted.workers
        plan = study.settings.plan
        origin = replace(Origin.of(request.folder, study.settings), environment=self.settings.environment)
        setting = Setting(request.folder / "data", artifacts, request.rules, plan, self.precision, origin)
        log = request.folder / LOG_FILE
        workers = ProcessWorkers(count, partial(JobRunner, setting), threads_of(count), log)
        clock = Clock(study, spent_s, self.begun, listener)
        try:
            clock.known([record for record in study.records.values() if record.rungs])
            deadline = None
            if request.time_s is not None:
                deadline = Deadline(self.begun - time.monotonic() + usable_s(request.time_s) - spent_s)
            limits = Limits(deadline, request.trials)
            loop: SearchLoop | None
            if shares:
                loop = sharing_loop(study, request, artifacts, workers, limits, clock, interrupted)
            else:
                self._fit_ladder(
                    study, workers, listener, lambda: interrupted() or (deadline is not None and deadline.is_over)
                )
                loop = SearchLoop(study, request.task, request.budget, workers, limits, clock, interrupted)
            problem = loop.run() if loop is not None else None
        except TimingFailedError as error:
            problem = str(error)
        finally:
            workers.close()
            clock.save()
        if problem is None and not interrupted():
            sessions = len(study.noted("sessions"))
            study.note("done", {"time_s": request.time_s, "trials": request.trials, "sessions": sessions})
            drop_checkpoints(study, artifacts)
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
            used_s = time.monotonic() - self.begun + study.noted(ELAPSED_S, 0.0)
            if not any(record.rungs for record in study.records.values()) and (
                notice := too_short(request.time_s, used_s, fixed_s, searched_s, request.wanted.workers)
            ):
                listener.said(notice)
        if len(wanted) > len(study.settings.rungs):
            study.extend(wanted)

    def _describe_session(self) -> str:
        """Where and for what it is: a run may be continued by another version, and on another machine."""
        limits = ", ".join(
            filter(
                None,
                (
                    duration_text(self.request.time_s) if self.request.time_s else "",
                    f"{self.request.trials} trials" if self.request.trials else "",
                ),
            )
        )
        place = self.settings.environment
        return f"{self.settings.created}, commit {place['commit']}, on {place['device']}, up to {limits}"


def _settings(data: RunData, precision: Precision) -> RunSettings:
    request, count = data.request, data.request.wanted.workers
    return RunSettings(
        **vars(request.wanted),
        **data.described(),
        rungs=(),
        training=request.rules.degrade.plan.to_dict(),
        environment=environment(precision, count, threads_of(count)),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        precision=precision.to_dict(),
    )
