"""The experiment with pruned fronts: equal steps and times, a kill costs one training, divergence is recorded."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import nn

from evaluators.costs import architecture_costs
from evaluators.tasks import rules_of
from evaluators.training.divergence import NonFiniteLossError
from latency_tables.tables.estimate import Latency
from search.experiments.front_bench import Bench
from search.experiments.front_designs import plain, takes
from search.experiments.front_records import LINES, FrontRecord, FrontRecords, Place
from search.experiments.pruned_fronts import (
    ARMS,
    DRAWN,
    NARROWER,
    PARENT,
    PRUNED,
    SAME,
    SEARCHED,
    FrontsPlan,
    PrunedFronts,
)
from space import TASKS, SearchSpace
from space.architecture import Architecture
from space.errors import UserError

RULES = rules_of("sr", 4)
SETTINGS = {"steps": 12}


def plan(**changes: object) -> FrontsPlan:
    parent = plain(SearchSpace(TASKS["sr"], RULES.shape), 12, 4)
    values = {"steps": 12, "fine_tuning": 5, "ratios": (0.5,), "candidates": 2, "rung": 3}
    return FrontsPlan(RULES, parent, **{**values, **changes})


def macs(arch: Architecture) -> Latency:
    """A time without bands that grows so slowly with the multiply-accumulates that designs of a time are many."""
    ms = architecture_costs(arch, (16, 16)).macs ** 0.1
    return Latency(ms, ms, ms, "measured")


@dataclass
class FakeTraining:
    """Adds a step's noise to the weights; ``made`` are the steps and seeds of every call."""

    made: list[tuple[int, int]] = field(default_factory=list)
    diverges: Callable[[int], bool] = lambda call: False

    def __call__(self, network: nn.Module, steps: int, seed: int) -> nn.Module:
        self.made.append((steps, seed))
        if self.diverges(len(self.made)):
            raise NonFiniteLossError("the loss", 2)
        trained = copy.deepcopy(network)
        generator = torch.Generator().manual_seed(steps + seed)
        with torch.no_grad():
            for value in trained.parameters():
                value += 0.1 * torch.randn(value.shape, generator=generator)
        return trained.eval()


def quality(network: nn.Module) -> dict[str, float]:
    total = sum(float(value.detach().double().abs().mean()) for value in network.parameters())
    return {"embedded": total, "other": 20.0}


def run(
    folder: Path,
    training: FakeTraining,
    what: FrontsPlan | None = None,
    seeds: int = 1,
    told: Callable[[FrontRecord], None] = lambda record: None,
) -> tuple[FrontRecord, ...]:
    records = FrontRecords(folder, SETTINGS)
    PrunedFronts(what or plan(), Bench(macs, quality), training, records, told, {"device": "a CPU"}).run(seeds)
    return records.all


def by_arm(records: tuple[FrontRecord, ...], seed: int = 0) -> dict[str, FrontRecord]:
    return {record.place.arm: record for record in records if record.place.seed == seed}


def test_every_arm_has_the_same_steps_and_time(tmp_path: Path) -> None:
    training = FakeTraining()
    found = run(tmp_path, training, seeds=2)
    for seed in (0, 1):
        own = by_arm(found, seed)
        assert own[PARENT].steps == 7
        assert {own[arm].steps for arm in ARMS} == {12}
        assert own[SAME].architecture == own[PRUNED].architecture
        assert own[PRUNED].architecture.widths
        assert own[NARROWER].architecture.settings.width < 12
        assert all(takes(own[arm].latency.ms, own[PRUNED].latency.ms) for arm in ARMS)
        drawn = [record for record in found if (record.place.arm, record.place.seed) == (DRAWN, seed)]
        assert [record.place.number for record in drawn] == [1, 2]
        best = max(drawn, key=lambda record: record.psnr_db["embedded"])
        assert own[SEARCHED].architecture == best.architecture
    steps, seeds = zip(*training.made, strict=True)
    assert steps == (7, 5, 3, 3, 12, 12, 12) * 2
    assert seeds == (0, 1000, 0, 0, 0, 0, 0, 1, 1001, 1, 1, 1, 1, 1)
    assert by_arm(found)[PARENT].environment == {"device": "a CPU"}


