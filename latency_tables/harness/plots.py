"""Predicted against measured, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latency_tables.harness.validate import Point, agreement


def scatter(path: Path, points: Sequence[Point], title: str) -> None:
    """Each network by its measured and its predicted latency, with the lines of equality and of 10 % off."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    measured = [point.measured_ms for point in points]
    predicted = [point.predicted.ms for point in points]
    ends = (0.8 * min(measured + predicted), 1.25 * max(measured + predicted))
    axes.fill_between(ends, [0.9 * end for end in ends], [1.1 * end for end in ends], color="0.9", label="within 10 %")
    axes.plot(ends, ends, color="0.5", linewidth=1, label="equal")
    upsamplers = sorted({point.arch.settings.upsampler.kind for point in points})
    for kind in upsamplers:
        own = [point for point in points if point.arch.settings.upsampler.kind == kind]
        axes.scatter(
            [point.measured_ms for point in own], [point.predicted.ms for point in own], s=14, label=kind, linewidths=0
        )
    found = agreement(points)
    axes.set(
        xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured, ms (whole network)",
        ylabel="predicted, ms (sum of its operators)",
        title=f"{title}\n{found.networks} networks: mean error {100 * found.mape:.1f} %, "
        f"{100 * found.within_10:.1f} % within 10 %, Spearman {found.spearman:.4f}",
    )  # fmt: skip
    axes.title.set_fontsize(9)
    axes.legend(title="upsampler", fontsize=8)
    figure.savefig(path, dpi=150)
