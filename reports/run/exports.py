"""The export formats that a network fits, by the table of ``python -m reports.networks.export``."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from space.architecture import Architecture
from space.backbones import BACKBONES
from space.knobs import Value
from space.search_space import BACKBONE

KNOBS = Path(__file__).parents[1] / "published" / "export" / "knobs.csv"
NUMBER = ""  # stands for every number of a knob


def exports_of(arch: Architecture) -> tuple[str, ...]:
    """The formats that take every choice of ``arch``: a network with it was written, run in the engine and compared.

    The choices were not all tried together: an export checks the network itself. Numbers, such as widths, count
    together, so that a pruned network counts as its whole one. () for a network that is not of a backbone, or without
    the table.
    """
    if arch.backbone not in BACKBONES:
        return ()
    values = BACKBONES[arch.backbone].values_of(arch.unpruned)
    if values is None:
        return ()
    choices = {(knob, _kind(value)) for knob, value in {**values, BACKBONE: arch.backbone}.items()}
    return tuple(name for name, taken in _taken().items() if choices <= taken)


def _kind(value: Value) -> str:
    return value if isinstance(value, str) else NUMBER


@lru_cache(maxsize=1)
def _taken() -> Mapping[str, frozenset[tuple[str, str]]]:
    """By format, the knobs' values that stood in a network which it took."""
    taken: dict[str, set[tuple[str, str]]] = defaultdict(set)
    if KNOBS.is_file():
        with KNOBS.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if int(row["exact"]) + int(row["within"]):
                    taken[row["format"]].add((row["knob"], NUMBER if row["is_number"] == "True" else row["value"]))
    return {name: frozenset(choices) for name, choices in taken.items()}
