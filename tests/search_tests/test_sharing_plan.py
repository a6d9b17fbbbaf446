"""How a run with shared weights divides its time between families, and what of them there is no time for."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.records import Status
from search.rungs import SAFETY
from search.sharing.planning import ENOUGH_STEPS, FAMILY_SHARE, MOST_FAMILIES, fitted, kept_share
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
    kept = kept_share(study.settings)
    assert limits[0] == pytest.approx((1 - kept) * 3_000 / SAFETY, rel=0.01)  # without the first nothing is searched
    assert limits[1] == pytest.approx(FAMILY_SHARE * 3_000, rel=0.01)  # of others none may take more of a first plan
    assert all(limit <= FAMILY_SHARE * 3_000 for limit in limits[1:])
    assert {r.family for r in study.records.values() if r.status == Status.TRAINED and not r.is_fixed} == {0}


def test_the_first_family_may_take_longer_than_was_planned(tmp_path: Path) -> None:
    """A plan takes all that a family may take, and steps are slower beside others': a run that left the only family out
    for that searched nothing."""
    longer_s = 1.2 * FAMILY_SHARE * 3_000
    study, _ = search(tmp_path, trials=4, time_s=3_000, workers=SharingWorkers(needed_s={0: longer_s}))
    assert study.noted("family_0")["steps_made"] == study.settings.rungs[0]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("enough_steps", "families"), [(1e9, 1), (ENOUGH_STEPS, 3)])
def test_another_family_takes_the_place_of_those_that_cannot_be_trained(
    tmp_path: Path, enough_steps: float, families: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.sharing.planning.ENOUGH_STEPS", enough_steps)
    workers = SharingWorkers(count=count, needed_s=dict.fromkeys(range(families), 1e5))
    study, _ = search(tmp_path, trials=4, time_s=3_000, workers=workers)
    assert study.noted("shared_plan")["families"] == families
    assert all(study.noted(f"family_{index}")["failed"].startswith("its training would") for index in range(families))
    assert study.noted(f"family_{families}")["steps_made"] == study.settings.rungs[0]
    searched = [r for r in study.records.values() if r.status == Status.TRAINED and not r.is_fixed]
    assert {record.family for record in searched} == {families}
    assert len(searched) >= 4


def test_where_no_family_can_be_trained_the_published_networks_are(tmp_path: Path) -> None:
    workers = SharingWorkers(needed_s=dict.fromkeys(range(99), 1e5))
    study, _ = search(tmp_path, trials=4, time_s=3_000, workers=workers, budget="200k-params")
    known = study.noted("families")
    assert kinds(workers.done).count("bank") == len(known) > 2
    assert len({str(each) for each in known}) == len(known)
    trained = [r for r in study.records.values() if r.status == Status.TRAINED]
    assert trained
    assert all(record.is_fixed for record in trained)


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
