"""Every table that ships: it loads, says its units, charges more for more work, and refuses what it does not know."""

from dataclasses import replace

import pytest

from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.estimate import MissingOperatorError, estimate, price
from latency_tables.tables.rows import ORIGINS
from latency_tables.tables.table import load_table, table_names

PIXELS = ((45, 80), (90, 160), (180, 320), (360, 640))
CHANNELS = (1, 3, 4, 7, 8, 9, 16, 17, 32, 48, 64, 128)


def _conv(channels: int, height: int = 90, width: int = 160, kernel: int = 3) -> EngineOperator:
    read = channels * height * width
    return EngineOperator("conv", height, width, channels, channels, read, kernel=(kernel, kernel))


def _add(channels: int, height: int = 90, width: int = 160) -> EngineOperator:
    return EngineOperator("add", height, width, channels, channels, 2 * channels * height * width)


OPERATORS = {"conv": _conv, "add": _add}


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


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("name", table_names())
def test_more_channels_and_more_pixels_never_cost_less(name: str, kind: str) -> None:
    table, operator = load_table(name), OPERATORS[kind]
    by_channels = [estimate(table, [operator(channels)]).ms for channels in CHANNELS]
    by_pixels = [estimate(table, [operator(16, *size)]).ms for size in PIXELS]
    for costs in (by_channels, by_pixels):
        assert costs[0] > 0
        assert costs == sorted(costs)


@pytest.mark.parametrize("name", table_names())
def test_an_unknown_operator_is_refused_by_name(name: str) -> None:
    unknown = replace(_add(8), kind="teleport")
    table = load_table(name)
    assert price(table, unknown) is None
    with pytest.raises(MissingOperatorError, match="teleport"):
        estimate(table, [unknown])


@pytest.mark.parametrize("name", [name for name in table_names() if name.endswith("-int8")])
def test_int8_stands_beside_fp32_of_the_same_cores(name: str) -> None:
    int8, fp32 = load_table(name), load_table(name.removesuffix("-int8"))
    assert (int8.device, int8.core, int8.threads) == (fp32.device, fp32.core, fp32.threads)
    assert int8.dtype != fp32.dtype
