"""Every table that ships: it loads, says its units, charges more for more work, and refuses what it does not know."""

from dataclasses import replace

import numpy as np
import pytest

from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.estimate import MissingOperatorError, estimate, price
from latency_tables.tables.rows import ORIGINS
from latency_tables.tables.table import load_table, table_names
from tests.latency_tests.priced_operators import KERNELS, KINDS, operator

PIXELS = ((4, 7), (45, 80), (90, 160), (180, 320), (360, 640))
CHANNELS = (1, 3, 4, 7, 8, 9, 16, 17, 32, 48, 64, 128)
ADD = EngineOperator("add", 90, 160, 8, 8, 2 * 8 * 90 * 160)


@pytest.mark.parametrize("name", table_names())
def test_a_table_says_what_its_milliseconds_are_of(name: str) -> None:
    table = load_table(name)
    assert table.name == name
    assert table.threads >= 1
    assert all((table.device, table.soc, table.core, table.dtype, table.engine, table.engine_version))
    assert name.endswith("-int8") == (table.dtype != "fp32")


@pytest.mark.parametrize("name", table_names())
def test_no_price_is_negative_and_each_says_its_origin(name: str) -> None:
    table = load_table(name)
    rows = [*table.shapes.values(), *table.classes.values()]
    assert rows
    assert all(row.latency_ms >= 0 and row.relative_error >= 0 and row.origin in ORIGINS for row in rows)


@pytest.mark.parametrize("name", table_names())
def test_more_channels_and_more_pixels_never_cost_less(name: str) -> None:
    table = load_table(name)
    known = [kind for kind in KINDS if price(table, operator(*kind, (8, 8), (90, 160), 1)) is not None]
    assert {"conv", "depthwise_conv", "grouped_conv", "transposed_conv", "add"} <= {kind for kind, _ in known}
    for kind, function in known:
        for kernel in range(len(KERNELS) if kind.endswith("conv") else 1):

            def ms(channels: int, size: tuple[int, int]) -> float:
                made = operator(kind, function, (channels, channels), size, kernel)  # noqa: B023 (called at once)
                return price(table, made).ms

            by_channels = [ms(channels, (90, 160)) for channels in CHANNELS]
            by_pixels = [ms(16, size) for size in PIXELS]
            for costs in (by_channels, by_pixels):
                assert costs[0] > 0
                assert costs == sorted(costs)


@pytest.mark.parametrize("name", table_names())
def test_cost_never_falls_when_one_side_grows(name: str) -> None:
    table, generator = load_table(name), np.random.default_rng(table_names().index(name))
    for kind, function in KINDS:
        for _ in range(6):
            into, out, kernel = (int(value) for value in generator.integers((1, 1, 0), (65, 65, len(KERNELS))))
            height, width = (int(value) for value in generator.integers(4, 400, 2))
            small = price(table, operator(kind, function, (into, out), (height, width), kernel))
            if small is None:  # a measured table knows what was measured
                continue
            larger = (
                operator(kind, function, (into + 1, out), (height, width), kernel),
                operator(kind, function, (into, out + 1), (height, width), kernel),
                operator(kind, function, (into, out), (height + 1, width), kernel),
                operator(kind, function, (4 * into, 3 * out), (2 * height, 2 * width), kernel),
            )
            assert small.ms > 0
            assert min(price(table, op).ms for op in larger) >= small.ms * (1 - 1e-12)


@pytest.mark.parametrize("name", table_names())
def test_an_unknown_operator_is_refused_by_name(name: str) -> None:
    unknown = replace(ADD, kind="teleport")
    table = load_table(name)
    assert price(table, unknown) is None
    with pytest.raises(MissingOperatorError, match="teleport"):
        estimate(table, [unknown])


@pytest.mark.parametrize("name", [name for name in table_names() if name.endswith("-int8")])
def test_int8_stands_beside_fp32_of_the_same_cores(name: str) -> None:
    int8, fp32 = load_table(name), load_table(name.removesuffix("-int8"))
    assert (int8.device, int8.core, int8.threads) == (fp32.device, fp32.core, fp32.threads)
    assert int8.dtype != fp32.dtype
