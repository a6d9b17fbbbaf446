"""Which network is recommended, and that none is where doing nothing is as good."""

import dataclasses
import io

import pytest
from rich.console import Console

from evaluators.quantities import QUANTITIES
from reports.run.advice import alternatives, best_of, recommendation, recommended, share, worthwhile
from reports.run.html import report_html
from reports.run.interactive import chart
from reports.run.pareto_view import pareto_view
from reports.run.shown import shown_members
from reports.run.tables import front_table
from search.pareto import SEED_NOISE_DB, front, front_rung


def best_db(run):
    return max(trial.at_rung(front_rung(run)).psnr_db for trial in front(run))


def over_a_baseline(run, gain_db):
    """``run`` whose best network is ``gain_db`` over the baseline."""
    return dataclasses.replace(run, baseline_psnr_db=best_db(run) - gain_db)


def terminal(run):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(front_table(run, 100))
    return console.export_text()


def test_the_recommended_network_is_on_the_front_with_its_gain_and_costs(run):
    choice = recommended(run)
    assert choice in front(run)
    psnr_db = choice.at_rung(front_rung(run)).psnr_db
    sentence = recommendation(run)
    assert sentence.startswith("Recommended: ")
    assert f"{psnr_db:.2f} dB, {psnr_db - run.baseline_psnr_db:+.2f} over bicubic" in sentence
    assert f"{choice.costs.params:,} params" in sentence


def test_more_and_less_are_said_against_the_recommended(run):
    rung, choice = front_rung(run), recommended(run)
    members = worthwhile(run)
    best = max(members, key=lambda trial: trial.at_rung(rung).psnr_db)
    more, less = alternatives(run)
    apart_db = best.at_rung(rung).psnr_db - choice.at_rung(rung).psnr_db
    assert f"{apart_db:.2f} dB better" in more
    assert f"for {share(best.costs.macs / choice.costs.macs)} MACs" in more
    apart_db = choice.at_rung(rung).psnr_db - members[0].at_rung(rung).psnr_db
    assert f"{apart_db:.2f} dB worse" in less
    assert f"for {share(members[0].costs.macs / choice.costs.macs)} MACs" in less


def test_a_best_network_within_the_seed_noise_is_not_offered_as_more_quality(run):
    rung, choice = front_rung(run), recommended(run)
    best = best_of(run, worthwhile(run))
    tied_db = choice.at_rung(rung).psnr_db + SEED_NOISE_DB / 2

    def tied(trial):
        rungs = [dataclasses.replace(each, psnr_db=min(each.psnr_db, tied_db)) for each in trial.rungs]
        return dataclasses.replace(trial, rungs=tuple(rungs))

    even = dataclasses.replace(run, trials=tuple(map(tied, run.trials)))
    assert best is not choice
    assert not any(sentence.startswith("More quality") for sentence in alternatives(even))


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (3.84, "3.8 times the"),
        (1.06, "1.1 times the"),
        (0.99, "about the same"),
        (0.36, "36 % of the"),
        (0.004, "0.4 % of the"),
        (250, "250 times the"),
    ],
)
def test_a_share_of_costs_reads_well(ratio, words):
    assert share(ratio) == words


def test_a_single_member_has_no_alternatives(make_run):
    run = make_run(searched=0, papers=("s-lwsr16",))
    only = dataclasses.replace(run, trials=run.trials[1:])
    assert recommended(only) is only.trials[0]
    assert alternatives(only) == ()


@pytest.mark.parametrize("gain_db", [-0.72, 0.0])
def test_nothing_below_the_baseline_is_starred_or_recommended(run, gain_db):
    poor = over_a_baseline(run, gain_db)
    assert recommended(poor) is None
    assert recommendation(poor).startswith("Nothing beats bicubic")
    assert f"{-gain_db:.2f} dB below it" in recommendation(poor)
    (help_with,) = alternatives(poor)
    assert "Keep bicubic for now" in help_with
    assert "--time" in help_with
    assert "200k-params" in help_with
    assert "--input" not in help_with  # parameters are the same at every size
    assert not any("recommended" in label for label in shown_members(poor))
    view = pareto_view(poor, QUANTITIES["macs"])
    assert not any(point.on_front for point in view.points)
    assert view.outline == ()
    assert not {"found"} & {point["kind"] for point in chart(view)["points"]}
    page = report_html(poor)
    assert 'class="front ' not in page
    assert "Best within the budget" not in page
    assert not any(line.lstrip().startswith("*") for line in terminal(poor).splitlines() if "bicubic" not in line)


def test_a_gain_within_the_seed_noise_is_no_recommendation(run):
    nearly = over_a_baseline(run, SEED_NOISE_DB / 2)
    assert recommended(nearly) is None
    assert recommendation(nearly).startswith("No network is clearly better than bicubic")


def test_a_smaller_input_helps_where_the_budget_depends_on_it(make_run):
    run = make_run(budget="11g-macs")
    assert "a smaller --input (the budget holds for 320×180)" in alternatives(over_a_baseline(run, -1))[0]


def test_only_members_that_beat_the_baseline_are_compared(run):
    rung = front_rung(run)
    levels = sorted(trial.at_rung(rung).psnr_db for trial in front(run))
    between = dataclasses.replace(run, baseline_psnr_db=(levels[0] + levels[1]) / 2)
    assert all(trial.at_rung(rung).psnr_db > between.baseline_psnr_db for trial in worthwhile(between))
    assert recommended(between) in worthwhile(between)
