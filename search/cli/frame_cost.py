"""``cost --frame``: a whole frame's milliseconds, in tiles with their halo."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from evaluators.quantities import ms_text
from evaluators.restore.frame_cost import FrameCost, frame_cost
from evaluators.restore.memory import parse_memory
from latency_tables.cli.console import Console
from latency_tables.tables.table import load_table
from space.errors import UserError
from space.named_network import NamedNetwork

LARGEST_SIDE = 65_535


def frame_of(text: str) -> tuple[int, int]:
    """(width, height) of WIDTHxHEIGHT."""
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text.strip().lower())
    if match is None or not all(16 <= int(side) <= LARGEST_SIDE for side in match.groups()):
        raise UserError(
            f"--frame must be WIDTHxHEIGHT in pixels, each 16 to {LARGEST_SIDE}, got {text!r}; for example 4000x3000"
        )
    return int(match[1]), int(match[2])


def priced_frame(own: NamedNetwork, frame: str, memory: str, names: Sequence[str]) -> FrameCost:
    """Raises: UserError: an option cannot be read, or the network takes more than one picture."""
    if own.others:
        raise UserError(f"--frame is for networks that take one picture, got {1 + len(own.others)} of {own.name}")
    tables = {name: load_table(name) for name in names}
    bytes_ = parse_memory("--frame-memory", memory)
    return frame_cost(own.network, own.in_channels, frame_of(frame), tables, bytes_)


def print_frame(console: Console, cost: FrameCost) -> None:
    plan = cost.plan
    width, height = plan.size
    shapes = ", ".join(f"{count} of {size[0]}x{size[1]}" for size, count in plan.window_shapes.items())
    tiles = (
        "whole" if plan.count == 1 else f"{plan.count} tiles ({shapes}), {cost.halo_share:.0%} of the work for halos"
    )
    console.print(
        f"\na frame of {width}x{height}: {tiles}; {plan.halo.text}; {plan.peak_bytes / 1e6:,.0f} MB for the network's "
        "values",
        highlight=False,
        markup=False,
    )
    for note in plan.notes:
        console.print(note, highlight=False, markup=False)
    table = Table(pad_edge=False, title="predicted milliseconds of the frame", title_justify="left")
    for heading in ("", "ms", "90 % band from", "to", "ms per megapixel"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (ms, low, high) in cost.ms.items():
        table.add_row(name, ms_text(ms), ms_text(low), ms_text(high), ms_text(ms / (width * height / 1e6)))
    if cost.ms:
        console.print(table)


def frame_document(cost: FrameCost) -> dict[str, Any]:
    """As JSON values."""
    plan = cost.plan
    return {
        "size": list(plan.size),
        "tiles": plan.count,
        "windows": {f"{size[0]}x{size[1]}": count for size, count in plan.window_shapes.items()},
        "halo_share": cost.halo_share,
        "peak_bytes": plan.peak_bytes,
        "notes": list(plan.notes),
        "ms": {name: {"ms": ms, "low": low, "high": high} for name, (ms, low, high) in cost.ms.items()},
        "refused": dict(cost.refused),
    }
