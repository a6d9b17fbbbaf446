"""The page of the pruned fronts, its table of all trainings, and its figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from reports import markdown
from reports.experiments.pruned_fronts_figure import figure
from reports.experiments.pruned_fronts_table import Cell, cells, gains, percent, sentences
from reports.networks.counts import DASH
from reports.plotting.style import write_png
from search.durations import duration_text
from search.environment import all_of
from search.experiments.front_designs import TOLERANCE
from search.experiments.front_records import FrontRecord
from search.experiments.pruned_fronts import ARMS, DRAWN, NARROWER, PARENT, PRUNED, SEARCHED, FrontsPlan
from space.files import write_atomically, write_text_atomically

TABLE, PICTURE = "trainings.csv", "pruned-fronts.png"
IN_INT8 = (
    "; here the same trainings are measured in int8, as LiteRT computes it, and take the milliseconds of int8, "
    "in which the arms of a share are no longer quite equal"
)
NAMES = {PARENT: "the parent, before it is pruned", **ARMS}


def write_fronts(
    folder: Path,
    plan: FrontsPlan,
    table: str,
    records: Sequence[FrontRecord],
    baseline_db: Mapping[str, float],
    dtype: str = "fp32",
) -> None:
    """``README.md``, ``pruned-fronts.png`` and ``trainings.csv`` (a row for each training) into ``folder``.

    ``baseline_db`` is doing without a network, by test set, the first of which the figure is of; ``table`` is the
    latency table's name, ``dtype`` the number format of its milliseconds and of the quality.
    """
    if not records:
        return
    write_atomically(folder / TABLE, rows(records).to_csv(index=False).encode())
    found, test = cells(records), next(iter(baseline_db))
    if any(cell.arm == PRUNED for cell in found):
        metric = plan.rules.measure.metric_name
        write_png(folder / PICTURE, lambda: figure(found, test, table, metric))
        write_text_atomically(folder / "README.md", page(plan, table, records, baseline_db, dtype))


def rows(records: Sequence[FrontRecord]) -> pd.DataFrame:
    """Of every training, in the order in which they were made."""
    return pd.DataFrame(
        {
            "arm": record.place.arm,
            "ratio": record.place.ratio,
            "seed": record.place.seed,
            "number": record.place.number,
            "steps": record.steps,
            "params": record.params,
            "macs": record.macs,
            "ms": round(record.latency.ms, 2),
            "ms_low": round(record.latency.low, 2),
            "ms_high": round(record.latency.high, 2),
            "ms_origin": record.latency.origin,
            **{f"psnr_db_{test}": value for test, value in record.psnr_db.items()},
            "train_s": round(record.train_s, 1),
            "architecture": record.architecture.key,
            "failure": record.failure,
        }
        for record in records
    )


def page(
    plan: FrontsPlan, table: str, records: Sequence[FrontRecord], baseline_db: Mapping[str, float], dtype: str = "fp32"
) -> str:
    found, tests = cells(records), list(baseline_db)
    without = ", ".join(f"{value:.2f} dB on {spec}" for spec, value in baseline_db.items())
    lines = [
        f"# Pruned fronts against designs trained from random weights, {plan.rules.title}"
        f"{f', in {dtype}' if dtype != 'fp32' else ''}\n",
        *(f"On {test}: {sentences(found, test)}\n" for test in tests),
        f"![PSNR against milliseconds of four ways to a network]({PICTURE})\n",
        *markdown.table(_heads(tests), _cells(found, tests), align="ll"),
        "",
        _described(plan, table, tests[0], dtype),
        f"Quality is {plan.rules.measure.metric_rule}; mean and standard deviation over seeds. Milliseconds are means "
        "with the mean ends of the 90 % bands. Differences are taken seed by seed, with their 95 % interval. "
        f"Doing without a network: {without}.\n",
        _made_by(records),
    ]
    return "\n".join(lines)


def _described(plan: FrontsPlan, table: str, first_test: str, dtype: str) -> str:
    """``table`` is that of the milliseconds; pruning was by those in float32."""
    pruned_by = table.removesuffix(f"-{dtype}")
    width, height = plan.size
    settings = plan.parent.settings
    more = IN_INT8 if dtype != "fp32" else ""
    return (
        f"Each design had {plan.steps:,} training steps in all, under one plan (`{plan.rules.degrade.plan}`). Of a "
        f"pruned network {plan.steps - plan.fine_tuning:,} were its parent's ({len(settings.blocks)} residual blocks "
        f"of {settings.width} channels), and {plan.fine_tuning:,} followed, in {plan.rounds} "
        f"round{'s' * (plan.rounds > 1)} of pruning ({plan.scope} magnitude, by the milliseconds of `{pruned_by}`) and "
        "fine-tuning; one parent serves every share. Seeds are those of weights and patches.\n\n"
        f"All arms of a seed take the pruned network's time within {percent(TOLERANCE)}, at an input of "
        f"{width}x{height} in fp32{more}. “{ARMS[NARROWER]}” has fewer channels and, only where no number of them "
        f"meets the time, fewer blocks. “{ARMS[SEARCHED]}” is one of {plan.candidates} random designs of the whole "
        "space with the parent's input skip, which were led to that time by their costs alone: the one with the "
        f"highest PSNR on {first_test} after {plan.rung:,} steps, which the others do not have.\n"
    )


def _heads(tests: Sequence[str]) -> list[str]:
    figures = [head for test in tests for head in (f"PSNR on {test}, dB", "pruned against it")]
    return ["pruned", "network", "ms", "params", "G MACs", *figures, "seeds"]


def _cells(found: Sequence[Cell], tests: Sequence[str]) -> Iterator[list[str]]:
    against = {(test, gain.other.arm, gain.other.ratio): gain.text for test in tests for gain in gains(found, test)}
    for cell in found:
        low, high = cell.band_ms
        row = [percent(cell.ratio) if cell.ratio else DASH, NAMES.get(cell.arm, cell.arm)]
        row += [f"{cell.ms:,.0f} ({low:,.0f} to {high:,.0f})"]
        row += [f"{np.mean([record.params for record in cell.records]):,.0f}"]
        row += [f"{np.mean([record.macs for record in cell.records]) / 1e9:.2f}"]
        for test in tests:
            deviation = cell.deviation_db(test)
            row += [f"{cell.mean_db(test):.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")]
            row += [against.get((test, cell.arm, cell.ratio), DASH)]
        yield [*row, str(len(cell.records))]


def _made_by(records: Sequence[FrontRecord]) -> str:
    """Where, when and by what; and what is in no mean."""
    places = [record.environment for record in records]
    took = duration_text(sum(record.train_s for record in records))
    commands = "; ".join(f"`{command}`" for command in dict.fromkeys(r.environment.get("command", "") for r in records))
    drawn = sum(record.place.arm == DRAWN for record in records)
    text = (
        f"Trained on {all_of(places, 'data')}, on {all_of(places, 'device')}, torch {all_of(places, 'torch')}, "
        f"{all_of(places, 'workers')}, {all_of(places, 'precision')}, commit {all_of(places, 'commit')}, {took} for "
        f"{len(records)} trainings ({drawn} of them of drawn designs), by {commands}. Every training: `{TABLE}`.\n"
    )
    failed = [f"{record.place.name} ({record.failure})" for record in records if record.failure]
    return text + (f"\nDiverged, and in no mean: {', '.join(failed)}.\n" if failed else "")
