"""The page of a run of thousands of networks: bounded, and nothing is left out in silence."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from evaluators.quantities import QUANTITIES
from reports.plotting.places import _along, _passed
from reports.run import effects, html, network_cards, pareto_plot
from reports.run.effects import KnobEffect, effect_svg
from reports.run.html import report_html
from reports.run.interactive import chart
from reports.run.pareto_view import pareto_view
from search.pareto import front, front_rung

COPIES = 40


@pytest.fixture(scope="module")
def large(make_run):
    """Every searched network many times over, each time a little lower, all at the highest rung."""
    run = make_run(searched=40)
    searched = [trial for trial in run.trials if not trial.is_fixed and len(trial.rungs) == 3]
    copies = [
        replace(
            trial,
            trial=len(run.trials) + len(searched) * copy + index,
            rungs=tuple(replace(r, psnr_db=r.psnr_db - 1e-4 * (copy + 1)) for r in trial.rungs),
        )
        for copy in range(COPIES)
        for index, trial in enumerate(searched)
    ]
    return replace(run, trials=(*run.trials, *copies))


def networks_of(page):
    return json.loads(re.search(r'id="networks">(.*?)</script>', page, re.DOTALL)[1])


def test_the_front_the_papers_and_the_best_others_are_listed(large, monkeypatch):
    monkeypatch.setattr(network_cards, "MOST_OTHERS", 7)
    rung, members = front_rung(large), {trial.trial for trial in front(large)}
    there = [trial for trial in large.trials if trial.at_rung(rung)]
    always = members | {trial.trial for trial in there if trial.is_fixed}
    numbers = network_cards.listed(large)
    assert always <= numbers
    others = {t.trial: t.at_rung(rung).psnr_db for t in there if t.trial not in always}
    assert len(numbers - always) == 7
    assert min(others[number] for number in numbers - always) >= max(others[n] for n in others.keys() - numbers)


def test_what_is_not_listed_is_a_dot_and_the_page_says_how_many(large, monkeypatch):
    monkeypatch.setattr(network_cards, "MOST_OTHERS", 20)
    numbers = network_cards.listed(large)
    drawn = chart(pareto_view(large, QUANTITIES["macs"]), numbers)
    there = sum(trial.at_rung(front_rung(large)) is not None for trial in large.trials)
    assert {point["trial"] for point in drawn["points"]} == numbers
    assert len(drawn["dots"]) == there - len(numbers) > 100
    page = report_html(large)
    assert {int(number) for number in networks_of(page)} == numbers
    assert f"{there - len(numbers):,} more networks off the front are drawn as dots only" in page


def test_a_small_run_lists_every_network(run):
    page = report_html(run)
    assert len(networks_of(page)) == sum(trial.at_rung(front_rung(run)) is not None for trial in run.trials)
    assert "more networks off the front" not in page
    assert chart(pareto_view(run, QUANTITIES["macs"]), network_cards.listed(run))["dots"] == []


def test_a_network_more_is_some_bytes_and_not_a_card(large, monkeypatch):
    monkeypatch.setattr(network_cards, "MOST_OTHERS", 20)
    monkeypatch.setattr(effects, "MOST_VECTOR_DOTS", 50)
    half = replace(large, trials=large.trials[: len(large.trials) // 2])
    more = len(large.trials) - len(half.trials)
    assert (len(report_html(large)) - len(report_html(half))) / more < 120


def test_only_so_many_failures_are_told_one_by_one(make_run, monkeypatch):
    monkeypatch.setattr(html, "MOST_FAILED", 3)
    run = make_run(searched=12)
    failed = [replace(t, status="failed", rungs=(), reason="loss was NaN") for t in run.trials if not t.is_fixed]
    page = report_html(replace(run, trials=(*run.trials[:2], *failed)))
    assert page.count("<td>loss was NaN</td>") == 3
    assert f"{len(failed)} failed" in page
    assert "The first 3; the reasons of the others" in page


def test_crowded_pictures_do_not_grow(large, tmp_path, monkeypatch):
    many = {value: tuple(np.linspace(0, 1, 2_000)) for value in (1, 2)}
    assert len(effect_svg(KnobEffect("width", many), (0.0, 1.0))) < 120_000
    monkeypatch.setattr(pareto_plot, "MOST_VECTOR_DOTS", 100_000)
    plain = pareto_plot.write_pareto(large, tmp_path, ())[1].read_text()
    assert "<image" not in plain
    monkeypatch.setattr(pareto_plot, "MOST_VECTOR_DOTS", 10)
    image = pareto_plot.write_pareto(large, tmp_path, ())[1].read_text()
    assert "<image" in image
    assert image.count("<use") < plain.count("<use") - 100


def test_the_front_is_worked_out_once_a_run(large):
    assert front(large) is front(large)
    shorter = replace(large, trials=large.trials[:20])
    assert front(shorter) is not front(large)
    assert {trial.trial for trial in front(shorter)} <= {trial.trial for trial in shorter.trials}


def test_spots_that_a_leader_passes():
    spots = np.random.default_rng(0).uniform(0, 200, (300, 2))
    leader = _along(np.array([(20.0, 30.0), (150.0, 110.0)]))
    expected = sum(min(np.hypot(*(leader - spot).T)) < 6 for spot in spots)
    assert _passed(leader, spots, 6) == expected > 0
