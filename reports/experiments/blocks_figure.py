"""What each kind of block gives at equal milliseconds, in one figure for two tasks.

    python -m reports.experiments.blocks_figure FOLDER_OF_SR FOLDER_OF_DENOISE OUT.png

reads what ``search ablation blocks-sr`` and ``blocks-denoise`` have left.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.experiments.ablation_page import Variant, stored_variants
from reports.plotting.style import FRONT, OTHER, PAPER, STYLE, write_png
from search.experiments.ablations import Comparison, comparison
from search.experiments.block_ablation import TABLE
from search.pareto import SEED_NOISE_DB

NAMES = ("blocks-sr", "blocks-denoise")
ROW_IN, PANEL_IN = 0.3, 4.6
FAR_DB = 0.7  # what is farther below the dense trunk becomes a number at the edge
BESIDE: dict[str, Any] = {
    "xycoords": ("axes fraction", "data"),
    "textcoords": "offset points",
    "va": "center",
    "fontsize": 8,
}


def figure(studies: Sequence[tuple[Comparison, Sequence[Variant]]]) -> Figure:
    """A panel a task and a row a kind of block: dB above or below the dense trunk, each seed and their mean, with the
    trunk's milliseconds beside it. The grey band is what another seed may turn round."""
    names = list(studies[0][0].variants)
    size = (2.2 + PANEL_IN * len(studies), ROW_IN * len(names) + 1.5)
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=size, layout="constrained")
        panels = drawn.subplots(1, len(studies), sharey=True, squeeze=False)[0]
        for axes, (study, found) in zip(panels, studies, strict=True):
            _draw(axes, study, {variant.name: variant for variant in found}, names)
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.4, -0.6)
        drawn.suptitle(f"Blocks in trunks of equal milliseconds on {TABLE}: each seed, and the mean")
        drawn.supxlabel(f"grey: {SEED_NOISE_DB} dB to both sides, which another seed may turn round", fontsize=9)
    return drawn


def _draw(axes: Axes, study: Comparison, found: dict[str, Variant], names: Sequence[str]) -> None:
    base = found[study.base]
    axes.axvspan(-SEED_NOISE_DB, SEED_NOISE_DB, color=OTHER, alpha=0.18, lw=0)
    axes.axvline(0, color=OTHER, lw=0.8)
    for row, variant in ((names.index(name), variant) for name, variant in found.items()):
        gains = [value - base.psnr_db[seed] for seed, value in variant.psnr_db.items() if seed in base.psnr_db]
        mean = float(np.mean(gains)) if gains else None
        if mean is not None and mean >= -FAR_DB:
            axes.plot(gains, [row] * len(gains), "o", ms=4.5, color=FRONT, alpha=0.4, mew=0)
            axes.plot(mean, row, "|", ms=13, mew=2.4, color=FRONT)
        told = [f"{mean:+.2f} dB"] if mean is not None and mean < -FAR_DB else []
        told += ["diverged"] if variant.diverged_db else []
        if told:
            axes.annotate("◂ " + ", ".join(told), (0, row), (4, 0), color=PAPER, **BESIDE)
        axes.annotate(f"{variant.ms[TABLE].ms:,.0f} ms", (1, row), (4, 0), **BESIDE)
    for row in (row for row, name in enumerate(names) if name not in study.variants):
        axes.annotate("not offered for this task", (0, row), (4, 0), color=OTHER, **BESIDE)
    counts = {len(variant.psnr_db) + len(variant.diverged_db) for variant in found.values()}
    least, most = min(counts), max(counts)
    seeds = f"{most} seed{'s' if most != 1 else ''}" if least == most else f"{least} or {most} seeds"
    axes.set_title(f"{study.rules.title}, {seeds}", fontsize=10)
    axes.set_xlabel(f"dB against “{base.name}”, {base.mean_db:.2f} dB")
    axes.grid(axis="y", color="#f0f0f0")
    axes.set_axisbelow(True)


def main(arguments: Sequence[str]) -> int:
    *folders, out = map(Path, arguments)
    studies = []
    for name, folder in zip(NAMES, folders, strict=True):
        study = comparison(name)
        studies.append((study, stored_variants(study, pd.read_csv(folder / "psnr.csv"))))
    write_png(out, lambda: figure(studies))
    print(f"wrote {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
