"""The command that compares pruned fronts with designs trained from random weights: its run, table, figure and page."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pandas as pd
import pytest

from evaluators.tasks import rules_of
from evaluators.training.precision import Precision
from latency_tables.tables.estimate import Latency
from reports.experiments.pruned_fronts import _settings, main
from reports.experiments.pruned_fronts_figure import figure
from reports.experiments.pruned_fronts_page import PICTURE, TABLE, page, rows, write_fronts
from reports.experiments.pruned_fronts_table import Gain, cells, gains, sentences
from search.experiments.front_designs import narrowed, plain
from search.experiments.front_records import LINES, FrontRecord, FrontRecords, Place
from search.experiments.pruned_fronts import ARMS, DRAWN, NARROWER, PARENT, PRUNED, SAME, SEARCHED, FrontsPlan
from space import TASKS, SearchSpace
from space.errors import UserError

RULES = rules_of("sr", 4)
PLAN = FrontsPlan(RULES, plain(SearchSpace(TASKS["sr"], RULES.shape), 12, 4), 2000, 1000, rounds=2)
OVER_DB = {SAME: (0.10, 0.20, 0.30), NARROWER: (0.01, -0.01, 0.00), SEARCHED: (-0.11, -0.12, -0.10)}  # pruned minus it
TINY = "--steps 2 --fine-tune 1 --rounds 1 --seeds 1 --width 6 --blocks 4 --candidates 1 --rung 1 --ratios 0.5"


def test_a_folder_of_another_training_plan_is_not_continued(tmp_path: Path) -> None:
    """Its designs were trained otherwise."""
    settings = _settings(PLAN, "pixel4-a76", "embedded", ["embedded"], Precision("cpu", None, False, "test"))
    assert settings["training plan"] == RULES.degrade.plan.to_dict()
    older = {name: value for name, value in settings.items() if name != "training plan"}
    (tmp_path / LINES).write_text(json.dumps(older) + "\n")
    with pytest.raises(UserError, match="as it was begun, with training plan None"):
        FrontRecords(tmp_path, settings)


def record(arm: str, ratio: float, seed: int, psnr_db: float, failure: str = "", number: int = 0) -> FrontRecord:
    ms = 1000 * (1 - ratio)
    return FrontRecord(
        Place(arm, ratio, seed, number),
        narrowed(PLAN.parent, 8, 4),
        2000,
        10_000,
        2_000_000_000,
        Latency(ms, 0.8 * ms, 1.2 * ms, "traffic-estimate"),
        {} if failure else {"embedded": psnr_db, "Set14": psnr_db - 2},
        60.0,
        {"device": "a CPU", "commit": "abc", "command": "python -m this", "data": "photographs"},
        failure,
    )


def made(seeds: int = 3, ratios: tuple[float, ...] = (0.25, 0.5, 0.75)) -> list[FrontRecord]:
    """Pruned by r with seed s: 30 - r + s / 10 dB."""
    found = []
    for seed in range(seeds):
        found.append(record(PARENT, 0.0, seed, 30.1))
        for ratio in ratios:
            psnr_db = 30 - ratio + seed / 10
            found.append(record(PRUNED, ratio, seed, psnr_db))
            found.append(record(DRAWN, ratio, seed, 20.0, number=1))
            found += [record(arm, ratio, seed, psnr_db - over[seed]) for arm, over in OVER_DB.items()]
    return found


def gain_of(arm: str, records: list[FrontRecord]) -> Gain:
    return next(gain for gain in gains(cells(records), "embedded") if gain.other.arm == arm)


def test_differences_are_taken_seed_by_seed() -> None:
    same = gain_of(SAME, made())
    assert same.mean_db == pytest.approx(0.2)
    assert same.half_db == pytest.approx(4.302652729911275 * 0.1 / 3**0.5)
    assert [gain_of(arm, made()).verdict for arm in (SAME, NARROWER, SEARCHED)] == ["ties", "ties", "loses"]
    better = [record(PRUNED, 0.5, seed, 30.0) for seed in range(3)]
    worse = [record(NARROWER, 0.5, seed, 29.9 + seed / 1000) for seed in range(3)]
    assert gain_of(NARROWER, better + worse).verdict == "wins"
    assert gain_of(NARROWER, better[:1] + worse[:1]).verdict == "ties"  # of one seed nothing is known to differ
    assert gain_of(NARROWER, better[1:] + worse).each_db.keys() == {1, 2}


def test_the_sentences_name_the_better_design_and_what_is_inherited() -> None:
    text = sentences(cells(made(ratios=(0.5,))), "embedded")
    assert "at 50 % (500 ms) loses, -0.110 ± 0.025 dB against drawn" in text
    assert text.endswith("against its own design from random weights, bring +0.200 ± 0.248 dB at 50 %.")


def test_means_and_deviations_are_over_seeds() -> None:
    pruned = next(cell for cell in cells(made()) if (cell.arm, cell.ratio) == (PRUNED, 0.5))
    assert (pruned.mean_db("embedded"), pruned.deviation_db("embedded")) == pytest.approx((29.6, 0.1))
    assert (pruned.ms, *pruned.band_ms) == pytest.approx((500, 400, 600))
    assert cells(made(seeds=1))[0].deviation_db("embedded") is None
    assert [cell.arm for cell in cells(made(ratios=(0.5,)))] == [PARENT, *ARMS]


def test_the_page_and_its_rows(tmp_path: Path) -> None:
    records = [*made(), record(SAME, 0.5, 3, 0.0, failure="the loss is not finite at training step 7")]
    write_fronts(tmp_path, PLAN, "pixel4-a76", records, {"embedded": 28.12, "Set14": 26.0})
    text = (tmp_path / "README.md").read_text()
    assert "| 50 % | pruned and fine-tuned | 500 (400 to 600) | 10,000 | 2.00 | 29.600 ± 0.100 | – | 27.600" in text
    assert "| 50 % | the best of designs drawn from the space | 500 (400 to 600) |" in text
    assert "29.710 ± 0.095 | -0.110 ± 0.025 | 27.710 ± 0.095 | -0.110 ± 0.025 | 3 |" in text
    assert "Of a pruned network 1,000 were its parent's (4 residual blocks of 12 channels)" in text
    assert "28.12 dB on embedded, 26.00 dB on Set14" in text
    assert "same-0.5-seed3 (the loss is not finite at training step 7)" in text
    assert "by `python -m this`" in text
    table = pd.read_csv(tmp_path / TABLE)
    assert len(table) == len(records) == len(rows(records))
    assert table.psnr_db_embedded.isna().sum() == 1
    assert matplotlib.image.imread(tmp_path / PICTURE).std() > 0.05


def test_there_is_no_page_before_a_network_is_pruned(tmp_path: Path) -> None:
    write_fronts(tmp_path, PLAN, "pixel4-a76", [], {"embedded": 28.12})
    assert not list(tmp_path.iterdir())
    write_fronts(tmp_path, PLAN, "pixel4-a76", [record(PARENT, 0.0, 0, 30.0)], {"embedded": 28.12})
    assert [path.name for path in tmp_path.iterdir()] == [TABLE]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_figure_has_a_labelled_line_for_each_arm(seeds: int) -> None:
    left, right = figure(cells(made(seeds)), "embedded", "pixel4-a76", "PSNR on Y").axes
    texts = [text.get_text() for text in left.texts]
    assert sorted(texts) == sorted(["the parent, before it is pruned", *ARMS.values()])
    pruned = next(line for line in left.lines if len(line.get_xdata()) == 3)
    assert sorted(pruned.get_xdata()) == pytest.approx([250, 500, 750])
    assert sorted(pruned.get_ydata()) == pytest.approx([29.25 + (seeds - 1) / 20 + step for step in (0, 0.25, 0.5)])
    assert len(right.texts) == len(OVER_DB) * 3
    assert "pixel4-a76" in left.get_xlabel()


def test_a_part_of_the_trainings_has_a_page_too(tmp_path: Path) -> None:
    records = made(seeds=1)[:4]
    assert page(PLAN, "pixel4-a76", records, {"embedded": 28.12}).startswith("# Pruned fronts")
    assert figure(cells(records), "embedded", "pixel4-a76", "PSNR on Y").axes


def test_the_command_runs_and_continues(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([str(tmp_path), *TINY.split()]) == 0
    lines = (tmp_path / LINES).read_text().splitlines()
    own = {line["place"]["arm"]: line for line in map(json.loads, lines[1:])}
    assert own.keys() >= {PARENT, PRUNED, SAME, NARROWER}
    assert all(27 < line["psnr_db"]["embedded"] < 29 for line in own.values())  # about bicubic, its skip
    assert own[PARENT]["params"] < 6000
    times = [own[arm]["latency"]["ms"] for arm in ARMS if arm in own]
    assert max(times) / min(times) < 1.07
    assert {path.name for path in tmp_path.iterdir()} >= {"README.md", TABLE, PICTURE}
    capsys.readouterr()
    assert main([str(tmp_path), *TINY.split()]) == 0
    assert capsys.readouterr().out.startswith("table and figure")  # nothing is trained again
    assert main([str(tmp_path), *TINY.split(), "--int8"]) == 0
    int8 = pd.read_csv(tmp_path / "int8" / TABLE).set_index("arm")
    float32 = pd.read_csv(tmp_path / TABLE).set_index("arm")
    assert int8.ms[PRUNED] < 0.6 * float32.ms[PRUNED]
    assert int8.psnr_db_embedded[PRUNED] == pytest.approx(float32.psnr_db_embedded[PRUNED], abs=0.5)
    assert DRAWN not in int8.index
    assert "in int8" in (tmp_path / "int8" / "README.md").read_text().splitlines()[0]
    capsys.readouterr()
    assert main([str(tmp_path), *TINY.split(), "--rung", "2"]) == 2
    assert "with rung 1, got 2; give another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps", "none"], "--steps must be a whole number"),
        (["--ratios", "a,b"], "--ratios must be numbers"),
        (["--ratios", "0.99"], "at most 0.95, got 0.99"),
        (["--fine-tune", "2000"], "got 2000 of 2000"),
        (["--table", "no-such-phone"], "no-such-phone"),
        (["--test", "Set14"], "must lie below --data"),
    ],
)
def test_a_mistake_gets_one_line(options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([str(tmp_path / "none"), *options]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.long
def test_a_kill_costs_the_training_that_it_falls_in(tmp_path: Path) -> None:
    def begun(folder: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "reports.experiments.pruned_fronts", str(tmp_path / folder), *TINY.split()]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def figures(folder: str) -> list[tuple[dict, dict]]:
        lines = (tmp_path / folder / LINES).read_text().splitlines()[1:]
        return [(line["place"], line["psnr_db"]) for line in map(json.loads, lines)]

    killed = begun("killed")
    assert killed.stdout is not None
    told = [killed.stdout.readline() for _ in range(2)]
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    kept = figures("killed")
    assert len(kept) >= len(told)
    for folder in ("killed", "whole"):
        process = begun(folder)
        out, _ = process.communicate()
        assert process.returncode == 0
        if folder == "killed":
            assert not set(told) & set(out.splitlines(keepends=True))
    assert figures("killed")[: len(kept)] == kept
    assert figures("killed") == figures("whole")
