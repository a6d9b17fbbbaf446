"""What a table predicts: exactly where it was measured, monotone everywhere, refused where nothing is known."""

from dataclasses import replace

import numpy as np
import pytest

from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.classes import cost_class
from latency_tables.tables.estimate import MissingOperatorError, difference, estimate, explain, price
from latency_tables.tables.grid import OperationGrid
from latency_tables.tables.pricing import is_convolution, kind_label
from latency_tables.tables.relatives import Z90
from latency_tables.tables.rows import Row
from latency_tables.tables.table import LatencyTable, load_table
from tests.latency_tests.made_tables import table

SIZES = ((180, 320), (360, 640))


def conv(wide: int, out: int, height: int = 180, width: int = 320) -> EngineOperator:
    return EngineOperator("conv", height, width, wide, out, wide * height * width, kernel=(3, 3))


def add(channels: int, height: int = 180, width: int = 320) -> EngineOperator:
    return EngineOperator("add", height, width, channels, channels, 2 * channels * height * width)


def true_ms(op: EngineOperator) -> float:
    """A device whose micro-kernel takes 16 output channels at a time."""
    tiles = -(-op.out_channels // 16)
    return op.pixels / 57600 * (0.1 * tiles * op.in_channels + 0.02 * op.in_channels + 0.05 * tiles)


def measured(operators, noise: float = 0.0, seed: int = 0) -> LatencyTable:
    generator = np.random.default_rng(seed)
    rows = {
        op: Row(true_ms(op) * float(np.exp(noise * generator.standard_normal())), "measured", 0.02, "test")
        for op in operators
    }
    return table(name=f"made-{seed}-{len(rows)}-{noise}", shapes=rows, classes={}, samples=np.zeros((0, 0)))


CONVS = [conv(i, o, *size) for size in SIZES for i in (8, 16, 32, 64) for o in (3, 8, 16, 20, 32, 36, 48, 64)]


def test_a_measured_operator_costs_what_was_measured() -> None:
    known = measured(CONVS)
    for op in CONVS:
        found = price(known, op)
        assert found.ms == pytest.approx(true_ms(op))
        assert found.origin == "measured"


def test_between_measured_shapes_costs_are_interpolated() -> None:
    found = price(measured(CONVS), conv(24, 64, 270, 480))
    assert found.origin == "interpolated"
    assert found.ms == pytest.approx(true_ms(conv(24, 64, 270, 480)), rel=0.02)


def test_outside_the_measured_shapes_costs_are_extrapolated_with_a_wider_error() -> None:
    known = measured(CONVS)
    near, far = price(known, conv(96, 64)), price(known, conv(512, 64))
    assert (near.origin, far.origin) == ("extrapolated", "extrapolated")
    assert near.ms == pytest.approx(true_ms(conv(96, 64)), rel=0.05)
    assert far.own_error / far.ms > near.own_error / near.ms


def test_a_missing_cell_follows_the_measured_ones() -> None:
    known = measured([op for op in CONVS if (op.in_channels, op.out_channels) != (32, 32)])
    found = price(known, conv(32, 32))
    assert found.origin == "extrapolated"
    assert found.ms == pytest.approx(true_ms(conv(32, 32)), rel=0.2)


@pytest.mark.parametrize("seed", range(5))
def test_cost_never_falls_when_channels_or_pixels_grow(seed: int) -> None:
    generator = np.random.default_rng(seed)
    some = [CONVS[index] for index in generator.permutation(len(CONVS))[:40]]
    known = measured(some, noise=0.2, seed=seed)
    assert _falls(known, generator, conv) == []


def _falls(known: LatencyTable, generator: np.random.Generator, make) -> list[tuple[EngineOperator, EngineOperator]]:
    falling = []
    for _ in range(400):
        wide, out, height = (int(value) for value in generator.integers(1, 200, 3))
        op = make(wide, out, 2 * height, 3 * height)
        for larger in (
            make(wide + int(generator.integers(1, 9)), out, 2 * height, 3 * height),
            make(wide, out + int(generator.integers(1, 9)), 2 * height, 3 * height),
            make(wide, out, 2 * height + 1, 3 * height),
        ):
            if price(known, larger).ms < price(known, op).ms * (1 - 1e-9):
                falling.append((op, larger))
    return falling


def test_noise_moves_a_measured_cost_little() -> None:
    known = measured(CONVS, noise=0.01, seed=4)
    for op, row in known.shapes.items():
        assert price(known, op).ms == pytest.approx(row.latency_ms, rel=0.05)


def test_two_outputs_per_channel_are_an_operation_of_their_own() -> None:
    """XNNPACK has fast kernels for one output per channel alone: in one monotone grid 27.6 ms of 36->72 became 7.4,
    and 3.1 of 72 channels 7.4 as well (LiteRT 2.3.0 on x86, 320x180)."""
    measured_ms = {(36, 36): 1.7, (72, 72): 3.1, (144, 144): 6.1, (36, 72): 27.6}
    rows = {
        EngineOperator("depthwise_conv", 180, 320, wide, out, wide * 57600, kernel=(3, 3)): Row(
            ms, "measured", 0.02, ""
        )
        for (wide, out), ms in measured_ms.items()
    }
    known = table(name="depthwise", shapes=rows, classes={}, samples=np.zeros((0, 0)))
    for op, row in rows.items():
        assert price(known, op).ms == pytest.approx(row.latency_ms, rel=1e-9)


def test_a_measured_cost_that_the_grid_moves_says_so_in_its_band() -> None:
    """12 channels that take longer than 16 do."""
    rows = {
        EngineOperator("add", 180, 320, channels, channels, 2 * channels * 57600): Row(ms, "measured", 0.02, "")
        for channels, ms in ((8, 0.4), (12, 1.2), (16, 0.6), (32, 1.3))
    }
    known = table(name="moved", shapes=rows, classes={}, samples=np.zeros((0, 0)))
    for op, row in rows.items():
        found = price(known, op)
        assert abs(found.ms - row.latency_ms) <= Z90 * found.own_error + 1e-9
    assert price(known, add(16)).own_error > 0.1 * price(known, add(16)).ms


def test_channels_first_grown_then_shrunk_meet() -> None:
    """A grid of one operator alone still answers, in proportion."""
    grid = OperationGrid({conv(16, 16): 2.0})
    assert grid.at(conv(16, 16)) == (pytest.approx(2.0), "measured", 1.0)
    assert grid.at(conv(32, 16))[0] == pytest.approx(4.0)
    assert grid.at(conv(8, 16))[0] == pytest.approx(2.0)
    assert grid.at(conv(16, 16, 90, 320))[0] == pytest.approx(1.0)


def test_what_only_moves_elements_is_bounded_by_its_traffic() -> None:
    known = table(
        name="traffic", shapes={add(16): Row(1.0, "measured", 0.02, "test")}, classes={}, samples=np.zeros((0, 0))
    )
    shuffled = EngineOperator("pixel_shuffle", 360, 640, 64, 16, 64 * 180 * 320, factor=2)
    found = price(known, shuffled)
    assert found.origin == "traffic-estimate"
    assert found.ms == pytest.approx(1.0 * 128 / 48)


def test_what_is_not_known_is_refused_by_name_and_never_free() -> None:
    known = measured(CONVS)
    gather = EngineOperator("gather", 180, 320, 8, 8, 460800, function="grid_sampler_2d")
    wide = EngineOperator("transposed_conv", 360, 640, 8, 8, 460800, kernel=(4, 4), stride=(2, 2))
    with pytest.raises(MissingOperatorError, match=r"gather grid_sampler_2d.*; transposed_conv 4x4 stride 2x2"):
        estimate(known, (conv(8, 8), gather, wide))


def test_a_class_whose_prices_are_all_zero_is_not_free() -> None:
    free = {(cost_class(conv(8, 8)), "GMAC"): Row(0.0, "fitted", 0.1, "test")}
    with pytest.raises(MissingOperatorError):
        estimate(table(name="free", shapes={}, classes=free, samples=np.zeros((0, 0))), (conv(8, 8),))


def test_shares_add_up() -> None:
    operators = (replace(conv(8, 8), part="body.0"), replace(conv(8, 16), part="tail"), conv(64, 3))
    found = explain(measured(CONVS), operators)
    figure = found.latency
    for shares in (found.by_kind, found.by_part, found.by_origin):
        assert sum(shares.values()) == pytest.approx(figure.ms)
    assert set(found.by_part) == {"body", "tail", "between parts"}
    assert figure.low < figure.ms < figure.high


def test_what_is_outside_convolutions_is_added_up() -> None:
    found = explain(load_table("pixel4-a76"), (conv(8, 8), add(8)))
    assert 0 < found.outside_convolutions_ms == found.by_kind["add"] < found.latency.ms
    assert found.to_dict()["outside_convolutions_ms"] == found.outside_convolutions_ms
    assert explain(load_table("pixel4-a76"), (conv(8, 8),)).outside_convolutions_ms == 0


@pytest.mark.parametrize("kind", ["conv", "depthwise_conv", "grouped_conv", "transposed_conv"])
def test_every_kind_of_convolution_is_one(kind: str) -> None:
    assert is_convolution(kind_label(EngineOperator(kind, 8, 8, 8, 8, 0, kernel=(3, 3))))


def test_the_worst_origin_is_named() -> None:
    figure = estimate(measured(CONVS), (conv(8, 8), conv(24, 24)))
    assert figure.origin == "interpolated"


def test_what_two_networks_share_cancels_in_their_difference() -> None:
    known = measured(CONVS)
    shared = (conv(64, 64),) * 20
    small, large = (*shared, conv(8, 8)), (*shared, conv(8, 16))
    assert difference(known, small, small).ms == 0
    apart = difference(known, small, large)
    assert apart.ms == pytest.approx(true_ms(conv(8, 16)) - true_ms(conv(8, 8)))
    whole = estimate(known, large)
    assert apart.high - apart.low < 0.1 * (whole.high - whole.low)


def test_prices_that_are_wrong_together_cancel_in_a_difference() -> None:
    classes = {(cost_class(conv(16, 16)), "GMAC"): Row(50.0, "fitted", 0.3, "test")}
    together = table(
        name="together", shapes={}, classes=classes, samples=np.array([[35.0, 65.0]]), provenance={"residual": 0}
    )
    apart = difference(together, (conv(16, 16),), (conv(16, 17),))
    assert (apart.high - apart.low) / 2 == pytest.approx(apart.ms * 0.3 * 1.645)
