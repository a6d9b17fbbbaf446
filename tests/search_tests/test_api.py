"""The door for programs: a run started, read back, looked at, and its networks taken."""

from __future__ import annotations

import asyncio
import inspect
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

import search
from evaluators import data
from evaluators.quality import evaluate
from evaluators.training.weights import read_state_dict
from reports.run.notebook import run_html
from search import Run
from search.environment import processor
from search.pareto import front_rung
from search.request.budget import parse_budget
from search.request.options import RUN_OPTIONS
from search.storage.deleting import own_entries
from search.storage.run_files import read_run
from space.errors import UserError
from tests.search_tests.conftest import search_by_formula

TINY = {"task": "sr", "scale": 2, "budget": "20k-params", "rungs": (2,), "workers": 1, "progress": False}


@pytest.fixture(scope="module")
def sessions(tmp_path_factory) -> tuple[Run, ...]:
    """A run that really trained, two steps of one network: ended by ``stop``, then by Ctrl-C, then let go on to its
    end, in a thread beside a running event loop."""
    options = {**TINY, "trials": 1, "run_dir": tmp_path_factory.mktemp("door") / "run"}
    asked: list[str] = []

    def stop() -> bool:
        asked.append("stop")
        return len(asked) > 1

    def interrupt() -> bool:
        if "interrupt" not in asked:
            asked.append("interrupt")
            signal.raise_signal(signal.SIGINT)
        return False

    async def in_a_thread() -> Run:
        return await asyncio.to_thread(lambda: search.run(**options))

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    stopped = search.run(**options, stop=stop)
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setattr("search.environment.processor", lambda: "another make")
        interrupted = search.run(**options, stop=interrupt)
        finished = asyncio.run(in_a_thread())
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return stopped, interrupted, finished


@pytest.fixture
def folder(sessions: tuple[Run, ...]) -> Path:
    return sessions[0].folder


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """A run of many networks that were not trained: quality by a formula, no weights."""
    folder = tmp_path_factory.mktemp("searched")
    study, _ = search_by_formula(folder, trials=12)
    study.note("baseline", {"psnr_db": 28.0})
    return folder


@pytest.fixture
def searched(many: Path, tmp_path: Path) -> Run:
    """The run of many networks, in a folder of the test's own."""
    shutil.copytree(many, tmp_path / "many")
    return search.load(tmp_path / "many")


def test_a_run_leaves_what_the_command_line_leaves(folder: Path) -> None:
    run = search.load(folder)
    assert run.state == "finished"
    assert run.page == folder / "report.html"
    for name in ("front.csv", "front.json", "pareto.png", "pareto.svg", "report.html", "weights"):
        assert (folder / name).exists(), name
    words = f"--task sr --scale 2 --budget 20k-params --trials 1 --rungs 2 --workers 1 --run-dir {folder}"
    assert run.result.command.startswith("python -m search run ")
    assert set(words.split()) == set(run.result.command.split()) - {"python", "-m", "search", "run"}


def test_the_same_call_finds_the_run_finished(folder: Path, capsys) -> None:
    again = search.run(**{**TINY, "progress": True}, trials=1, run_dir=folder)
    assert again.trials == search.load(folder).trials
    shown = capsys.readouterr().out
    assert "objectives psnr, macs (the default)" in shown
    assert "This run is finished" in shown


def test_without_progress_nothing_is_printed(folder: Path, capfd) -> None:
    search.run(**TINY, trials=1, run_dir=folder)
    assert capfd.readouterr() == ("", "")


def test_the_network_has_its_weights_and_gives_the_measured_quality(folder: Path) -> None:
    run = search.load(folder)
    trial = run.best()
    network = run.network(trial)
    assert not network.training
    stored = read_state_dict(folder / "checkpoints" / f"trial-{trial.trial}-rung-0.safetensors")
    assert all(torch.equal(value, stored[name]) for name, value in network.state_dict().items())
    rules = run.settings.rules
    pairs = data.validation_pairs(data.validation_images(None, rules), rules)
    assert evaluate(network, pairs, rules).psnr_db == pytest.approx(trial.rungs[0].psnr_db, abs=1e-3)


