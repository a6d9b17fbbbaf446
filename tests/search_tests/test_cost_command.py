"""``python -m search cost``: exact counts and milliseconds per table, of published networks and the user's own."""

import json
from pathlib import Path

import pytest

from latency_tables.cli import main as latency_main
from latency_tables.tables.table import table_names
from search.cli import main

OWN = """
import torch
from torch import nn

def denoiser():
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1))

class Sampler(nn.Module):
    def forward(self, x):
        grid = torch.zeros(1, *x.shape[2:], 2, device=x.device) + x.mean() * 0
        return nn.functional.grid_sample(x, grid, align_corners=False)

class WithMask(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image, mask):
        print("forward")
        return {"image": self.conv(torch.cat([image, mask], 1))}

def talkative():
    print("made")
    return denoiser()
"""


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_networks.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main(["cost", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_papers_network_has_a_figure_on_every_table(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "s-lwsr16", "--input", "320x180")
    assert (found["params"], found["macs"], found["input"]) == (143755, 10193414400, "320x180")
    assert set(found["latency"]) == set(table_names())
    for figure in found["latency"].values():
        assert 0 < figure["low"] < figure["ms"] < figure["high"]
        assert sum(figure["by_kind"].values()) == pytest.approx(figure["ms"])
        assert sum(figure["by_part"].values()) == pytest.approx(figure["ms"])
        assert 0 < figure["outside_convolutions_ms"] < figure["ms"]
        assert figure["origin"] in figure["by_origin"]
    assert found["latency"]["pixel4-a76"]["ms"] < found["latency"]["pixel4-a55"]["ms"]


def test_a_network_of_the_users_own(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "own_networks:denoiser", "--input", "64x32", "--device", "pixel4-a76")
    assert found["macs"] == 64 * 32 * 9 * 32
    assert set(found["latency"]) == {"pixel4-a76"}
    assert set(found["latency"]["pixel4-a76"]["by_kind"]) == {"conv 3x3"}


def test_a_network_that_a_table_cannot_price_keeps_its_exact_costs(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "own_networks:Sampler")
    assert found["latency"] == {}
    assert set(found["latency_refused"]) == set(table_names())
    assert "gather grid_sampler_2d" in found["latency_refused"]["pixel4-a76"]


def test_several_inputs(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("own_networks:WithMask", "--channels", "3,1", "--device", "pixel4-a76")
    assert document(capsys, *arguments, "--inputs", "64x32")["macs"] == 64 * 32 * 9 * 12
    assert document(capsys, *arguments, "--input", "64x32,64x32")["macs"] == 64 * 32 * 9 * 12


def test_what_own_code_prints_is_not_in_the_json(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert document(capsys, "own_networks:talkative", "--input", "64x32")["macs"] == 64 * 32 * 9 * 32


@pytest.mark.parametrize("program", ["search", "latency_tables"])
def test_a_network_without_operators_costs_nothing_and_says_so(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if program == "search":
        assert main(["cost", "torch.nn:Identity"]) == 0
    else:
        assert latency_main(["predict", "pixel4-a76", "torch.nn:Identity"]) == 0
    assert "no operator runs: it gives back what it gets, and costs nothing" in capsys.readouterr().out


def test_help_says_that_a_factory_runs_code(capsys: pytest.CaptureFixture[str]) -> None:
    for command, arguments in ((main, ("cost", "--help")), (latency_main, ("predict", "--help"))):
        with pytest.raises(SystemExit):
            command(arguments)
        assert "runs its code" in " ".join(capsys.readouterr().out.split())


def test_text_fits_a_terminal_of_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "s-lwsr16"]) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    for word in ("90 % band", "upsampler", "fitted", "Google Pixel 4"):
        assert word in out


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("s-lwsr16", "--device", "pixel9"), "unknown latency table 'pixel9'; known: "),
        (("own_networks:Sampler", "--device", "pixel4-a76"), "has no figure for gather grid_sampler_2d"),
        (("own_networks:denoiser", "--scale", "2"), "--scale is for published networks"),
        (("s-lwsr16", "--scale", "7"), "--scale of sr must be one of"),
        (("s-lwsr16", "--input", "4x4"), "--input must be WIDTHxHEIGHT"),
        (("absent.pt2",), "no such file"),
        (("nothing",), "unknown network 'nothing'"),
        (("own_networks:WithMask",), "takes 2 inputs (image, mask), got 1"),
        (("own_networks:WithMask", "--channels", "3,1", "--input", "8x8,8x8,8x8"), "must be one size or 2"),
        (("own_networks:denoiser", "--channels", "3,x"), "--channels must be whole numbers"),
        (("own_networks:denoiser", "--channels", ""), "--channels must be whole numbers"),
        (("s-lwsr16", "--channels", "3"), "--channels is for your own"),
    ],
)
def test_a_mistake_is_one_line(
    own_folder: Path, arguments: tuple[str, ...], rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", *arguments]) == 2
    error = capsys.readouterr().err
    assert rule in error
    assert error.count("\n") == 1


def test_the_papers_own_count_stands_beside_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "dncnn-list", "--input", "256x256", "--device", "pixel4-a76"]) == 0
    shown = capsys.readouterr().out
    assert "35,472" in shown
    assert "37,392" in shown
    assert "batch norm included" in shown
