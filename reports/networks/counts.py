"""``python -m reports.networks.counts FILE.md``: published networks, counted as published, by their rule, and truly.

Published figures are those of the zoo (``PublishedNetwork.results``); where it has none there is a dash, never a guess.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluators.costs import Costs, architecture_costs, paper_counts
from evaluators.quantities import ms_text
from latency_tables.tables.table import load_table
from reports import markdown
from space.files import write_atomically
from space.tasks import TASKS
from space.zoo import ZOO, PublishedNetwork
from space.zoo.literature import published_results
from space.zoo.published_result import COUNTED, PublishedResult

PHONES = ("pixel4-a76", "pixel4-a55", "a03s-a53")
DASH = "–"
COLUMNS = (
    "network",
    "published params",
    "by its rule",
    "off",
    "deployed",
    "published G multi-adds",
    "by its rule",
    "off",
    "true G MACs",
    *(f"ms {name}" for name in PHONES),
    "built",
)


@dataclass(frozen=True)
class NetworkCounts:
    """One published network at the input of its task's costs: what was published, and what we count.

    Published figures are None where no source states them; ``rule_*`` are ours by the paper's own rule, which is the
    true one where it has none.
    """

    entry: PublishedNetwork
    input_size: tuple[int, int]
    published_params: int | None
    published_macs: int | None
    rule_params: int
    rule_macs: int
    rule: str
    costs: Costs

    @property
    def ms(self) -> dict[str, float]:
        """Predicted milliseconds by the name of each of ``PHONES``."""
        return {name: self.costs.latency[name].ms for name in PHONES}

    @property
    def params_off(self) -> float | None:
        """How far ours by the paper's rule is from what was published, as a share."""
        return _off(self.rule_params, self.published_params)

    @property
    def macs_off(self) -> float | None:
        return _off(self.rule_macs, self.published_macs)


def network_counts(entry: PublishedNetwork, scale: int | None = None) -> NetworkCounts:
    """Count ``entry``, without building it; at the paper's own scale where none is given."""
    arch = entry.at_scale(scale or entry.architecture.shape.scale)
    shape = arch.shape
    size = TASKS[entry.task].input_sizes[shape.scale]
    costs = architecture_costs(arch, size, [load_table(name) for name in PHONES])
    counts = paper_counts(entry, costs, size, shape.scale)
    stated = _stated_results(entry, shape.scale)
    output = tuple(shape.scale * side for side in size)
    return NetworkCounts(
        entry,
        size,
        published_params(entry, shape.scale),
        next((row.macs for row in stated if row.macs and row.macs_output in (None, output)), None),
        counts.params_paper_rule,
        counts.macs_paper_rule or costs.macs,
        counts.rule or "everything stored, true multiply-accumulates",
        costs,
    )


def _stated_results(entry: PublishedNetwork, scale: int) -> list[PublishedResult]:
    """Published results of ``entry`` whose source prints its size, its own authors' first."""
    results = published_results(entry.task, scale)
    rows = [row for row in results if row.network == entry.title and COUNTED not in row.note]
    return sorted(rows, key=lambda row: not row.is_own)


def published_params(entry: PublishedNetwork, scale: int) -> int | None:
    return next((row.params for row in _stated_results(entry, scale) if row.params), None)


def page(networks: Iterable[PublishedNetwork]) -> str:
    """A table per task in Markdown, and why what is not built exactly cannot be."""
    listed = list(networks)
    parts = [
        "# Published networks: counts as published, by their papers' rules, and deployed\n",
        "Deployed: batch norm and re-parameterised branches folded, everything stored counted. *off*: ours by the "
        "paper's rule against what it prints, which is rounded. True MACs and predicted milliseconds (one thread, "
        "fp32) are at the task's input. *approximation*: the paper does not say enough; the reasons stand at the end. "
        "This page: `python -m reports.networks.counts FILE.md`.\n",
        *(f"- {name}: {load_table(name).caption}" for name in PHONES),
    ]
    for task in TASKS.values():
        entries = [entry for entry in listed if entry.task == task.name]
        if entries:
            width, height = task.input_sizes[entries[0].architecture.shape.scale]
            parts += [f"\n## {task.title}, input {width}x{height}\n", *_table(entries)]
    approximations = [entry for entry in listed if entry.approximation]
    if approximations:
        parts += ["\n## Approximations, and why\n", *(f"- {entry.name}: {entry.note}" for entry in approximations)]
    return "\n".join(parts) + "\n"


def cells(counts: NetworkCounts) -> Iterator[str]:
    """The values of ``COLUMNS``."""
    yield counts.entry.name
    yield f"{counts.published_params:,}" if counts.published_params else DASH
    yield f"{counts.rule_params:,}"
    yield percent(counts.params_off)
    yield f"{counts.costs.params:,}"
    yield f"{counts.published_macs / 1e9:.4g}" if counts.published_macs else DASH
    yield f"{counts.rule_macs / 1e9:.2f}"
    yield percent(counts.macs_off)
    yield f"{counts.costs.macs / 1e9:.2f}"
    yield from (ms_text(ms) for ms in counts.ms.values())
    yield "approximation" if counts.entry.approximation else "exactly"


def _table(entries: list[PublishedNetwork]) -> Iterator[str]:
    align = "l" + "r" * (len(COLUMNS) - 2) + "l"
    yield from markdown.table(COLUMNS, (cells(network_counts(entry)) for entry in entries), align)


def _off(ours: int, published: int | None) -> float | None:
    return None if published is None else ours / published - 1


def percent(off: float | None) -> str:
    return DASH if off is None else f"{off:+.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    write_atomically(parser.parse_args().file, page(ZOO.values()).encode())


if __name__ == "__main__":
    main()
