"""``python -m latency_tables list | show | predict``."""

import json
from pathlib import Path

import pytest

from latency_tables.cli import main
from latency_tables.tables.table import table_names


def test_list_names_every_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == list(table_names())
    assert all(entry["engine"] and entry["core"] for entry in listed)
    assert main(["list"]) == 0


def test_show_says_where_the_figures_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "pixel4-a76", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["provenance"]["licence"].startswith("MIT")
    assert shown["prices"]
    assert main(["show", "pixel4-a76"]) == 0
    assert "MIT" in capsys.readouterr().out


def test_predict_lists_operators_that_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "pixel4-a76", "s-lwsr16", "--json"]) == 0
    predicted = json.loads(capsys.readouterr().out)
    assert sum(row["ms"] for row in predicted["operators"]) == pytest.approx(predicted["ms"])
    assert predicted["low"] < predicted["ms"] < predicted["high"]
    assert main(["predict", "pixel4-a76", "s-lwsr16", "--input", "64x48"]) == 0


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["show", "no-such-table"], "unknown latency table 'no-such-table'; known: "),
        (["predict", "pixel4-a76", "no-such-network"], "unknown network 'no-such-network'"),
        (["predict", "pixel4-a76", "s-lwsr16", "--input", "big"], "--input must be WIDTHxHEIGHT"),
        (["show", "absent.csv"], "which is no file"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert rule in error
    assert error.count("\n") == 1


def test_a_network_with_an_unknown_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sampled.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        grid = torch.zeros(1, *x.shape[2:], 2, device=x.device)\n"
        "        return torch.nn.functional.grid_sample(x, grid + x.mean() * 0)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "pixel4-a76", "sampled:Net"]) == 2
    assert "gather grid_sampler_2d" in capsys.readouterr().err
