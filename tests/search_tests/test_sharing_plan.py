"""How a run with shared weights divides its time between families, and what of them there is no time for."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.records import Status
from search.rungs import SAFETY
from search.sharing.planning import FAMILY_SHARE, MOST_FAMILIES, fitted
from search.storage import shared_notes
from search.workers.bank_jobs import BankJob
from tests.search_tests.sharing_workers import SharingWorkers, kinds, search


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 64])
@pytest.mark.parametrize("time_s", [60, 300, 600, 3_600, 86_400])
def test_the_plan_fits_the_time_however_many_cores(time_s: float, workers: int) -> None:
    """A family is trained by one worker, and all of them together by all."""
    family_s, alone_s, inheriting_s = 0.3, 0.3, 0.3
    plan = fitted(time_s, workers, family_s, alone_s, inheriting_s)
    shared, tuned = plan.rungs
    assert tuned == shared + max(1, round(shared / 3))
    assert 1 <= plan.families <= MOST_FAMILIES
    if shared > 20:  # else it is too short for anything
        assert shared * family_s <= 0.45 * time_s
        papers_s = tuned * alone_s + (tuned - shared) * inheriting_s
        assert plan.families * shared * family_s + papers_s <= 0.81 * time_s * workers


def test_time_buys_more_families_and_longer_ones() -> None:
    plans = [fitted(time_s, 2, 0.25, 0.3) for time_s in (60, 600, 3_600)]
    assert [plan.families for plan in plans] == sorted({plan.families for plan in plans})
    assert [plan.rungs for plan in plans] == sorted({plan.rungs for plan in plans})
    assert plans[1].families > 1


def test_a_family_that_would_take_too_long_is_left_out(tmp_path: Path) -> None:
    study, workers = search(tmp_path, trials=4, time_s=3_000, workers=SharingWorkers(needed_s={1: 1e5}))
    assert len(study.noted("families")) > 1
    assert study.noted("family_1")["failed"] == "its training would take 27 h 47 min, more time than is left for it"
    limits = [job.most_s for job in workers.done if isinstance(job, BankJob)]
    assert limits[0] == pytest.approx(FAMILY_SHARE * 3_000 / SAFETY, rel=0.01)  # none may take more of a first plan
    assert limits == sorted(limits, reverse=True)  # all end before the time that is kept
    assert {r.family for r in study.records.values() if r.status == Status.TRAINED and not r.is_fixed} == {0}


def test_a_family_that_was_too_long_is_tried_again_by_the_next_session(tmp_path: Path) -> None:
    study, _ = search(tmp_path, trials=4, time_s=3_000, workers=SharingWorkers(needed_s={1: 1e5}))
    assert 1 in study.noted("families_queued")
    again, workers = search(tmp_path, trials=40, time_s=3_000)
    assert again.noted("family_1") == {"train_s": 3.0, "steps_made": again.settings.rungs[0]}
    assert kinds(workers.done).count("bank") == 1
    searched = [r for r in again.records.values() if r.status == Status.TRAINED and not r.is_fixed]
    assert {0, 1} <= {r.family for r in searched}
    first = [r.architecture for r in searched if r.family == 1]
    assert set(shared_notes.designs(again, 1)) <= set(first)  # what it was trained on is measured


def test_the_other_workers_train_the_best_on_while_the_last_family_is_in_training(tmp_path: Path) -> None:
    workers = SharingWorkers(count=2, slow=1)
    search(tmp_path, trials=12, workers=workers)
    last = max(index for index, kind in enumerate(kinds(workers.done)) if kind == "bank")
    assert "train" in kinds(workers.done)[:last]
