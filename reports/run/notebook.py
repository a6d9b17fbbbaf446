"""A run as a notebook shows it: what to take, the front as a small table, and its figure."""

from __future__ import annotations

import base64

import pandas as pd
from markupsafe import Markup, escape

from evaluators.quantities import Shown, exact_quantities, ms_text
from reports.plotting.style import rendered
from reports.run.advice import recommendation
from reports.run.describe import origin
from reports.run.front import front_frame
from reports.run.headline import asked
from reports.run.pareto_plot import pareto_figure
from search.records import RunResult

MOST_ROWS = 12
DPI = 80  # of the figure: a notebook keeps it in its file


def run_html(run: RunResult) -> str:
    """HTML that needs nothing beside it; every name in it is escaped."""
    rows = front_frame(run).query("on_front").to_dict("records")
    origins = {trial.trial: origin(trial) for trial in run.trials}
    tables = [use.name for use in run.settings.tables]
    costs = exact_quantities(Shown.TABLES)
    headings = ["#", "from", *(each.unit for each in costs), *(f"ms {name}" for name in tables), "PSNR dB", "gain dB"]
    lines = [
        [
            str(row["trial"]),
            origins[row["trial"]],
            *(each.number(row[each.column]) for each in costs),
            *("–" if pd.isna(row[f"ms@{name}"]) else ms_text(row[f"ms@{name}"]) for name in tables),
            f"{row['psnr_db']:.2f}",
            f"{row['gain_db']:+.2f}",
        ]
        for row in rows[:MOST_ROWS]
    ]
    more = len(rows) - len(lines)
    parts = [
        Markup("<p><b>{}</b>: {}</p><p>{}</p>").format(run.name, asked(run.settings), recommendation(run)),
        _table(headings, lines) if lines else Markup(),
        Markup("<p>and {} more: <code>run.front</code></p>").format(more) if more else Markup(),
        _figure(run) if any(trial.rungs for trial in run.trials) else Markup(),
    ]
    return str(Markup().join(parts))


def _table(headings: list[str], lines: list[list[str]]) -> Markup:
    head = _row("th", headings)
    body = Markup().join(_row("td", line) for line in lines)
    return Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(head, body)


def _row(tag: str, cells: list[str]) -> Markup:
    return Markup("<tr>{}</tr>").format(
        Markup().join(Markup("<{0}>{1}</{0}>").format(Markup(tag), escape(cell)) for cell in cells)
    )


def _figure(run: RunResult) -> Markup:
    source = base64.b64encode(rendered(pareto_figure(run), ".png", DPI)).decode()
    return Markup('<img alt="PSNR against cost" style="max-width: 100%" src="data:image/png;base64,{}">').format(source)
