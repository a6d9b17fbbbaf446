"""``python -m reports.networks.latency_fit FOLDER``: how well the published tables predict what they have not seen."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from latency_tables.fitting.fit import Problem, bootstrap_prices, published_problem
from latency_tables.fitting.held_out import leave_out, pairs_held_out
from latency_tables.fitting.tables import SHIPPED, VERSION_SPREAD, family_held_out, reference_errors
from latency_tables.fitting.transfer import from_common, from_one_core, other_devices
from latency_tables.tables.table import load_table
from reports.plotting.style import FRONT, OTHER, PAPER, write_png
from space.files import write_atomically

SHOWN = ("pixel4-a76", "pixel4-a55", "a03s-a53", "mi8se-a75", "s10-m4", "pixel4-a76-int8")
# Networks that start with 16 channels, and the one of 64 channels at 222x222, with the mean error of the earlier fit in
# percent over all core sets in fp32, families left out.
MARKED = {"dla46c": -27.0, "resnet18_wd4": -23.0, "preresnet18_wd4": -22.0, "bagnet9": -0.1}
REPEATS = 10
CLOSE = 1.3  # of two latencies, their ratio
PANEL_IN = 3.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "README.md", readme().encode())
    write_png(folder / "held-out.png", held_out_figure)


def readme() -> str:
    problem = published_problem()
    errors = np.array([leave_out(problem, index, problem.families).errors for index in range(len(problem.core_sets))])
    parts = (
        "# Latency tables of published phones: how well they predict what they have not seen\n",
        "102 networks on 84 combinations of core set and dtype (TensorFlow Lite 2.10.0, batch 1, 224x224; "
        "qed-usc/mobile-ml-benchmark, MIT). Mean absolute error in percent; *family left out*: each network from a fit "
        f"without its family ({len(set(problem.families))} families by name, `latency_tables/fitting/networks.py`), "
        "on this and every other core set; *reference*: an earlier fit to the same data, one price per operator class. "
        "This page: `python -m reports.networks.latency_fit reports/published/latency-tables`.\n",
        "![Held-out predictions against measurements](held-out.png)\n",
        "Diamonds: dla46c, resnet18_wd4 and preresnet18_wd4, whose first stages have 16 channels, and bagnet9, a "
        "BagNet with a receptive field of 9 pixels: the one network that runs 3x3 convolutions of 64 channels at "
        "nearly full size (222x222), as restoration networks do.\n",
        "*Band*: 90 % for the engine's very version, pinned; the tables' default band is wider, because measurements "
        "of others, with another version of TensorFlow Lite or without pinning, differ from these by one common factor "
        f"of 0.7 to 1.4 (`version_spread` {VERSION_SPREAD}, `latency_tables/fitting/tables.py`). Differences between "
        "networks on one table, and their ranks, do not depend on it.\n",
        "## All core sets, medians\n",
        *_summary(problem, errors),
        "\n## Networks that a cost model gets wrong\n",
        *_marked(problem, errors),
        "\n## Which of two networks is faster\n",
        *_pairs(problem),
        "\n## A core that nobody measured\n",
        *_transfer(problem),
        "\n## Each shipped table\n",
        *_tables(),
    )
    return "\n".join(parts) + "\n"


def _summary(problem: Problem, errors: np.ndarray) -> Iterable[str]:
    yield "| core sets | number | family left out | reference |"
    yield "| --- | ---: | ---: | ---: |"
    reference = np.array([reference_errors()[core_set.table][1] for core_set in problem.core_sets])
    mape = 100 * np.abs(errors).mean(axis=1)
    groups = {
        f"{threads}, {dtype}": np.array(
            [(own.threads > 1) == several and own.dtype == dtype for own in problem.core_sets]
        )
        for threads, several in (("one core", False), ("several cores", True))
        for dtype in ("fp32", "int8")
    }
    groups["all"] = np.ones(len(mape), dtype=bool)
    for name, chosen in groups.items():
        low, high = mape[chosen].min(), mape[chosen].max()
        yield (
            f"| {name} | {chosen.sum()} | {np.median(mape[chosen]):.1f} ({low:.1f} to {high:.1f}) "
            f"| {np.median(reference[chosen]):.1f} |"
        )


def _marked(problem: Problem, errors: np.ndarray) -> Iterable[str]:
    yield "Each predicted without its family, in fp32, in percent (below 0: predicted too fast).\n"
    yield "| network | core sets | mean error | mean absolute | worst | reference, mean of all core sets |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for name, before in MARKED.items():
        for several in (False, True):
            chosen = [(own.threads > 1) == several and own.dtype == "fp32" for own in problem.core_sets]
            own = 100 * errors[chosen, problem.networks.index(name)]
            worst = own[np.argmax(np.abs(own))]
            cores = f"{len(own)} of {'several cores' if several else 'one core'}"
            yield (
                f"| {name} | {cores} | {own.mean():+.1f} | {np.abs(own).mean():.1f} | {worst:+.1f} "
                f"| {'' if several else f'{before:+.1f}'} |"
            )


def _pairs(problem: Problem) -> Iterable[str]:
    yield (
        "Pairs of different families, each network predicted without its own; the band of a difference is what decides "
        "whether two points of a front are a tie.\n"
    )
    yield "| table | pairs | true difference in the 90 % band | tied | wrong way round, of those not tied |"
    yield "| --- | --- | ---: | ---: | ---: |"
    names = [core_set.table for core_set in problem.core_sets]
    everything = np.arange(len(problem.networks))
    for name in (table for table in SHOWN if not table.endswith("int8")):
        index = names.index(name)
        drawn = problem.amounts @ bootstrap_prices(problem, index, everything)
        for closest, words in ((np.inf, "all"), (CLOSE, f"at most {CLOSE - 1:.0%} apart")):
            found = pairs_held_out(family_held_out(index), problem.families, drawn, closest)
            yield f"| {name} | {words} | {found.in_band:.0%} | {found.tied:.0%} | {found.wrong_way:.1%} |"


def _transfer(problem: Problem) -> Iterable[str]:
    targets = [index for index, own in enumerate(problem.core_sets) if own.threads == 1 and own.dtype == "fp32"]
    yield (
        "Everything of its device left out, a few randomly chosen networks timed on it; error on the other networks, "
        f"median over the {len(targets)} single cores in fp32 ({REPEATS} choices each). Reference: one scale "
        "from 5 networks 3 to 19 %, median 10 %; full refit 10.3 % from 10 and 6.0 % from 20 networks.\n"
    )
    yield "| timed networks | start | one scale | refit, drawn towards the start |"
    yield "| ---: | --- | ---: | ---: |"
    for number in (5, 10, 20):
        cells = [[from_common(problem, own, number, refit, REPEATS) for own in targets] for refit in (False, True)]
        yield _transfer_row(number, "what other devices' cores have in common", cells)
        cells = [
            [
                from_one_core(problem, own, base, number, refit, REPEATS)
                for own in targets
                for base in other_devices(problem, own)
            ]
            for refit in (False, True)
        ]
        yield _transfer_row(number, "one core of another device, any", cells)


def _transfer_row(number: int, start: str, cells: list[list[float]]) -> str:
    texts = [f"{np.median(values):.1f} ({min(values):.1f} to {max(values):.1f})" for values in cells]
    return f"| {number} | {start} | {texts[0]} | {texts[1]} |"


def _tables() -> Iterable[str]:
    yield (
        "*within band*: share of held-out networks in their 90 % band, its width set by other families; families count "
        "the same.\n"
    )
    yield (
        "| table | device, core, threads, dtype | family left out | reference | network left out | reference "
        "| Spearman | within band |"
    )
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name in SHIPPED:
        table = load_table(name)
        held_out = table.provenance["held_out"]
        place = table.caption.removesuffix(f", {table.engine} {table.engine_version}")
        yield (
            f"| {name} | {place} | {held_out['lofo_mape']:.1f} | {held_out['reference_lofo_mape']:.1f} "
            f"| {held_out['lomo_mape']:.1f} | {held_out['reference_lomo_mape']:.1f} | {held_out['spearman']:.4f} "
            f"| {100 * held_out['coverage_90']:.0f} % |"
        )


def held_out_figure() -> Figure:
    """Six tables: predicted against measured, every network without its family."""
    problem = published_problem()
    tables = [core_set.table for core_set in problem.core_sets]
    figure = Figure(figsize=(3 * PANEL_IN + 0.6, 2 * PANEL_IN + 0.9), layout="constrained")
    for axes, name in zip(figure.subplots(2, 3).flat, SHOWN, strict=True):
        held_out = family_held_out(tables.index(name))
        marked = np.array([network in MARKED for network in problem.networks])
        limits = np.array([held_out.latency_ms.min() / 1.5, held_out.latency_ms.max() * 1.5])
        axes.fill_between(limits, 0.9 * limits, 1.1 * limits, color=OTHER, alpha=0.3, linewidth=0, label="within 10 %")
        axes.plot(limits, limits, color=OTHER, linewidth=0.8)
        axes.scatter(
            held_out.latency_ms[~marked],
            held_out.predicted_ms[~marked],
            s=12,
            color=FRONT,
            linewidth=0,
            label="networks",
        )
        axes.scatter(
            held_out.latency_ms[marked],
            held_out.predicted_ms[marked],
            s=26,
            color=PAPER,
            marker="D",
            linewidth=0,
            label="narrow first stages; bagnet9 (3x3 at 222x222)",
        )
        axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits, aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):  # no powers of ten: text of a figure is never read as a formula
            axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
            axis.set_minor_formatter(NullFormatter())
        axes.set_title(f"{name}   mean error {held_out.mape:.1f} %", fontsize=10)
    figure.supxlabel("measured, ms (TensorFlow Lite 2.10.0, one thread, batch 1, 224x224)", fontsize=10.5)
    figure.supylabel("predicted without the network's family, ms", fontsize=10.5)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=10)
    return figure


if __name__ == "__main__":
    main()
