"""Runs of every task: what a record remembers of it, and where a search starts when no paper's network fits."""

from dataclasses import replace
from pathlib import Path

import pytest

from evaluators.tasks import rules_from_words, rules_of
from search.budget import parse_budget
from search.cli import main
from search.cli.parser import run_name
from search.loop import Limits, SearchLoop
from search.neighbours import starts
from search.proposals import fixed_trials, prepare_fixed
from search.records import SEARCHED, RunSettings, TrialRecord
from search.run_files import read_run
from search.session import _check_same
from search.study import Study
from space import TASKS, UserError, architecture
from tests.search_tests.conftest import FormulaWorkers, SilentListener, settings

SAME_SIZE = [name for name, task in TASKS.items() if not task.has_scales]


def of_task(name: str, **options: object) -> RunSettings:
    return replace(settings(rungs=(100, 200)), task=name, scale=1, input_size=(32, 32), options=options)


def test_a_record_without_options_means_the_defaults() -> None:
    old = settings().to_dict()
    del old["options"]
    again = RunSettings.from_dict(old)
    assert again.rules == rules_of("sr", 4)
    _check_same(again, replace(settings(), options=rules_of("sr", 4).options), Path("run"))


def test_a_run_remembers_its_options_and_is_not_continued_with_others() -> None:
    made = of_task("denoise", **rules_from_words("denoise", 1, {"sigma": "0-50", "channels": "grey"}).options)
    again = RunSettings.from_dict(made.to_dict())
    assert again.rules.title == "denoise σ 0–50 grey"
    with pytest.raises(UserError, match=r"sigma 0\.0,50\.0.*got.*sigma 25\.0,25\.0"):
        _check_same(again, replace(again, options={"channels": "grey", "sigma": [25.0, 25.0]}), Path("run"))


def test_default_folders_name_what_differs() -> None:
    assert run_name(rules_of("sr", 4)) == "sr-x4"
    assert run_name(rules_of("denoise")) == "denoise"
    assert run_name(rules_from_words("denoise", 1, {"sigma": "50"})) == "denoise-sigma50-50"


@pytest.mark.parametrize("name", SAME_SIZE)
def test_a_task_whose_papers_do_not_fit_starts_from_small_networks_that_begin_as_their_input(name: str) -> None:
    asked, budget = of_task(name), parse_budget("30k-params")
    chosen = starts(TASKS[name].backbones, asked, budget)
    assert len(chosen) >= 2
    for knobs in chosen:
        arch = architecture(asked.rules.shape, knobs["backbone"], {k: v for k, v in knobs.items() if k != "backbone"})
        assert getattr(arch.settings, "input_skip", "") != "none"


@pytest.mark.parametrize("name", SAME_SIZE)
def test_a_run_of_every_task_records_results_of_its_own_shape(tmp_path: Path, name: str) -> None:
    study = Study.create(tmp_path, of_task(name))
    budget, task = parse_budget("30k-params"), TASKS[name]
    prepare_fixed(study, task, budget)
    limits = Limits(None, 2)
    loop = SearchLoop(study, task, budget, FormulaWorkers(), limits, tmp_path, SilentListener(), lambda: False)
    assert loop.run() is None
    run = read_run(tmp_path)
    trained = [trial for trial in run.trials if trial.status == "trained"]
    assert sum(trial.source == SEARCHED for trial in trained) >= 2
    assert {trial.architecture.shape for trial in trained} == {rules_of(name).shape}


def test_papers_of_other_channels_are_not_fixed_trials() -> None:
    of_luma = replace(settings(), options={"channels": "y"})
    budget = parse_budget("900k-params")
    assert list(fixed_trials(TASKS["sr"], settings(), budget))
    assert all(record.architecture.shape.in_channels == 1 for record in fixed_trials(TASKS["sr"], of_luma, budget))


def test_results_keep_a_task_s_further_figures(tmp_path: Path) -> None:
    workers = FormulaWorkers()
    study = Study.create(tmp_path, of_task("inpaint"))
    record = next(iter(_trained(study, workers, tmp_path)))
    kept = replace(record, rungs=(replace(record.rungs[0], others_db={"PSNR of the whole picture": 21.5}),))
    assert TrialRecord.from_dict(kept.to_dict()).rungs[0].others_db == {"PSNR of the whole picture": 21.5}


def _trained(study: Study, workers: FormulaWorkers, folder: Path) -> list[TrialRecord]:
    task, budget = TASKS[study.settings.task], parse_budget("30k-params")
    prepare_fixed(study, task, budget)
    SearchLoop(study, task, budget, workers, Limits(None, 1), folder, SilentListener(), lambda: False).run()
    return [record for record in study.records.values() if record.rungs]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "denoise", "--sigma", "much"], "--sigma must be a number or a range"),
        (["--task", "sr", "--sigma", "25"], "--sigma is an option of denoise, deblur and not of sr"),
        (["--task", "deblur", "--scale", "2"], "--scale of deblur must be left out"),
        (["--task", "inpaint", "--holes", "90"], "--holes must be a number or a range LOW-HIGH from 1 to 60"),
        (["--task", "raw-denoise", "--channels", "grey"], "--channels of raw-denoise must be one of packed, noise-map"),
    ],
)
def test_wrong_options_are_one_line_and_status_2(words: list[str], message: str, tmp_path: Path, capsys) -> None:
    status = main(["run", "--budget", "30k-params", "--run-dir", str(tmp_path / "run"), *words])
    assert status == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
