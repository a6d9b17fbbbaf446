"""What commands say and record of the user's own pictures: pairs, shared pictures, lists, names of any bytes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evaluators.tasks import rules_of
from evaluators.training.weights import save_weights
from reports.experiments.reproduction import rows, write_reproduction
from reports.run.pareto_view import caption
from search.api.understood import understood
from search.cli import main
from search.cli.options.run import add_options
from search.cli.run import request_of
from search.experiments.network_specs import named_architecture
from search.experiments.training import SetResult, Training, TrainingRecord
from search.records import RunSettings
from search.sessions.session import Session, check_and_read
from space.build import build
from tests.report_tests.conftest import synthetic_run
from tests.search_tests.conftest import settings

PAIRS = "folder CC, 5 pairs, 0123456789ab"
PHOTOGRAPHS = "folder photos, 5 images, 0123456789ab"


def save(path: Path | bytes, seed: int, noise: int = 0) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    generator = np.random.default_rng(seed)
    small = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize((96, 80), Image.Resampling.BICUBIC)).astype(int)
    pixels = (pixels + generator.integers(-noise, noise + 1, pixels.shape)).clip(0, 255)
    with open(path, "wb") as file:
        Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders ``pairs`` and ``other-pairs`` (noisy, clean), and ``train`` and ``val`` of single pictures."""
    for index in range(3):
        for number, name in enumerate(("pairs", "other-pairs")):
            save(tmp_path / name / "noisy" / f"{index}.png", 10 * number + index, noise=20)
            save(tmp_path / name / "clean" / f"{index}.png", 10 * number + index)
        save(tmp_path / "train" / f"{index}.png", 20 + index)
        save(tmp_path / "val" / f"{index}.png", 30 + index)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "search.sessions.session.check_possible", lambda *what: None
    )  # seconds, and not what is asked here
    return tmp_path


