"""The picture of several runs' fronts: a panel for every cost that they share."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from latency_tables.plot_style import KINDS
from reports.plotting.labels import Label, place_labels
from reports.plotting.style import BASELINE, STYLE, ShownFigure, literal_texts, rendered
from reports.plotting.text import replace_invalid
from reports.run.comparing import ComparedFront, ComparedFronts
from reports.run.pareto_axes import draw_steps, fine_print, set_limits, title
from reports.run.pareto_view import FOCUS, LEAST_HEIGHT_DB, LOG_SPAN
from reports.run.quantities import depends_on, measured_in
from space.files import write_atomically

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")  # one more than colours: no two of the first 56 runs look alike
PANEL_IN, HEIGHT_IN = 8.2, 6.6
MARK_PT = 7


def write_comparison(compared: Sequence[ComparedFronts], folder: Path, name: str = "compare") -> tuple[Path, Path]:
    """Write ``compare.png`` and ``compare.svg``, or under another ``name``."""
    paths = Path(folder) / f"{name}.png", Path(folder) / f"{name}.svg"
    with matplotlib.rc_context(STYLE):
        figure = comparison_figure(compared)
        for path in paths:
            write_atomically(path, rendered(figure, path.suffix))
    return paths


@matplotlib.rc_context(STYLE)
def comparison_figure(compared: Sequence[ComparedFronts], is_captioned: bool = True) -> Figure:
    """One panel per cost; below them what marks stand for and, if it ``is_captioned``, what the numbers depend on."""
    width = PANEL_IN * len(compared)
    figure = ShownFigure(figsize=(width, HEIGHT_IN), dpi=150, facecolor="white")
    panels = figure.subplots(1, len(compared), squeeze=False)[0]
    lines = textwrap.wrap(protocol_in_words(compared[0]) + ".", int(width * 13)) if is_captioned else []
    keys = [_key(front, index) for index, front in enumerate(compared[0].fronts)]
    columns = max(1, min(len(keys), int(width * 11) // (max(len(key.get_label()) for key in keys) + 6)))
    rows = -(-len(keys) // columns)
    predicted = any(each.quantity.table for each in compared)
    bottom = 0.13 + 0.03 * len(lines) + 0.036 * rows + 0.04 * predicted
    left = 0.85 / width
    figure.subplots_adjust(left=left, right=1 - 0.25 / width, top=0.85, bottom=bottom, wspace=0.17)
    figure.text(left, 0.02, "\n".join(lines), fontsize=8.5, color="#555555", va="bottom", linespacing=1.45)
    figure.legend(
        handles=keys,
        loc="lower left",
        bbox_to_anchor=(left, 0.02 + 0.03 * len(lines)),
        ncols=columns,
        frameon=False,
        borderaxespad=0,
        handlelength=2.4,
    )
    for axes, each in zip(panels, compared, strict=True):
        _draw(axes, each)
    literal_texts(figure)
    return figure


def protocol_in_words(compared: ComparedFronts) -> str:
    """What all fronts have in common, in one line."""
    run = compared.fronts[0].run
    settings, rules = run.settings, run.settings.rules
    width, height = settings.input_size
    precisions = sorted({front.run.settings.trained_in for front in compared.fronts})
    formats = " and ".join(dict.fromkeys(measured_in(front.run.settings) for front in compared.fronts))
    return replace_invalid(
        f"{rules.title}; {rules.measure.metric_rule}, after {compared.steps:,} training steps in "
        f"{' and '.join(precisions)} on {settings.train_data}, measured in {formats} on {settings.val_data}; costs for "
        f"a {width}×{height} input, batch 1; {rules.measure.baseline_name} {run.baseline_psnr_db:.2f} dB; "
        f"hypervolume up to {compared.reference_in_words}, with the cost's logarithm"
    )


def look(index: int) -> tuple[str, str]:
    """Colour and marker of the run at ``index``."""
    return KINDS[index % len(KINDS)], MARKERS[index % len(MARKERS)]


def _key(front: ComparedFront, index: int) -> Line2D:
    colour, marker = look(index)
    words = f"{front.name}: {front.run.settings.budget or 'no limit'}"
    return Line2D([], [], color=colour, marker=marker, ms=MARK_PT, mec="white", lw=1.4, label=replace_invalid(words))


def _draw(axes: Axes, compared: ComparedFronts) -> None:
    of = compared.quantity
    shares = "; ".join(f"{front.name} {100 * front.share:.0f} %" for front in compared.fronts)
    noise = ", which is noise: none is clearly above the reference" * compared.says_nothing
    title(axes, f"The fronts of {len(compared.fronts)} runs", f"share of the joint hypervolume: {shares}{noise}")
    axes.set_xlabel(of.axis, labelpad=4)
    settings = compared.fronts[0].run.settings
    axes.set_ylabel(f"{settings.rules.measure.metric_name} (dB)")
    if of.table:
        fine_print(axes, depends_on(of, settings))
    members = [member for front in compared.fronts for member in front.members]
    costs = [member.cost for member in members]
    cost, lowest_db = compared.reference
    is_log = cost > LOG_SPAN * min(costs)
    heights_db = [member.psnr_db for member in members]
    is_near = lowest_db > max(heights_db) - (1 + FOCUS) * max(max(heights_db) - min(heights_db), LEAST_HEIGHT_DB)
    set_limits(axes, [*costs, cost], [*heights_db, *([lowest_db] if is_near else [])], is_log)
    taken = [_reference(axes, cost, lowest_db).get_window_extent()] if is_near else []
    lines, labels = [], []
    for index, front in enumerate(compared.fronts):
        colour, marker = look(index)
        lines.append(draw_steps(axes, [(member.cost, member.psnr_db) for member in front.members], colour))
        for member in front.members:
            axes.plot(member.cost, member.psnr_db, marker, ms=MARK_PT, color=colour, mec="white", mew=0.8, zorder=6)
            trial = member.trial
            labels.append(
                Label(
                    member.cost,
                    member.psnr_db,
                    trial.source if trial.is_fixed else f"#{trial.trial}",
                    colour,
                    optional=not trial.is_fixed,
                )
            )
    place_labels(axes, labels, [(member.cost, member.psnr_db) for member in members], lines, taken)


def _reference(axes: Axes, cost: float, psnr_db: float) -> Text:
    """The point up to which the hypervolume is counted."""
    axes.plot(cost, psnr_db, "+", ms=11, mew=1.6, color=BASELINE, zorder=5)
    text = axes.annotate(
        f"reference, {psnr_db:.2f} dB",
        (cost, psnr_db),
        (0, -7),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9,
        color=BASELINE,
    )
    axes.figure.canvas.draw()
    return text
