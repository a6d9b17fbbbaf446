"""Milliseconds of our networks: by screening as by a full trace, and alike for alike networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluators.costs import architecture_costs
from evaluators.latency import explained, latency_difference
from evaluators.quantities import latency_key, table_of
from latency_tables.tables.estimate import Latency
from latency_tables.tables.table import LatencyTable, load_table
from space import TASKS, ZOO, UserError
from tests.random_networks import random_architecture
from tests.small_table import write_small_table

SIZE = (64, 36)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> LatencyTable:
    return load_table(str(write_small_table(tmp_path_factory.mktemp("tables"))))


def test_screening_gives_the_milliseconds_of_a_full_trace(table: LatencyTable) -> None:
    task, generator = TASKS["sr"], np.random.default_rng(0)
    for _ in range(20):
        arch = random_architecture(task.shape(4), task.backbones, generator)
        whole = explained(arch, SIZE, table)
        figure = whole.latency
        assert architecture_costs(arch, SIZE, (table,)).latency == {
            "board-x1": Latency(
                pytest.approx(figure.ms), pytest.approx(figure.low), pytest.approx(figure.high), figure.origin
            )
        }
        assert sum(whole.by_part.values()) == pytest.approx(figure.ms)
        assert whole.by_part["upsampler"] > 0


def test_costs_carry_the_tables_that_were_asked_for(table: LatencyTable, tmp_path: Path) -> None:
    arch = ZOO["s-lwsr16"].architecture
    slow = load_table(str(write_small_table(tmp_path, "board-y2", 2.0)))
    plain, both = architecture_costs(arch, SIZE), architecture_costs(arch, SIZE, (table, slow))
    assert plain.latency == {}
    assert set(both.latency) == {"board-x1", "board-y2"}
    assert both.of("ms@board-y2") == pytest.approx(2 * both.of("ms@board-x1"))
    assert (both.of("params"), both.of("macs")) == (plain.of("params"), plain.of("macs"))
    assert [both.has(word) for word in ("macs", "ms@board-x1", "ms@else", "psnr")] == [True, True, False, False]
    with pytest.raises(UserError, match="known: board-x1, board-y2"):
        both.of("ms@else")


def test_what_two_networks_share_cancels(table: LatencyTable) -> None:
    first, other = ZOO["s-lwsr16"].architecture, ZOO["s-lwsr16-no-pool"].architecture
    same = latency_difference(first, first, SIZE, table)
    assert (same.ms, same.tied) == (0, True)
    found = latency_difference(other, first, SIZE, table)
    figures = [architecture_costs(arch, SIZE, (table,)).latency["board-x1"] for arch in (other, first)]
    assert found.ms == pytest.approx(figures[1].ms - figures[0].ms)
    assert found.high - found.low < figures[1].high - figures[0].low


def test_words_name_tables() -> None:
    assert table_of(latency_key("pixel4-a76")) == "pixel4-a76"
    assert table_of("macs") is None
