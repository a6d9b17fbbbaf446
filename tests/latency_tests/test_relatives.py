"""Operators beyond what was measured: bounded from both sides, with their distance said."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from latency_tables.fitting.networks import networks
from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.classes import SEEN_TAPS, beyond_seen
from latency_tables.tables.estimate import price
from latency_tables.tables.rows import Row
from latency_tables.tables.table import LatencyTable, load_table
from tests.latency_tests.made_tables import table


def nearest(channels: int, factor: int, height: int = 90) -> EngineOperator:
    size = (height * factor, 160 * factor)
    return EngineOperator("resize", *size, channels, channels, height * 160 * channels, "nearest", factor=factor)


def conv(into: int, out: int, kernel: int, height: int = 90) -> EngineOperator:
    return EngineOperator("conv", height, 160, into, out, into * height * 160, kernel=(kernel, kernel))


def resize_ms(op: EngineOperator) -> float:
    """A device that copies pixel by pixel: 1 ns a pixel and 0.05 ns an element."""
    return 1e-6 * op.pixels * (1 + 0.05 * op.out_channels)


def made(name: str, rows: dict[EngineOperator, float]) -> LatencyTable:
    shapes = {op: Row(ms, "measured", 0.02, "test") for op, ms in rows.items()}
    return table(name=name, shapes=shapes, classes={}, samples=np.zeros((0, 0)))


ROWS = {op: resize_ms(op) for op in (nearest(3, 4), *(nearest(channels, 2) for channels in (8, 16, 32, 64)))}


def test_one_narrow_row_is_not_scaled_up_in_proportion() -> None:
    known = made("resizes", ROWS)
    found = price(known, nearest(32, 4))
    assert found.ms == pytest.approx(resize_ms(nearest(32, 4)), rel=0.3)
    assert ROWS[nearest(3, 4)] < found.ms < ROWS[nearest(3, 4)] * 32 / 3
    assert found.origin_text == "extrapolated, 11 times outside"


def test_costs_beyond_the_measured_ones_never_fall() -> None:
    known = made("resizes again", ROWS)
    generator = np.random.default_rng(1)
    for _ in range(300):
        channels, height, factor = (int(value) for value in generator.integers((1, 4, 2), (200, 300, 5)))
        ms = price(known, nearest(channels, factor, height)).ms
        assert price(known, nearest(channels + 1, factor, height)).ms >= ms * (1 - 1e-9)
        assert price(known, nearest(channels, factor, height + 1)).ms >= ms * (1 - 1e-9)


def test_a_kernel_size_that_was_not_measured_follows_those_that_were() -> None:
    def true_ms(op: EngineOperator) -> float:
        return 1e-8 * op.macs + 1e-7 * op.in_channels * op.taps * op.pixels

    rows = [conv(i, o, kernel) for kernel in (1, 3) for i in (8, 16, 32) for o in (8, 16, 32)]
    known = made("kernels", {op: true_ms(op) for op in rows})
    found = price(known, conv(2, 8, 7))
    assert found.ms == pytest.approx(true_ms(conv(2, 8, 7)), rel=0.2)
    assert found.origin == "extrapolated"
    assert found.distance > 5
    assert found.own_error / found.ms > 0.3


def test_what_no_published_network_has_is_not_called_fitted() -> None:
    known = load_table("pixel4-a76")
    assert price(known, conv(16, 16, 7)).origin == "fitted"
    wide = price(known, conv(16, 16, 11))
    assert wide.origin == "extrapolated"
    assert wide.distance == pytest.approx(121 / 49)
    dilated = EngineOperator("conv", 90, 160, 16, 16, 230_400, kernel=(3, 3), dilation=(2, 2))
    assert price(known, dilated).origin == "extrapolated"
    assert price(known, dilated).own_error > 0


def test_seen_windows_are_those_of_the_published_networks() -> None:
    largest: defaultdict[str, int] = defaultdict(int)
    for op in (op for listed in networks().values() for op in listed):
        assert op.dilation == (1, 1)
        assert beyond_seen(op) == 1
        largest[op.kind] = max(largest[op.kind], op.taps)
    assert {kind: largest[kind] for kind in SEEN_TAPS} == SEEN_TAPS
