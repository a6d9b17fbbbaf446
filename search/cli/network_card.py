"""``list NAME``: one published network, its costs, what was published or measured here, and whose weight files it
reads."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from evaluators.costs import architecture_costs
from space.tasks import TASKS
from space.zoo import published_network
from space.zoo.literature import published_results


def print_card(name: str, as_json: bool) -> None:
    """Print what is known of the published network ``name``.

    Raises:
        UserError: there is none; the message has those whose names are nearest.
    """
    card = network_card(name)
    if as_json:
        print(json.dumps(card))
        return
    console = Console()

    def line(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    line(f"{card['name']}: {card['title']}, {card['task']}, {card['source']}")
    line(
        f"{card['params']:,} parameters, {card['macs'] / 1e9:.2f} G MACs at {card['input']}; "
        + ("approximation" if card["approximation"] else "built exactly")
        + (f"; {card['note']}" if card["note"] else "")
    )
    for row in card["published"]:
        figures = ", ".join(f"{name} {psnr_db:.2f}" for name, psnr_db in row["psnr_db"].items())
        line(f"published{' (' + row['note'] + ')' if row['note'] else ''}: {row['metric']} in dB: {figures}")
    for row in card["measured"]:
        figures = ", ".join(f"{name} {psnr_db:.2f}" for name, psnr_db in row["psnr_db"].items())
        line(f"measured here with {row['file']} of {row['source']}: {row['metric']} in dB: {figures}")
    for layout in card["weights"]:
        line(f"reads weights of: {layout}")
    line(f"try: python -m search evaluate {card['name']} --weights FILE")


def network_card(name: str) -> dict[str, Any]:
    """As plain values; ``weights`` names the repositories whose files it reads, and this project's own."""
    entry = published_network(name)
    scale = entry.architecture.shape.scale
    size = TASKS[entry.task].input_sizes[scale]
    costs = architecture_costs(entry.architecture, size)
    own = [row for row in published_results(entry.task, scale) if row.network == entry.title and row.is_own]
    published: dict[tuple[str, ...], dict[str, float]] = {}
    for row in own:
        if row.psnr_db:
            key = (row.metric or "", row.note, row.source)
            published.setdefault(key, {})[f"{row.dataset} {row.level}".strip()] = row.psnr_db
    measured: dict[tuple[str, ...], dict[str, float]] = {}
    for result in entry.measured:
        measured.setdefault((result.metric, result.file, result.source), {})[result.dataset] = result.psnr_db
    return {
        "name": entry.name,
        "title": entry.title,
        "task": f"{entry.task} ×{scale}" if TASKS[entry.task].has_scales else entry.task,
        "source": entry.source,
        "input": f"{size[0]}x{size[1]}",
        "params": costs.params,
        "macs": costs.macs,
        "approximation": entry.approximation,
        "note": entry.note,
        "published": [
            {"metric": metric, "note": note, "source": source, "psnr_db": figures}
            for (metric, note, source), figures in published.items()
        ],
        "measured": [
            {"metric": metric, "file": file, "source": source, "psnr_db": figures}
            for (metric, file, source), figures in measured.items()
        ],
        "weights": [*whose_files(entry.name), "this project (runs and trainings)"],
    }


def whose_files(name: str) -> list[str]:
    """The repositories whose weight files the network ``name`` reads, with the form where there are several."""
    words = []
    for layout in published_network(name).layouts:
        details = [layout.form] if layout.form else []
        if layout.network is not None:
            details.append(f"builds {layout.network}")
        words.append(layout.source + (f" ({'; '.join(details)})" if details else ""))
    return words
