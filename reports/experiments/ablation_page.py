"""What a comparison of ``search.experiments.ablations`` found: a table, a figure, and the trainings behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.lines
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.stats import t as student

from evaluators.costs import architecture_costs
from latency_tables.tables.estimate import Latency
from latency_tables.tables.table import load_table
from reports.networks.counts import DASH, PHONES
from reports.networks.designs import COLOURS
from reports.plotting.style import FRONT, OTHER, PAPER, write_png
from search.environment import all_of
from search.experiments.ablations import Comparison
from search.experiments.training import TrainingRecord
from space.files import write_atomically
from space.tasks import TASKS

MOST_TICKS = 6  # intervals of an axis: figures of six characters do not touch then


@dataclass(frozen=True)
class Variant:
    """One variant with its costs, and the PSNR of each seed on the comparison's test set, in dB.

    ``diverged_db`` holds apart the seeds that ended below doing without, where an untrained network with an input skip
    begins: a mean with them would say nothing of either kind.
    """

    name: str
    params: int
    macs: int
    peak_activation_bytes: int
    ms: Mapping[str, Latency]
    psnr_db: dict[int, float]
    diverged_db: dict[int, float]
    train_s: float

    @property
    def mean_db(self) -> float | None:
        return float(np.mean(list(self.psnr_db.values()))) if self.psnr_db else None

    @property
    def deviation_db(self) -> float | None:
        return float(np.std(list(self.psnr_db.values()), ddof=1)) if len(self.psnr_db) > 1 else None

    def gain_over(self, base: Variant) -> tuple[float | None, float | None]:
        """Mean of the differences from ``base``, seed by seed, and half its 95 % interval; None of too few seeds."""
        paired = [value - base.psnr_db[seed] for seed, value in self.psnr_db.items() if seed in base.psnr_db]
        if len(paired) < 2 or self is base:
            return float(np.mean(paired)) if paired else None, None
        spread = float(np.std(paired, ddof=1)) / len(paired) ** 0.5
        return float(np.mean(paired)), float(student.ppf(0.975, len(paired) - 1)) * spread


def variants(ablation: Comparison, records: Sequence[TrainingRecord], test: str) -> tuple[Variant, ...]:
    """The variants that have a finished training, in the ablation's order."""
    size = TASKS[ablation.rules.task].input_sizes[ablation.rules.scale]
    tables = [load_table(name) for name in PHONES]
    found = []
    for name, arch in ablation.variants.items():
        wanted = (arch, ablation.loss(name).decisive)
        own = [
            record
            for record in records
            if (record.training.architecture, record.training.loss.decisive) == wanted and test in record.results
        ]
        if own:
            results = {record.training.seed: record.results[test] for record in own}
            psnr_db = {seed: result.psnr_db for seed, result in results.items()}
            diverged = {seed for seed, result in results.items() if result.psnr_db < result.baseline_psnr_db}
            found.append(
                Variant(
                    name,
                    own[0].params,
                    own[0].macs,
                    own[0].peak_activation_bytes,
                    architecture_costs(arch, size, tables).latency,
                    {seed: value for seed, value in psnr_db.items() if seed not in diverged},
                    {seed: value for seed, value in psnr_db.items() if seed in diverged},
                    float(np.mean([record.train_s for record in own])),
                )
            )
    return tuple(found)


def stored_variants(ablation: Comparison, table: pd.DataFrame) -> tuple[Variant, ...]:
    """The variants in ``psnr.csv``, in the ablation's order: what a picture needs. Bands and training times are NaN.

    Raises:
        KeyError: a column is missing.
    """
    found = []
    for name in ablation.variants:
        own = table[table["variant"] == name]
        if len(own):
            first = own.iloc[0]
            is_diverged = own["psnr_db"] < own["baseline_psnr_db"]
            by_seed = {int(seed): float(value) for seed, value in zip(own["seed"], own["psnr_db"], strict=True)}
            diverged = {int(seed) for seed in own["seed"][is_diverged]}
            ms = {phone: Latency(float(first[f"ms_{phone}"]), math.nan, math.nan, "") for phone in PHONES}
            found.append(
                Variant(
                    name,
                    int(first["params"]),
                    int(first["true_macs"]),
                    int(first["peak_activation_bytes"]),
                    ms,
                    {seed: value for seed, value in by_seed.items() if seed not in diverged},
                    {seed: value for seed, value in by_seed.items() if seed in diverged},
                    math.nan,
                )
            )
    return tuple(found)


def _base(ablation: Comparison, found: Sequence[Variant]) -> Variant:
    return next(variant for variant in found if variant.name == ablation.base)


def write_ablation(
    folder: Path, ablation: Comparison, records: Sequence[TrainingRecord], test: str, teacher: str = ""
) -> None:
    """``README.md``, ``NAME.png`` and ``psnr.csv`` (a row per training); ``teacher`` is a sentence on who taught."""
    found = variants(ablation, records, test)
    baseline_db = records[0].results[test].baseline_psnr_db
    rows = [
        {
            "variant": variant.name,
            "seed": seed,
            "steps": records[0].training.steps,
            "psnr_db": value,
            "baseline_psnr_db": baseline_db,
            "params": variant.params,
            "true_macs": variant.macs,
            "peak_activation_bytes": variant.peak_activation_bytes,
            **{f"ms_{name}": figure.ms for name, figure in variant.ms.items()},
        }
        for variant in found
        for seed, value in sorted({**variant.psnr_db, **variant.diverged_db}.items())
    ]
    write_atomically(folder / "psnr.csv", pd.DataFrame(rows).to_csv(index=False).encode())
    write_png(folder / f"{ablation.name}.png", lambda: figure(ablation, found))
    write_atomically(folder / "README.md", page(ablation, found, records, test, teacher).encode())


