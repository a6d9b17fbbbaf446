"""A search with shared weights, without training: workers that answer with a formula."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from evaluators.sharing.bank_files import write_bank
from search.loop import Limits
from search.records import SHARED
from search.request.request import request_from_options
from search.sessions.deadline import Deadline
from search.sharing.session import sharing_loop
from search.storage.artifacts import LocalArtifacts
from search.storage.study import Study
from search.workers.bank_jobs import BankJob, BankTooLong, BankTrained
from search.workers.jobs import Measured, RungJob, TimingJob
from search.workers.messages import Answer, Failed, Job, Progress
from space.weight_bank import WeightBank
from tests.search_tests.conftest import FormulaWorkers, Killed, SilentListener, formula_psnr_db, settings

BUDGET = "30k-params"


@dataclass
class SharingWorkers(FormulaWorkers):
    """As ``FormulaWorkers``; shared weights are random ones, those of the families ``diverging`` fail, those that need
    more than their job allows are given up, and those of the family ``slow`` come after all that others can do."""

    folder: Path = Path()
    diverging: tuple[int, ...] = ()
    family_s: float = 3.0  # what training one is said to have taken
    needed_s: dict[int, float] = field(default_factory=dict)  # by the first steps, of the families that are here
    slow: int | None = None

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        if len(self.jobs) > 1 and isinstance(self.jobs[0], BankJob) and self.jobs[0].family == self.slow:
            self.jobs.append(self.jobs.pop(0))
        job = self.jobs[0]
        if self.die_after is not None and len(self.done) >= self.die_after:
            raise Killed
        if isinstance(job, BankJob):
            self.done.append(self.jobs.pop(0))
            if job.family in self.diverging:
                return [Failed(job.number, "the loss is not finite at training step 9", diverged=True)]
            if (needed_s := self.needed_s.get(job.family, 0.0)) > job.most_s:
                return [BankTooLong(job.number, job.family, needed_s)]
            bank = WeightBank.covering(reversed(job.designs), torch.Generator().manual_seed(0))
            LocalArtifacts(self.folder).put(job.bank, lambda path: write_bank(path, bank, job.steps))
            return [
                Progress(job.number, 1, job.steps, 0.1),
                BankTrained(job.number, job.family, self.family_s, job.steps),
            ]
        if isinstance(job, RungJob) and job.begun_at == job.steps:
            self.done.append(self.jobs.pop(0))
            psnr_db = formula_psnr_db(job.architecture, job.steps)
            return [Measured(job.number, psnr_db, 0.8, {"a": psnr_db}, 0.0, 0, 0.1)]
        return super().poll(timeout_s)


def search(
    folder: Path,
    trials: int = 12,
    workers: SharingWorkers | None = None,
    time_s: float | None = None,
    budget: str = BUDGET,
    sampler: str = "random",
    **more: object,
) -> tuple[Study, SharingWorkers]:
    """Open or create the study in a folder and search, with ``more`` options; the session ends where the loop does."""
    workers = workers or SharingWorkers()
    workers.folder = folder
    options: dict[str, object] = {} if time_s else {"rungs": (100, 150, 200)}
    options |= {"sampler": sampler, "input": (64, 36), **more}
    request = request_from_options(task="sr", budget=budget, evaluator=SHARED, **options)
    request = replace(request, time_s=time_s, wanted=replace(request.wanted, workers=1))
    made = replace(settings(rungs=()), **vars(request.wanted))
    study = Study.open(folder, owned=True) or Study.create(folder, made)
    limits = Limits(Deadline(time_s) if time_s else None, trials)
    loop = sharing_loop(study, request, LocalArtifacts(folder), workers, limits, SilentListener(), lambda: False)
    assert loop is not None
    assert loop.run() is None
    return study, workers


def kinds(jobs: list[Job]) -> list[str]:
    names = {BankJob: "bank", TimingJob: "timing"}
    return [names.get(type(job)) or ("measure" if job.begun_at == job.steps else "train") for job in jobs]  # type: ignore[attr-defined]
