"""What every network of ``tabulated_space`` inherits: ``python -m tests.benchmarks.inherited_table FILE --steps 300``.

Each of its families is trained as in a run (seed 0), and all of its networks are measured on the embedded validation
photographs. ``FILE`` gets a line for each: its family, its point, costs at an input of 320x180, dB above bicubic, how
it was measured. The same command continues it, family by family; ``tests.benchmarks.sampler_race`` reads it.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from evaluators import data
from evaluators.costs import Costs
from evaluators.quality import baseline, evaluate
from evaluators.sharing import BankTrainer
from evaluators.training.precision import choose_precision
from search.candidates.screening import Screen
from search.request.budget import parse_budget
from search.sharing.designs import designs_of
from search.workers.jobs import training_seed
from space.checkout import commit
from space.files import write_csv_atomically
from space.search_space import SearchSpace, Values
from space.weight_bank.families import Family
from tests.benchmarks.synthetic_run import settings
from tests.benchmarks.tabulated_space import families, members, tabulated_space

COLUMNS = ("family", "point", "architecture", "params", "macs", "gain_db", "steps", "precision", "commit")
INPUT, NO_LIMIT = (320, 180), "1g-params"


def tabulated_screen(space: SearchSpace) -> Screen:
    asked = replace(settings(budget=NO_LIMIT), input_size=INPUT)
    return Screen(space.task, asked, parse_budget(NO_LIMIT)).within(space)


def inherited(screen: Screen, number: int, family: Family, steps: int) -> Iterator[tuple[Values, Costs, float]]:
    """Of every network of a family its costs, and how many dB above bicubic it inherits after ``steps`` steps."""
    space, rules = screen.space, screen.settings.rules
    precision = choose_precision("cpu", "auto")
    part = screen.within(family.space(space))
    designs = designs_of(part, np.random.default_rng((0, number)), family.largest(space))
    pool = data.training_pool(data.training_images(None, rules), rules)
    plan, seed = rules.degrade.plan, training_seed(0, f"family {number}")
    training = BankTrainer(designs, lambda _: (pool,), plan, precision, seed, rules.measure.loss)
    training.train_to(steps)
    bank = training.averaged_bank()
    pairs = data.validation_pairs(data.validation_images(None, rules), rules)
    bicubic_db = baseline(pairs, rules).psnr_db
    for values in members(space, family):
        arch = space.decode(values)
        quality = evaluate(bank.network(arch).eval(), pairs, rules)
        yield values, screen.costs(arch), quality.psnr_db - bicubic_db


def read_table(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--families", help="their numbers, such as 0,5 (default: all)")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    screen = tabulated_screen(tabulated_space())
    rows = read_table(asked.file)
    done = {row["family"] for row in rows}
    precision, begun_at = choose_precision("cpu", "auto").name, commit()
    for number, family in enumerate(families(screen.space)):
        if str(number) in done or (asked.families and str(number) not in asked.families.split(",")):
            continue
        begun = time.process_time()
        for values, costs, gain_db in inherited(screen, number, family, asked.steps):
            point, key = json.dumps(values), screen.space.decode(values).key
            cells = (number, point, key, costs.params, costs.macs, f"{gain_db:.5f}", asked.steps, precision, begun_at)
            rows.append({name: str(cell) for name, cell in zip(COLUMNS, cells, strict=True)})
        write_csv_atomically(asked.file, [COLUMNS, *([row[name] for name in COLUMNS] for row in rows)])
        print(f"{number + 1} {family.name}, {time.process_time() - begun:.0f} core-s", flush=True)


if __name__ == "__main__":
    main()
