"""Published pictures drawn again from the figures beside them, and that nothing in them touches or leaves its place."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from latency_tables.measuring import plots
from latency_tables.plot_style import KINDS, STYLE
from reports.experiments.ablation_page import figure as ablation_figure
from reports.experiments.ablation_page import stored_variants
from reports.experiments.redraw import redraw
from reports.experiments.reproduction import comparable
from reports.networks import designs
from reports.plotting import style
from search.experiments.ablations import ABLATIONS, comparison
from space.errors import UserError

PUBLISHED = Path(__file__).parents[2] / "reports" / "published"


def rendered(figure: Figure) -> Figure:
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    return figure


def copied(name: str, tmp_path: Path, *files: str) -> Path:
    for file in files:
        shutil.copyfile(PUBLISHED / name / file, tmp_path / file)
    return tmp_path


NOT_HERE = ("precision",)  # its page compares two runs


@pytest.mark.parametrize("name", [name for name in ABLATIONS if name not in NOT_HERE])
def test_a_study_s_labels_keep_apart_and_its_legend_inside(name: str) -> None:
    table = pd.read_csv(PUBLISHED / f"study-{name}" / "psnr.csv")
    study = comparison(name)
    assert set(table["variant"]) == set(study.variants)
    figure = rendered(ablation_figure(study, stored_variants(study, table)))
    boxes = [
        label.get_window_extent()
        for axes in figure.axes
        for label in axes.get_xticklabels()
        if axes.get_xlim()[0] <= label.get_position()[0] <= axes.get_xlim()[1]
    ]
    assert not any(box.padded(2).overlaps(other) for index, box in enumerate(boxes) for other in boxes[:index])
    legend = figure.legends[0].get_window_extent()
    assert 0 <= legend.x0 < legend.x1 <= figure.bbox.x1


def test_what_diverged_is_told_from_the_rest() -> None:
    study = comparison("recursion")
    found = stored_variants(study, pd.read_csv(PUBLISHED / "study-recursion" / "psnr.csv"))
    apart = {variant.name: variant.diverged_db for variant in found if variant.diverged_db}
    assert apart == {"6 recursions, no attention": {0: pytest.approx(9.33, abs=0.01)}}
    assert all("attention" in variant.name for variant in found)


def test_a_study_and_a_reproduction_are_drawn_again(tmp_path: Path) -> None:
    study = copied("study-upsamplers", tmp_path, "psnr.csv")
    assert redraw(study) == (tmp_path / "upsamplers.png",)
    assert (tmp_path / "upsamplers.png").read_bytes().startswith(b"\x89PNG")
    other = tmp_path / "other"
    other.mkdir()
    pictures = redraw(copied("reproduce", other, "reproduction.csv"))
    assert {path.name for path in pictures} == {path.name for path in (PUBLISHED / "reproduce").glob("*.png")}


def test_a_folder_of_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must hold psnr\.csv"):
        redraw(tmp_path)
    copied("seed-noise", tmp_path, "psnr.csv")
    with pytest.raises(UserError, match="must hold variants"):
        redraw(tmp_path)


def test_channels_of_the_input_do_not_part_what_can_be_compared() -> None:
    rules = comparison("upsamplers").rules
    assert comparable(rules) == comparable(type(rules)(scale=4, channels="y"))


def test_the_harness_draws_in_the_project_s_style(tmp_path: Path) -> None:
    assert style.STYLE is STYLE
    path = plots.redraw(copied("harness-mnn", tmp_path, "networks.csv", "summary.json"))
    assert path.read_bytes().startswith(b"\x89PNG")
    marks = [plots.Mark("dense", 10.0, 11.0), plots.Mark("nearest", 20.0, 19.0)]
    found = {"networks": 2, "mape": 0.07, "within_10": 1.0, "spearman": 1.0}
    figure = rendered(plots.figure(marks, "a device", found))
    (axes,) = figure.axes
    assert figure.get_suptitle() == "a device"
    assert "2 networks: mean error 7.0 %" in axes.get_title(loc="left")
    colours = {
        text.get_text(): handle
        for text, handle in zip(axes.get_legend().texts, axes.get_legend().legend_handles, strict=True)
    }
    assert len(colours) == 4
    assert len(set(KINDS)) == len(KINDS)


def test_designs_keep_what_was_measured_and_have_a_title(tmp_path: Path) -> None:
    copied("designs", tmp_path, "measured.csv")
    kept = designs.kept(tmp_path)
    assert len(kept) == 10
    found = designs.priced(designs.PHONES, kept)
    assert sum(design.measured_ms is not None for design in found) == 10
    figure = rendered(designs.figure(found, "AMD EPYC"))
    assert figure.get_suptitle().startswith(designs.TITLE)
    assert any("measured on AMD EPYC" in text.get_text() for text in figure.legends[0].texts)
    assert len(designs.measured_table(found)) == 10


def test_a_design_without_a_price_has_a_dash(tmp_path: Path, monkeypatch) -> None:
    table = str(PUBLISHED / "harness-litert" / "epyc-litert.csv")
    name, ends = "s-LWSR16, transposed upsampler", designs.BASE.ends
    arch = replace(designs.BASE, ends=replace(ends, upsampler=replace(ends.upsampler, kind="transposed")))
    monkeypatch.setattr(designs, "designs", lambda: {name: arch})
    (design,) = designs.priced((*designs.PHONES, table), {})
    assert table not in design.latency
    assert f"| {name} |" in designs.page((design,), table)
    with pytest.raises(UserError, match=r"--kept must have"):
        designs.kept(tmp_path)
