"""A network's milliseconds, one column per latency table: total, band, origin, and what takes the time."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

from evaluators.quantities import ms_text
from latency_tables.tables.estimate import Explanation
from latency_tables.tables.rows import ORIGINS

LEAST_SHARE = 0.02  # smaller shares, on every table, are added up as "other"


def latency_columns(figures: Mapping[str, Explanation]) -> Table:
    """Rows: ms, its 90 % bands, ms outside convolutions, shares by origin (worst last), by kind of operator and by
    part; columns: the tables."""
    table = Table(
        pad_edge=False, box=SIMPLE_HEAD, show_edge=False, title="predicted milliseconds", title_justify="left"
    )
    table.add_column("", no_wrap=True)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    found = tuple(figures.values())
    latencies = [each.latency for each in found]
    totals = [figure.ms for figure in latencies]
    table.add_row("milliseconds", *(ms_text(figure.ms) for figure in latencies), style="bold")
    table.add_row("90 % band from", *(ms_text(figure.low) for figure in latencies))
    table.add_row("to", *(ms_text(figure.high) for figure in latencies))
    if any(each.version_high < each.latency.high for each in found):
        table.add_row("this version from", *(ms_text(figure.version_low) for figure in found))
        table.add_row("to", *(ms_text(figure.version_high) for figure in found))
    table.add_row("outside convolutions", *(ms_text(figure.outside_convolutions_ms) for figure in found))
    origins = [figure.by_origin for figure in found]
    for origin in ORIGINS:
        row = [by.get(origin, 0.0) / total for by, total in zip(origins, totals, strict=True)]
        if any(row):
            table.add_row(origin, *(_percent(share) for share in row))
    for shares in ([figure.by_kind for figure in found], [figure.by_part for figure in found]):
        table.add_section()
        for label, row in _share_rows(shares, totals):
            table.add_row(label, *(_percent(share) for share in row))
    return table


def _percent(share: float) -> str:
    return "–" if share == 0 else "<1%" if share < 0.005 else f"{share:.0%}"


def _share_rows(shares: list[dict[str, float]], totals: list[float]) -> list[tuple[str, list[float]]]:
    labels = sorted({label for by in shares for label in by}, key=lambda label: -sum(by.get(label, 0) for by in shares))
    rows = [(label, [by.get(label, 0.0) / total for by, total in zip(shares, totals, strict=True)]) for label in labels]
    large = [(label, row) for label, row in rows if max(row) >= LEAST_SHARE]
    small = [row for _, row in rows if max(row) < LEAST_SHARE]
    if small:
        large.append(("other", [sum(column) for column in zip(*small, strict=True)]))
    return large
