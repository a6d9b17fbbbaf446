"""``python -m reports.networks.designs FOLDER``: what a designer's choices cost on phones, starting from s-LWSR16.

Its upsamplers, and networks of about the same multiply-accumulates out of other blocks. With ``--measured TABLE``,
a table that ``python -m latency_tables measure`` made of this machine, the networks are also run whole here, or with
``--kept`` taken from the ``measured.csv`` that an earlier call left in the folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evaluators.costs import Costs, architecture_costs
from evaluators.latency import explained, latency_difference
from latency_tables.lowering.fusion import architecture_operators
from latency_tables.measuring.engines import engine_format
from latency_tables.measuring.measure import Harness
from latency_tables.measuring.rounds import Protocol
from latency_tables.measuring.targets.target import open_session
from latency_tables.measuring.validate import validate
from latency_tables.tables.estimate import Explanation, MissingOperatorError, explain
from latency_tables.tables.table import load_table
from reports import markdown
from reports.plotting.style import FRONT, OTHER, PAPER, write_png
from space.architecture import Architecture
from space.blocks.block import BlockSpec
from space.blocks.inverted import InvertedSpec
from space.blocks.residual import ResidualSpec
from space.errors import UserError
from space.files import write_atomically
from space.layers.upsamplers import UPSAMPLERS
from space.zoo import ZOO

INPUT = (320, 180)
PHONES = ("pixel4-a76", "pixel4-a55", "a03s-a53")
COLOURS = {"pixel4-a76": FRONT, "pixel4-a55": PAPER, "a03s-a53": "#6a5acd"}
BASE = ZOO["s-lwsr16"].architecture
WIDTHS = range(8, 65, 4)
TITLE = "What a designer's choices cost on phones"
MEASURED = "measured.csv"


@dataclass(frozen=True)
class Design:
    """One network and its figures: predicted by table, and measured on this machine if that was asked for."""

    name: str
    arch: Architecture
    costs: Costs
    latency: Mapping[str, Explanation]
    measured_ms: float | None = None


def designs() -> dict[str, Architecture]:
    """s-LWSR16 as published, with every other upsampler, and trunks of other blocks at about its MACs."""
    found = {}
    for kind in UPSAMPLERS:
        found[f"s-LWSR16, {kind} upsampler"] = _with_upsampler(BASE, kind)
    for expansion in (1, 2, 6):
        arch = _same_macs(
            lambda width, expansion=expansion: _with_blocks(InvertedSpec(width=width, hidden=expansion * width))
        )
        name = f"depthwise and 1x1 blocks, expansion {expansion}, {arch.settings.width} channels"
        found[name] = arch
    arch = _same_macs(
        lambda width: _with_upsampler(_with_blocks(ResidualSpec(width=width, hidden=width)), "dense-one-step")
    )
    found[f"3x3 blocks, {arch.settings.width} channels, one-step upsampler"] = arch
    return found


def _with_upsampler(arch: Architecture, kind: str) -> Architecture:
    return replace(arch, ends=replace(arch.ends, upsampler=replace(arch.ends.upsampler, kind=kind)))


def _with_blocks(spec: BlockSpec) -> Architecture:
    """The same graph with every block like ``spec``; the upsampler keeps 16 channels at the larger sizes."""
    settings = BASE.settings

    def rows(old: tuple[tuple[BlockSpec, ...], ...]) -> tuple[tuple[BlockSpec, ...], ...]:
        return tuple((spec,) * len(row) for row in old)

    changed = replace(settings, width=spec.width, encoder=rows(settings.encoder), decoder=rows(settings.decoder))
    return replace(BASE, settings=changed)


def _same_macs(make) -> Architecture:
    wanted = architecture_costs(BASE, INPUT).macs
    return min((make(width) for width in WIDTHS), key=lambda arch: abs(architecture_costs(arch, INPUT).macs - wanted))


def priced(tables: Sequence[str], measured: Mapping[str, float]) -> tuple[Design, ...]:
    """Every design with its figures on ``tables``; ``measured`` by architecture key."""
    return tuple(
        Design(name, arch, architecture_costs(arch, INPUT), _latencies(arch, tables), measured.get(arch.key))
        for name, arch in designs().items()
    )


def _latencies(arch: Architecture, tables: Sequence[str]) -> dict[str, Explanation]:
    """By table; none of a table that lacks an operator of ``arch``."""
    found = {}
    for table in tables:
        try:
            found[table] = explain(load_table(table), architecture_operators(arch, INPUT))
        except MissingOperatorError:
            continue
    return found


def _run_here(table: str, cores: tuple[int, ...], folder: Path) -> dict[str, float]:
    """Milliseconds of every design, run whole by LiteRT on this machine; by architecture key."""
    engine = engine_format("litert")
    engine.require()
    own = load_table(table)
    session = open_session("local", "litert", cores, own.threads)
    try:
        harness = Harness(session, engine, Protocol(own.threads, cores, 5, 7, repeats=3, budget_s=3.0))
        points = validate(harness, own, tuple(designs().values()), 0, INPUT, {"designs": len(designs())}, folder)
    finally:
        session.close()
    return {point.arch.key: point.measured_ms for point in points}


def measured_table(found: Sequence[Design]) -> pd.DataFrame:
    """A row per design that was run whole."""
    ran = [design for design in found if design.measured_ms]
    return pd.DataFrame({"network": [design.name for design in ran], "measured_ms": [d.measured_ms for d in ran]})


def kept(folder: Path) -> dict[str, float]:
    """By architecture key, what ``measured.csv`` in ``folder`` holds.

    Raises:
        UserError: there is none.
    """
    path = folder / MEASURED
    if not path.is_file():
        raise UserError(f"--kept must have {path}, got none; leave --kept out to measure")
    ms = dict(pd.read_csv(path).itertuples(index=False))
    return {arch.key: float(ms[name]) for name, arch in designs().items() if name in ms}


@lru_cache(maxsize=256)
def _upsampler_share(arch: Architecture, table: str) -> float:
    found = explained(arch, INPUT, load_table(table))
    return found.by_part["upsampler"] / found.latency.ms


def page(found: Sequence[Design], own: str | None) -> str:
    """The table in Markdown."""
    here = load_table(own) if own else None
    width, height = INPUT
    lines = [
        f"# {TITLE}\n",
        f"Input {width}x{height}, x4, batch 1. Milliseconds are predictions with their 90 % band for this version of "
        "the engine; in brackets the "
        "upsampler's share. " + "; ".join(f"{name}: {load_table(name).caption}" for name in PHONES) + ".",
        *([f"The last columns: {here.caption}, predicted by its own measured table and run whole."] if here else []),
        "\nThis page: `python -m reports.networks.designs reports/published/designs"
        + (f" --measured {own}`; `--kept` takes what was measured from `{MEASURED}`.\n" if own else "`.\n"),
        "![Milliseconds of each design relative to s-LWSR16](designs.png)\n",
    ]
    heads = ["network", "params", "G MACs", *(f"{name}, ms" for name in PHONES)]
    if here:
        heads += ["here predicted, ms", "here measured, ms", "error"]
    rows = []
    for design in found:
        cells = [design.name, f"{design.costs.params:,}", f"{design.costs.macs / 1e9:.2f}"]
        for name in PHONES:
            of = design.latency[name]
            share = _upsampler_share(design.arch, name)
            cells.append(f"{of.latency.ms:,.0f} ({of.version_low:,.0f} to {of.version_high:,.0f}) [{share:.0%}]")
        if here:
            own_figure, measured = design.latency.get(own), design.measured_ms
            predicted = own_figure and own_figure.latency
            cells += [f"{predicted.ms:,.1f}" if predicted else "–", f"{measured:,.1f}" if measured else "–"]
            cells += [f"{predicted.ms / measured - 1:+.1%}" if predicted and measured else "–"]
        rows.append(cells)
    return "\n".join((*lines, *markdown.table(heads, rows))) + "\n"


def figure(found: Sequence[Design], here: str = "this machine") -> Figure:
    """One row per design: how many times s-LWSR16's milliseconds it takes on each phone, with its MACs beside.

    The bars are the 90 % band of the difference from s-LWSR16, in which what the two share cancels. ``here`` names
    where networks were run.
    """
    base = found[0]
    drawn = Figure(figsize=(8.6, 0.42 * len(found) + 2.1), layout="constrained")
    axes = drawn.subplots()
    rows = np.arange(len(found))
    axes.scatter(
        [design.costs.macs / base.costs.macs for design in found],
        rows,
        marker="|",
        s=160,
        color="black",
        zorder=3,
        label="MACs",
    )
    for offset, name in zip((-0.2, 0.0, 0.2), PHONES, strict=True):
        scale = base.latency[name].latency.ms
        centres = [design.latency[name].latency.ms / scale for design in found]
        apart = [latency_difference(base.arch, design.arch, INPUT, load_table(name)) for design in found]
        spread = [[(each.ms - each.low) / scale for each in apart], [(each.high - each.ms) / scale for each in apart]]
        axes.errorbar(
            centres,
            rows + offset,
            xerr=spread,
            fmt="o",
            ms=5,
            color=COLOURS[name],
            elinewidth=1,
            label=f"ms on {name} (s-LWSR16: {scale:,.0f} ms)",
        )
    if base.measured_ms:
        scale = base.measured_ms
        ran = [(design.measured_ms / scale, row) for row, design in enumerate(found) if design.measured_ms]
        axes.scatter(
            *zip(*ran, strict=True),
            marker="x",
            color=OTHER,
            zorder=4,
            label=f"ms measured on {here} (s-LWSR16: {scale:,.0f} ms)",
        )
    axes.axvline(1, color=OTHER, linewidth=0.8, zorder=0)
    axes.set(
        yticks=rows,
        yticklabels=[design.name for design in found],
        xlabel="times s-LWSR16 as published (bars: 90 % band)",
    )
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    width, height = INPUT
    drawn.suptitle(
        f"{TITLE}\nsuper-resolution ×4 of {width}×{height} pixels", fontsize=12, x=0.02, ha="left", linespacing=1.4
    )
    drawn.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--measured", metavar="TABLE", help="a table of this machine: also run the networks here")
    parser.add_argument("--core", type=int, default=0, help="the core that the table was measured on (default: 0)")
    parser.add_argument("--kept", action="store_true", help=f"take what was measured from {MEASURED} in FOLDER")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    own = options.measured
    if options.kept:
        measured = kept(options.folder)
    else:
        measured = _run_here(own, (options.core,), options.folder) if own else {}
    found = priced((*PHONES, *([own] if own else [])), measured)
    write_atomically(options.folder / "README.md", page(found, own).encode())
    if measured:
        write_atomically(options.folder / MEASURED, measured_table(found).to_csv(index=False).encode())
    here = load_table(own).caption.split(",")[1].strip() if own else ""
    write_png(options.folder / "designs.png", lambda: figure(found, here))


if __name__ == "__main__":
    main()
