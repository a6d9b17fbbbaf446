"""What worker processes do to the search: they die, stop, hang, are deaf, cannot start. None of it ends the run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from search.workers import worker_process
from search.workers.failures import death, machine_death
from search.workers.messages import Failed, MachineTrouble, Progress, Stopped
from search.workers.processes import ProcessWorkers
from search.workers.watchdog import Patience, Watchdog, cpu_s
from tests.search_tests.fake_runners import FakeJob, FakeRunner, make_unusable

HASTY = Patience(quiet_s=3.0, silent_s=10.0, start_s=100.0, factor=1.0, stop_s=2.0, close_s=2.0)
NEEDS_PROC = pytest.mark.skipif(cpu_s(os.getpid()) is None, reason="without /proc a still worker is found later")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


@pytest.fixture
def start(log: Path) -> Iterator[Callable[..., ProcessWorkers]]:
    started: list[ProcessWorkers] = []

    def begin(
        count: int = 1, make_runner: Callable[[], FakeRunner] = FakeRunner, patience: Patience = HASTY
    ) -> ProcessWorkers:
        started.append(ProcessWorkers(count, make_runner, 1, log, patience))
        return started[-1]

    yield begin
    for workers in started:
        workers.close()


def answers(workers: ProcessWorkers, count: int = 1) -> list:
    """The next ``count`` answers, in whatever order they come."""
    found: list = []
    end = time.monotonic() + 100
    while len(found) < count and time.monotonic() < end:
        found += [answer for answer in workers.poll(0.2) if not isinstance(answer, Progress)]
    return found


def answer_to(workers: ProcessWorkers, does: str, mark: Path | None = None) -> object:
    workers.submit(FakeJob(number=5, does=does, mark=mark))
    (answer,) = answers(workers)
    assert workers.idle() == 1
    return answer


def test_a_job_can_raise_anything(start, log: Path) -> None:
    workers = start()
    process = workers._workers[0].process
    for what, reason in (("memory", "MemoryError"), ("textless", "TextlessError"), ("lines", "ValueError: first")):
        answer = answer_to(workers, f"raise {what}")
        assert (answer.reason, answer.number) == (reason, 5)
        assert "Traceback" in answer.trace
    assert workers._workers[0].process is process
    assert answer_to(workers, "print") == Stopped(5, 1.0)
    assert log.read_text() == "to standard output\nto standard error\n"


def test_two_deaths_are_told_by_how_they_came(start) -> None:
    answer = answer_to(start(), "signal SIGKILL")
    assert answer == Failed(5, "the training process died 2 times (SIGKILL; out of memory?)")


def test_only_a_kill_may_be_for_want_of_memory() -> None:
    assert death(-signal.SIGKILL) == "SIGKILL; out of memory?"
    assert death(-signal.SIGSEGV) == "SIGSEGV"
    assert death(3) == "exit code 3"
    assert "/dev/shm is full" in machine_death(-signal.SIGBUS)
    assert machine_death(-signal.SIGKILL) is None


@NEEDS_PROC
def test_a_worker_that_stands_still_is_replaced(start, tmp_path: Path) -> None:
    workers = start()
    before = workers._workers[0].process
    assert answer_to(workers, "signal SIGSTOP", tmp_path / "mark") == Stopped(5, 1.0)
    assert before.returncode == -signal.SIGKILL
    answer = answer_to(workers, "sleep")
    assert isinstance(answer, Failed)
    assert "stood still" in answer.reason
    assert "memory" not in answer.reason


def test_a_worker_that_is_busy_without_progress_is_replaced(start, tmp_path: Path) -> None:
    assert answer_to(start(), "spin", tmp_path / "mark") == Stopped(5, 1.0)


def test_told_to_stop_all_answer_soon(start) -> None:
    workers = start(4, patience=replace(HASTY, quiet_s=100.0, silent_s=100.0))
    for number, does in enumerate(("train", "deaf", "signal SIGSTOP", "spin")):
        workers.submit(FakeJob(number=number, does=does))
    while not any(isinstance(message, Progress) for message in workers.poll(0.2)):
        pass
    processes = [worker.process for worker in workers._workers]
    workers.stop()
    told = answers(workers, 4)
    assert sorted(answer.number for answer in told) == [0, 1, 2, 3]
    assert all(isinstance(answer, Stopped) for answer in told)
    assert [worker.process for worker in workers._workers] == processes  # none is begun after that


def test_killed_after_the_stop_they_are_not_replaced(start) -> None:
    workers = start()
    workers.submit(FakeJob(number=1, does="train"))
    while not workers.poll(0.2):
        pass
    workers.stop()
    workers._workers[0].process.kill()
    assert isinstance(answers(workers)[0], Stopped)
    assert len(workers._workers) == 1
    assert workers._workers[0].process.returncode is not None


def test_signals_of_the_group_are_the_searchs_to_hear(start) -> None:
    workers = start()
    pid = workers._workers[0].process.pid
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)  # while it starts
    workers.submit(FakeJob(number=1, does="train"))
    while not workers.poll(0.2):
        pass
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    workers.stop()
    assert answers(workers) == [Stopped(1, 1.0)]


def test_a_death_between_jobs_is_no_attempt(start, tmp_path: Path) -> None:
    workers = start()
    for _ in range(2):
        workers._workers[0].process.kill()
        workers._workers[0].process.wait()
    assert answer_to(workers, "signal SIGKILL", tmp_path / "mark") == Stopped(5, 1.0)


def test_what_cannot_start_is_trouble_of_the_machine(start, log: Path) -> None:
    answer = answer_to(start(make_runner=make_unusable), "train")
    assert isinstance(answer, MachineTrouble)
    assert "could not start: UserError: a pool must be whole" in answer.reason
    assert "Traceback" in answer.trace
    assert log.read_text() == ""


def test_a_python_that_cannot_import_leaves_its_traceback_in_the_log(start, log: Path, monkeypatch, capfd) -> None:
    monkeypatch.setattr("search.workers.one_process.BOOTSTRAP", "import no_such_module")
    answer = answer_to(start(), "train")
    assert "exit code 1" in answer.reason
    assert "ModuleNotFoundError" in log.read_text()
    assert capfd.readouterr() == ("", "")


def test_closing_takes_one_deadline_for_all(start) -> None:
    workers = start(2)
    for number in range(2):
        workers.submit(FakeJob(number=number, does="deaf"))
    for worker in workers._workers:
        os.kill(worker.process.pid, signal.SIGSTOP)
    begun = time.monotonic()
    workers.close()
    assert time.monotonic() - begun < 3 * HASTY.close_s
    assert all(worker.process.returncode == -signal.SIGKILL for worker in workers._workers)


def test_only_time_in_which_the_search_runs_counts(monkeypatch) -> None:
    """Ctrl-Z stops the search and its workers; an hour later nobody has hung."""
    now = [0.0]
    monkeypatch.setattr("search.workers.watchdog.time.monotonic", lambda: now[0])
    monkeypatch.setattr("search.workers.watchdog.cpu_s", lambda pid: 1.0)
    watchdog = Watchdog(1, Patience())
    watchdog.restart(is_ready=True)
    now[0] += 3600
    assert watchdog.look(0.5) is None
    looks = 0
    while watchdog.look(0.5) is None:
        now[0] += 0.5
        looks += 1
    assert 55 < looks < 65


def test_a_worker_is_given_as_long_as_its_steps_take(monkeypatch) -> None:
    now, used = [0.0], [0.0]
    monkeypatch.setattr("search.workers.watchdog.time.monotonic", lambda: now[0])
    monkeypatch.setattr("search.workers.watchdog.cpu_s", lambda pid: used[0])
    watchdog = Watchdog(1, Patience())
    watchdog.restart(is_ready=True)

    def silent_for(seconds: int) -> str | None:
        for _ in range(seconds):
            now[0] += 1
            used[0] += 1
            if hung := watchdog.look(1.0):
                return hung
        return None

    for _ in range(4):  # steps of a minute
        assert silent_for(60) is None
        watchdog.heard()
    assert silent_for(1_199) is None
    assert "made no progress" in silent_for(10)
    watchdog.restart()
    assert silent_for(590) is None
    assert silent_for(20)


def test_a_worker_that_hangs_does_not_outlive_the_search_for_long(monkeypatch) -> None:
    asked, slept = iter([7, 7, 1]), []
    monkeypatch.setattr(worker_process.os, "getppid", lambda: next(asked))
    monkeypatch.setattr(worker_process.time, "sleep", slept.append)
    monkeypatch.setattr(worker_process.os, "_exit", slept.append)
    worker_process._end_alone(7)
    assert slept == [2.0, 2.0, worker_process.ALONE_S, 1]
