"""The command line: every mistake is one line and status 2, and a real run with real training from end to end."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import search
from evaluators.tasks import rules_of
from evaluators.training.checkpoint import read_checkpoint
from evaluators.training.plan import TrainingPlan
from search.cli import main
from search.models.about import About
from search.storage.journal import JOURNAL
from search.storage.run_files import read_run
from space import ZOO, build
from space.weights import read_stored

TINY = ["--budget", "4k-params", "--rungs", "2,4", "--trials", "2", "--workers", "1"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three pictures of the kinds that users have: colour, grey, and with an alpha channel."""
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name, mode, channels in (("a.png", "RGB", 3), ("b.png", "L", 1), ("c.png", "RGBA", 4)):
        pixels = generator.integers(0, 256, (15, 15, channels), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(pixels.squeeze(), mode).save(folder / name)
    return folder


def run_in(folder: Path, *arguments: str, **options: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "search", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


MISTAKES = [
    (["--task", "teleport", "--budget", "200k-params"], "unknown task 'teleport'"),
    (["--task", "sr", "--budget", "200k"], "'200k'"),
    (["--task", "sr", "--budget", "-5k-params"], "-5"),
    (["--task", "sr", "--budget", "nan-params"], "nan"),
    (["--task", "sr", "--budget", "5k-params,6k-params"], "params twice"),
    (["--task", "sr", "--budget", "0.1k-params"], "smallest has 1,399 params"),
    (["--task", "sr", "--budget", "800ms@pixel-9000"], "unknown latency table 'pixel-9000'"),
    (["--task", "sr", "--budget", "800ms"], "got '800ms'; try 800ms@TABLE"),
    (["--task", "sr", "--budget", "9k-params", "--objective", "psnr,latency"], "ms@TABLE, got 'latency'"),
    (["--task", "sr", "--budget", "9k-params", "--objective", "psnr,ms@"], "after @, got nothing"),
    (["--task", "sr", "--budget", "9k-params", "--objective", "psnr,latency@x"], "ms@TABLE, got 'latency@x'"),
    (["--task", "sr", "--budget", "9k-params", "--objective", "psnr,ms@pixel-9000"], "'pixel-9000'"),
    (["--task", "sr", "--budget", "9k-params", "--objective", "psnr,ms@x,ms@x"], "once, got"),
    (["--task", "sr", "--budget", "9k-params", "--objective", "psnr,macs@x"], "got 'macs@x'"),
    (["--task", "sr", "--budget", "9k-params", "--latency", "pixel-9000"], "--latency: unknown latency table"),
    (["--task", "sr", "--budget", "9k-params", "--latency", "x,x"], "--latency must name each latency table once"),
    (["--task", "sr", "--budget", "9k-params", "--scale", "5"], "--scale of sr must be one of 2, 3, 4, got 5"),
    (["--task", "sr", "--budget", "9k-params", "--scale", "big"], "got 'big'"),
    (["--task", "sr", "--budget", "9k-params", "--input", "320"], "got '320'"),
    (["--task", "sr", "--budget", "9k-params", "--time", "soon"], "got 'soon'"),
    (["--task", "sr", "--budget", "9k-params", "--time", "0"], "got '0'"),
    (["--task", "sr", "--budget", "9k-params", "--trials", "-3"], "got '-3'"),
    (["--task", "sr", "--budget", "9k-params", "--workers", "0"], "got '0'"),
    (["--task", "sr", "--budget", "9k-params", "--seed", "x"], "got 'x'"),
    (["--task", "sr", "--budget", "9k-params", "--sampler", "magic"], "got 'magic'"),
    (["--task", "sr", "--budget", "9k-params", "--objective", "psnr"], "got 'psnr'"),
    (["--task", "sr", "--budget", "9k-params", "--objective", "psnr,beauty"], "got 'beauty'"),
    (["--task", "sr", "--budget", "9k-params", "--rungs", "300,100"], "got '300,100'"),
    (["--task", "sr", "--budget", "9k-params", "--device", "tpu"], "got 'tpu'"),
    (["--task", "sr", "--budget", "9k-params", "--device", "pixel4-a76"], "--latency pixel4-a76"),
    (["--task", "sr", "--budget", "9k-params", "--train-data", "missing"], "missing"),
    (["--task", "raw-denoise", "--budget", "9k-params", "--frames", "missing"], "frames.csv"),
    (["--task", "sr", "--budget", "9k-params", "--bogus"], "--bogus"),
    (["--task", "sr"], "--budget"),
]


def assert_one_line(capsys: pytest.CaptureFixture, status: int, part: str) -> None:
    error = capsys.readouterr().err
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    assert part in error


@pytest.mark.parametrize(("arguments", "part"), MISTAKES)
def test_mistakes_of_run_are_one_line(tmp_path: Path, monkeypatch, capsys, arguments: list[str], part: str) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = main(["run", *arguments])
    except SystemExit as leaving:
        status = leaving.code
    assert_one_line(capsys, status, part)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["frobnicate"], "frobnicate"),
        ([], "COMMAND"),
        (["cost", "s-lwsr17"], "unknown network 's-lwsr17'"),
        (["cost", "s-lwsr16", "--input", "axb"], "got 'axb'"),
        (["report", "nowhere"], "'nowhere'"),
        (["evaluate", "s-lwsr16", "--weights", "none.pt"], "none.pt"),
    ],
)
def test_other_mistakes_are_one_line(tmp_path: Path, monkeypatch, capsys, arguments: list[str], part: str) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = main(arguments)
    except SystemExit as leaving:
        status = leaving.code
    assert_one_line(capsys, status, part)