def session(*words: str) -> Session:
    """What ``run`` has understood before it trains."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    options = parser.parse_args(["--budget", "5k-params", "--trials", "1", *words])
    return check_and_read(request_of(options))


def test_real_pairs_are_not_called_by_a_noise_level(home: Path) -> None:
    both = session("--task", "denoise", "--train-data", "pairs", "--val-data", "other-pairs")
    assert both.settings.rules.title == "denoise of given pairs"
    assert both.request.folder.name == "denoise-given-pairs-5k-params"
    assert "σ" not in understood(both)
    assert "25" not in understood(both).replace(both.settings.val_data, "").replace(both.settings.train_data, "")
    half = session("--task", "denoise", "--train-data", "pairs")
    assert half.settings.rules.title == "denoise σ 25, trained on given pairs"
    plain = session("--task", "denoise", "--train-data", "train")
    assert plain.settings.rules == rules_of("denoise")
    assert plain.request.folder.name == "denoise-5k-params"


@pytest.mark.parametrize(
    ("task", "option"), [("denoise", "--sigma=15"), ("deblur", "--extent=2-5"), ("deblur", "--sigma=1")]
)
def test_an_option_that_would_change_nothing_is_refused(home: Path, capsys, task: str, option: str) -> None:
    words = ["--task", task, "--budget", "5k-params", "--train-data", "pairs", "--val-data", "other-pairs"]
    assert main(["run", *words, option]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{option.split('=')[0]} says how clean pictures are degraded, got" in error
    assert not (home / "runs").exists()


def test_a_record_says_what_its_data_hold() -> None:
    made = replace(settings(), task="denoise", scale=1, train_data=PAIRS, val_data=PAIRS)
    assert RunSettings.from_dict(made.to_dict()).rules.title == "denoise of given pairs"
    assert replace(made, train_data=PHOTOGRAPHS, val_data=PHOTOGRAPHS).rules == rules_of("denoise")


def test_pictures_that_training_and_validation_share_are_questioned(home: Path) -> None:
    same = session("--task", "sr", "--train-data", "train", "--val-data", "train")
    assert same.settings.overlap == "training has seen it: 0.png shows what 0.png of the validation pictures shows"
    assert f"warning: {same.settings.overlap}" in understood(same)
    save(home / "val" / "renamed.png", 21)
    assert (
        "1.png shows what renamed.png"
        in session("--task", "sr", "--train-data", "train", "--val-data", "val").settings.overlap
    )
    (home / "val" / "renamed.png").unlink()
    for words in (("--train-data", "train", "--val-data", "val"), ("--train-data", "train"), ()):
        apart = session("--task", "sr", *words)
        assert apart.settings.overlap == ""
        assert "warning" not in understood(apart)


def test_the_shared_picture_stands_in_the_caption() -> None:
    run = synthetic_run()
    assert "training has seen it" not in caption(run, 0)
    shared = replace(run, settings=replace(run.settings, overlap="training has seen it: a shows what b shows"))
    assert "(training has seen it: a shows what b shows)" in caption(shared, 0)


def test_names_of_any_bytes_come_into_the_record(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = b"f\xe9t"
    save(os.fsencode(home) + b"/" + folder + b"/caf\xe9.png", 1)
    word = os.fsdecode(folder)
    monkeypatch.setattr(sys, "argv", ["search", "run", "--train-data", word])
    given = session("--task", "sr", "--train-data", word, "--val-data", word)
    assert r"folder f\xe9t, 1 images" in given.settings.train_data
    assert given.request.command == r"python -m search run --train-data 'f\xe9t'"
    json.dumps(given.settings.to_dict(), ensure_ascii=False).encode()
    understood(given).encode()


def network_file(path: Path) -> Path:
    torch.manual_seed(0)
    save_weights(path, build(named_architecture("ecbsr-m4c8", 2)), {})
    return path


def test_evaluate_measures_on_those_of_a_list(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "two.txt").write_bytes("# two of them\r\n2\r\n./0.png\r\n".encode("utf-16"))
    weights = network_file(home / "w.safetensors")
    command = ["evaluate", "ecbsr-m4c8", "--weights", str(weights), "--scale", "2", "--json"]
    assert main([*command, "--data", "val@two.txt"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["psnr_db_by_image"]) == ["2.png", "0.png"]
    assert found["data"].startswith("val@two.txt: folder val, 2 images, ")
    assert main([*command, "--data", f"{home}/val"]) == 0
    assert len(json.loads(capsys.readouterr().out)["psnr_db_by_image"]) == 3
    for data, part in (
        ("val@none.txt", "a list of pictures must be a file, got none.txt, which is no file"),
        ("none@two.txt", "image folder must exist, got none"),
        (".", "holds only folders (other-pairs, pairs, train, val)"),
        ("pairs", "cannot serve sr"),
    ):
        if data == ".":
            for file in home.iterdir():
                if file.is_file():
                    file.rename(home / "val" / f".{file.name}")
            command[3] = str(home / "val" / ".w.safetensors")
        assert main([*command, "--data", data]) == 2
        error = capsys.readouterr().err
        assert part in error
        assert error.count("\n") == 1


def record(data: str) -> TrainingRecord:
    arch = named_architecture("dncnn-list", 1)
    training = Training("dncnn-list", arch, rules_of("denoise", 1, {"channels": "grey"}), "short", 8, 0, ("a",), ("a",))
    result = SetResult(30.0, 0.9, 28.0, 0.8, 5, f"a: {data}")
    about = {"device": "CPU", "commit": "abc", "torch": "2"}
    return TrainingRecord(training, 1, 1, 1, (8, 8), {"a": result}, 1.0, f"a: {data}", about, "c", "2026-01-01")


def test_trainings_on_pairs_are_reported_as_such(tmp_path: Path) -> None:
    titles = list(rows([record(PAIRS), record(PHOTOGRAPHS)])["task"])
    assert titles == ["denoise of given pairs grey", "denoise σ 25 grey"]
    write_reproduction(tmp_path, [record(PAIRS)])
    assert "σ" not in (tmp_path / "README.md").read_text()
    assert (tmp_path / "psnr-denoise-of-given-pairs-grey.png").exists()
