"""The tables that ship for published phones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from latency_tables.cli import fit
from latency_tables.fitting.tables import SHIPPED, build_table
from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.classes import cost_class
from latency_tables.tables.estimate import MissingOperatorError, estimate, price
from latency_tables.tables.table import DATA, load_table, write_table
from tests.latency_tests.priced_operators import KINDS, operator


@pytest.mark.parametrize("name", SHIPPED)
def test_says_where_it_comes_from(name: str) -> None:
    table = load_table(name)
    assert table.provenance["commit"] == "40ba833a9ca560a3035a76a5c3da504082dec001"
    assert table.provenance["licence"] == "MIT"
    assert {"lofo_mape", "lomo_mape", "spearman", "coverage_90"} <= set(table.provenance["held_out"])
    assert 0.8 <= table.provenance["held_out"]["coverage_90"] <= 0.95
    assert table.samples.shape == (len(table.classes), 60)
    assert {row.origin for row in table.classes.values()} == {"fitted", "traffic-estimate"}


def test_every_shipped_name_has_a_file_and_the_other_way_round() -> None:
    fitted = {path.name.removesuffix(".provenance.json") for path in DATA.glob("*.provenance.json")}
    assert set(SHIPPED) <= fitted


@pytest.mark.parametrize("name", ["pixel4-a76", "mi8se-a55-4t-int8"])
def test_written_anew_is_the_same_to_the_byte(name: str, tmp_path: Path) -> None:
    write_table(tmp_path / f"{name}.csv", build_table(name))
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (DATA / path.name).read_bytes()


def test_gather_is_refused_by_name() -> None:
    with pytest.raises(MissingOperatorError, match="gather grid_sampler_2d"):
        estimate(load_table("pixel4-a76"), [EngineOperator("gather", 8, 8, 3, 3, 192, function="grid_sampler_2d")])


def test_no_step_at_any_number_of_channels() -> None:
    """A class may not end at a number of channels or pixels: a search would find the step.

    But a product at one pixel, which costs no more than at two (tests/latency_tests/test_lowering.py).
    """
    for kind, function in KINDS:
        few = operator(kind, function, (1, 1), (2, 1), 1)
        many = operator(kind, function, (999, 999), (999, 999), 1)
        assert cost_class(few) == cost_class(many)


def test_narrow_convolutions_cost_more_per_mac() -> None:
    """Published by measurement: 16 channels and fewer cost about twice as much per MAC as many (A76, fp32)."""
    table = load_table("pixel4-a76")

    def per_mac(channels: int) -> float:
        op = operator("conv", "", (channels, channels), (180, 320), 1)
        return price(table, op).ms / op.macs

    ratios = [per_mac(channels) / per_mac(256) for channels in (8, 16, 32, 64)]
    assert ratios == sorted(ratios, reverse=True)
    assert 1.5 < ratios[1] < 3


def test_estimated_operators_carry_a_wide_band() -> None:
    table = load_table("pixel4-a55")
    shuffle = EngineOperator("pixel_shuffle", 720, 1280, 48, 3, 180 * 320 * 48, factor=4)
    latency = estimate(table, [shuffle])
    assert latency.origin == "traffic-estimate"
    assert latency.high / latency.low > 2
    assert estimate(table, [replace(shuffle, kind="add", factor=1)]).origin == "fitted"


def test_fit_command_writes_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    fit.add_options(parser)
    options = parser.parse_args(["a03s-a53", "--to", str(tmp_path)])
    assert fit.execute(options) == 0
    assert "a03s-a53" in capsys.readouterr().out
    assert (tmp_path / "a03s-a53.csv").read_bytes() == (DATA / "a03s-a53.csv").read_bytes()
    options = parser.parse_args(["pixel9-x4"])
    with pytest.raises(ValueError, match="got 'pixel9-x4'; those are pixel4-a76"):
        fit.execute(options)
