"""How long a search of thousands of trials takes to open, to choose what climbs, to propose, and to write its page.

``pytest tests/benchmarks/test_load.py -s`` prints seconds of processor time; ``LITEFRONT_LOAD_TRIALS=5000`` sets how
many networks are trained (2,000 without; making the run takes a minute or more). One core.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from reports.run.report import write_all
from search.candidates.next_trial import next_trial
from search.request.budget import parse_budget
from search.rungs import promotable
from search.storage.run_files import read_run
from search.storage.study import Study
from space import TASKS
from tests.benchmarks.synthetic_run import write_run

TRIALS = int(os.environ.get("LITEFRONT_LOAD_TRIALS", "2000"))
PROPOSALS = 5


pytestmark = pytest.mark.timeout(1_800)  # making a run of 5,000 takes minutes


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("load") / "run"
    write_run(folder, TRIALS)
    return folder


def cpu_s(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    done = work()
    return time.process_time() - begun, done


def test_a_large_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = {}
    seconds["open to continue"], study = cpu_s(lambda: Study.open(run, owned=True))
    seconds["open to read"], _ = cpu_s(lambda: Study.open(run, owned=False))
    trained = [record for _, record in sorted(study.records.items()) if record.status == "trained"]
    settings, budget = study.settings, parse_budget(study.settings.budget)
    seconds["choose"], climbing = cpu_s(
        lambda: promotable(trained, settings.rungs, settings.objectives, frozenset(), 0, 28.0)
    )
    next_trial(study, TASKS["sr"], budget)  # imports and the first columns
    proposed = [cpu_s(lambda: next_trial(study, TASKS["sr"], budget)) for _ in range(PROPOSALS)]
    seconds["propose"] = median(taken for taken, _ in proposed)
    seconds["page"], page = cpu_s(lambda: write_all(read_run(run), tmp_path))
    assert len(trained) >= TRIALS
    assert climbing
    assert all(record is not None for _, record in proposed)
    assert page.exists()
    with capsys.disabled():
        print(f"\n{TRIALS:,} trained networks, seconds of processor time:")
        for what, taken in seconds.items():
            print(f"  {what}: {taken:.3f}")
