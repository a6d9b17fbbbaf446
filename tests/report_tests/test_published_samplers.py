"""The published tables that samplers and families were compared on: what stands in them, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluators.costs import architecture_costs
from tests.benchmarks.family_choice import FIRST, Table, is_first
from tests.benchmarks.inherited_table import INPUT
from tests.benchmarks.sampler_race import AT, lines, tabulated
from tests.benchmarks.tabulated_space import families, members, tabulated_space

FOLDER = Path(__file__).parents[2] / "reports/published/samplers"
PAGE = (FOLDER / "README.md").read_text()


@pytest.fixture(scope="module")
def inherited() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "inherited.csv")


def test_families_are_all_there_and_have_every_network_once(inherited: pd.DataFrame) -> None:
    space = tabulated_space()
    known = list(families(space))
    assert len({family.held for family in known}) == len(known) == 36
    networks = [
        (index, space.decode(values).key) for index, family in enumerate(known) for values in members(space, family)
    ]
    assert networks == list(zip(inherited["family"], inherited["architecture"], strict=True))
    assert inherited["architecture"].is_unique


def test_rows_are_networks_with_their_costs(inherited: pd.DataFrame) -> None:
    space = tabulated_space()
    for _, row in inherited.sample(12, random_state=0).iterrows():
        arch = space.decode(json.loads(row["point"]))
        costs = architecture_costs(arch, INPUT)
        assert (arch.key, costs.params, costs.macs) == (row["architecture"], row["params"], row["macs"])


def test_the_page_says_what_the_race_came_to() -> None:
    race = pd.read_csv(FOLDER / "race.csv", dtype=str, keep_default_na=False)
    course = tabulated(FOLDER / "inherited.csv")
    assert set(race.groupby("sampler").size()) == {20}
    for line in lines(course, race.to_dict("records"), 500)[2:]:
        sampler, _, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        assert f"| {sampler} | {' | '.join(cells)} |" in PAGE
    best = race.groupby("sampler")["after_30"].apply(lambda own: np.mean(own.astype(float)))
    most = race.groupby("sampler")["after_500"].apply(lambda own: np.mean(own.astype(float)))
    assert best["surrogate"] > most["random"]
    assert AT[0] == 30


def test_the_page_says_what_families_add() -> None:
    known = list(families(tabulated_space()))
    table = Table(FOLDER / "inherited.csv", known)

    def area(chosen: tuple[tuple[str, ...], ...]) -> str:
        return f"{table.area([index for index, family in enumerate(known) if is_first(family, chosen)]):.3f}"

    assert f"one-step upsampler | {area(FIRST[:2])} |" in PAGE
    assert f"before 2026-11-30) | {area((*FIRST[:2], ('symmetric', 'residual', 'dense-one-step')))} |" in PAGE
    assert f"| and plain inverted, one-step | {area(FIRST)} |" in PAGE
    assert f"| all 36 | {table.area(range(len(known))):.3f} |" in PAGE
