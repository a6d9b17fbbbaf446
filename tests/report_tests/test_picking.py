"""The network to take under other limits, and what lies beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evaluators.latency import latency_difference
from reports.run.picking import pick
from reports.run.ties import SEED_NOISE_DB, usable_table
from search.pareto import front, front_rung
from search.records import RunResult, TrialRecord
from search.request.budget import parse_budget
from space.errors import UserError

LIMITS = ("200k-params", "5g-macs", "100mb-memory", "0.3mb-weights", "900ms@pixel4-a76", "900ms@pixel4-a76,60k-params")


def at_rung(run: RunResult) -> list[TrialRecord]:
    rung = front_rung(run)
    return [trial for trial in run.trials if trial.status == "trained" and trial.at_rung(rung) is not None]


def psnr_db(run: RunResult, trial: TrialRecord) -> float:
    return trial.at_rung(front_rung(run)).psnr_db


@pytest.mark.parametrize("budget", LIMITS)
def test_the_pick_is_the_best_that_keeps_every_limit(run: RunResult, budget: str) -> None:
    picked, limits = pick(run, budget), parse_budget(budget)
    assert limits.allows(picked.trial.costs)
    assert picked.result is run.trials[picked.trial.trial].at_rung(front_rung(run))
    assert picked.highest.trial.trial == picked.trial.trial
    assert picked.best.trial.trial == max(at_rung(run), key=lambda trial: psnr_db(run, trial)).trial
    better = picked.better
    if better is None:
        assert picked.best.gain_db == 0
    else:
        assert better.gain_db > 0
        assert better.over
    if picked.cheaper is not None:
        assert picked.cheaper.gain_db <= 0
        assert picked.cheaper.cost_ratio < 1
        assert not picked.cheaper.over
    for other in picked.alike:
        assert other.same_quality or other.same_time
        assert not other.over
        assert other.same_quality is (abs(other.gain_db) < SEED_NOISE_DB)


def test_neighbours_are_those_on_the_front(run: RunResult) -> None:
    """Under one limit in the run's own cost, the neighbours are those of the run's own front."""
    members = front(run)
    for index in range(1, len(members) - 1):
        limit = f"{members[index].costs.macs}-macs"
        picked = pick(run, limit)
        assert picked.trial == members[index]
        assert picked.cheaper.trial == members[index - 1]
        assert picked.better.trial == members[index + 1]
        assert picked.better.over == (parse_budget(limit).text,)
        assert picked.quantity.key == "macs"


def test_without_other_limits_it_is_the_run_s_best(run: RunResult) -> None:
    picked = pick(run)
    assert picked.trial == front(run)[-1]
    assert picked.budget == run.settings.budget
    assert (picked.better, picked.best.gain_db) == (None, 0.0)
    unlimited = replace(run, settings=replace(run.settings, budget=""))
    assert pick(unlimited).trial == picked.trial
    assert pick(unlimited).budget == ""


@pytest.mark.parametrize("budget", LIMITS)
def test_latency_prefers_the_cheapest_within_the_noise_of_the_best(run: RunResult, budget: str) -> None:
    best, picked = pick(run, budget), pick(run, budget, "latency")
    assert picked.highest.trial.trial == best.trial.trial
    assert 0 <= picked.highest.gain_db < SEED_NOISE_DB
    assert picked.quantity.of(picked.trial.costs) <= best.quantity.of(best.trial.costs)
    cheaper = [other for other in (best.cheaper, *best.alike) if other is not None and other.same_quality]
    assert all(picked.quantity.of(picked.trial.costs) <= best.quantity.of(other.trial.costs) for other in cheaper)


def test_milliseconds_come_first_whatever_the_order(run: RunResult) -> None:
    picked = pick(run, "150k-params,900ms@pixel4-a76")
    assert picked.quantity.key == "ms@pixel4-a76"
    assert [use.name for use in picked.tables] == ["pixel4-a76"]
    assert picked.trial.costs.latency["pixel4-a76"].ms <= 900


def test_a_table_of_the_run_is_called_by_its_name(timed_run: RunResult) -> None:
    """Its own table is a file, which no shipped table is called like; other tables' milliseconds stay known."""
    picked = pick(timed_run, "10000ms@board-x1")
    assert picked.trial.costs.latency.keys() == {"board-x1", "board-y2"}
    assert picked.trial.costs == timed_run.trials[picked.trial.trial].costs
    assert pick(timed_run).quantity.key == "ms@board-x1"