def test_a_front_member_keeps_its_weights_without_checkpoints(folder: Path, monkeypatch) -> None:
    run = search.load(folder)
    (trial,) = run.trained
    kept = run.network(trial.trial).state_dict()
    (folder / "weights").mkdir(exist_ok=True)
    source = folder / "checkpoints" / f"trial-{trial.trial}-rung-0.safetensors"
    copy = folder / "weights" / f"trial-{trial.trial}.safetensors"
    copy.write_bytes(source.read_bytes())
    hidden = source.rename(folder / "hidden")
    try:
        assert all(torch.equal(value, kept[name]) for name, value in run.network(trial).state_dict().items())
    finally:
        hidden.rename(source)


def test_what_is_no_network_is_one_line(searched: Run) -> None:
    with pytest.raises(UserError, match=r"trial must be one of the \d+ of many, got 999"):
        searched.network(999)
    with pytest.raises(UserError, match="they were deleted"):
        searched.network(searched.best())
    failed = replace(searched.trials[-1], status="failed", rungs=())
    run = Run(searched.folder, replace(searched.result, trials=(failed,)))
    with pytest.raises(UserError, match=f"got {failed.trial} of .*, which is failed"):
        run.network(failed)


def test_a_run_writes_nothing_that_delete_would_leave(folder: Path) -> None:
    run = search.load(folder)
    run.report()
    run.recost("a03s-a53").report()
    ours, others = own_entries(folder)
    assert others == []
    assert {"checkpoints", "weights", "report.html", "recost"} <= {path.name for path in ours}


def test_front_and_table_are_those_of_the_files(searched: Run) -> None:
    searched.report()
    written = pd.read_csv(searched.folder / "front.csv", keep_default_na=False)
    assert list(searched.table["trial"]) == list(written["trial"])
    assert list(searched.table.columns) == list(written.columns)
    assert list(searched.front["trial"]) == list(written.loc[written["on_front"], "trial"])
    assert searched.trials == read_run(searched.folder).trials


@pytest.mark.parametrize("budget", [None, "120k-params", "2g-macs,100mb-memory", "2000ms@a03s-a53"])
def test_best_is_the_best_within_the_budget(searched: Run, budget: str | None) -> None:
    best = searched.best(budget)
    asked = parse_budget(budget or searched.settings.budget)
    assert asked.allows(best.costs)
    rung = front_rung(searched.result)
    others = [trial for trial in searched.trained if trial.at_rung(rung) is not None]
    better = [trial for trial in others if trial.at_rung(rung).psnr_db > best.at_rung(rung).psnr_db]
    assert not any(asked.allows(trial.costs) for trial in better if "ms" not in asked.text)


def test_a_budget_that_allows_nothing_names_what_would_do(searched: Run) -> None:
    least = min(trial.costs.params for trial in searched.trained if trial.at_rung(front_rung(searched.result)))
    with pytest.raises(UserError, match=rf"got 100-params; the nearest, #\d+, has {least:,} params$"):
        searched.best("100-params")
    with pytest.raises(UserError, match="unknown latency table 'pixel-9'"):
        searched.best("100ms@pixel-9")


def test_a_run_on_another_phone_is_a_run(searched: Run) -> None:
    other = searched.recost("a03s-a53", (96, 64))
    assert other.settings.objectives == ("psnr", "ms@a03s-a53")
    assert other.settings.input_size == (96, 64)
    assert other.refused == ()
    assert (other.front["ms@a03s-a53"] > 0).all()
    assert other.report() == searched.folder / "recost" / "report-a03s-a53.html" == other.page
    assert other.page.exists()
    assert not searched.page.exists()
    with pytest.raises(UserError, match="leave them out"):
        other.report(frames="frames")


