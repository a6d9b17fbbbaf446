"""Runs of every task: what a record remembers of it, and where a search starts when no paper's network fits."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from optuna.search_space import IntersectionSearchSpace

from evaluators.tasks import rules_from_text, rules_of
from search.api.understood import beside
from search.candidates.fixed_trials import base_name, fixed_trials
from search.candidates.initial_points import PLAIN, small_networks
from search.candidates.initial_trials import enqueue_initial
from search.candidates.screening import Screen
from search.cli import main
from search.loop import Limits, SearchLoop
from search.records import SEARCHED, RunSettings, TrialRecord
from search.request.budget import parse_budget
from search.request.request import run_name
from search.request.values import parse_networks
from search.sessions.continuing import check_same
from search.storage.journal import JOURNAL, journal_storage
from search.storage.run_files import read_run
from search.storage.study import Study
from space import TASKS, ZOO, UserError
from space.assembly import backbone
from space.backbones import BACKBONES
from tests.search_tests.conftest import FormulaWorkers, SilentListener, settings
from tests.search_tests.made_records import of_task

PLAIN_OF = {
    "encoder_decoder": {"block": "ar", "ar_convolution": "grouped", "resample": "pool+bilinear"},
    "pyramid": {"block": "residual", "convolution": "dense", "resample": "unshuffle+bilinear"},
}

SAME_SIZE = [name for name, task in TASKS.items() if not task.has_scales]


def test_a_run_remembers_its_options_and_is_not_continued_with_others() -> None:
    made = of_task("denoise", **rules_from_text("denoise", 1, {"sigma": "0-50", "channels": "grey"}).options)
    again = RunSettings.from_dict(made.to_dict())
    assert again.rules.title == "denoise σ 0–50 grey"
    with pytest.raises(UserError, match=r"sigma 0\.0,50\.0.*got.*sigma 25\.0,25\.0"):
        check_same(again, replace(again, options={"channels": "grey", "sigma": [25.0, 25.0]}), Path("run"))


def test_default_folders_name_what_differs() -> None:
    assert run_name(rules_of("sr", 4)) == "sr-x4"
    assert run_name(rules_of("denoise")) == "denoise"
    assert run_name(rules_from_text("denoise", 1, {"sigma": "50"})) == "denoise-sigma50-50"


@pytest.mark.parametrize("name", SAME_SIZE)
def test_a_task_whose_papers_do_not_fit_starts_from_small_networks_that_begin_as_their_input(name: str) -> None:
    asked, budget = of_task(name), parse_budget("30k-params")
    screen = Screen(TASKS[name], asked, budget)
    chosen = small_networks(screen)
    assert len(chosen) >= 2
    for knobs in chosen:
        arch = screen.space.decode(knobs)
        assert arch.ends.input_skip == ("push-pull" if name == "inpaint" else "identity")
        own = PLAIN_OF.get(knobs["backbone"], {})
        assert {knob: knobs[knob] for knob in own} == own


def test_what_is_plain_is_a_value_of_some_backbone() -> None:
    shapes = (rules_of("denoise").shape, rules_of("inpaint").shape, rules_of("sr").shape)
    offered = [knob for shape in shapes for name in BACKBONES for knob in backbone(name).knobs_for(shape)]
    for name, values in PLAIN.items():
        assert set(values) <= {value for knob in offered if knob.name == name for value in knob.values}


@pytest.mark.parametrize("name", SAME_SIZE)
def test_a_run_of_every_task_records_results_of_its_own_shape(tmp_path: Path, name: str) -> None:
    study = Study.create(tmp_path, of_task(name))
    budget, task = parse_budget("30k-params"), TASKS[name]
    enqueue_initial(study, task, budget)
    limits = Limits(None, 2)
    loop = SearchLoop(study, task, budget, FormulaWorkers(), limits, SilentListener(), lambda: False)
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


DEFAULTS = {
    "sr": [
        "s-lwsr16",
        "s-lwsr32",
        "s-lwsr64",
        "s-lwsr128",
        "s-lwsr16-no-pool",
        "s-lwsr32-no-pool",
        "s-lwsr64-no-pool",
        "s-lwsr16-pool-11",
    ],
    "denoise": ["mallenet-16", "dncnn-list-color", "cbdnet-lite"],
    "deblur": ["progressive-6"],
    "raw-denoise": ["feature-align"],
    "inpaint": ["glcic-lite"],
}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_papers_of_every_task_are_its_fixed_trials(name: str) -> None:
    asked = settings() if name == "sr" else of_task(name)
    records = list(fixed_trials(TASKS[name], asked, parse_budget("20m-params")))
    assert list(dict.fromkeys(base_name(record.source) for record in records)) == DEFAULTS.get(name, [])
    for record in records:
        assert record.approximation == ZOO[base_name(record.source)].approximation
        assert record.architecture.shape == asked.rules.shape
    # Twice only what has the setting and no skip.
    assert len(records) == (2 if name == "sr" else 1) * len(DEFAULTS[name])


def test_grey_denoising_has_its_own_paper_and_budgets_hold() -> None:
    grey = of_task("denoise", channels="grey")
    assert [r.source for r in fixed_trials(TASKS["denoise"], grey, parse_budget("200k-params"))] == ["dncnn-list"]
    small = fixed_trials(TASKS["denoise"], of_task("denoise"), parse_budget("200k-params"))
    assert [r.source for r in small] == ["dncnn-list-color"]


def test_networks_by_name_run_beside_the_default_ones(tmp_path: Path) -> None:
    rules, budget, task = rules_of("denoise"), parse_budget("600k-params"), TASKS["denoise"]
    asked = replace(of_task("denoise"), networks=parse_networks("ircnn-color,dncnn-list-color,dncnn-color", rules))
    assert asked.networks == ("dncnn-color", "ircnn-color")  # the table's order, without what runs anyway
    study = Study.create(tmp_path, asked)
    enqueue_initial(study, task, budget)
    loop = SearchLoop(study, task, budget, FormulaWorkers(), Limits(None, 1), SilentListener(), lambda: False)
    assert loop.run() is None
    run = read_run(tmp_path)
    fixed = {trial.source: trial for trial in run.trials if trial.is_fixed}
    assert list(fixed) == ["dncnn-list-color", "ircnn-color", "cbdnet-lite", "dncnn-color"]
    assert {name for name, trial in fixed.items() if trial.approximation} == {"cbdnet-lite"}
    assert all(len(trial.rungs) == 2 for trial in fixed.values())
    assert run.settings.networks == asked.networks
    # Networks without parameters do not hide those of the others from NSGA and GP.
    stored = optuna.load_study(study_name="litefront", storage=journal_storage(tmp_path / JOURNAL))
    assert "backbone" in IntersectionSearchSpace().calculate(stored)


@pytest.mark.parametrize("name", ["denoise", "deblur", "raw-denoise"])
def test_a_search_beside_approximations_starts_with_every_backbone(tmp_path: Path, name: str) -> None:
    study, task = Study.create(tmp_path, of_task(name)), TASKS[name]
    enqueue_initial(study, task, parse_budget("200k-params"))
    queued = optuna.load_study(study_name="litefront", storage=journal_storage(tmp_path / JOURNAL)).trials
    free = [trial.system_attrs["fixed_params"] for trial in queued if "source" not in trial.user_attrs]
    backbones = [point["backbone"] for point in free]
    assert set(backbones) == set(task.backbones)
    papers = [record for record in fixed_trials(task, study.settings, parse_budget("200k-params")) if record.knobs]
    if papers:  # its neighbours take turns with the small networks
        assert backbones[1:8:2] == [papers[0].knobs["backbone"]] * 4


def test_a_run_says_what_it_trains_beside_the_search_and_what_is_over_the_budget() -> None:
    asked = replace(of_task("denoise"), networks=("dncnn-color", "ircnn-color"))
    request = SimpleNamespace(task=TASKS["denoise"], budget=parse_budget("200k-params"))
    assert beside(SimpleNamespace(request=request, settings=asked)) == (
        "  beside the search: dncnn-list-color, ircnn-color\n  over the budget, so not trained: dncnn-color\n"
    )


def test_a_run_without_networks_is_not_continued_with_some() -> None:
    again = RunSettings.from_dict(settings().to_dict())
    with pytest.raises(UserError, match="was made with networks none, got imdn,smfanet; use --run-dir"):
        check_same(again, replace(again, networks=("imdn", "smfanet")), Path("run"))


def test_results_keep_a_task_s_further_figures(tmp_path: Path) -> None:
    workers = FormulaWorkers()
    study = Study.create(tmp_path, of_task("inpaint"))
    record = next(iter(_trained(study, workers, tmp_path)))
    kept = replace(record, rungs=(replace(record.rungs[0], others_db={"PSNR of the whole picture": 21.5}),))
    assert TrialRecord.from_dict(kept.to_dict()).rungs[0].others_db == {"PSNR of the whole picture": 21.5}


def test_a_run_measures_the_classical_baselines_of_its_task(tmp_path: Path) -> None:
    assert read_run(_empty(tmp_path / "older")).classical_baselines_db == {}
    words = ["--task", "inpaint", "--budget", "30k-params", "--rungs", "1", "--trials", "1", "--workers", "1"]
    assert main(["run", *words, "--run-dir", str(tmp_path / "run")]) == 0
    assert read_run(tmp_path / "run").classical_baselines_db == {"diffusion": pytest.approx(20.67, abs=0.05)}


def _empty(folder: Path) -> Path:
    folder.mkdir()
    Study.create(folder, of_task("inpaint"))
    return folder


def _trained(study: Study, workers: FormulaWorkers, folder: Path) -> list[TrialRecord]:
    task, budget = TASKS[study.settings.task], parse_budget("30k-params")
    enqueue_initial(study, task, budget)
    SearchLoop(study, task, budget, workers, Limits(None, 1), SilentListener(), lambda: False).run()
    return [record for record in study.records.values() if record.rungs]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "denoise", "--sigma", "much"], "--sigma must be a number or a range"),
        (["--task", "sr", "--sigma", "25"], "--sigma is an option of denoise, deblur and not of sr"),
        (["--task", "deblur", "--scale", "2"], "--scale of deblur must be left out"),
        (["--task", "inpaint", "--holes", "90"], "--holes must be a number or a range LOW-HIGH from 1 to 60"),
        (["--task", "raw-denoise", "--channels", "grey"], "--channels of raw-denoise must be one of packed, noise-map"),
        (
            ["--task", "sr", "--networks", "smfanett"],
            "--networks must be of the published networks of sr, got 'smfanett'",
        ),
        (["--task", "sr", "--networks", "imdn,prn"], "--networks of sr must be for that task, got prn for deblur"),
        (["--task", "sr", "--networks", "fsrcnn"], "got fsrcnn with 1 and 1; see --channels"),
    ],
)
def test_wrong_options_are_one_line_and_status_2(words: list[str], message: str, tmp_path: Path, capsys) -> None:
    status = main(["run", "--budget", "30k-params", "--run-dir", str(tmp_path / "run"), *words])
    assert status == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
