"""The front for the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from reports.front import front_frame
from reports.quantities import QUANTITIES, number
from search.records import RunResult

NUMBERS = ("params", "MACs", "PSNR dB", "gain", "steps")
HEADINGS = ("", "#", "from", *NUMBERS)
DESCRIBED_FROM_COLUMNS = 120    # a narrower terminal has no room for descriptions


def front_table(run: RunResult, width_columns: int = 80) -> Table:
    """Front members and fixed trials, cheapest first; a star marks the front, ``~`` a tie within the seed noise.

    A terminal of ``width_columns`` from 120 on also gets a description of every network. Where even the rest is too
    wide, the names are broken and never a number.
    """
    settings = run.settings
    title = f"{run.name}: {settings.task} ×{settings.scale}, {settings.budget}"
    caption = f"* on the front; ~ tied within the seed noise; bicubic {run.baseline_psnr_db:.2f} dB"
    table = Table(
        title=title, caption=caption, title_justify="left", caption_justify="left", box=SIMPLE_HEAD,
        show_edge=False, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    rows = front_frame(run).to_dict("records")
    cells = [_cells(row) for row in rows]
    for index, heading in enumerate(HEADINGS):
        if heading == "from":
            table.add_column(heading, overflow="fold")
            continue
        widest = max(len(heading), *(len(line[index]) for line in cells)) if cells else len(heading)
        justify = "left" if heading == "" else "right"
        table.add_column(heading, justify=justify, no_wrap=True, min_width=widest, max_width=widest)
    described = width_columns >= DESCRIBED_FROM_COLUMNS
    if described:
        table.add_column("network", min_width=12)
    for row, line in zip(rows, cells, strict=True):
        words = (row["description"],) if described else ()
        table.add_row(*line, *words, style="bold" if row["on_front"] else "dim")
    return table


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        ("*" if row["on_front"] else "") + ("~" if row["within_noise_of"] else ""),
        str(row["trial"]),
        row["source"],
        number(row["params"], QUANTITIES["params"]),
        number(row["macs"], QUANTITIES["macs"]),
        _or_dash(row["psnr_db"], ".2f"),
        _or_dash(row["gain_db"], "+.2f"),
        _or_dash(row["steps"], ","),
    )


def _or_dash(value: float, form: str) -> str:
    return "–" if pd.isna(value) else format(value, form)
