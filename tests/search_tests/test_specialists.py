"""A search for one network or several that share a range of noise levels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reports.run.describe import describe, short_label
from search.candidates.fixed_trials import fixed_trials
from search.candidates.initial_points import neighbours
from search.candidates.screening import Screen
from search.cli import main
from search.loop import Limits, SearchLoop
from search.records import RunSettings
from search.request.budget import parse_budget
from search.sessions.continuing import check_same
from search.storage.run_files import read_run
from search.storage.study import Study
from space import TASKS, UserError
from tests.search_tests.conftest import FormulaWorkers, SilentListener
from tests.search_tests.made_records import of_task

TASK = TASKS["denoise"]


def of_range(most: int = 4) -> RunSettings:
    return replace(of_task("denoise", sigma=[0.0, 50.0]), specialists=most)


def test_a_run_tries_them_at_their_cost_and_says_so(tmp_path: Path) -> None:
    study, budget = Study.create(tmp_path, of_range()), parse_budget("2m-params")
    limits = Limits(None, 4)
    SearchLoop(study, TASK, budget, FormulaWorkers(), limits, SilentListener(), lambda: False).run()
    trained = [trial for trial in read_run(tmp_path).trials if trial.rungs and not trial.is_fixed]
    assert len({trial.knobs["specialists"] for trial in trained}) > 1
    for trial in trained:
        count = trial.architecture.shape.specialists
        assert count == trial.knobs["specialists"]
        assert trial.costs.params <= 2_000_000
        assert trial.costs.params % count == 0
        assert (f"{count} specialists" in describe(trial.architecture)) == (count > 1)
        assert (f"{count} specialists" in short_label(trial)) == (count > 1)


def test_a_paper_is_one_network_and_its_neighbours_share_the_range() -> None:
    asked, budget = replace(of_task("raw-denoise"), specialists=4), parse_budget("900k-params")
    fixed = fixed_trials(TASKS["raw-denoise"], asked, budget)
    origin = next(record for record in fixed if record.source == "feature-align")
    assert origin.architecture.shape.specialists == 1
    found = neighbours(origin, Screen(TASKS["raw-denoise"], asked, budget))
    assert sum(knobs["specialists"] > 1 for knobs in found) >= 1
    assert sum(knobs["specialists"] == 1 for knobs in found) >= len(found) - 2


def test_a_run_with_one_network_for_all_is_not_continued_with_more() -> None:
    again = replace(of_range(), specialists=1)
    assert again.shape == again.rules.shape
    assert of_range().shape == replace(again.shape, specialists=4)
    with pytest.raises(UserError, match="made with specialists 1, got 4"):
        check_same(again, of_range(), Path("run"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "denoise"], "must be at most 1, for denoise σ 25 has no range of noise levels; got 2"),
        (["--task", "denoise", "--sigma", "0-50", "--val-data", "PAIRS"], "the noise level of pairs in a folder"),
        (["--task", "denoise", "--sigma", "0-50", "--specialists", "some"], "got 'some'"),
    ],
)
def test_more_than_there_can_be_is_one_line(words: list[str], message: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "pairs").mkdir()
    for level, kind in enumerate(("real", "mean")):
        Image.fromarray(np.full((64, 64, 3), level, np.uint8)).save(tmp_path / "pairs" / f"a_{kind}.png")
    words = [str(tmp_path / "pairs") if word == "PAIRS" else word for word in words]
    common = ["run", "--budget", "30k-params", "--run-dir", str(tmp_path / "run"), "--specialists", "2"]
    assert main([*common, *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