def page(
    ablation: Comparison, found: Sequence[Variant], records: Sequence[TrainingRecord], test: str, teacher: str = ""
) -> str:
    first, base = records[0], _base(ablation, found)
    width, height = first.input_size
    heads = ["variant", "params", "G MACs", "peak activations, MB", *(f"{name}, ms" for name in PHONES)]
    heads += [f"{ablation.rules.measure.metric_name}, dB", f"against {base.name}", "seeds", "training, s"]
    lines = [
        f"# {ablation.title}\n",
        f"The claim: {ablation.claim} ({ablation.source}).\n",
        f"Each variant was trained for {first.training.steps:,} steps ({first.rules.title}) under one protocol "
        f"(`{first.training.plan}`) and measured on {first.results[test].data}; "
        f"{ablation.rules.measure.metric_rule}, mean and standard deviation over seeds. Differences are taken "
        "seed by seed, with their 95 % interval. Costs at an input of "
        f"{width}x{height}, milliseconds predicted with 90 % bands. Doing without a network: "
        f"{first.results[test].baseline_psnr_db:.2f} dB.\n",
        *([f"{teacher}\n"] if teacher else []),
        f"![{ablation.title}]({ablation.name}.png)\n",
        "| " + " | ".join(heads) + " |",
        "| --- |" + " ---: |" * (len(heads) - 1),
    ]
    for variant in found:
        gain, half = variant.gain_over(base)
        spread = "" if variant.deviation_db is None else f" ± {variant.deviation_db:.3f}"
        cells = [variant.name, f"{variant.params:,}", f"{variant.macs / 1e9:.2f}"]
        cells += [f"{variant.peak_activation_bytes / 1e6:.0f}"]
        cells += [f"{figure.ms:,.0f} ({figure.low:,.0f} to {figure.high:,.0f})" for figure in variant.ms.values()]
        cells += [DASH if variant.mean_db is None else f"{variant.mean_db:.3f}{spread}"]
        is_known = gain is not None and variant is not base
        cells += [f"{gain:+.3f}" + (f" ± {half:.3f}" if half is not None else "") if is_known else DASH]
        apart = f", {len(variant.diverged_db)} diverged" if variant.diverged_db else ""
        cells += [f"{len(variant.psnr_db)}{apart}", f"{variant.train_s:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    apart = [
        f"{variant.name} with seed {seed} ({value:.2f} dB)"
        for variant in found
        for seed, value in variant.diverged_db.items()
    ]
    if apart:
        lines.append(f"\nDiverged, below doing without, and in no mean: {', '.join(apart)}.")
    places = [record.environment for record in records]
    arithmetic = " and ".join(dict.fromkeys(record.trained_in for record in records))
    commands = "; ".join(dict.fromkeys(f"`{record.command}`" for record in records))
    lines.append(
        f"\nTrained in {arithmetic} on {first.train_data}, on {all_of(places, 'device')}, torch "
        f"{all_of(places, 'torch')}, commit {all_of(places, 'commit')}, by {commands}. The PSNR of every "
        "training: `psnr.csv`.\n"
    )
    return "\n".join(lines)


def figure(ablation: Comparison, found: Sequence[Variant]) -> Figure:
    """A row per variant: PSNR of every seed and their mean; MACs and milliseconds relative to the base's."""
    base = _base(ablation, found)
    drawn = Figure(figsize=(12.4, 0.46 * len(found) + 1.9), layout="constrained")
    drawn.get_layout_engine().set(w_pad=0.12)
    left, right = drawn.subplots(1, 2, sharey=True)
    rows = np.arange(len(found))
    for row, variant in zip(rows, found, strict=True):
        left.plot(list(variant.psnr_db.values()), [row] * len(variant.psnr_db), "o", ms=5, color=FRONT, alpha=0.4)
        if variant.mean_db is not None:
            left.plot(variant.mean_db, row, "|", ms=18, mew=2.5, color=FRONT)
        if variant.diverged_db:
            told = "◂ diverged: " + ", ".join(f"{value:.2f} dB" for value in variant.diverged_db.values())
            left.annotate(
                told,
                (0, row),
                (4, -11),
                ("axes fraction", "data"),
                "offset points",
                color=PAPER,
                fontsize=9,
                va="center",
            )
        right.plot(variant.macs / base.macs, row, "|", ms=15, mew=2.5, color="black")
        for offset, (name, own) in zip((-0.22, 0.0, 0.22), variant.ms.items(), strict=True):
            right.plot(own.ms / base.ms[name].ms, row + offset, "o", ms=5.5, color=COLOURS[name])
    for axes, value in ((left, base.mean_db), (right, 1)):
        if value is not None:
            axes.axvline(value, color=OTHER, linewidth=0.8, zorder=0)
        axes.grid(axis="y", color="#f0f0f0")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(MOST_TICKS))
    left.set(
        yticks=rows, yticklabels=[variant.name for variant in found], xlabel=f"{ablation.rules.measure.metric_name}, dB"
    )
    left.set_title("Quality: each seed, and the mean")
    right.set(xlabel=f"times that of “{base.name}”")
    right.set_title("Cost")
    right.set_xlim(left=0)
    left.set_ylim(len(found) - 0.4, -0.6)
    handles = [matplotlib.lines.Line2D([], [], ls="", marker="|", ms=12, mew=2.5, color="black", label="MACs")]
    handles += [
        matplotlib.lines.Line2D(
            [], [], ls="", marker="o", color=COLOURS[name], label=f"ms on {name} (1.0: {base.ms[name].ms:,.0f} ms)"
        )
        for name in PHONES
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    drawn.suptitle(ablation.title, fontsize=12)
    return drawn
