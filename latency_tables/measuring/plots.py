"""Predicted against measured, as a picture. ``python -m latency_tables.measuring.plots FOLDER`` draws one again."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency_tables.measuring.validate import Point, agreement
from latency_tables.plot_style import KINDS, METADATA, OTHER, STYLE
from space.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MARKERS = "oD^"  # of the first kinds, of as many after them, ...


@dataclass(frozen=True, slots=True)
class Mark:
    """One network of the picture; ``kind`` is its upsampler, or its backbone where it does not say one."""

    kind: str
    measured_ms: float
    predicted_ms: float


def scatter(path: Path, points: Sequence[Point], title: str) -> None:
    """Each network by its measured and its predicted latency, with the lines of equality and of 10 % off."""
    marks = [Mark(_kind(point.arch.to_dict()), point.measured_ms, point.predicted.ms) for point in points]
    write(path, marks, title, asdict(agreement(points)))


def redraw(folder: Path) -> Path:
    """Draw ``scatter.png`` from the ``networks.csv`` and ``summary.json`` of a validation; return its path."""
    with (folder / "networks.csv").open(encoding="utf-8", newline="") as file:
        marks = [
            Mark(_kind(json.loads(row["architecture"])), float(row["measured_ms"]), float(row["predicted_ms"]))
            for row in csv.DictReader(file)
        ]
    found = json.loads((folder / "summary.json").read_text("utf-8"))
    path = folder / "scatter.png"
    write(path, marks, f"{found['caption']}, input {found['input']}", found)
    return path


def write(path: Path, marks: Sequence[Mark], title: str, found: Mapping[str, Any]) -> None:
    """``found`` is an ``Agreement`` as a mapping."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        buffer = io.BytesIO()
        figure(marks, title, found).savefig(buffer, format="png", dpi=150, metadata=METADATA[".png"])
    write_atomically(path, buffer.getbuffer())


def figure(marks: Sequence[Mark], title: str, found: Mapping[str, Any]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    drawn = Figure(figsize=(6.8, 6.4), layout="constrained")
    FigureCanvasAgg(drawn)
    axes = drawn.add_subplot()
    figures = [ms for mark in marks for ms in (mark.measured_ms, mark.predicted_ms)]
    ends = (0.8 * min(figures), 1.25 * max(figures))
    low, high = ([factor * end for end in ends] for factor in (0.9, 1.1))
    axes.fill_between(ends, low, high, color=OTHER, alpha=0.3, lw=0, label="within 10 %")
    axes.plot(ends, ends, color=OTHER, linewidth=1, label="equal")
    for index, kind in enumerate(sorted({mark.kind for mark in marks})):
        own = [mark for mark in marks if mark.kind == kind]
        axes.scatter(
            [mark.measured_ms for mark in own],
            [mark.predicted_ms for mark in own],
            s=16,
            label=kind,
            linewidths=0,
            color=KINDS[index % len(KINDS)],
            marker=MARKERS[index // len(KINDS) % len(MARKERS)],
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlim=ends,
        ylim=ends,
        xlabel="measured, ms (whole network)",
        ylabel="predicted, ms (sum of its operators)",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    drawn.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold", parse_math=False)
    axes.set_title(
        f"{found['networks']} networks: mean error {100 * found['mape']:.1f} %, {100 * found['within_10']:.1f} % "
        f"within 10 %, Spearman {found['spearman']:.4f}",
        loc="left",
        fontsize=9.5,
        color="#555555",
    )
    axes.legend(title="upsampler", fontsize=9, frameon=False, loc="upper left", alignment="left")
    return drawn


def _kind(arch: Mapping[str, Any]) -> str:
    upsampler = (arch.get("ends") or arch["settings"]).get("upsampler")  # older files have it among the settings
    return upsampler["kind"] if upsampler else arch["backbone"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="+", help="of a validation: with networks.csv and summary.json")
    for folder in parser.parse_args().folder:
        print(redraw(folder))


if __name__ == "__main__":
    main()
