"""``python -m reports.counts FILE.md``: all published networks, counted as published, by their rule, and truly.

Published figures are those of ``space/papers/published.csv``; where it has none there is a dash, never a guess.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from evaluators.atomic import write_atomically
from evaluators.cost import network_costs, paper_counts
from evaluators.latency import ms_text
from latency_tables.estimate import predict
from latency_tables.fusion import network_operators
from latency_tables.table import load_table
from space.build import build
from space.papers import PAPERS, Paper
from space.papers.published import published_results
from space.tasks import TASKS

PHONES = ("pixel4-a76", "pixel4-a55", "a03s-a53")
DASH = "–"
COLUMNS = (
    "network", "published params", "by its rule", "deployed", "published G multi-adds", "by its rule", "true G MACs",
    *(f"ms {name}" for name in PHONES), "built",
)  # fmt: skip


def page(papers: Iterable[Paper]) -> str:
    """A table per task in Markdown."""
    listed = list(papers)
    parts = [
        "# Published networks: counts as published, by their papers' rules, and deployed\n",
        "Deployed: batch norm and re-parameterised branches folded, everything stored counted. True MACs and predicted "
        "milliseconds (one thread, fp32) are at the task's input. *nearest*: the paper does not say enough; the reason "
        "is in `python -m search cost NAME`. This page: `python -m reports.counts FILE.md`.\n",
        *(f"- {name}: {load_table(name).caption}" for name in PHONES),
    ]
    for task in TASKS.values():
        entries = [entry for entry in listed if entry.task == task.name]
        if entries:
            width, height = task.input_sizes[entries[0].architecture.shape.scale]
            parts += [f"\n## {task.title}, input {width}x{height}\n", *_table(entries)]
    return "\n".join(parts) + "\n"


def _table(entries: list[Paper]) -> Iterator[str]:
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "| --- |" + " ---: |" * (len(COLUMNS) - 2) + " --- |"
    for entry in entries:
        yield "| " + " | ".join(_row(entry)) + " |"


def _row(entry: Paper) -> Iterator[str]:
    shape = entry.architecture.shape
    size = TASKS[entry.task].input_sizes[shape.scale]
    network = build(entry.architecture)
    costs = network_costs(network, size, shape.in_channels)
    counts = paper_counts(entry, costs, size, shape.scale)
    rows = [row for row in published_results(entry.task, shape.scale) if row.network == entry.title]
    stated = sorted(rows, key=lambda row: not row.is_own)
    params = next((row.params for row in stated if row.params), None)
    adds = next((row.macs for row in stated if row.macs), None)
    yield entry.name
    yield f"{params:,}" if params else DASH
    yield f"{counts.params_paper_rule:,}"
    yield f"{costs.params:,}"
    yield f"{adds / 1e9:.4g}" if adds else DASH
    yield f"{counts.macs_paper_rule / 1e9:.2f}" if counts.macs_paper_rule else DASH
    yield f"{costs.macs / 1e9:.2f}"
    operators = network_operators(network, shape.in_channels, size)
    for name in PHONES:
        yield ms_text(predict(load_table(name), operators).ms)
    yield "exactly" if entry.reproducible else "nearest"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    write_atomically(parser.parse_args().file, page(PAPERS.values()).encode())


if __name__ == "__main__":
    main()
