"""Families in which nothing new is found, while another one is still in training."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from search.records import Status
from search.sharing.proposals import ATTEMPTS
from search.storage.shared_notes import families
from search.workers.bank_jobs import BankJob
from search.workers.messages import Answer, Progress
from tests.search_tests.sharing_workers import SharingWorkers, search

TURNED_AWAY = (Status.DUPLICATE, Status.OVER_BUDGET, Status.UNCOVERED)


@dataclass
class OneInTraining(SharingWorkers):
    """Two workers; training any family but the first takes until there was nothing else to do so many times."""

    count: int = 2
    nothing_else: int = 6

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        self.jobs.sort(key=lambda job: isinstance(job, BankJob) and job.family > 0)
        job = self.jobs[0]
        if isinstance(job, BankJob) and job.family > 0 and self.nothing_else:
            self.nothing_else -= 1
            return []
        return super().poll(timeout_s)


def test_exhausted_families_are_asked_again_only_when_another_is_trained(tmp_path: Path) -> None:
    """Else every look for work is ``ATTEMPTS`` more proposals turned away: twenty thousand in a run of an hour."""
    workers = OneInTraining()
    study, _ = search(tmp_path, trials=10_000, workers=workers, budget="15k-params")
    assert workers.nothing_else == 0
    assert len(families(study)) == 2
    found = Counter(record.status for record in study.records.values())
    assert found[Status.TRAINED] > 10
    assert sum(found[status] for status in TURNED_AWAY) <= (len(families(study)) + 1) * ATTEMPTS
