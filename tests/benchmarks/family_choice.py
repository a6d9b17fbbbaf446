"""Which families a search should add to its first ones: ``python -m tests.benchmarks.family_choice FILE --further 3``.

``FILE`` is what ``tests.benchmarks.inherited_table`` wrote. Prints the area under the front (dB above bicubic times
decades of MACs) of every family alone and beside the first ones, which are those of a run; and what further families
add that are drawn at random, or chosen as a run chooses them (``search.sharing.choosing``), over many seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from reports.run.hypervolume import Point, hypervolume
from search.candidates.screening import Screen
from search.sharing.choosing import following_family
from space.search_space import BACKBONE
from space.weight_bank.families import Family
from tests.benchmarks.inherited_table import read_table, tabulated_screen
from tests.benchmarks.tabulated_space import families, tabulated_space

FIRST = (
    ("symmetric", "residual", "dense-two-step"),
    ("plain", "residual", "dense-one-step"),
    ("plain", "inverted", "dense-one-step"),
)
"""Those of a default run of sr: of s-LWSR, and of plain networks; backbone, block and upsampler, all else plain."""


def is_first(family: Family, first: Sequence[tuple[str, ...]] = FIRST) -> bool:
    kinds = dict(family.held)
    plain = kinds.get("inverted_ratio", 0.0) == 0.0 and kinds["attention"] == "none"
    return plain and (kinds[BACKBONE], kinds["block"], kinds["upsampler"]) in first


class Table:
    """What the networks of every family inherited, by the number of the family."""

    def __init__(self, path: Path, known: Sequence[Family]) -> None:
        self.points: list[list[Point]] = [[] for _ in known]
        for row in read_table(path):
            self.points[int(row["family"])].append((float(row["macs"]), float(row["gain_db"])))
        self.most_macs = max(macs for own in self.points for macs, _ in own)

    def front(self, chosen: Sequence[int]) -> list[tuple[Point, int]]:
        """Its points, each with its family."""
        found: list[tuple[Point, int]] = []
        everything = [(point, index) for index in chosen for point in self.points[index]]
        for point, index in sorted(everything, key=lambda each: (each[0][0], -each[0][1])):
            if point[1] > max(0.0, found[-1][0][1] if found else 0.0):
                found.append((point, index))
        return found

    def area(self, chosen: Sequence[int]) -> float:
        return hypervolume([point for point, _ in self.front(chosen)], (self.most_macs, 0.0))


def grown(table: Table, screen: Screen, known: Sequence[Family], first: Sequence[int], further: int) -> list[int]:
    """``first`` and ``further`` families that a run of the screen's seed would add."""
    numbers, chosen = {family.held: index for index, family in enumerate(known)}, list(first)
    for _ in range(further):
        shares = dict.fromkeys(range(len(chosen)), 1.0)
        for _, index in table.front(chosen):
            shares[chosen.index(index)] += 1
        family = following_family(screen, [known[index] for index in chosen], shares)
        if family is None:
            break
        chosen.append(numbers[family.held])
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--further", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=200)
    asked = parser.parse_args()
    space = tabulated_space()
    known = list(families(space))
    table, first = Table(asked.file, known), [index for index, family in enumerate(known) if is_first(family)]
    print("| family | networks | area alone | with the first ones |\n|---|---|---|---|")
    for index, family in enumerate(known):
        kinds = dict(family.held)
        told = (BACKBONE, "block", "inverted_ratio", "attention", "upsampler")
        name = " ".join(str(kinds[key]) for key in told if key in kinds) + " *" * (index in first)
        alone, beside = table.area([index]), table.area([*first, index])
        print(f"| {name} | {len(table.points[index])} | {alone:.3f} | {beside:.3f} |")
    print(f"\nThe first ones (*): {table.area(first):.3f}; all: {table.area(range(len(known))):.3f}")
    for others in (FIRST[:2], (*FIRST[:2], ("symmetric", "residual", "dense-one-step"))):
        named = [index for index, family in enumerate(known) if is_first(family, others)]
        print(f"{', '.join(' '.join(kinds) for kinds in others)}: {table.area(named):.3f}")
    others = [index for index in range(len(known)) if index not in first]
    drawn, followed = [], []
    for seed in range(asked.seeds):
        generator = np.random.default_rng(seed)
        drawn.append(table.area([*first, *generator.choice(others, asked.further, replace=False).tolist()]))
        seeded = tabulated_screen(space)
        seeded.settings = replace(seeded.settings, seed=seed)
        followed.append(table.area(grown(table, seeded, known, first, asked.further)))
    for how, areas in (("at random", drawn), ("as a run chooses", followed)):
        print(f"{asked.further} further ones {how}: {np.mean(areas):.3f} ± {np.std(areas):.3f}")


if __name__ == "__main__":
    main()
