"""What a front's picture says of the baseline, classical methods, the budget and networks over it."""

import dataclasses

import pytest
from matplotlib.figure import Figure

from evaluators.quantities import QUANTITIES
from reports.run.interactive import front_html
from reports.run.pareto_plot import draw_pareto
from reports.run.pareto_view import pareto_view
from reports.run.quantities import cost_objectives
from search.pareto import front, front_rung

MACS = QUANTITIES["macs"]


def drawn(view):
    figure = Figure(figsize=(7.6, 6.4), dpi=150)
    figure.subplots_adjust(left=0.12, right=0.97, top=0.82, bottom=0.2)
    axes = figure.subplots()
    draw_pareto(axes, view)
    figure.canvas.draw()
    return axes


def texts_on(axes, *words):
    return [text for text in axes.texts if any(word in text.get_text() for word in words)]


@pytest.mark.parametrize("baseline", [-0.3, 0.0, 0.4])
@pytest.mark.parametrize("budget_at", [0.3, 1.0, 2.0])
def test_references_are_inside_the_axes_and_apart(timed_run, baseline, budget_at):
    best_db = max(trial.at_rung(front_rung(timed_run)).psnr_db for trial in front(timed_run))
    run = dataclasses.replace(
        timed_run, baseline_psnr_db=best_db + baseline, classical_baselines_db={"diffusion": best_db + baseline + 0.02}
    )
    view = pareto_view(run, cost_objectives(run.settings)[0])
    dearest = max(point.cost for point in view.points)
    view = dataclasses.replace(view, budget=budget_at * dearest, budget_text="budget 30 ms on pixel4-a76")
    axes = drawn(view)
    texts = texts_on(axes, "bicubic", "diffusion", "budget")
    assert len(texts) == 4  # and those over the budget
    frame = axes.get_window_extent().padded(4)
    boxes = [text.get_window_extent() for text in texts]
    for index, box in enumerate(boxes):
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[:index])


@pytest.mark.parametrize(("away_db", "words"), [(2.0, "▲ diffusion"), (-9.0, "▼ diffusion")])
def test_a_method_off_the_axis_is_named_in_the_picture(run, away_db, words):
    best_db = max(trial.at_rung(front_rung(run)).psnr_db for trial in front(run))
    view = pareto_view(dataclasses.replace(run, classical_baselines_db={"diffusion": best_db + away_db}), MACS)
    assert view.beyond_db["diffusion"] == best_db + away_db
    (text,) = texts_on(drawn(view), "diffusion")
    assert text.get_text().startswith(f"{words} {best_db + away_db:.2f} dB")
    assert f"diffusion {best_db + away_db:.2f} dB" in front_html(view).split("Off this view: ")[1]


def test_a_baseline_off_the_axis_is_named_in_the_picture(run):
    view = pareto_view(dataclasses.replace(run, baseline_psnr_db=15.0), MACS)
    (text,) = texts_on(drawn(view), "bicubic")
    assert text.get_text() == "▼ bicubic 15.00 dB, below the axis"


def test_networks_over_the_budget_beyond_an_end_of_the_axis_are_drawn_there(run):
    view = dataclasses.replace(pareto_view(run, MACS), log_cost=True)
    costs = [point.cost for point in view.points]
    inside, dear, cheap = max(costs), 100 * max(costs), min(costs) / 100
    axes = drawn(dataclasses.replace(view, over_budget=(inside, dear, dear, cheap)))
    marks = {line.get_marker(): line for line in axes.lines if line.get_marker() in ("|", "<", ">")}
    assert list(marks["|"].get_xdata()) == [inside]
    assert list(marks[">"].get_xdata()) == [axes.get_xlim()[1]]
    assert list(marks["<"].get_xdata()) == [axes.get_xlim()[0]]
    (text,) = texts_on(axes, "over budget")
    assert text.get_text() == ("ticks: 1 over budget, not trained, ◂ 1 more beyond the axis, ▸ 2 more beyond the axis")


def test_no_ticks_are_promised_where_all_are_beyond(run):
    view = pareto_view(run, MACS)
    far = 100 * max(point.cost for point in view.points)
    (text,) = texts_on(drawn(dataclasses.replace(view, over_budget=(far,) * 6)), "over budget")
    assert text.get_text() == "▸ 6 over budget, not trained, beyond the axis"
