"""A user's own operators, measured into a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latency_tables.cli import main
from latency_tables.measuring.extend import add_operators, own_operators
from latency_tables.measuring.measure import Names, measure
from latency_tables.measuring.validate import predictions
from latency_tables.tables.estimate import MissingOperatorError
from latency_tables.tables.rows import Row
from latency_tables.tables.table import load_table
from space import TASKS
from space.errors import UserError
from tests.latency_tests.fake_device import ABOUT, PLAN, FakeSession, conv, cost_ms, harness
from tests.latency_tests.made_tables import table
from tests.random_networks import random_architecture

OWN = (conv(24, 8), conv(8, 24), PLAN.grid[0])


def test_own_operators_are_added_to_the_table(tmp_path: Path) -> None:
    out = tmp_path / "board.csv"
    before = measure(harness(FakeSession()), PLAN, ABOUT, out).table
    session = FakeSession()
    added = add_operators(harness(session), OWN, {"networks": ["mine"]}, out, Names())
    after = load_table(str(out))
    assert after.shapes.keys() == {*PLAN.grid, *OWN} == added.table.shapes.keys()
    assert all(after.shapes[op].latency_ms == pytest.approx(before.shapes[op].latency_ms, rel=1e-5) for op in PLAN.grid)
    assert after.shapes[conv(24, 8)].latency_ms == pytest.approx(cost_ms(conv(24, 8)), rel=1e-4)
    (record,) = after.provenance["added"]
    assert record["measured"]["networks"] == ["mine"]
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".json", ".jsonl"}
    assert len(list(tmp_path.glob("*.csv"))) == 2  # the table and its check
    with pytest.raises(UserError, match="has them all"):
        add_operators(harness(FakeSession()), OWN, {}, out, Names())


def test_another_device_is_not_added(tmp_path: Path) -> None:
    out = tmp_path / "board.csv"
    measure(harness(FakeSession()), PLAN, ABOUT, out)
    session = FakeSession()
    session.identity |= {"hostname": "other"}
    with pytest.raises(UserError, match="must be of the same device"):
        add_operators(harness(session), OWN, {}, out, Names())
    assert not session.timed


def test_without_a_table_one_is_made(tmp_path: Path) -> None:
    out = tmp_path / "mine.csv"
    add_operators(harness(FakeSession()), OWN, {"networks": ["mine"]}, out, Names())
    assert load_table(str(out)).shapes.keys() == set(OWN)


def test_operators_of_a_network_and_of_a_file(tmp_path: Path) -> None:
    out = tmp_path / "board.csv"
    measure(harness(FakeSession()), PLAN, ABOUT, out)
    assert set(own_operators((), None, out)) == set(PLAN.grid)
    network = own_operators(("s-lwsr16",), "64x48", None)
    assert len(network) == len(set(network)) > 5
    assert all(op.part == "" for op in network)
    lines = out.read_text().splitlines()
    (tmp_path / "bad.csv").write_text("\n".join([lines[0], lines[1].replace(",conv,", ",convolution,")]) + "\n")
    with pytest.raises(UserError, match=r"bad.csv, line 2: kind must be one of .* got 'convolution'"):
        own_operators((), None, tmp_path / "bad.csv")
    (tmp_path / "empty.csv").write_text(lines[0] + "\n")
    with pytest.raises(UserError, match="must have rows of operators"):
        own_operators((), None, tmp_path / "empty.csv")
    with pytest.raises(UserError, match="which is no file"):
        own_operators((), None, tmp_path / "none.csv")


@pytest.mark.parametrize("options", [["--task", "sr", "--network", "s-lwsr16"], []])
def test_a_task_or_own_operators(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["measure", "--engine", "litert", "--target", "local", "--out", str(tmp_path / "a.csv"), *options]
    assert main(given) == 2
    assert "must have --task, or --network or --operators, got" in capsys.readouterr().err


def test_validate_prices_before_it_measures() -> None:
    known = table(
        name="few", shapes={conv(8, 8): Row(1.0, "measured", 0.02, "test")}, classes={}, samples=np.zeros((0, 0))
    )
    task, generator = TASKS["sr"], np.random.default_rng(0)
    networks = [random_architecture(task.shape(4), task.backbones, generator) for _ in range(3)]
    with pytest.raises(MissingOperatorError, match=r"few must price every network .* got 3 of 3 .* has no figure for"):
        predictions(known, networks, (32, 18))
