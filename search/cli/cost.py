"""``cost``: parameters, multiply-accumulates, memory and milliseconds of a network by any of its names."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from rich.table import Table

from evaluators.costs import Costs, PaperCounts, network_costs, paper_counts
from evaluators.quantities import QUANTITIES
from latency_tables.cli.console import Console
from latency_tables.cli.network_input import input_sizes, parse_channels
from latency_tables.lowering.fusion import network_operators
from latency_tables.tables.estimate import Explanation, MissingOperatorError, explain
from latency_tables.tables.table import load_table, table_names
from search.cli.latency_columns import latency_columns
from search.cli.options.cost import SHOWN_TABLES
from search.models.to_cost import network_to_cost
from space.command_line import parse_count
from space.errors import UserError
from space.named_network import NamedNetwork
from space.operators.operator import Shape
from space.specialists import networks_of
from space.zoo import ZOO, PublishedNetwork


def execute(options: argparse.Namespace) -> int:
    scale = parse_count("--scale", options.scale, 1) if options.scale is not None else None
    own = network_to_cost(options.name, scale, parse_channels(options.channels))
    size, more = input_sizes(options.input, own)
    costs = network_costs(own.network, size, own.in_channels, more)
    figures, refused = _milliseconds(own, size, more, _tables(options))
    if options.device not in (None, "all") and refused:
        raise UserError(next(iter(refused.values())))
    entry = ZOO.get(options.name)
    counts = paper_counts(entry, costs, size, _scale(entry, options)) if entry else None
    if options.json:
        described = _described(entry, options) if entry else {"source": options.name}
        print(json.dumps(_document(own, size, costs, counts, described, figures, refused)))
        return 0
    console = Console()
    heading = own.name
    if entry:
        scale = _scale(entry, options)
        heading = f"{entry.title}{f' x{scale}' if scale > 1 else ''}, {entry.source}"
        heading += f"\n{entry.note}" if entry.note else ""
    if (count := len(networks_of(own.network))) > 1:
        heading += f"\n{count} specialists for parts of a range of noise levels: all are stored, one runs for a picture"
    at = f"at an input of {size[0]}x{size[1]}, batch 1, fp32, deploy form"
    console.print(f"{heading}\n{at}")
    console.print(_exact(costs, counts))
    if counts is not None and counts.rule:
        console.print(f"the paper counts {counts.rule}", highlight=False)
    if not costs.macs and not any(figure.latency.ms for figure in figures.values()) and not refused:
        console.print("no operator runs: it gives back what it gets, and costs nothing", highlight=False)
    elif figures:
        console.print(latency_columns(figures))
        for name in figures:
            console.print(f"{name}: {load_table(name).caption}")
    for reason in dict.fromkeys(refused.values()):
        console.print(f"no milliseconds: {reason}")
    return 0


def _scale(entry: PublishedNetwork, options: argparse.Namespace) -> int:
    return int(options.scale or entry.architecture.shape.scale)


def _described(entry: PublishedNetwork, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "scale": _scale(entry, options),
        "source": entry.source,
        "approximation": entry.approximation,
        "note": entry.note,
    }


def _tables(options: argparse.Namespace) -> tuple[str, ...]:
    if options.device and options.device != "all":
        return tuple(dict.fromkeys(options.device.split(",")))
    if options.device == "all" or options.json:
        return table_names()
    return tuple(name for name in SHOWN_TABLES if name in table_names())


def _milliseconds(
    own: NamedNetwork, size: tuple[int, int], more: tuple[Shape, ...], names: tuple[str, ...]
) -> tuple[dict[str, Explanation], dict[str, str]]:
    """By table: the prediction, or why there is none."""
    tables = {name: load_table(name) for name in names}
    try:
        operators = network_operators(own.network, own.in_channels, size, more)
    except UserError as error:
        return {}, dict.fromkeys(names, str(error))
    figures: dict[str, Explanation] = {}
    refused: dict[str, str] = {}
    for name, table in tables.items():
        try:
            figures[name] = explain(table, operators)
        except MissingOperatorError as error:
            refused[name] = str(error)
    return figures, refused


def _exact(costs: Costs, counts: PaperCounts | None) -> Table:
    table = Table(pad_edge=False)
    headings = ("", "true", "by the paper's rule") if counts else ("", "true")
    for heading in headings:
        table.add_column(heading, justify="left" if not heading else "right")
    by_rule = {"params": counts.params_paper_rule, "macs": counts.macs_paper_rule} if counts else {}
    for key, meant in QUANTITIES.items():
        count = by_rule.get(key)
        rule = "–" if count is None else meant.number(count)
        table.add_row(meant.name, meant.number(meant.of(costs)), *([rule] if counts else []))
    return table


def _document(
    own: NamedNetwork,
    size: tuple[int, int],
    costs: Costs,
    counts: PaperCounts | None,
    described: dict[str, Any],
    figures: dict[str, Explanation],
    refused: dict[str, str],
) -> dict[str, Any]:
    latency = {name: {**figure.to_dict(), "caption": load_table(name).caption} for name, figure in figures.items()}
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
