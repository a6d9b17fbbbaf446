"""What to say of a run in which no network is better than doing without one, and what would help."""

from __future__ import annotations

from search.budget import parse_budget
from search.pareto import front, front_rung
from search.records import RunResult

BY_INPUT = ("macs", "memory")  # costs that fall with the input's size, as milliseconds do


def nothing_better(run: RunResult) -> str | None:
    """A sentence where networks were measured and none beats the baseline; None otherwise."""
    rung = front_rung(run)
    measured = [trial for trial in run.trials if trial.status == "trained" and trial.at_rung(rung) is not None]
    if not measured or front(run):
        return None
    best = max(measured, key=lambda trial: trial.at_rung(rung).psnr_db)
    result = best.at_rung(rung)
    return (
        f"No network is better than {run.settings.rules.baseline_in_words} ({run.baseline_psnr_db:.2f} dB), so that "
        f"none is on the front: the best, trial {best.trial}, is {run.baseline_psnr_db - result.psnr_db:.2f} dB below "
        f"after {result.steps:,} steps."
    )


def what_would_help(run: RunResult) -> str:
    """What a person can change in a run without a front."""
    limits = parse_budget(run.settings.budget).limits if run.settings.budget else ()
    smaller = any(limit.quantity in BY_INPUT or limit.source is not None for limit in limits)
    width, height = run.settings.input_size
    return (
        "What would help: a longer --time, with which the same command goes on and trains each network for more steps; "
        "a larger --budget"
        + (f"; an --input smaller than {width}x{height}, at which larger networks fit" if smaller else "")
        + "."
    )
