"""The same story told to every kind of workers: each job gets one answer, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search.sessions.deadline import Deadline
from search.workers.dispatcher import Dispatcher
from search.workers.messages import Answer, Failed, Job, MachineTrouble, Progress, Result, Stopped
from search.workers.processes import ProcessWorkers
from search.workers.protocol import Workers
from tests.contract.counting_runner import CountingRunner, CountJob
from tests.in_process_workers import InProcessWorkers

WORKERS: dict[str, Callable[[Path], Workers]] = {
    "processes": lambda log: ProcessWorkers(2, CountingRunner, 1, log),
    "in-process": lambda log: InProcessWorkers(1, CountingRunner),
}


@pytest.fixture(params=sorted(WORKERS))
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workers]:
    made = WORKERS[request.param](tmp_path / "log.txt")
    yield made
    made.close()


class Told:
    """A source of ``jobs`` that keeps what it is told."""

    def __init__(self, jobs: list[Job]) -> None:
        self.waiting = list(jobs)
        self.began_, self.results, self.broken, self.is_settled = (
            list[int](),
            list[Result](),
            list[Failed](),
            list[int](),
        )
        self.ended, self.steps, self.ticks = list[int](), dict[int, int](), 0

    def next_job(self, unavailable: frozenset[int]) -> Job | None:
        return self.waiting.pop(0) if self.waiting else None

    def began(self, job: Job) -> None:
        self.began_.append(job.number)

    def progressed(self, progress: Progress) -> None:
        self.steps[progress.number] = progress.step

    def took(self, result: Result) -> None:
        self.results.append(result)

    def stopped(self, number: int, train_s: float) -> None:
        self.ended.append(number)

    def failed(self, failure: Failed) -> None:
        self.broken.append(failure)

    def settled(self, failure: Failed) -> None:
        self.is_settled.append(failure.number)

    def tick(self, left_s: float) -> None:
        self.ticks += 1


def dispatched(workers: Workers, source: Told, stop_after: int | None = None) -> str | None:
    interrupted = lambda: stop_after is not None and source.ticks >= stop_after  # noqa: E731
    return Dispatcher(workers, Deadline(), interrupted).run(source)


def answers(workers: Workers, count: int) -> list[Answer]:
    found: list[Answer] = []
    while len(found) < count:
        found += [message for message in workers.poll(0.2) if not isinstance(message, Progress)]
    return found


def test_every_job_gets_its_answer(workers: Workers) -> None:
    source = Told([CountJob(number=number, network=str(number), to=3) for number in range(5)])
    assert dispatched(workers, source) is None
    assert sorted(result.number for result in source.results) == source.began_ == list(range(5))
    assert source.ticks > 0


def test_workers_that_do_a_job_are_not_idle(workers: Workers) -> None:
    before = workers.idle()
    workers.submit(CountJob(number=7, to=3))
    assert workers.idle() == before - 1
    assert answers(workers, 1) == [Result(7)]
    assert workers.idle() == before


def test_a_job_that_raises_is_a_failure_with_its_reason_and_the_next_is_done(workers: Workers) -> None:
    source = Told([CountJob(number=1, network="a", to=2, raises=True), CountJob(number=2, network="b", to=2)])
    assert dispatched(workers, source) is None
    (failure,) = source.broken
    assert (failure.number, failure.reason) == (1, "ValueError: at 2")
    assert "Traceback" in failure.trace
    assert source.is_settled == [1]
    assert [result.number for result in source.results] == [2]


def test_a_file_that_cannot_be_read_is_trouble_of_the_machine(workers: Workers) -> None:
    workers.submit(CountJob(number=4, to=1, reads=Path("/nowhere/at/all")))
    (answer,) = answers(workers, 1)
    assert isinstance(answer, MachineTrouble)
    assert "No such file" in answer.reason


def test_failures_for_one_reason_end_the_session_and_blame_no_network(workers: Workers) -> None:
    source = Told([CountJob(number=number, network=str(number), to=2, raises=True) for number in range(9)])
    problem = dispatched(workers, source)
    assert problem is not None
    assert "failed for the same reason, ValueError: at 2" in problem
    assert source.is_settled == []


def test_stopped_jobs_answer_and_none_is_begun_after_that(workers: Workers) -> None:
    jobs: list[Job] = [CountJob(number=number, network=str(number), to=10**9, left_s=0.5) for number in range(6)]
    source = Told(jobs)
    workers.stop()
    count = workers.idle()
    for job in jobs[:count]:
        workers.submit(job)
    assert {type(answer) for answer in answers(workers, count)} == {Stopped}
    assert workers.idle() == count
    assert dispatched(workers, source, stop_after=0) is None
    assert source.began_ == []
