"""Which recipe learns most: ``python -m tests.benchmarks.training_recipes``, about two minutes of a core for each.

Three networks of sr x4 trained alone, as a run trains them but for what the recipe changes, and dB of PSNR above
bicubic on the validation photographs. ``--out FOLDER`` keeps every row in a table there, which the same command
continues, and writes a page beside it. Two recipes need a package each that nothing else here does; without them, leave
these out with ``--recipes``.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from torch import nn

from evaluators import data
from evaluators.quality import baseline, evaluate
from evaluators.tasks import rules_of
from evaluators.training import muon
from evaluators.training import trainer as training
from evaluators.training.divergence import DivergedError
from evaluators.training.plan import TrainingPlan
from evaluators.training.precision import choose_precision
from evaluators.training.spectrum_loss import SpectrumLoss
from search.candidates.initial_points import plain_point
from search.experiments.network_specs import named_architecture
from search.sharing.choosing import PLAIN_ENDS
from search.workers.jobs import training_seed
from space.architecture import Architecture
from space.build import build
from space.errors import UserError
from space.files import write_csv_atomically, write_text_atomically
from space.search_space import BACKBONE, SearchSpace
from space.tasks import TASKS
from tests.benchmarks.foreign_optimizers import PACKAGES, averages, foreign, network_of_average

AT = (100, 200, 400, 800)
COLUMNS = ("network", "recipe", "seed", "step", "gain_db", "core_s")
PLAIN = {"8 channels, 6 blocks": (8, 6), "16 channels, 12 blocks": (16, 12)}
PAPERS = {"s-LWSR16 with our skip": "s-lwsr16+skip"}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """What is other than in the product: fields of the plan, constants of Muon, the weight of the FFT loss, and an
    optimizer of another package."""

    plan: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)
    spectrum_weight: float = 0.0
    optimizer: str = ""  # of ``PACKAGES``


FORMER = {"optimizer": "adam", "learning_rate": 2e-3, "full_rate_steps": 0}
RECIPES = {
    "as the product": Recipe(),
    "Adam, rate 0.002, constant": Recipe(FORMER),
    "Adam, rate 0.002": Recipe({**FORMER, "full_rate_steps": 300}),
    "Adam, rate 0.004": Recipe({**FORMER, "full_rate_steps": 300, "learning_rate": 4e-3}),
    "constant rate": Recipe({"full_rate_steps": 0}),
    "cosine to zero at 800": Recipe({"decay_steps": 800}),
    "rate 0.0015": Recipe({"learning_rate": 1.5e-3}),
    "rate 0.004": Recipe({"learning_rate": 4e-3}),
    "momentum 0.95": Recipe(constants={"MOMENTUM": 0.95}),
    "momentum 0.8": Recipe(constants={"MOMENTUM": 0.8}),
    "singular values of 2.5": Recipe(constants={"SINGULAR_VALUE": 2.5}),
    "singular values of 10": Recipe(constants={"SINGULAR_VALUE": 10.0}),
    "16 patches of 24x24": Recipe({"batch": 16, "patch_px": 24}),
    "8 patches of 32x32": Recipe({"batch": 8, "patch_px": 32}),
    "32 patches of 32x32": Recipe({"patch_px": 32}),
    "FFT loss of weight 0.05": Recipe(spectrum_weight=0.05),
    **{f"SOAP, rate {rate}": Recipe({"learning_rate": rate}, optimizer="SOAP") for rate in (0.0015, 0.003, 0.006)},
    **{
        f"schedule-free AdamW, rate {rate}": Recipe(
            {"learning_rate": rate, "full_rate_steps": 0}, optimizer="schedule-free AdamW"
        )
        for rate in (0.00125, 0.0025, 0.005, 0.01)
    },
}


def networks() -> dict[str, Architecture]:
    rules = rules_of("sr", 4)
    space = SearchSpace(TASKS["sr"], rules.shape)
    kinds = {**plain_point(space, "plain", np.random.default_rng(0)), **PLAIN_ENDS, BACKBONE: "plain"}
    plain = {
        name: space.decode({**kinds, "activation_kept": "all", "width": width, "blocks": blocks})
        for name, (width, blocks) in PLAIN.items()
    }
    return {**plain, **{name: named_architecture(spec, 4) for name, spec in PAPERS.items()}}


def trained(arch: Architecture, recipe: Recipe, seed: int) -> Iterator[tuple[int, float, float]]:
    """Step, dB above bicubic and core-seconds of training so far; none after it has diverged."""
    rules = rules_of("sr", 4)
    pool = data.training_pool(data.training_images(None, rules), rules)
    pairs = data.validation_pairs(data.validation_images(None, rules), rules)
    bicubic_db = baseline(pairs, rules).psnr_db
    number = training_seed(seed, arch.key)
    loss = rules.measure.loss
    if recipe.spectrum_weight:
        loss = SpectrumLoss(loss, recipe.spectrum_weight)
    plan = replace(rules.degrade.plan, **recipe.plan)
    made: list[torch.optim.Optimizer] = []

    def optimizer_of(plan: TrainingPlan, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        made.append(foreign(recipe.optimizer)(plan, parameters))
        return made[0]

    changes: list[tuple[Any, str, Any]] = [(muon, name, value) for name, value in recipe.constants.items()]
    if recipe.optimizer:
        changes.append((training, "optimizer_of", optimizer_of))
    before = [(module, name, getattr(module, name)) for module, name, _ in changes]
    try:
        for module, name, value in changes:
            setattr(module, name, value)
        network = build(arch, torch.Generator().manual_seed(number))
        trainer = training.Trainer(network, pool, plan, choose_precision("cpu", "auto"), number, loss)
        spent_s = 0.0
        for step in AT:
            begun = time.process_time()
            trainer.train_to(step)
            spent_s += time.process_time() - begun
            averaged = (
                network_of_average(trainer.network, made[0])
                if made and averages(made[0])
                else trainer.averaged_network()
            )
            yield step, evaluate(averaged, pairs, rules).psnr_db - bicubic_db, spent_s
    except DivergedError:
        return
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {**row, "seed": int(row["seed"]), "step": int(row["step"]), "gain_db": float(row["gain_db"]),
             "core_s": float(row["core_s"])}
            for row in csv.DictReader(file)
        ]  # fmt: skip


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """Of each network: dB above bicubic by recipe and step, mean and standard deviation over the seeds."""
    found: dict[tuple[str, str], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row["network"], row["recipe"]][row["step"]].append(row)
    for network in dict.fromkeys(row["network"] for row in rows):
        yield f"## {network}\n"
        yield "| recipe | seeds | " + " | ".join(f"{step} steps" for step in AT) + f" | core-s for {AT[-1]} |"
        yield "|---" * (len(AT) + 3) + "|"
        for recipe in (each for each in RECIPES if (network, each) in found):
            of_step = found[network, recipe]
            cells = [_cell([row["gain_db"] for row in of_step.get(step, ())]) for step in AT]
            seconds = [row["core_s"] for row in of_step.get(AT[-1], ())]
            spent = f"{mean(seconds):.0f}" if seconds else "–"
            yield f"| {recipe} | {len(of_step[AT[0]])} | " + " | ".join(cells) + f" | {spent} |"
        yield ""


def _cell(gains: Sequence[float]) -> str:
    if not gains:
        return "diverged"
    return f"{mean(gains):+.3f}" + (f" ± {stdev(gains):.3f}" if len(gains) > 1 else "")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--recipes", default=",".join(map(str, range(len(RECIPES)))), help="their numbers")
    parser.add_argument("--networks", default="0,1,2", help="their numbers, from the smallest")
    parser.add_argument("--out", type=Path, help="a folder for the table and its page")
    parser.add_argument("--list", action="store_true", help="the recipes and their numbers")
    options = parser.parse_args(arguments)
    names = list(RECIPES)
    if options.list:
        print("\n".join(f"{number:2} {name}" for number, name in enumerate(names)))
        return
    torch.set_num_threads(1)
    path = options.out / "recipes.csv" if options.out else None
    rows = read(path) if path else []
    done = {(row["network"], row["recipe"], row["seed"]) for row in rows}
    chosen = [names[int(number)] for number in options.recipes.split(",")]
    try:
        for name in {RECIPES[recipe].optimizer for recipe in chosen} - {""}:
            foreign(name)
    except UserError as error:
        parser.error(f"{error}, or leave it out with --recipes")
    every = list(networks().items())
    trained_here = [every[int(number)] for number in options.networks.split(",")]
    for seed in range(options.seeds):
        for recipe in chosen:
            for network, arch in trained_here:
                if (network, recipe, seed) in done:
                    continue
                for step, gain_db, core_s in trained(arch, RECIPES[recipe], seed):
                    values = (network, recipe, seed, step, round(gain_db, 4), round(core_s, 1))
                    rows.append(dict(zip(COLUMNS, values, strict=True)))
                    print(*values, sep=", ", flush=True)
                if path:
                    keep(path, rows)
    if not path:
        print("\n".join(tables(rows)))


def keep(path: Path, rows: Sequence[Row]) -> None:
    """The table, and the page beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv_atomically(path, [COLUMNS, *([row[name] for name in COLUMNS] for row in rows)])
    about = PAGE.format(
        plan=rules_of("sr", 4).degrade.plan,
        arithmetic=choose_precision("cpu", "auto").name,
        packages=" and ".join(f"{name} of `{package}` {version}" for name, (package, version) in PACKAGES.items()),
    )
    write_text_atomically(path.parent / "README.md", "\n".join([about, *tables(rows)]))


PAGE = """# Training recipes

How much three networks of super-resolution x4 learn in short trainings: dB of PSNR (Y, 4 px shaved) above bicubic on
the six validation photographs, averaged weights, mean ± standard deviation over the seeds of weights and patches. All
are trained alone on the embedded photographs, in {arithmetic}, one thread of a CPU. Each recipe is the product's,
`{plan}`, but for what its name says; Adam's momenta are (0.9, 0.999).
{packages} are as their authors propose, without weight decay.
SOAP's momenta are (0.95, 0.95), and its eigenbases new every 10 steps; the schedule-free one has the plan's warm-up, a
constant rate, and its own average in place of ours. Rates were compared with one seed.
Core-seconds are of training alone, on a shared machine. Made, and continued, by

    python -m tests.benchmarks.training_recipes --seeds 3 --out reports/published/training-recipes

with `--recipes` and `--networks` for those that have three seeds, and `--seeds 1` for the others.

"""


if __name__ == "__main__":
    main()
