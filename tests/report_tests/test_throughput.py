"""Work against time: the groups of operators add up to each network, and none is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from evaluators.costs import architecture_costs
from latency_tables.tables.table import LatencyTable, load_table
from reports.networks import throughput
from reports.networks.throughput import GROUPS, Point, figure, points, shares, tenths
from space.tasks import TASKS
from space.zoo import ZOO


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return load_table(throughput.TABLE)


@pytest.fixture(scope="module")
def found(table: LatencyTable) -> tuple[Point, ...]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(throughput, "COUNT", 40)
        return points(table)


def test_groups_add_up_to_the_network(found: tuple[Point, ...]) -> None:
    for each in found:
        assert sum(each.macs_by_group.values()) == each.macs
        assert sum(each.ms_by_group.values()) == pytest.approx(each.ms, rel=1e-9)
        assert each.ms_by_group.keys() <= GROUPS.keys()


def test_published_networks_cost_what_they_cost_elsewhere(found: tuple[Point, ...], table: LatencyTable) -> None:
    published = {each.name: each for each in found if each.name}
    assert published.keys() == {entry.name for entry in ZOO.values() if entry.task == "sr"}
    size = TASKS["sr"].input_sizes[throughput.SCALE]
    for name in ("carn-m", "s-lwsr16", "srresnet-lite"):
        costs = architecture_costs(ZOO[name].at_scale(throughput.SCALE), size, [table])
        assert published[name].macs == costs.macs
        assert published[name].ms == pytest.approx(costs.latency[table.name].ms)


def test_shares_and_tenths(found: tuple[Point, ...]) -> None:
    all_shares = shares(found)
    assert sum(macs for macs, _ms, _speed in all_shares.values()) == pytest.approx(1)
    assert sum(ms for _macs, ms, _speed in all_shares.values()) == pytest.approx(1)
    dear, cheap = tenths(found)
    assert len(dear) == len(cheap) == 4
    assert max(each.gmacs_per_s for each in dear) < min(each.gmacs_per_s for each in cheap)
    assert not any(each.name for each in (*dear, *cheap))


def test_every_star_is_named_and_no_name_leaves_its_axes_or_covers_another(found, table) -> None:
    drawn = figure(found, table)
    FigureCanvasAgg(drawn)
    drawn.draw_without_rendering()
    scatter, bars = drawn.axes
    named = [name for text in scatter.texts for name in text.get_text().split("\n") if "MACs/s" not in name]
    assert sorted(named) == sorted(each.name for each in found if each.name)
    for axes in (scatter, bars):
        frame = axes.get_window_extent().padded(6)
        for text in axes.texts:
            box = text.get_window_extent()
            assert frame.x0 <= box.x0 < box.x1 <= frame.x1, text.get_text()
            assert frame.y0 <= box.y0 < box.y1 <= frame.y1, text.get_text()
    rates = [text.get_window_extent() for text in scatter.texts if "MACs/s" in text.get_text()]
    others = [text.get_window_extent() for text in scatter.texts if "MACs/s" not in text.get_text()]
    assert not any(rate.overlaps(other) for rate in rates for other in others)
    assert not any(one.overlaps(other) for index, one in enumerate(others) for other in others[:index])


def test_the_page_is_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(throughput, "COUNT", 20)
    monkeypatch.setattr("sys.argv", ["throughput", str(tmp_path)])
    throughput.main()
    assert {path.name for path in tmp_path.iterdir()} >= {"README.md", "throughput.png"}
    text = (tmp_path / "README.md").read_text()
    assert "| grouped convolutions | " in text
    assert "| CARN-M" in text or "| carn-m" in text
