"""A search without training: workers that answer with a formula, and small settings for runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluators import data
from evaluators.costs import architecture_costs
from evaluators.images.folders import NamedImage
from evaluators.tasks import rules_of
from evaluators.training.plan import TrainingPlan
from evaluators.training.precision import Precision
from search.candidates.initial_trials import enqueue_initial
from search.loop import Limits, SearchLoop
from search.records import RunSettings
from search.request.budget import parse_budget
from search.request.tables import TableUse
from search.storage.artifacts import LocalArtifacts
from search.storage.study import Study
from search.workers.jobs import PAIRS_FILE, POOL_FOLDER, Measured, RungJob, Setting, Timed, TimingJob
from search.workers.messages import Answer, Failed, Job, Progress
from space import TASKS
from space.architecture import Architecture, CarriesInput

INPUT = (64, 36)


def formula_psnr_db(arch: Architecture, steps: int) -> float:
    """Rises with MACs and steps, and an input skip pays: enough for a front to exist."""
    macs = architecture_costs(arch, INPUT).macs
    skips = isinstance(arch.settings, CarriesInput) or (arch.ends is not None and arch.ends.input_skip == "bicubic")
    return 28 + 0.2 * (macs / 1e8) ** 0.5 + 0.3 * skips + 0.0005 * steps


@dataclass
class FormulaWorkers:
    """Does jobs at once; those at the positions ``broken`` fail, and after ``die_after`` the program is killed."""

    count: int = 1
    broken: frozenset[int] = frozenset()
    die_after: int | None = None
    jobs: list[Job] = field(default_factory=list)
    done: list[Job] = field(default_factory=list)

    def idle(self) -> int:
        return self.count - len(self.jobs)

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        if self.die_after is not None and len(self.done) >= self.die_after:
            raise Killed
        job = self.jobs.pop(0)
        self.done.append(job)
        if isinstance(job, TimingJob):
            return [Timed(job.number, tuple(0.1 * (1 + index) for index in range(len(job.architectures))))]
        assert isinstance(job, RungJob)
        if len(self.done) - 1 in self.broken:
            return [Progress(job.number, 1, job.steps, 0.1), Failed(job.number, "the loss is not finite at step 7")]
        psnr_db = formula_psnr_db(job.architecture, job.steps)
        return [Measured(job.number, psnr_db, 0.8, {"a": psnr_db}, 1.0, job.steps, 0.1)]

    def stop(self) -> None:
        self.jobs.clear()

    def close(self) -> None:
        pass


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class SilentListener:
    def said(self, line): ...
    def known(self, records): ...
    def started(self, record, steps): ...
    def progressed(self, progress): ...
    def measured(self, record): ...
    def failed(self, record): ...
    def sharing_began(self, number, family, designs, steps): ...
    def sharing_ended(self, number, line): ...
    def tick(self, time_left_s): ...


def settings(
    budget: str = "200k-params",
    rungs: tuple[int, ...] = (100, 200, 400),
    sampler: str = "tpe",
    seed: int = 0,
    objectives: tuple[str, ...] = ("psnr", "macs"),
    tables: tuple[TableUse, ...] = (),
    **more: Any,
) -> RunSettings:
    return RunSettings(
        task="sr",
        scale=4,
        budget=budget,
        objectives=objectives,
        input_size=INPUT,
        sampler=sampler,
        seed=seed,
        rungs=rungs,
        workers=1,
        train_data="none",
        val_data="none",
        training={},
        environment={},
        created="2026-01-01T00:00:00+00:00",
        tables=tables,
        **more,
    )


def search_by_formula(folder: Path, trials: int = 6, workers: FormulaWorkers | None = None, **changes):
    """Open or create the study in a folder and search with ``FormulaWorkers``; returns the study and the workers."""
    workers = workers or FormulaWorkers()
    study = Study.open(folder, owned=True) or Study.create(folder, settings(**changes))
    budget = parse_budget(study.settings.budget)
    enqueue_initial(study, TASKS["sr"], budget)
    loop = SearchLoop(study, TASKS["sr"], budget, workers, Limits(None, trials), SilentListener(), lambda: False)
    assert loop.run() is None
    return study, workers


@pytest.fixture
def run_loop(tmp_path: Path):
    """``search_by_formula``, in the test's own folder where none is given."""

    def run(folder: Path | None = None, trials: int = 6, workers: FormulaWorkers | None = None, **changes):
        return search_by_formula(folder or tmp_path, trials, workers, **changes)

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with ``train`` of three pictures, and ``test`` of one."""
    generator = np.random.default_rng(0)
    for folder, names in (("train", "abc"), ("test", "d")):
        (tmp_path / folder).mkdir()
        for name in names:
            small = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
            small.resize((80, 64), Image.Resampling.BICUBIC).save(tmp_path / folder / f"{name}.png")
    return tmp_path


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    """Of a runner that trains for sr x2 on two small pictures, and keeps its artifacts in the test's own folder."""
    generator = np.random.default_rng(0)
    images = [
        NamedImage(name, generator.integers(0, 256, (10, 10, 3)).repeat(6, 0).repeat(6, 1).astype(np.uint8))
        for name in "ab"
    ]
    folder = tmp_path / "data"
    data.training_pool(images, rules_of("sr", 2)).save(folder / POOL_FOLDER)
    data.save_pairs(folder / PAIRS_FILE, data.validation_pairs(images, rules_of("sr", 2)))
    precision = Precision("cpu", None, True, "test")
    return Setting(folder, LocalArtifacts(tmp_path), rules_of("sr", 2), TrainingPlan(batch=2, patch_px=8), precision)