def damaged(folder: Path, kind: str) -> str:
    """Put something unusable into ``folder``; returns what the message must name."""
    if kind == "empty":
        for file in folder.iterdir():
            file.unlink()
        return "photos"
    if kind == "text":
        (folder / "notes.txt").write_text("not an image")
        return "notes.txt"
    if kind == "truncated":
        whole = (folder / "a.png").read_bytes()
        (folder / "a.png").write_bytes(whole[: len(whole) // 2])
        return "a.png"
    Image.new("RGB", (40, 30)).save(folder / "small.png")
    return "small.png"


@pytest.mark.parametrize("option", ["--train-data", "--val-data"])
@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "small"])
def test_unusable_folders_are_one_line(
    tmp_path: Path, monkeypatch, capsys, photos: Path, kind: str, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    part = damaged(photos, kind)
    assert_one_line(capsys, main(["run", "--task", "sr", *TINY, option, str(photos)]), part)
    assert not (tmp_path / "runs").exists()


def test_cost_as_json(capsys) -> None:
    assert main(["cost", "s-lwsr16", "--input", "320x180", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {
        "name": "s-lwsr16",
        "params": 143_755,
        "params_paper_rule": 143_755,
        "macs": 10_193_414_400,
        "macs_paper_rule": 8_280_288_000,
        "peak_activation_bytes": 117_964_800,
        "weight_bytes": 575_020,
        "input": "320x180",
    }.items() <= answer.items()


def test_list_names_everything(capsys) -> None:
    assert main(["list", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer["networks"]) == set(ZOO)
    assert answer["knobs"]["symmetric"]["width"]["values"][0] == 8
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert "s-lwsr16-pool-11" in shown
    for name, task in answer["tasks"].items():
        assert f"{name}: {task['architectures']:,} different architectures in its space" in shown


def test_a_run_from_end_to_end_and_again(tmp_path: Path, monkeypatch, photos: Path, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    # Steps enough to be better than bicubic: what is not is not on the front.
    data = ["--train-data", str(photos), "--val-data", str(photos)]
    command = ["run", "--task", "sr", *TINY, "--rungs", "10,50", *data]
    assert main(command) == 0
    folder = tmp_path / "runs" / "sr-x4-4k-params"
    names = {path.name for path in folder.iterdir()}
    assert {JOURNAL, "front.csv", "front.json", "pareto.png", "pareto.svg", "report.html", "weights"} <= names
    rows = list(csv.DictReader((folder / "front.csv").open()))
    assert {"trial", "source", "on_front", "params", "macs", "psnr_db", "rung", "steps"} <= set(rows[0])
    front = json.loads((folder / "front.json").read_text())
    assert front["baseline_psnr_db"] > 0
    members = {row["trial"] for row in rows if row["on_front"] == "True"}
    assert members
    assert {path.stem for path in (folder / "weights").iterdir()} == {f"trial-{trial}" for trial in members}
    assert "report.html" in capsys.readouterr().out

    before = (folder / JOURNAL).read_bytes()
    assert main(command) == 0
    assert "finished" in capsys.readouterr().out
    assert (folder / JOURNAL).read_bytes() == before
    assert main(["report", "sr-x4-4k-params", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["baseline_psnr_db"] == front["baseline_psnr_db"]

    for changed, part in (
        (["--budget", "5k-params"], "budget 4k-params"),
        (["--scale", "2"], "scale 4"),
        (["--seed", "1"], "seed 0"),
        (["--objective", "psnr,params"], "objectives psnr,macs"),
        (["--input", "64x64"], "input size 320,180"),
    ):
        status = main([*command, "--run-dir", str(folder), *changed])
        assert_one_line(capsys, status, part)
    os.truncate(photos / "a.png", 30)
    assert_one_line(capsys, main(command), "a.png")
    assert (folder / JOURNAL).read_bytes() == before


def test_real_frames_are_shown_by_run_and_by_report(tmp_path: Path, monkeypatch, photos: Path, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frame.raw").write_bytes(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8).tobytes())
    columns = "file,width,height,pattern,bits,black,white,gain_r,gain_b"
    (tmp_path / "frames.csv").write_text(f"{columns}\nframe.raw,64,64,BGGR,8,0,255,2,1.5\n")
    command = ["run", "--task", "raw-denoise", "--budget", "2k-params", "--rungs", "60", "--seed", "2", "--trials", "1"]
    command += [
        "--workers",
        "1",
        "--specialists",
        "1",
        "--train-data",
        str(photos),
        "--val-data",
        str(photos),
        "--run-dir",
        "raw",
    ]
    assert main([*command, "--frames", "."]) == 0
    page, strip = tmp_path / "raw" / "report.html", tmp_path / "raw" / "strip-frame.png"
    assert "<h3>frame.raw</h3>" in page.read_text()
    assert strip.exists()
    page.unlink()
    strip.unlink()
    assert main(["report", "raw", "--frames", "."]) == 0
    assert "<h3>frame.raw</h3>" in page.read_text()
    assert strip.exists()
    capsys.readouterr()
    (tmp_path / "frame.raw").write_bytes(b"short")
    assert_one_line(capsys, main(["report", "raw", "--frames", "."]), "4,096 bytes in all, got 5")


def test_a_run_goes_on_with_the_plan_that_it_was_begun_with(tmp_path: Path, monkeypatch, photos: Path) -> None:
    """The program's may be another since: all networks of a run are trained alike."""
    older = TrainingPlan(batch=2, patch_px=8, optimizer="adam", full_rate_steps=0)
    command = ["run", "--task", "sr", "--scale", "2", "--budget", "20k-params", "--rungs", "2", "--workers", "1"]
    command += ["--train-data", str(photos), "--val-data", str(photos), "--run-dir", str(tmp_path / "a")]
    with monkeypatch.context() as before:
        before.setattr(type(rules_of("sr", 2).degrade), "plan", older)
        assert main([*command, "--trials", "1"]) == 0
    assert main([*command, "--trials", "2"]) == 0
    run = search.load(tmp_path / "a")
    assert run.settings.plan == older != rules_of("sr", 2).degrade.plan
    trials = [trial.trial for trial in run.trials if trial.rungs]
    assert len(trials) == 2
    folder = tmp_path / "a" / "checkpoints"
    stored = [read_stored(folder / f"trial-{trial}-rung-0.safetensors").metadata for trial in trials]
    assert [About.read(each, "here").facts["training"]["plan"] for each in stored] == [older.to_dict()] * 2
    kept = [path for path in (folder / f"trial-{trial}.safetensors" for trial in trials) if path.exists()]
    assert [read_checkpoint(path).plan for path in kept] == [older]  # that of the worse one is dropped


def test_a_foreign_folder_is_left_alone(tmp_path: Path, monkeypatch, capsys, photos: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_line(capsys, main(["run", "--task", "sr", *TINY, "--run-dir", str(photos)]), "photos")
    assert {path.name for path in photos.iterdir()} == {"a.png", "b.png", "c.png"}


def test_interrupting_keeps_results_and_continues(tmp_path: Path, photos: Path) -> None:
    command = ["run", "--task", "sr", "--scale", "2", "--budget", "20k-params", "--rungs", "2,4", "--trials", "30"]
    command += ["--workers", "1", "--train-data", str(photos), "--val-data", str(photos)]
    process = run_in(tmp_path, *command)
    folder = tmp_path / "runs" / "sr-x2-20k-params"
    wait_for_results(folder, 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "page:" in out
    finished = results(folder)
    process = run_in(tmp_path, *command)
    wait_for_results(folder, finished + 2, process)
    process.kill()
    process.communicate()
    assert results(folder) >= finished + 2


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_twenty_kills_at_random_moments(tmp_path: Path, photos: Path) -> None:
    """SIGKILL at 20 random moments: finished trials never get fewer, none is doubled, and the run completes."""
    command = [
        "run",
        "--task",
        "sr",
        "--budget",
        "6k-params",
        "--rungs",
        "2,4,8",
        "--trials",
        "60",
        "--workers",
        "2",
        "--val-data",
        str(photos),
    ]
    folder = tmp_path / "runs" / "sr-x4-6k-params"
    generator, finished, counts = np.random.default_rng(20), 0, []
    for _ in range(20):
        process = run_in(tmp_path, *command, start_new_session=True)
        time.sleep(generator.uniform(1, 16))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now = results(folder) if (folder / JOURNAL).exists() else 0
        assert now >= finished
        finished = now
        counts.append(now)
    process = run_in(tmp_path, *command)
    _, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    run = read_run(folder)
    trained = [trial for trial in run.trials if trial.status == "trained"]
    assert len({trial.architecture.key for trial in trained}) == len(trained) == 60
    assert len({trial.trial for trial in run.trials}) == len(run.trials)
    assert all([result.rung for result in trial.rungs] == list(range(len(trial.rungs))) for trial in trained)
    assert max(counts) > min(counts)


def results(folder: Path) -> int:
    try:
        return sum(len(trial.rungs) for trial in read_run(folder).trials)
    except ValueError:
        return 0


def wait_for_results(folder: Path, number: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 200
    while not (folder / JOURNAL).exists() or results(folder) < number:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_evaluating_with_weights_that_do_not_fit(tmp_path: Path, capsys, photos: Path) -> None:
    state = build(ZOO["s-lwsr32"].architecture).state_dict()
    torch.save(state, tmp_path / "wide.pt")
    status = main(["evaluate", "s-lwsr16", "--weights", str(tmp_path / "wide.pt"), "--data", str(photos)])
    assert_one_line(capsys, status, "(32, 3, 3, 3)")
    torch.save({"weights": Path("/")}, tmp_path / "objects.pt")
    status = main(["evaluate", "s-lwsr16", "--weights", str(tmp_path / "objects.pt"), "--data", str(photos)])
    assert_one_line(capsys, status, "objects.pt")


def test_evaluating_own_weights(tmp_path: Path, capsys, photos: Path) -> None:
    torch.save(build(ZOO["s-lwsr16"].architecture).state_dict(), tmp_path / "own.pt")
    command = ["evaluate", "s-lwsr16", "--weights", str(tmp_path / "own.pt"), "--data", str(photos), "--json"]
    assert main(command) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["baseline_psnr_db"] > answer["psnr_db"]  # random weights


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, capsys, photos: Path) -> None:
    state = build(ZOO["s-lwsr16"].architecture).state_dict()
    name = next(iter(state))
    state[name][0] = float("nan")
    torch.save(state, tmp_path / "diverged.pt")
    status = main(["evaluate", "s-lwsr16", "--weights", str(tmp_path / "diverged.pt"), "--data", str(photos)])
    assert_one_line(capsys, status, f"must be finite, got NaN in {name!r}")


def test_a_picture_of_one_colour_is_refused_before_a_run(tmp_path: Path, monkeypatch, capsys, photos: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (120, 120), (9, 90, 190)).save(photos / "flat.png")
    assert_one_line(capsys, main(["run", "--task", "sr", *TINY, "--val-data", str(photos)]), "flat.png")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("option", "name", "part"),
    [
        ("--run-dir", "x" * 300, "name too long"),
        ("--run-dir", "/proc/self/mem", "/proc/self/mem"),
        ("--run-dir", "photos/a.png/run", "photos/a.png/run"),
        ("--val-data", "/proc/self/mem", "/proc/self/mem"),
    ],
)
def test_places_that_cannot_be_used_are_one_line(
    tmp_path: Path, monkeypatch, capsys, photos: Path, option: str, name: str, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["run", "--task", "sr", *TINY, "--train-data", str(photos), "--val-data", str(photos), option, name]
    assert_one_line(capsys, main(command), part)
