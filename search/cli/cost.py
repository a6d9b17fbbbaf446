"""``cost``: what a paper's network or the user's own costs: parameters, multiply-accumulates, memory, milliseconds."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluators.cost import Costs, PaperCounts, network_costs, paper_counts
from latency_tables.estimate import Latency, MissingOperatorError, predict
from latency_tables.fusion import network_operators
from latency_tables.table import load_table, table_names
from search.cli.latency_columns import latency_columns
from space.command_line import parse_count, parse_size
from space.errors import UserError
from space.named_network import NamedNetwork, named_network
from space.papers import PAPERS, Paper
from space.specialists import networks_of

# One core of each generation, shown unless others are asked for.
SHOWN_TABLES = ("pixel4-a76", "pixel4-a55", "a03s-a53", "mi8se-a75", "s10-m4")


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("cost", help="parameters, MACs, memory and milliseconds of a paper's network or yours")
    parser.add_argument(
        "name",
        metavar="NAME|FILE.pt2|MODULE:FACTORY",
        help="a paper's network such as s-lwsr16 (see: python -m search list), a file written by torch.export.save, "
        "or a Python function that returns a torch.nn.Module",
    )
    parser.add_argument("--scale", help="upscaling factor of a paper's network (default: the paper's)")
    parser.add_argument("--input", help="WIDTHxHEIGHT of the network input (default: that of the task)")
    parser.add_argument(
        "--device",
        metavar="TABLE[,TABLE...]",
        help=f"latency tables, or 'all' (default: {', '.join(SHOWN_TABLES)}; with --json all)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    own = named_network(options.name, parse_count("--scale", options.scale, 1) if options.scale else None)
    size = parse_size("--input", options.input) if options.input else own.input_size
    own.check_size(size)
    costs = network_costs(own.network, size, own.in_channels)
    figures, refused = _milliseconds(own, size, _tables(options))
    if options.device not in (None, "all") and refused:
        raise UserError(next(iter(refused.values())))
    entry = PAPERS.get(own.name)
    counts = paper_counts(entry, costs, size, _scale(entry, options)) if entry else None
    if options.json:
        described = _described(entry, options) if entry else {"source": options.name}
        print(json.dumps(_document(own, size, costs, counts, described, figures, refused)))
        return 0
    console = Console()
    heading = f"[bold]{own.name}[/bold]"
    if entry:
        scale = _scale(entry, options)
        heading = f"[bold]{entry.title}[/bold]{f' x{scale}' if scale > 1 else ''}, {entry.source}"
        heading += f"\n{entry.note}" if entry.note else ""
    if (count := len(networks_of(own.network))) > 1:
        heading += f"\n{count} specialists for parts of a range of noise levels: all are stored, one runs for a picture"
    at = f"at an input of {size[0]}x{size[1]}, batch 1, fp32, deploy form"
    console.print(f"{heading}\n{at}", highlight=False, soft_wrap=True)
    console.print(_exact(costs, counts))
    if counts is not None and counts.rule:
        console.print(f"the paper counts {counts.rule}", highlight=False)
    if figures:
        console.print(latency_columns(figures))
        for name in figures:
            console.print(f"{name}: {load_table(name).caption}", highlight=False, soft_wrap=True)
    for reason in dict.fromkeys(refused.values()):
        console.print(f"no milliseconds: {reason}", highlight=False, soft_wrap=True)
    return 0


def _scale(entry: Paper, options: argparse.Namespace) -> int:
    return int(options.scale or entry.architecture.shape.scale)


def _described(entry: Paper, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "scale": _scale(entry, options), "source": entry.source, "reproducible": entry.reproducible, "note": entry.note,
    }  # fmt: skip


def _tables(options: argparse.Namespace) -> tuple[str, ...]:
    if options.device and options.device != "all":
        return tuple(dict.fromkeys(options.device.split(",")))
    if options.device == "all" or options.json:
        return table_names()
    return tuple(name for name in SHOWN_TABLES if name in table_names())


def _milliseconds(
    own: NamedNetwork, size: tuple[int, int], names: tuple[str, ...]
) -> tuple[dict[str, Latency], dict[str, str]]:
    """By table: the prediction, or why there is none."""
    tables = {name: load_table(name) for name in names}
    try:
        operators = network_operators(own.network, own.in_channels, size)
    except UserError as error:
        return {}, dict.fromkeys(names, str(error))
    figures: dict[str, Latency] = {}
    refused: dict[str, str] = {}
    for name, table in tables.items():
        try:
            figures[name] = predict(table, operators)
        except MissingOperatorError as error:
            refused[name] = str(error)
    return figures, refused


def _exact(costs: Costs, counts: PaperCounts | None) -> Table:
    table = Table(pad_edge=False)
    headings = ("", "true", "by the paper's rule") if counts else ("", "true")
    for heading in headings:
        table.add_column(heading, justify="left" if not heading else "right")
    by_rule = ("–", "–", "–", "–")
    if counts:
        macs = "–" if counts.macs_paper_rule is None else f"{counts.macs_paper_rule / 1e9:.2f} G"
        by_rule = (f"{counts.params_paper_rule:,}", macs, "–", "–")
    rows = (
        ("parameters", f"{costs.params:,}"),
        ("multiply-accumulates", f"{costs.macs / 1e9:.2f} G"),
        ("peak activation memory", f"{costs.peak_activation_bytes / 1e6:.1f} MB"),
        ("weights", f"{costs.weight_bytes / 1e6:.2f} MB"),
    )
    for row, rule in zip(rows, by_rule, strict=True):
        table.add_row(*row, *([rule] if counts else []))
    return table


def _document(
    own: NamedNetwork,
    size: tuple[int, int],
    costs: Costs,
    counts: PaperCounts | None,
    described: dict[str, Any],
    figures: dict[str, Latency],
    refused: dict[str, str],
) -> dict[str, Any]:
    latency = {
        name: {
            "ms": figure.ms, "low": figure.low, "high": figure.high, "origin": figure.origin,
            "version_low": figure.version_low, "version_high": figure.version_high, "distance": figure.distance,
            "by_kind": figure.by_kind, "by_part": figure.by_part, "by_origin": figure.by_origin,
            "caption": load_table(name).caption,
        }
        for name, figure in figures.items()
    }  # fmt: skip
    return {
        "name": own.name,
        **costs.to_dict(),
        **(asdict(counts) if counts else {}),
        "input": f"{size[0]}x{size[1]}",
        "dtype": "float32",
        **described,
        "latency": latency,
        "latency_refused": refused,
    }
