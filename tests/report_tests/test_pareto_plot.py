"""The pictures: first what they are to show, then that they are drawn."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from evaluators.quantities import QUANTITIES, ms_text
from reports.plotting.places import Surroundings, Wanted, find_places
from reports.run.chart_labels import WIDTHS_PX, label_sets
from reports.run.effects import KnobEffect, effect_svg, gain_window, knob_effects
from reports.run.interactive import front_html
from reports.run.pareto_axes import cost_ticks
from reports.run.pareto_plot import draw_pareto, pareto_figure, write_pareto
from reports.run.pareto_view import budget_limits, pareto_view
from reports.run.quantities import cost_objectives
from search.pareto import front, front_rung

MACS, PARAMS = QUANTITIES["macs"], QUANTITIES["params"]


def test_only_results_of_the_front_rung_share_the_axes(run):
    view = pareto_view(run, MACS)
    rung = front_rung(run)
    drawn = {point.trial.trial for point in (*view.points, *view.below)}
    assert drawn == {t.trial for t in run.trials if t.status == "trained" and t.at_rung(rung)}
    assert all(point.psnr_db == point.trial.at_rung(rung).psnr_db for point in view.points)


def test_the_line_goes_through_the_front_cheapest_first(run):
    view = pareto_view(run, MACS)
    assert [point.trial for point in view.outline] == list(front(run))
    assert [point.cost for point in view.outline] == sorted(point.cost for point in view.outline)
    assert [point.psnr_db for point in view.outline] == sorted(point.psnr_db for point in view.outline)


def test_costs_are_in_the_unit_of_the_axis(run):
    trial = run.trials[0]
    assert MACS.on_axis(trial.costs) == pytest.approx(trial.costs.macs / 1e9)
    assert PARAMS.on_axis(trial.costs) == 143.755
    assert PARAMS.text(trial.costs) == "143,755 params"
    assert MACS.number(10_190_000_000) == "10.19 G"


def test_the_budget_is_a_line_only_on_its_own_axis(run):
    assert pareto_view(run, MACS).budget is None
    assert pareto_view(run, PARAMS).budget == 200
    assert pareto_view(run, PARAMS).budget_text == "budget 200,000 params"
    assert "200k-params" in pareto_view(run, MACS).caption


def test_budget_words_become_limits():
    assert budget_limits("200k-params,11g-macs") == {"params": 200_000, "macs": 11_000_000_000}
    assert budget_limits("") == {}


def test_over_budget_candidates_have_costs_and_no_point(run):
    view = pareto_view(run, MACS)
    over = [t for t in run.trials if t.status == "over-budget"]
    assert sorted(view.over_budget) == sorted(t.costs.macs / 1e9 for t in over)
    assert not {t.trial for t in over} & {point.trial.trial for point in view.points}


def test_a_far_worse_network_does_not_squash_the_front(run):
    worse = tuple(
        dataclasses.replace(t, rungs=tuple(dataclasses.replace(r, psnr_db=r.psnr_db - 9) for r in t.rungs))
        if t.source == "s-lwsr16"
        else t
        for t in run.trials
    )
    view = pareto_view(dataclasses.replace(run, trials=worse), MACS)
    assert [point.trial.source for point in view.below] == ["s-lwsr16"]
    assert not any(point.trial.source == "s-lwsr16" for point in view.points)


def test_bicubic_far_below_the_front_is_only_in_the_caption(run):
    view = pareto_view(dataclasses.replace(run, baseline_psnr_db=15.0), MACS)
    assert "bicubic" not in view.lines_db
    assert "bicubic 15.00 dB" in view.caption


def test_the_caption_holds_what_the_numbers_depend_on(run):
    caption = pareto_view(run, MACS).caption
    for words in ("sr ×4", "1,920 training steps", "rung 3 of 3", "seed 0", "320×180", "fp32", run.settings.val_data):
        assert words in caption


def words_of(axes):
    return " ".join(" ".join(text.get_text() for text in axes.texts).split())


def test_approximations_are_hollow_stars_and_said_to_be(run):
    trials = tuple(
        dataclasses.replace(trial, approximation=trial.source == "s-lwsr16+skip", source=trial.source)
        for trial in run.trials
    )
    some = dataclasses.replace(run, trials=trials)
    axes = pareto_figure(some).axes[0]
    assert "stars: published networks (hollow: approximations)" in words_of(axes)
    assert "hollow" not in words_of(pareto_figure(run).axes[0])
    stars = [line for line in axes.lines if line.get_marker() == "*"]
    assert sorted(line.get_markerfacecolor() == "white" for line in stars) == [False, True]
    assert "☆" in front_html(pareto_view(some, MACS))
    assert "☆" not in front_html(pareto_view(run, MACS))


def test_a_panel_for_every_cost_asked_for(make_run):
    both = make_run(searched=12, objectives=("psnr", "params", "macs"))
    assert cost_objectives(both.settings) == (PARAMS, MACS)
    assert len(pareto_figure(both).axes) == 3


@pytest.mark.parametrize("searched", [0, 1, 12])
def test_pictures_are_written_for_runs_of_every_size(make_run, tmp_path, searched):
    png, svg = write_pareto(make_run(searched=searched, papers=()), tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in svg.read_bytes()[:1000]


def test_knob_effects_are_gains_on_the_first_rung(run):
    effects = {effect.knob: effect for effect in knob_effects(run)}
    widths = effects["width"].gains_db
    expected = [
        t.at_rung(0).psnr_db - run.baseline_psnr_db
        for t in run.trials
        if not t.is_fixed and t.at_rung(0) and t.knobs["width"] == 16
    ]
    assert list(widths) == sorted(widths)
    assert widths[16] == pytest.approx(tuple(expected))


def test_a_knob_of_one_value_has_no_effect_to_show(run):
    same = tuple(dataclasses.replace(t, knobs={**t.knobs, "width": 16, "alone": 1}) for t in run.trials)
    names = {effect.knob for effect in knob_effects(dataclasses.replace(run, trials=same))}
    assert not names & {"width", "alone"}
    assert "upsampler" in names


@pytest.mark.parametrize(("low", "high"), [(3, 40), (0.5, 30), (5, 5_000), (1, 50_000)])
def test_ticks_are_round_and_few(low, high):
    ticks = cost_ticks(low, high)
    assert 2 <= len(ticks) <= 10
    assert all(low <= tick <= high for tick in ticks)


def test_a_few_candidates_far_below_do_not_squash_the_pictures_of_the_knobs():
    effect = KnobEffect("width", {8: (0.2, 0.3, 0.4, 0.45), 16: (0.41, 0.42, 0.47, 0.49), 24: (-4.3,)})
    assert gain_window((effect,)) == (0.2, 0.49)
    assert effect.medians_db == pytest.approx({8: 0.35, 16: 0.445})
    assert effect.spread_db == pytest.approx(0.095)
    assert effect_svg(effect, (0.2, 0.49)).startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize("gains_db", [(0.1,), (0.3, 0.3, 0.3), (-1.0, -0.5, 0.0, 0.5, 1.0)])
def test_candidates_of_one_sort_are_all_drawn_to_scale(gains_db):
    assert gain_window((KnobEffect("pool", {"none": gains_db}),)) == (min(gains_db), max(gains_db))


def test_texts_keep_off_each_other_and_inside_the_frame():
    spots = np.array([(30.0, 20.0), (38.0, 26.0), (180.0, 95.0)])
    frame = Bbox.from_bounds(0, 0, 200, 120)
    places = find_places([Wanted(x, y, 70, 14) for x, y in spots], Surroundings(frame, spots))
    for index, place in enumerate(places):
        assert frame.x0 <= place.box.x0 < place.box.x1 <= frame.x1
        assert frame.y0 <= place.box.y0 < place.box.y1 <= frame.y1
        assert not any(place.box.overlaps(other.box) for other in places[:index])
        assert place.harm == 0


@pytest.mark.parametrize("quantity", [MACS, PARAMS])
def test_the_charts_labels_name_every_star_at_every_width(make_run, quantity):
    view = pareto_view(make_run(papers=("s-lwsr16", "s-lwsr16-no-pool", "s-lwsr16-pool-11")), quantity)
    sets = label_sets(view, 420)
    assert [labels["width_px"] for labels in sets] == list(WIDTHS_PX)
    for labels in sets:
        names = [line for label in labels["labels"] for line in label["lines"]]
        assert {point.label for point in view.papers} <= set(names)
        assert len(names) == len(set(names))


def test_milliseconds_are_drawn_with_their_band_and_what_they_depend_on(timed_run):
    first, second = cost_objectives(timed_run.settings)
    assert (first.key, second.key) == ("ms@board-x1", "ms@board-y2")
    view = pareto_view(timed_run, first)
    assert view.depends_on == "Board X, Cortex-X, 1 thread, fp32, Engine 1.0, 320×180 input"
    assert view.origin == "traffic-estimate"
    assert all(point.band[0] < point.cost < point.band[1] for point in view.points)
    assert (view.budget, view.budget_text) == (700, "budget 700 ms on board-x1")
    assert pareto_view(timed_run, second).budget is None
    figure = pareto_figure(timed_run)
    assert len(figure.axes) == 3
    texts = " ".join(text.get_text().replace("\n", " ") for axes in figure.axes for text in axes.texts)
    for words in ("Board X, Cortex-X, 1 thread", "Board Y, Cortex-Y, 1 thread", "90 % band"):
        assert words in texts


def test_exact_costs_have_no_band(run):
    view = pareto_view(run, MACS)
    assert view.origin is None
    assert view.same_time == ()
    assert all(point.band is None for point in view.points)


def test_a_tie_in_time_is_drawn_and_named(timed_run):
    rung = front_rung(timed_run)
    best = max((t for t in timed_run.trials if t.at_rung(rung)), key=lambda trial: trial.at_rung(rung).psnr_db)
    figure = best.costs.latency["board-x1"]
    nearly = {**best.costs.latency, "board-x1": dataclasses.replace(figure, ms=figure.ms - 1)}
    rungs = tuple(dataclasses.replace(r, psnr_db=r.psnr_db - 0.01) for r in best.rungs)
    twin = dataclasses.replace(
        best, trial=999, source="search", rungs=rungs, costs=dataclasses.replace(best.costs, latency=nearly)
    )
    view = pareto_view(
        dataclasses.replace(timed_run, trials=(*timed_run.trials, twin)), cost_objectives(timed_run.settings)[0]
    )
    assert {best.trial, 999} in [{a.trial.trial, b.trial.trial} for a, b in view.same_time]
    figure = Figure()
    draw_pareto(figure.subplots(), view)
    texts = " ".join(text.get_text().replace("\n", " ") for text in figure.axes[0].texts)
    assert "green: tied in predicted time" in texts
    assert "tied: within the band of their difference in time" in front_html(view)


@pytest.mark.parametrize(
    ("ms", "text"), [(1482.3, "1,482"), (123456.0, "123,456"), (98.74, "98.7"), (3.4219, "3.42"), (0.05, "0.05")]
)
def test_milliseconds_have_as_many_digits_as_they_deserve(ms, text):
    assert ms_text(ms) == text
