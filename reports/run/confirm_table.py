"""A confirmed front for the terminal."""

from __future__ import annotations

import math

from rich.table import Table

from evaluators.quantities import quantity
from reports.run.confirmed import Confirmed, ConfirmedFront
from reports.run.tables import plain_table
from search.records import RunResult


def confirm_table(run: RunResult, confirmed: ConfirmedFront) -> Table:
    """The networks, cheapest first, with mean and standard deviation; a star marks the front by the means, ``~`` a tie
    with a neighbour on it."""
    steps = confirmed.networks[0].repeated.steps
    baseline = f"{run.settings.rules.measure.baseline_name} {run.baseline_psnr_db:.2f} dB"
    table = plain_table(
        f"{run.name}, trained again for {steps:,} steps", f"* on the front by the means; ~ a tie; {baseline}"
    )
    costs = [quantity(key) for key in dict.fromkeys(("params", confirmed.cost.key))]
    table.add_column("", no_wrap=True)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("from", overflow="fold")
    for heading in (*(each.unit for each in costs), "seeds", "PSNR dB", "gain"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("before", no_wrap=True)
    table.add_column("ties with", no_wrap=True)
    for each in confirmed.networks:
        table.add_row(
            "*" * each.on_front + "~" * bool(each.tied_with),
            str(each.trial.trial),
            each.trial.source,
            *(cost.number(cost.of(each.trial.costs)) for cost in costs),
            str(each.repeated.seeds),
            mean_and_spread(each),
            f"{each.gain_db:+.3f}",
            "front" if each.repeated.was_on_front else "beside",
            " ".join(f"#{number}" for number in each.tied_with),
            style="bold" if each.on_front else "dim",
        )
    return table


def mean_and_spread(each: Confirmed) -> str:
    """``27.413 ± 0.016``; without a spread where there is one training only."""
    mean, spread = each.repeated.psnr_db, each.repeated.sd_db
    return f"{mean:.3f}" if math.isnan(spread) else f"{mean:.3f} ± {spread:.3f}"