@pytest.mark.parametrize(("rounds", "tuned"), [(1, [5]), (2, [2, 2, 1]), (5, [1] * 5)])
def test_the_fine_tuning_is_shared_between_the_rounds_and_spent(rounds: int, tuned: list[int], tmp_path: Path) -> None:
    training = FakeTraining()
    run(tmp_path, training, plan(rounds=rounds))
    assert [steps for steps, seed in training.made if seed >= 1000] == tuned
    patches = [seed for _, seed in training.made if seed >= 1000]
    assert len(set(patches)) == len(patches)  # no round sees those of another


@pytest.mark.parametrize("after", [1, 2, 4, 6])
def test_what_is_finished_is_not_done_again(after: int, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = run(tmp_path / "whole", FakeTraining())
    killed = tmp_path / "killed"
    killed.mkdir()
    first, second = FakeTraining(), FakeTraining()

    def kill(record: FrontRecord) -> None:
        if len(first.made) > after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(killed, first, told=kill)
    found = run(killed, second)
    assert len(first.made) + len(second.made) == len(whole)
    assert [(record.place, record.psnr_db) for record in found] == [(record.place, record.psnr_db) for record in whole]


def test_further_seeds_are_added(tmp_path: Path) -> None:
    run(tmp_path, FakeTraining())
    again = FakeTraining()
    found = run(tmp_path, again, seeds=2)
    assert {record.place.seed for record in found} == {0, 1}
    assert len(again.made) == len(found) / 2


@pytest.mark.parametrize(
    ("call", "arm", "others"), [(1, PARENT, {PARENT}), (2, PRUNED, {PARENT, PRUNED}), (5, SAME, {PARENT, *ARMS, DRAWN})]
)
def test_a_training_that_diverges_is_recorded(call: int, arm: str, others: set[str], tmp_path: Path) -> None:
    found = by_arm(run(tmp_path, FakeTraining(diverges=lambda made: made == call)))
    assert found.keys() == others
    assert found[arm].failure == "the loss is not finite at training step 2"
    assert found[arm].psnr_db == {}
    again = FakeTraining()
    assert by_arm(run(tmp_path, again)) == found  # and not tried again
    assert again.made == []


def test_records_and_weights_are_read_again(tmp_path: Path) -> None:
    found = run(tmp_path, FakeTraining())
    records = FrontRecords(tmp_path, SETTINGS)
    assert records.all == found
    for record in found:
        assert quality(records.network(record)) == pytest.approx(record.psnr_db)
    assert records.of(Place(PRUNED, 0.25, 0)) is None


def test_a_folder_is_continued_as_it_was_begun(tmp_path: Path) -> None:
    run(tmp_path, FakeTraining())
    with pytest.raises(UserError, match="with steps 12, got 13; give another folder"):
        FrontRecords(tmp_path, {"steps": 13})
    path = tmp_path / LINES
    path.write_text(path.read_text()[:-40])
    with pytest.raises(UserError, match="a line of JSON for each training"):
        FrontRecords(tmp_path, SETTINGS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fine_tuning": 12}, "fewer than all steps, got 12 of 12"),
        ({"fine_tuning": 2, "rounds": 3}, "got 2 of 12 in 3 rounds"),
        ({"scope": "none"}, "scope must be one of global, uniform, got 'none'"),
        ({"ratios": (0.5, 0.96)}, "at most 0.95, got 0.5, 0.96"),
        ({"ratios": (float("nan"),)}, "got nan"),
        ({"ratios": ()}, "got none"),
    ],
)
def test_a_plan_that_cannot_be(changes: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        plan(**changes)