def test_the_plot_is_a_figure_that_a_notebook_shows(searched: Run, tmp_path: Path) -> None:
    figure = searched.plot()
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    figure.savefig(tmp_path / "front.svg")
    assert "Multiply-accumulates" in "".join(axes.get_xlabel() for axes in figure.axes)


def test_a_notebook_shows_what_to_take_the_front_and_its_figure(searched: Run) -> None:
    html = searched._repr_html_()
    assert "Recommended: " in html
    assert html.count("<tr>") == 1 + len(searched.front)
    assert 'src="data:image/png;base64,' in html
    assert repr(searched) == (
        f"<Run many: {len(searched.trained)} networks trained, {len(searched.front)} on the front, interrupted>"
    )


def test_names_in_a_notebook_are_escaped(run_loop, tmp_path: Path) -> None:
    (tmp_path / "<i>&").mkdir()
    run_loop(tmp_path / "<i>&", trials=2)
    html = search.load(tmp_path / "<i>&")._repr_html_()
    assert "&lt;i&gt;&amp;" in html
    assert "<i>&" not in html


def test_a_run_without_results_is_no_obstacle(searched: Run) -> None:
    run = Run(searched.folder, replace(searched.result, trials=()))
    assert run.front.empty
    assert run.table.empty
    assert "No network has been trained yet" in run_html(run.result)
    assert "0 networks trained" in repr(run)
    for ask in (run.best, run.report):
        with pytest.raises(UserError, match="must have a trained network, got none yet"):
            ask()


def test_a_run_is_found_by_its_name(searched: Run, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "runs").mkdir()
    searched.folder.rename(tmp_path / "runs" / "many")
    monkeypatch.chdir(tmp_path)
    assert search.load("many").trials == searched.trials
    with pytest.raises(UserError, match="'nowhere' must be a run's folder or its name in runs/"):
        search.load("nowhere")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trails": 3}, "got 'trails'; nearest: trials"),
        ({"rungs": (5, 2)}, "--rungs must be rising"),
        ({"budget": "4k"}, "--budget must be NUMBER"),
        ({"train_data": Path("missing")}, "missing"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch, options: dict, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        search.run(**{**TINY, **options})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_every_option_is_known_to_help_and_to_completion() -> None:
    named = inspect.signature(search.run).parameters
    for option in RUN_OPTIONS:
        assert option.key in named
        assert option.required or f"{option.key}: {option.help}." in search.run.__doc__
    assert {"progress", "stop"} <= named.keys()


def test_a_stopped_search_returns_the_run_and_goes_on(sessions: tuple[Run, ...]) -> None:
    stopped, interrupted, finished = sessions
    assert [run.state for run in sessions] == ["interrupted", "interrupted", "finished"]
    assert not stopped.trained
    assert not interrupted.trained
    assert len(finished.trained) == 1
    assert len(finished.result.sessions) == 3
    devices = [f"CPU {processor()}", "CPU another make", "CPU another make"]
    assert all(f"on {place}, up to" in told for place, told in zip(devices, finished.result.sessions, strict=True))
    trained = finished.model(finished.trained[0].trial)  # by the last session, whoever began the run
    assert trained.facts["training"]["environment"]["device"] == "CPU another make"


def test_trouble_of_the_machine_is_an_error_of_its_own(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("search.sessions.session.Session.search", lambda *_: "no space left on the disk")
    with pytest.raises(search.StoppedError, match="stopped: no space left on the disk; no finished trial is lost"):
        search.run(**TINY, trials=1, run_dir=tmp_path / "run")


def test_the_door_opens_without_torch() -> None:
    code = "import sys, search; dir(search); sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
    with pytest.raises(AttributeError, match="'search' has no attribute 'ran'"):
        _ = search.ran
