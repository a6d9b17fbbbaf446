"""``cost``: what one of the papers' networks costs, exactly."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from evaluators.cost import architecture_costs, paper_counts
from search.cli.parser import parse_count, parse_input
from space.papers import paper
from space.tasks import TASKS


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("cost", help="parameters, multiply-accumulates and memory of a paper's network")
    parser.add_argument("name", metavar="NAME", help="such as s-lwsr16 (see: python -m search list)")
    parser.add_argument("--scale", help="upscaling factor (default: the paper's)")
    parser.add_argument("--input", help="WIDTHxHEIGHT of the network input (default: what makes 1280x720)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    entry = paper(options.name)
    task = TASKS[entry.task]
    scale = parse_count("--scale", options.scale, 1) if options.scale else entry.architecture.shape.scale
    task.shape(scale)
    width, height = size = parse_input(options.input, task, scale)
    arch = entry.at_scale(scale)
    costs = architecture_costs(arch, size)
    counts = paper_counts(entry, costs, size)
    if options.json:
        print(
            json.dumps(
                {
                    "name": entry.name,
                    **costs.to_dict(),
                    **asdict(counts),
                    "input": f"{width}x{height}",
                    "scale": scale,
                    "dtype": "float32",
                    "source": entry.source,
                    "reproducible": entry.reproducible,
                    "note": entry.note,
                }
            )
        )
        return 0
    console = Console()
    console.print(
        f"[bold]{entry.title}[/bold] x{scale} at an input of {width}x{height}, batch 1, fp32, deploy form\n"
        f"  {entry.source}" + (f"\n  {entry.note}" if entry.note else ""),
        highlight=False,
    )
    table = Table(pad_edge=False)
    for heading in ("", "true", "by the paper's rule"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("parameters", f"{costs.params:,}", f"{counts.params_paper_rule:,}")
    ours = "–" if counts.macs_paper_rule is None else f"{counts.macs_paper_rule / 1e9:.2f} G"
    table.add_row("multiply-accumulates", f"{costs.macs / 1e9:.2f} G", ours)
    table.add_row("peak activation memory", f"{costs.peak_activation_bytes / 1e6:.1f} MB", "–")
    table.add_row("weights", f"{costs.weight_bytes / 1e6:.2f} MB", "–")
    console.print(table)
    if counts.rule:
        console.print(f"the paper counts {counts.rule}", highlight=False)
    return 0
