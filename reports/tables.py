"""The front for the terminal."""

from __future__ import annotations

import pandas as pd
from rich.table import Table

from reports.front import front_frame
from reports.quantities import QUANTITIES, number
from search.records import RunResult


def front_table(run: RunResult) -> Table:
    """Front members and fixed trials, cheapest first; a star marks the front, ``~`` a tie within the seed noise."""
    settings = run.settings
    title = f"{run.name}: {settings.task} ×{settings.scale}, {settings.budget}"
    caption = f"* on the front; ~ tied within the seed noise; bicubic {run.baseline_psnr_db:.2f} dB"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left", pad_edge=False)
    for heading in ("", "trial", "from"):
        table.add_column(heading)
    for heading in ("params", "MACs", "activations", "PSNR dB", "gain dB", "steps"):
        table.add_column(heading, justify="right")
    table.add_column("network", overflow="fold")
    for row in front_frame(run).to_dict("records"):
        marks = ("*" if row["on_front"] else "") + ("~" if row["within_noise_of"] else "")
        table.add_row(
            marks,
            str(row["trial"]),
            row["source"],
            number(row["params"], QUANTITIES["params"]),
            number(row["macs"], QUANTITIES["macs"]),
            number(row["peak_activation_bytes"], QUANTITIES["memory"]),
            _or_dash(row["psnr_db"], ".2f"),
            _or_dash(row["gain_db"], "+.2f"),
            _or_dash(row["steps"], ","),
            row["description"],
            style="bold" if row["on_front"] else "dim",
        )
    return table


def _or_dash(value: float, form: str) -> str:
    return "–" if pd.isna(value) else format(value, form)
