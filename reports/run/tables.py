"""The front for the terminal."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from evaluators.quantities import Shown, exact_quantities, ms_text
from reports.run.describe import origin
from reports.run.front import front_frame, other_column, other_figures
from reports.run.quantities import depends_on, latency_quantities
from reports.run.times import worst_origin
from search.records import RunResult

FIRST = ("", "#", "from")
QUALITY = ("PSNR\ndB", "gain")
HEADING_COLUMNS = 8  # a heading is broken to lines of so many characters
APPROXIMATION = "°"
APPROXIMATIONS = f"{APPROXIMATION} approximation: the paper does not determine the network"
DESCRIBED_FROM_COLUMNS = 120  # a narrower terminal has no room for descriptions


def plain_table(title: str, caption: str) -> Table:
    """An empty table of networks with a line under its head, as wide as what stands in it."""
    return Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def front_table(run: RunResult, width_columns: int = 80) -> Table:
    """Front members and fixed trials, cheapest first; a star marks the front, ``~`` a tie within the seed noise, ``≈``
    milliseconds that tie within the band of the difference.

    A terminal of ``width_columns`` from 120 on also gets a description of every network. Where even the rest is too
    wide, the names are broken and never a number.
    """
    settings = run.settings
    title = f"{run.name}: {settings.rules.title}, {settings.budget}"
    baseline_name = settings.rules.measure.baseline_name
    names = [use.name for use in settings.tables]
    others = other_figures(run)
    times = ("\n".join(("ms", *_broken(name))) for name in names)
    headings = (
        *FIRST,
        *(each.unit for each in exact_quantities(Shown.TABLES)),
        *times,
        *QUALITY,
        *("\n".join(_broken(f"{name} dB")) for name in others),
        "steps",
    )
    caption = "\n".join(
        (
            f"* on the front; ~ tied within the seed noise; {baseline_name} {run.baseline_psnr_db:.2f} dB",
            *(f"{name}, no network: {db:.2f} dB" for name, db in run.classical_baselines_db.items()),
            *(f"{name}: {baseline_name} {db:.2f} dB" for name, db in run.baseline_others_db.items()),
            *([APPROXIMATIONS] if any(trial.approximation for trial in run.trials) else []),
            *(["≈ ms that tie with a neighbour's on the front, within the band of the difference"] if names else []),
            *_depends_on(run),
        )
    )
    table = plain_table(title, caption)
    rows = front_frame(run).to_dict("records")
    origins = {trial.trial: origin(trial) for trial in run.trials}
    cells = [_cells(row, origins[row["trial"]], names, others) for row in rows]
    for index, heading in enumerate(headings):
        if heading == "from":
            table.add_column(heading, overflow="fold")
            continue
        words = [*heading.split("\n"), *(line[index] for line in cells)]
        widest = max(map(len, words))
        justify = "left" if heading == "" else "right"
        table.add_column(heading, justify=justify, no_wrap=True, min_width=widest, max_width=widest)
    described = width_columns >= DESCRIBED_FROM_COLUMNS
    if described:
        table.add_column("network", min_width=12)
    for row, line in zip(rows, cells, strict=True):
        words = (row["description"],) if described else ()
        table.add_row(*line, *words, style="bold" if line[0].startswith("*") else "dim")
    return table


def _broken(heading: str) -> list[str]:
    """``PSNR of``, ``the`` and so on, to stand under each other; never broken inside a word or a table's name."""
    return textwrap.wrap(heading, HEADING_COLUMNS, break_long_words=False, break_on_hyphens=False)


def _depends_on(run: RunResult) -> list[str]:
    """What the milliseconds of each table hold for."""
    trained = [trial for trial in run.trials if trial.rungs]
    return [
        f"{q.unit}: {depends_on(q, run.settings)}, predicted, origin at worst {worst_origin(trained, use.name)}"
        for q, use in zip(latency_quantities(run.settings), run.settings.tables, strict=True)
    ]


def _time(row: dict[str, Any], table: str) -> str:
    if pd.isna(row[f"ms@{table}"]):
        return "–"
    return ("≈ " if row[f"ms_tied_with@{table}"] else "") + ms_text(row[f"ms@{table}"])


def _cells(row: dict[str, Any], origin: str, tables: list[str], others: tuple[str, ...]) -> tuple[str, ...]:
    return (
        ("*" if row["on_front"] and not row["gain_db"] <= 0 else "") + ("~" if row["within_noise_of"] else ""),
        str(row["trial"]),
        origin + APPROXIMATION * row["approximation"],
        *(each.number(row[each.column]) for each in exact_quantities(Shown.TABLES)),
        *(_time(row, table) for table in tables),
        _or_dash(row["psnr_db"], ".2f"),
        _or_dash(row["gain_db"], "+.2f"),
        *(_or_dash(row[other_column(name)], ".2f") for name in others),
        _or_dash(row["steps"], ","),
    )


def _or_dash(value: float, form: str) -> str:
    return "–" if pd.isna(value) else format(value, form)