def test_time_is_told_apart_by_the_band_of_the_difference(timed_run: RunResult) -> None:
    table = usable_table(timed_run.settings, "board-x1")
    picked = pick(timed_run, "600ms@board-x1")
    others = [other for other in (picked.cheaper, picked.better, *picked.alike) if other is not None]
    assert others
    for other in others:
        pair = picked.trial.architecture, other.trial.architecture
        assert other.same_time is latency_difference(*pair, timed_run.settings.input_size, table).tied


def test_a_table_that_has_changed_tells_no_times_apart(timed_run: RunResult) -> None:
    uses = tuple(replace(use, fingerprint="other") for use in timed_run.settings.tables)
    changed = replace(timed_run, settings=replace(timed_run.settings, tables=uses))
    assert not any(other.same_time for other in pick(changed).alike)


def test_what_a_table_cannot_price_is_left_out(run: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_some(architecture, compression, size, tables=()):
        if architecture == best.architecture:
            raise UserError("table pixel4-a76 has no figure for a roll")
        return priced(architecture, compression, size, tables)

    from reports.run import picking

    best, priced = front(run)[-1], picking.design_costs
    monkeypatch.setattr(picking, "design_costs", only_some)
    picked = pick(run, "5000ms@pixel4-a76")
    assert picked.unpriced == (best.trial,)
    assert picked.trial != best
    alone = replace(run, trials=(best,))
    with pytest.raises(UserError, match="has no figure for a roll"):
        pick(alone, "5000ms@pixel4-a76")


def test_a_budget_that_nothing_fits_names_the_nearest(run: RunResult) -> None:
    macs = min(trial.costs.macs for trial in at_rung(run))
    with pytest.raises(
        UserError, match=rf"^--budget must .* of demo, got 1k-macs; the nearest, #\d+, has {macs:,} MACs$"
    ):
        pick(run, "1k-macs")
    with pytest.raises(UserError, match=r"the nearest, #\d+, has [\d,]+ params and [\d,.]+ ms on pixel4-a76$"):
        pick(run, "1k-params,1ms@pixel4-a76")


@pytest.mark.parametrize(
    ("budget", "prefer", "part"),
    [
        ("1k", "psnr", "--budget must be NUMBER"),
        ("1ms@pixel-9", "psnr", "unknown latency table 'pixel-9'"),
        (None, "ssim", "--prefer must be one of psnr, latency, got 'ssim'"),
    ],
)
def test_mistakes_are_one_line(run: RunResult, budget: str | None, prefer: str, part: str) -> None:
    with pytest.raises(UserError, match=part):
        pick(run, budget, prefer)


def test_a_run_without_a_trained_network_says_so(run: RunResult) -> None:
    with pytest.raises(UserError, match="demo must have a trained network, got none yet"):
        pick(replace(run, trials=()))


def test_a_pick_is_json(run: RunResult) -> None:
    told = json.loads(json.dumps(pick(run, "2000ms@pixel4-a76").to_dict()))
    assert told["quantity"] == "ms@pixel4-a76"
    assert told["latency"]["pixel4-a76"]["ms"] <= 2000
    assert told["better"]["over"] == ["2000ms@pixel4-a76"]
    assert {"trial", "psnr_db", "gain_db"} & told["cheaper"].keys() == {"trial", "gain_db"}
