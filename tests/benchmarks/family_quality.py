"""What networks inherit from a family: ``python -m tests.benchmarks.family_quality``, a minute of a core for 200 steps.

Plain residual networks for sr x4 under 200k-params, as a run trains them (seed 0), and dB above bicubic that
networks of it inherit. ``--elastic NAME,NAME`` lets it differ in further choices, ``--between N`` draws more or fewer
networks at a step; both are what ``space.weight_bank.families`` and ``evaluators.sharing.trainer`` were decided by.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from evaluators import data
from evaluators.quality import baseline, evaluate
from evaluators.sharing import BankTrainer, trainer
from evaluators.training.precision import choose_precision
from search.candidates.initial_points import plain_point
from search.candidates.screening import Screen
from search.request.request import request_from_options
from search.sharing.choosing import PLAIN_ENDS
from search.sharing.designs import designs_of, largest_of
from search.workers.jobs import training_seed
from space.search_space import BACKBONE, Parameter, SearchSpace
from space.weight_bank import WeightBank
from space.weight_bank.families import Family
from tests.search_tests.conftest import settings

SHOWN = ((8, 4), (8, 10), (12, 8), (16, 12), (24, 10), (28, 12))  # channels and blocks


@dataclass(frozen=True)
class MoreElastic(SearchSpace):
    """A space in which the knobs ``elastic`` are so, whatever they say."""

    elastic: tuple[str, ...] = ()

    def of(self, backbone: str) -> tuple[Parameter, ...]:
        return tuple(
            replace(each, knob=replace(each.knob, elastic=each.knob.elastic or each.key in self.elastic))
            for each in super().of(backbone)
        )


def screen_of(elastic: tuple[str, ...]) -> Screen:
    request = request_from_options(task="sr", budget="200k-params", evaluator="shared")
    screen = Screen(request.task, replace(settings(rungs=()), **vars(request.wanted)), request.budget)
    return screen.within(MoreElastic(request.task, request.rules.shape, elastic=elastic))


def figures(elastic: tuple[str, ...], steps: int, every: int) -> Iterator[str]:
    """A line for each measurement."""
    screen = screen_of(elastic)
    space, rules = screen.space, request_from_options(task="sr", budget="200k-params").rules
    kinds = {**plain_point(space, "plain", np.random.default_rng(0)), **PLAIN_ENDS, BACKBONE: "plain"}
    largest = largest_of(screen, {**kinds, "activation_kept": "all"}, {})
    assert largest is not None
    family = Family.below(space, largest)
    designs = designs_of(screen.within(family.space(space)), np.random.default_rng((0, 0)), largest)
    bank = WeightBank()
    for design in reversed(designs):
        bank.cover(design, torch.Generator().manual_seed(0))
    pool = data.training_pool(data.training_images(None, rules), rules)
    pairs = data.validation_pairs(data.validation_images(None, rules), rules)
    bicubic_db = baseline(pairs, rules).psnr_db
    precision = choose_precision("cpu", "auto")
    training = BankTrainer(
        designs,
        lambda _: (pool,),
        rules.degrade.plan,
        precision,
        training_seed(0, "family 0"),
        rules.measure.loss,
        bank,
    )
    yield f"{family.name}, {len(designs)} designs, {precision.name}; " + ", ".join(f"{w}x{b}" for w, b in SHOWN)
    begun = time.process_time()
    for step in range(every, steps + 1, every):
        training.train_to(step)
        spent_s = time.process_time() - begun
        averaged, gains = training.averaged_bank(), []
        for width, blocks in SHOWN:
            network = averaged.network(space.decode({**largest, "width": width, "blocks": blocks})).eval()
            gains.append(evaluate(network, pairs, rules).psnr_db - bicubic_db)
        yield f"{step} steps, {spent_s:.0f} core-s: " + " ".join(f"{gain:+.2f}" for gain in gains)
        begun = time.process_time() - spent_s  # measuring does not count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--elastic", default="", help="further elastic choices, joined by commas")
    parser.add_argument("--between", type=int, default=trainer.BETWEEN)
    options = parser.parse_args()
    torch.set_num_threads(1)
    trainer.BETWEEN = options.between
    for line in figures(tuple(filter(None, options.elastic.split(","))), options.steps, options.every):
        print(line, flush=True)


if __name__ == "__main__":
    main()
