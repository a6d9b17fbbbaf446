"""The page on how well the tables of published phones predict what they have not seen."""

from __future__ import annotations

import numpy as np

from latency_tables.fitting.fit import published_problem
from latency_tables.fitting.tables import SHIPPED
from reports.networks import latency_fit


def test_a_line_for_each_table() -> None:
    lines = list(latency_fit._tables())
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[3:]] == list(SHIPPED)
    assert len({line.count("|") for line in lines[1:]}) == 1


def test_marked_networks_and_groups_are_there() -> None:
    problem = published_problem()
    errors = np.full(problem.latency_ms.shape, -0.04)
    assert "| -4.0 | 4.0 | -4.0 |" in list(latency_fit._marked(problem, errors))[3]
    summary = list(latency_fit._summary(problem, errors))
    assert summary[-1].startswith("| all | 84 | 4.0 (4.0 to 4.0) | 8.5 |")


def test_figure_shows_every_network_of_six_tables(monkeypatch) -> None:
    monkeypatch.setattr(latency_fit, "SHOWN", (latency_fit.SHOWN[0],) * 6)  # one fit is enough here
    figure = latency_fit.held_out_figure()
    assert len(figure.axes) == 6
    for axes in figure.axes:
        points = [collection.get_offsets().shape[0] for collection in axes.collections[1:]]
        assert points == [98, 4]
        assert "%" in axes.get_title()
