"""``pick`` and ``compare`` from the command line, and the door's value of them."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

import search
from search.cli import main
from search.storage.lock import own
from search.storage.runs_here import known_runs
from search.storage.study import Study
from tests.search_tests.conftest import search_by_formula, settings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of networks that were not trained, with other seeds and budgets; the second's name is an odd one."""
    root = tmp_path_factory.mktemp("made")
    for name, changes in (("one", {}), ("it's 2", {"seed": 1, "budget": "100k-params"})):
        (root / "runs" / name).mkdir(parents=True)
        study, _ = search_by_formula(root / "runs" / name, trials=12, **changes)
        study.note("baseline", {"psnr_db": 28.0})
    return root


@pytest.fixture(autouse=True)
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pick_prints_the_network_and_the_commands(capsys) -> None:
    assert main(["pick", "it's 2", "--budget", "2000ms@pixel4-a76,90k-params", "--prefer", "latency"]) == 0
    shown = capsys.readouterr().out
    picked = search.load("it's 2").pick("2000ms@pixel4-a76,90k-params", "latency")
    assert f"Take #{picked.trial.trial}: {picked.result.psnr_db:.2f} dB" in shown or picked.trial.is_fixed
    assert "under 90k-params,2000ms@pixel4-a76; costs for an input of 64x36" in " ".join(shown.split())
    assert "within 0.045 dB, the seed noise, of the highest PSNR" in " ".join(shown.split())
    commands = dict(line.split(": ", 1) for line in shown.splitlines() if ": python -m search " in line)
    word = shlex.quote("it's 2")
    assert commands["train"].startswith(f"python -m search train {word} {picked.trial.trial} --steps ")
    assert commands["export"].startswith(f"python -m search export {word} {picked.trial.trial} --format ")
    assert shlex.split(commands["restore"])[-1] == f"it's 2#{picked.trial.trial}"


def test_pick_as_json(capsys) -> None:
    assert main(["pick", "one", "--budget", "150k-params", "--json"]) == 0
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    picked = search.load("one").pick("150k-params")
    assert told == {"run": "one", **json.loads(json.dumps(picked.to_dict())), "commands": told["commands"]}
    assert set(told["commands"]) == {"train", "export", "restore"}
    assert "one: " in shown.err


def test_best_is_the_pick(here: Path) -> None:
    run = search.load("one")
    for budget in (None, "150k-params", "2000ms@pixel4-a76"):
        assert run.best(budget) == run.pick(budget).trial


def test_a_running_run_is_picked_from_as_it_stands(capsys) -> None:
    with own(Path("runs/one")):
        assert main(["pick", "one"]) == 0
    assert capsys.readouterr().out.startswith("one (running: as it stands now): ")


def test_pick_on_another_phone_s_front(here: Path) -> None:
    other = search.load("one").recost("a03s-a53", (96, 64))
    assert other.pick().quantity.key == "ms@a03s-a53"
    assert other.pick("150k-params").trial.costs.latency.keys() == {"a03s-a53"}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (
            ["pick", "one", "--budget", "1k-params"],
            "--budget must allow a trained network of one, got 1k-params; the nearest, #",
        ),
        (["pick", "one", "--budget", "1ms"], "--budget in milliseconds needs a device"),
        (["pick", "one", "--prefer", "size"], "--prefer must be one of psnr, latency, got 'size'"),
        (["pick", "empty"], "empty must have a trained network, got none yet"),
        (["pick", "nowhere"], "'nowhere' must be a run's folder or its name in runs/"),
        (["compare", "one"], "compare needs two different runs or more, got one"),
        (["compare", "one", "runs/one"], "runs to compare must be different ones, got one twice"),
        (["compare", "one", "empty"], "empty must have a trained network, got none yet"),
        (["compare", "one", "other"], "got different scale (one: ×4; other: ×2)"),
        (["compare", "one", "it's 2", "--out", "file/x"], "--out must be a folder that can be written, got file/x"),
    ],
)
def test_mistakes_are_one_line(words: list[str], part: str, capsys) -> None:
    Path("file").write_text("")
    for name in ("empty", "other"):
        Path("runs", name).mkdir()
    Study.create(Path("runs/empty"), settings())
    study = Study.create(Path("runs/other"), settings())
    if "other" in words:
        shutil.rmtree("runs/other")
        shutil.copytree("runs/one", "runs/other")
        journal = Path("runs/other/journal.log")
        lines = [line.rsplit(',"crc"', 1)[0] + "}" for line in journal.read_text().splitlines()]
        journal.write_text("\n".join(lines).replace('"scale":4,"options"', '"scale":2,"options"', 1) + "\n")
    assert study is not None
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert part in line


def test_compare_writes_into_a_folder_of_its_own(here: Path, capsys) -> None:
    assert main(["compare", "one", "it's 2"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    folder = Path("runs", "compare-one-it's 2")
    assert sorted(path.suffix for path in folder.iterdir()) == [".csv", ".html", ".json", ".png", ".svg"]
    assert "Share of the hypervolume of all fronts together, over MACs: " in shown
    assert "hypervolume up to " in shown
    assert [each.name for each in known_runs()] == ["it's 2", "one"]


def test_compare_as_json_and_from_python(here: Path, capsys) -> None:
    assert main(["compare", "one", "it's 2", "--out", "here", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    compared = search.compare("one", search.load("it's 2"))
    assert told == {"comparisons": [json.loads(json.dumps(each.to_dict())) for each in compared.over]}
    assert told == json.loads(Path("here/compare.json").read_text("utf-8"))
    assert list(compared.table["run"].unique()) in (["one", "it's 2"], ["it's 2", "one"])
    assert compared.plot().axes


def test_runs_of_one_name_are_called_by_their_paths(here: Path) -> None:
    shutil.copytree("runs/it's 2", "elsewhere/one")
    (over,) = search.compare("one", "elsewhere/one").over
    assert [front.name for front in over.fronts] == [str(Path("runs/one")), str(Path("elsewhere/one"))]
