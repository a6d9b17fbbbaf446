"""Whose failure it is: a network's, or the machine's; and a search that stops instead of blaming networks."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from search.candidates.initial_trials import enqueue_initial
from search.loop import Limits, SearchLoop
from search.request.budget import parse_budget
from search.storage.study import Study
from search.workers.failures import answered, is_out_of_memory, machine_reason, reason_of
from search.workers.messages import Failed, MachineTrouble
from search.workers.verdicts import ANY_REASON, SAME_REASON, Verdicts
from space import TASKS
from space.errors import UserError
from tests.search_tests.conftest import FormulaWorkers, SilentListener, settings

NO_SPACE = OSError(errno.ENOSPC, "No space left on device", "checkpoint.safetensors")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "MemoryError"),
        (RuntimeError("first\nsecond"), "RuntimeError: first"),
        (RuntimeError("\n\n"), "RuntimeError"),
        (AttributeError(), "AttributeError"),
        (KeyError("name"), "KeyError: 'name'"),
    ],
)
def test_any_exception_is_a_failure_with_its_first_line(error: Exception, reason: str) -> None:
    def work() -> Failed:
        raise error

    answer = answered(4, work)
    assert isinstance(answer, Failed)
    assert (answer.number, answer.reason) == (4, reason)
    assert "Traceback" in answer.trace


@pytest.mark.parametrize(
    "error",
    [
        NO_SPACE,
        OSError(errno.EROFS, "Read-only file system", "x"),
        OSError(errno.EMFILE, "Too many open files"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "data/pool"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("Found no NVIDIA driver on your system."),
        AssertionError("Torch not compiled with CUDA enabled"),
        RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left (28)"),
        ImportError("libcudnn.so.9: cannot open shared object file"),
    ],
)
def test_what_is_the_machines(error: Exception) -> None:
    def work() -> Failed:
        raise error

    assert isinstance(answered(4, work), MachineTrouble)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9000 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_out_of_memory_is_known(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert machine_reason(error) is None


def test_other_errors_are_not_about_memory() -> None:
    assert not is_out_of_memory(ValueError("out of memory"))
    assert not is_out_of_memory(RuntimeError("size mismatch"))
    assert reason_of(OSError(errno.EIO, "Input/output error")) == "OSError: [Errno 5] Input/output error"


def failure(trial: int, reason: str = "RuntimeError: broken at step 7") -> Failed:
    return Failed(trial, reason)


def test_one_reason_of_different_networks_ends_the_session() -> None:
    verdicts = Verdicts()
    for trial in range(SAME_REASON):
        assert verdicts.problem is None
        assert verdicts.failed(failure(trial, f"RuntimeError: broken at step {trial}"), f"network {trial}") == []
    assert "3 networks in a row failed for the same reason, RuntimeError: broken" in verdicts.problem
    assert verdicts.suspects == {0, 1, 2}
    assert verdicts.finish() == []


def test_one_network_failing_again_is_its_own_fault() -> None:
    verdicts = Verdicts()
    for trial in range(SAME_REASON + 2):
        verdicts.failed(failure(trial), "the same")
    assert verdicts.problem is None


def test_a_success_settles_what_failed_before_it() -> None:
    verdicts = Verdicts()
    verdicts.failed(failure(1), "a")
    verdicts.failed(failure(2), "b")
    assert [answer.number for answer in verdicts.succeeded()] == [1, 2]
    verdicts.failed(failure(3), "c")
    verdicts.failed(failure(4), "d")
    assert verdicts.problem is None
    assert [answer.number for answer in verdicts.finish()] == [3, 4]


def test_many_reasons_in_a_row_end_the_session_too() -> None:
    verdicts = Verdicts()
    for trial in range(ANY_REASON):
        verdicts.failed(failure(trial, "abcdefghijkl"[trial]), f"network {trial}")
    assert f"{ANY_REASON} networks in a row failed" in verdicts.problem


def test_divergence_is_settled_at_once_and_never_the_machines() -> None:
    verdicts = Verdicts()
    for trial in range(20):
        diverged = Failed(trial, "the loss is not finite", diverged=True)
        assert verdicts.failed(diverged, f"network {trial}") == [diverged]
    assert verdicts.problem is None


# The same through the loop.


class TroubledWorkers(FormulaWorkers):
    """Answers with ``raises`` until it is mended; ``every`` says of which answers."""

    raises: Exception | None = None

    def poll(self, timeout_s: float) -> list:
        if not self.jobs:
            return []
        job = self.jobs[0]
        answers = super().poll(timeout_s)
        if self.raises is None:
            return answers

        def work() -> None:
            raise self.raises

        return [answered(job.number, work)]

    def stop(self) -> None:
        pass


def search(folder: Path, workers: TroubledWorkers, trials: int = 3) -> tuple[Study, str | None]:
    study = Study.open(folder, owned=True) or Study.create(folder, settings(rungs=(100,)))
    budget = parse_budget(study.settings.budget)
    enqueue_initial(study, TASKS["sr"], budget)
    limits = Limits(None, trials)
    loop = SearchLoop(study, TASKS["sr"], budget, workers, limits, SilentListener(), lambda: False)
    return study, loop.run()


@pytest.mark.parametrize("error", [AttributeError("a bug of the trainer"), NO_SPACE, RuntimeError("CUDA error: gone")])
def test_trouble_leaves_no_trial_failed_and_the_mended_run_trains_all(tmp_path: Path, error: Exception) -> None:
    workers = TroubledWorkers()
    workers.raises = error
    study, problem = search(tmp_path, workers)
    assert str(getattr(error, "strerror", None) or error) in problem
    assert len(workers.done) <= SAME_REASON
    assert not any(record.status == "failed" for record in study.records.values())
    study, problem = search(tmp_path, TroubledWorkers())
    assert problem is None
    assert {record.status for record in study.records.values()} == {"trained"}
    assert sum(record.is_fixed for record in study.records.values()) == 6


def test_a_failure_before_a_success_is_written_down(tmp_path: Path, run_loop) -> None:
    study, workers = run_loop(trials=2, rungs=(100,), workers=FormulaWorkers(broken=frozenset({0, 1})))
    failed = {record.trial for record in study.records.values() if record.status == "failed"}
    assert failed == {job.number for job in workers.done[:2]}
    assert {n for n, r in Study.open(tmp_path, owned=True).records.items() if r.status == "failed"} == failed


def test_a_users_mistake_in_a_job_keeps_its_own_words() -> None:
    def work() -> None:
        raise UserError("training data must stay what they were")

    assert answered(1, work).reason == "training data must stay what they were"
