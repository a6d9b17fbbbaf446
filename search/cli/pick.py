"""``pick``: the network of a run to take under other limits, what it gives up, and the commands that follow."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from evaluators.compression.compression import INT8
from evaluators.quantities import cost_texts, ms_text
from latency_tables.cli.console import Console
from reports.plotting.text import replace_invalid
from reports.run.advice import beats_baseline, gain, named
from reports.run.describe import describe
from reports.run.next_steps import run_argument, to_the_phone
from reports.run.picking import Beside, Pick
from search.api.run import Run, load
from search.pareto import SEED_NOISE_DB
from search.request.budget import parse_budget


def execute(options: argparse.Namespace) -> int:
    run = load(options.run)
    console = Console(stderr=True) if options.json else Console()
    picked = run.pick(options.budget, options.prefer)
    steps = to_the_phone(run.result, picked.trial, run.folder)
    console.print(_understood(run, picked))
    if options.json:
        print(json.dumps({"run": run_argument(run.folder), **picked.to_dict(), "commands": steps}, ensure_ascii=False))
        return 0
    console.print(Text("\n".join(("", _sentence(run, picked), f"  {describe(picked.trial.architecture)}"))))
    for note in _notes(run, picked):
        console.print(Text(f"  {note}"))
    console.print()
    console.print(_table(picked))
    for command, line in steps.items():
        console.print(Text(replace_invalid(f"{command}: {line}")), soft_wrap=True)
    return 0


def _understood(run: Run, picked: Pick) -> str:
    """What is looked at, under which limits, and what the costs hold for."""
    settings = run.settings
    width, height = settings.input_size
    there = sum(trial.at_rung(picked.result.rung) is not None for trial in run.trained)
    state = f" ({run.state}: as it stands now)" if run.state == "running" else ""
    captions = "".join(f"; {use.name}: {use.caption}" for use in picked.tables)
    return (
        f"{run.result.name}{state}: {there} network{'s'[: there != 1]} trained for {picked.result.steps:,} steps, "
        f"under {picked.budget or 'no limit'}; costs for an input of {width}x{height}{captions}"
    )


def _sentence(run: Run, picked: Pick) -> str:
    costs = ", ".join(cost_texts(picked.trial.costs))
    taken = f"Take {named(picked.trial)}: {gain(run.result, picked.trial)}, with {costs}."
    if picked.prefer == "latency":
        taken += f" It has {picked.quantity.least} within {SEED_NOISE_DB:g} dB, the seed noise, of the highest PSNR."
    return taken


def _notes(run: Run, picked: Pick) -> Iterator[str]:
    """What must be known of the pick before it is taken."""
    trial = picked.trial
    if not beats_baseline(run.result, trial, SEED_NOISE_DB):
        yield f"It is not clearly better than {run.settings.rules.show.baseline_in_words}, which needs no network."
    for limit in parse_budget(picked.budget).limits if picked.budget else ():
        table = limit.quantity.removeprefix("ms@")
        figure = trial.costs.latency.get(table)
        if limit.quantity != table and figure is not None and figure.high > limit.value:
            yield (
                f"Its 90 % band on {table}, {ms_text(figure.low)} to {ms_text(figure.high)} ms ({figure.origin}), "
                f"reaches over {limit.text}."
            )
    for use in picked.tables:
        if use.dtype != (dtype := trial.compression.dtype) and dtype != INT8:
            yield f"PSNR is that of the {dtype} network: what {use.dtype} does to it was not measured."
    if (count := trial.architecture.shape.specialists) > 1:
        yield f"It is {count} networks that share the noise levels: parameters are those of all, work is that of one."
    if picked.unpriced:
        numbers = ", ".join(f"#{number}" for number in picked.unpriced)
        yield f"Left out, since a table has no figure for one of their operators: {numbers}."


def _table(picked: Pick) -> Table:
    """The pick and what lies beside it on the front over PSNR and the cost."""
    along = picked.quantity
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("", "network"):
        table.add_column(heading, no_wrap=True)
    for heading in ("PSNR dB", "against it", along.unit, "times"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("remark")
    psnr_db = picked.result.psnr_db
    shown: set[int] = {picked.trial.trial}
    table.add_row(
        "taken", named(picked.trial), f"{psnr_db:.2f}", "", along.number(along.of(picked.trial.costs)), "", ""
    )
    lines = (
        ("next cheaper", picked.cheaper),
        ("next better", picked.better),
        ("best within the limits", picked.highest),
        ("best of the run", picked.best),
        *(("on the front", other) for other in picked.alike),
    )
    for what, other in lines:
        if other is None or other.trial.trial in shown:
            continue
        shown.add(other.trial.trial)
        table.add_row(
            what,
            named(other.trial),
            f"{psnr_db + other.gain_db:.2f}",
            f"{other.gain_db:+.2f}",
            along.number(along.of(other.trial.costs)),
            f"{other.cost_ratio:.2f}",
            "; ".join(remark for remark in _remarks(picked, other) if remark != what),
        )
    return table


def _remarks(picked: Pick, other: Beside) -> Iterator[str]:
    if other.trial.trial == picked.best.trial.trial:
        yield "best of the run"
    if other.over:
        yield f"over {', '.join(other.over)}"
    if other.same_quality:
        yield "PSNR within the seed noise"
    if other.same_time:
        yield "time within the band of the difference"
