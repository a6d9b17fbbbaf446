"""``evaluate --weights`` and ``list NAME``: whose files are read, and what a user is told of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from evaluators.training.weights import save_weights
from search.cli import main
from search.cli.network_card import network_card, whose_files
from space import ZOO, build
from space.zoo import with_input_skip
from tests.released_states import released_state


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with one small picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(pixels).save(folder / "a.png")
    return folder


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_the_network_that_was_built_is_said(tmp_path: Path, photos: Path, capsys) -> None:
    torch.save(released_state("dncnn-s", 0, 1), tmp_path / "dncnn_25.pth")
    arguments = ("dncnn", "--weights", tmp_path / "dncnn_25.pth", "--data", photos)
    answer = told(capsys, *arguments)
    assert answer["built"] == "dncnn-s"
    assert answer["weights"] == (
        "built dncnn-s from the layout of cszn/KAIR, models/network_dncnn.py (17 or 20 layers with biases, batch norm "
        "folded)"
    )
    assert main(["evaluate", *map(str, arguments)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.startswith("weights: built dncnn-s from the layout of cszn/KAIR")
    assert "DnCNN-S, denoise" in out


def test_the_scale_comes_from_the_file_and_the_option_goes_first(tmp_path: Path, photos: Path, capsys) -> None:
    torch.save({"params_ema": released_state("espcn", 0, 3)}, tmp_path / "x3.pth")
    answer = told(capsys, "espcn", "--weights", tmp_path / "x3.pth", "--data", photos)
    assert answer["scale"] == 3
    assert answer["weights"].endswith("; taken from params_ema")
    message = refused(capsys, "evaluate", "espcn", "--weights", tmp_path / "x3.pth", "--data", photos, "--scale", "2")
    assert "got (9, 32, 3, 3); these weights fit espcn at x3" in message
    message = refused(capsys, "evaluate", "espcn", "--weights", tmp_path / "x3.pth", "--data", photos, "--scale", "7")
    assert "got 7" in message or "x7" in message


def test_own_weights_are_read_with_what_a_wrapper_left(tmp_path: Path, photos: Path, capsys) -> None:
    network = build(with_input_skip(ZOO["s-lwsr16"].at_scale(2)))
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    safetensors.torch.save_file(state, tmp_path / "own.bin")
    answer = told(capsys, "s-lwsr16+skip", "--weights", tmp_path / "own.bin", "--data", photos)
    assert (answer["built"], answer["scale"]) == ("s-lwsr16+skip", 2)
    assert "built s-lwsr16+skip from this project's names; without 'module.' before the names" in answer["weights"]


def test_weights_that_say_another_architecture_are_refused(tmp_path: Path, photos: Path, capsys) -> None:
    arch = with_input_skip(ZOO["s-lwsr16"].architecture)
    save_weights(tmp_path / "w.safetensors", build(arch), {"architecture": arch.key, "network": "s-lwsr16+skip"})
    arguments = ("--weights", tmp_path / "w.safetensors", "--data", photos)
    assert told(capsys, "s-lwsr16+skip", *arguments)["scale"] == 4
    assert "must be of s-lwsr16, got those of s-lwsr16+skip" in refused(capsys, "evaluate", "s-lwsr16", *arguments)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!doctype html><html>", "got an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "got a Git LFS pointer"),
        (b"", "got an empty file"),
    ],
)
def test_another_kind_of_file_is_one_line_and_status_2(tmp_path: Path, capsys, content: bytes, words: str) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    assert words in refused(capsys, "evaluate", "smfanet", "--weights", tmp_path / "w.pth")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, capsys) -> None:
    state = released_state("espcn", 0, 4)
    state["last_part.0.bias"][2] = float("nan")
    torch.save(state, tmp_path / "w.pth")
    message = refused(capsys, "evaluate", "espcn", "--weights", tmp_path / "w.pth")
    assert "must be finite, got NaN in 'upsampler.0.bias'" in message


def test_list_names_whose_files_a_network_reads(capsys) -> None:
    assert main(["list", "dncnn"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "reads weights of: SaoYan/DnCNN-PyTorch, models.py (17 layers without biases, with batch norm)" in out
    assert "reads weights of: cszn/KAIR, models/network_dncnn.py" in out
    assert "builds dncnn-s" in out
    assert main(["list", "smfanet", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["published"][1]["psnr_db"]["Set14"] == 28.71
    assert card["weights"][0].startswith("Zheng-MJ/SMFANet")
    assert "did you mean smfanet" in refused(capsys, "list", "smfnet")


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if entry.layouts])
def test_every_layout_is_named_by_its_repository(name: str) -> None:
    assert all("/" in words.split(",")[0] for words in whose_files(name))
    assert network_card(name)["weights"][-1].startswith("this project")
