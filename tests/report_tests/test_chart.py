"""The page's chart: what it is told to draw, that its labels keep off each other, and that a browser draws it."""

import dataclasses
import json
import shutil
import subprocess

import pytest
from matplotlib.transforms import Bbox

from evaluators.quantities import QUANTITIES
from reports.run.chart_labels import WIDTHS_PX, _extent, first_window, label_sets
from reports.run.describe import description_parts
from reports.run.html import report_html, write_report
from reports.run.interactive import as_script, chart
from reports.run.network_cards import network_cards
from reports.run.pareto_view import pareto_view
from reports.run.quantities import cost_objectives
from reports.run.shown import shown_members
from search.pareto import front, front_rung

HEIGHT = 420
MACS = QUANTITIES["macs"]


def reference_boxes(view, labels, width):
    """Where ``chart.js`` writes the names of the budget and the levels."""
    window, size = first_window(view), (width, HEIGHT)
    for label in labels:
        long, thick = _extent(label["lines"])
        if label["kind"] == "level":
            _, y = window.pixels(window.right, label["db"], size)
            left = width - long if label["side"] == "right" else 0
            yield Bbox.from_bounds(left, y if label["above"] else y - thick, long, thick)
        elif label["kind"] == "budget":
            x, _ = window.pixels(label["cost"], window.top, size)
            left = x if label["side"] == "right" else x - thick - 2
            yield Bbox.from_bounds(left, HEIGHT - long if label["above"] else 0, thick + 2, long)


@pytest.mark.parametrize("baseline", ["below", "between", "above"])
@pytest.mark.parametrize("budget_at", [0.5, 1.0, 3.0])
def test_the_names_of_budget_and_baseline_never_overlap(timed_run, baseline, budget_at):
    rung = front_rung(timed_run)
    levels = sorted(t.at_rung(rung).psnr_db for t in timed_run.trials if t.at_rung(rung))
    db = {"below": levels[0] - 0.05, "between": levels[len(levels) // 2], "above": levels[-1] + 0.05}[baseline]
    run = dataclasses.replace(timed_run, baseline_psnr_db=db, classical_baselines_db={"diffusion": db + 0.01})
    view = pareto_view(run, cost_objectives(run.settings)[0])
    dearest = max(point.cost for point in view.points)
    view = dataclasses.replace(view, budget=budget_at * dearest, budget_text="budget 30 ms on pixel4-a76")
    for labels in label_sets(view, HEIGHT):
        width = labels["width_px"]
        boxes = list(reference_boxes(view, labels["labels"], width))
        assert len(boxes) == 1 + len(view.lines_db)
        frame = Bbox.from_bounds(-0.5, -0.5, width + 1, HEIGHT + 1)
        for index, box in enumerate(boxes):
            assert frame.x0 <= box.x0 < box.x1 <= frame.x1
            assert frame.y0 <= box.y0 < box.y1 <= frame.y1
            assert not any(box.overlaps(other) for other in boxes[:index])


def test_every_network_of_the_rung_is_a_point_cheapest_first(run):
    points = chart(pareto_view(run, MACS))["points"]
    rung = front_rung(run)
    assert {point["trial"] for point in points} == {t.trial for t in run.trials if t.at_rung(rung)}
    assert [point["cost"] for point in points] == sorted(point["cost"] for point in points)


def test_text_of_a_user_cannot_end_the_script():
    value = {"name": "</script><script>alert(1)</script> & 'quotes' \"too\""}
    text = as_script(value)
    assert "<" not in text
    assert json.loads(text) == value


def test_words_in_brackets_stay_together(run):
    for trial in run.trials:
        for part in description_parts(trial.architecture):
            assert part.count("(") == part.count(")")


def test_a_chosen_point_leads_to_its_row_its_pictures_and_its_weights(run):
    shown = shown_members(run)
    cards = network_cards(run, shown)
    members = {trial.trial for trial in front(run)}
    for number in members:
        assert cards[str(number)]["weights"] == f"weights/trial-{number}.safetensors"
        assert cards[str(number)]["row"]
    assert {card["label"] for card in cards.values()} - {None} == set(shown)
    assert sum("recommended" in card["notes"] for card in cards.values()) == 1
    assert all(card["weights"] is None for number, card in cards.items() if int(number) not in members)
    assert all(card["weights"] is None for card in network_cards(run, shown, has_weights=False).values())


def test_headings_sort_by_keyboard(run):
    page = report_html(run)
    for table in page.split('<table class="sortable"')[1:]:
        headings = table.split("</thead>")[0].split("<th")[2:]
        assert headings
        assert all('scope="col"' in heading and '<button type="button">' in heading for heading in headings)
    assert "aria-sort" in page
    assert "prefers-color-scheme: dark" in page


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser chromium")
def test_a_browser_draws_the_chart_without_an_error(run, tmp_path):
    page = write_report(run, tmp_path)
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=3000",
        "--enable-logging=stderr",
        "--dump-dom",
        page.as_uri(),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if result.returncode:
        pytest.skip(f"chromium does not start here: {result.stderr[-200:]}")
    view = pareto_view(run, MACS)
    assert result.stdout.count('class="point ') == len(view.points) + len(view.below)
    assert "Uncaught" not in result.stderr


def test_every_width_has_labels(run):
    assert [labels["width_px"] for labels in label_sets(pareto_view(run, MACS), HEIGHT)] == list(WIDTHS_PX)
