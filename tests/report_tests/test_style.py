"""Names in plots are what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from latency_tables.measuring import plots
from reports.plotting.style import write_png

NAMES = ["phone $x^_{$", "a$b$c", r"$\\nothing{$", "[train]"]


@pytest.mark.parametrize("name", NAMES)
def test_dollar_signs_in_names_are_no_formula(name: str, tmp_path: Path) -> None:
    """As formulas, the first and the third do not parse and would end the report."""

    def draw() -> Figure:
        figure = Figure()
        axes = figure.subplots()
        axes.set(title=name, xlabel=name, xscale="log")
        axes.plot([1, 1000], [1, 2], label=name)
        axes.annotate(name, (1, 1))
        axes.legend()
        figure.text(0, 0, name)
        return figure

    write_png(tmp_path / "names.png", draw)
    assert (tmp_path / "names.png").stat().st_size > 1000


def test_the_title_of_a_validation_is_a_device_name(tmp_path: Path) -> None:
    found = {"networks": 1, "mape": 0.1, "within_10": 1.0, "spearman": 1.0, "in_band": 1.0, "bias": 0.0}
    figure = plots.figure([plots.Mark("dense", 10.0, 11.0)], NAMES[0], found)
    assert not figure._suptitle.get_parse_math()
