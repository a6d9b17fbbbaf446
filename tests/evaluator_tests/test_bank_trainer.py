"""Training weights that networks share: as one network alone where there is one, and continued as if never stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluators.data import pools_of, training_pool
from evaluators.images.folders import NamedImage
from evaluators.sharing import BankTrainer
from evaluators.sharing.bank_files import read_bank, write_bank
from evaluators.sharing.place_optimizer import PlaceOptimizer
from evaluators.tasks import TaskRules, rules_of
from evaluators.training.divergence import NonFiniteLossError
from evaluators.training.optimizers import optimizer_of
from evaluators.training.plan import OPTIMIZERS, TrainingPlan
from evaluators.training.precision import Precision
from evaluators.training.trainer import Trainer
from space import TASKS, SearchSpace, build
from space.architecture import Architecture
from space.errors import UserError
from space.search_space import BACKBONE, first
from space.weight_bank import WeightBank

PRECISION = Precision("cpu", None, True, "test")
PLAN = TrainingPlan(batch=2, patch_px=8, warmup_steps=5)


def design(task: str = "sr", **knobs: int | str) -> Architecture:
    shape = replace(TASKS[task].shape(TASKS[task].default_scale), specialists=2)
    space = SearchSpace(TASKS[task], shape)
    skip = "bicubic" if task == "sr" else "identity"
    return space.decode(space.fill(first, {BACKBONE: "plain", "input_skip": skip, **knobs}))


def images() -> list[NamedImage]:
    generator = np.random.default_rng(0)
    small = (generator.integers(0, 256, (10, 10, 3)) for _ in range(2))
    return [NamedImage(str(index), each.repeat(6, 0).repeat(6, 1).astype(np.uint8)) for index, each in enumerate(small)]


def trainer(designs: list[Architecture], rules: TaskRules | None = None, plan: TrainingPlan = PLAN) -> BankTrainer:
    rules = rules or rules_of("sr", 4)
    pool = training_pool(images(), rules)
    bank = WeightBank()
    for each in reversed(designs):
        bank.cover(each, torch.Generator().manual_seed(0))
    loss = rules.measure.loss
    return BankTrainer(designs, lambda count: pools_of(pool, rules, count), plan, PRECISION, 0, loss, bank)


NARROW, WIDE = design(width=8, blocks=4), design(width=12, blocks=6)


def test_a_bank_of_one_network_is_trained_as_that_network_alone() -> None:
    rules = rules_of("sr", 4)
    arch = design(width=12, blocks=6, input_skip="none")  # with one, only the last layer has a gradient at first
    network = build(arch, torch.Generator().manual_seed(0))
    alone = Trainer(network, training_pool(images(), rules), PLAN, PRECISION, 0, rules.measure.loss)
    alone.train_to(8)
    shared = trainer([arch])
    shared.train_to(8)
    own = dict(shared.averaged_bank().network(arch).named_parameters())
    found = [(own[name] - value).abs().flatten() for name, value in alone.averaged_network().named_parameters()]
    # All but those behind a unit that was silent in a step: their clock stood still.
    assert float((torch.cat(found) < 1e-5).float().mean()) > 0.9


def test_it_learns_and_narrow_networks_do() -> None:
    losses: list[float] = []
    shared = trainer([NARROW, design(width=8, blocks=6), design(width=12, blocks=4), WIDE])
    shared.train_to(30, on_step=lambda step, loss: losses.append(loss))
    assert sum(losses[-10:]) < 0.97 * sum(losses[:10])
    started = build(NARROW, torch.Generator().manual_seed(0)).state_dict()
    learnt = shared.averaged_bank().network(NARROW).state_dict()
    assert all(not torch.equal(learnt[name], started[name]) for name in ("trunk.blocks.0.body.0.weight",))


def test_continuing_gives_the_same_bits(tmp_path: Path) -> None:
    designs = [NARROW, design(width=8, blocks=6), design(width=12, blocks=4), WIDE]
    whole = trainer(designs)
    whole.train_to(6)
    begun = trainer(designs)
    begun.train_to(2)
    begun.save(tmp_path / "state")
    again = trainer(designs)
    again.load(tmp_path / "state")
    assert again.step == 2
    again.train_to(6)
    for key, tensor in whole.averaged_bank().tensors.items():
        assert torch.equal(tensor, again.averaged_bank().tensors[key]), key


def test_a_stop_ends_it_between_two_steps() -> None:
    shared = trainer([WIDE])
    shared.train_to(9, should_stop=lambda: shared.step == 3)
    assert shared.step == 3


def test_a_loss_that_is_not_finite_ends_it(tmp_path: Path) -> None:
    shared = trainer([WIDE])
    shared._loss = lambda output, target, image: output.mean() * float("nan")
    with pytest.raises(NonFiniteLossError, match="the loss is not finite at training step 1"):
        shared.train_to(3)
    for refused in (shared.averaged_bank, lambda: shared.train_to(5), lambda: shared.save(tmp_path / "state")):
        with pytest.raises(NonFiniteLossError):
            refused()
    assert not (tmp_path / "state").exists()


def test_an_output_of_another_size_is_named() -> None:
    rules = rules_of("sr", 2)
    shared = trainer([WIDE], rules)
    with pytest.raises(UserError, match=r"output must be \(2, 3, 16, 16\).*got \(2, 3, 32, 32\)"):
        shared.train_to(1)


def test_specialists_take_turns() -> None:
    rules = rules_of("denoise", 1, {"sigma": [5.0, 50.0]})
    two = design("denoise", width=8, blocks=4, specialists=2)
    shared = trainer([two], rules)
    before = {key: tensor.detach().clone() for key, tensor in shared.bank.tensors.items()}
    shared.train_to(1)
    moved = {key for key, tensor in shared.bank.tensors.items() if not torch.equal(tensor, before[key])}
    assert moved
    assert all(key.startswith("1/2:") for key in moved)
    shared.train_to(2)
    moved = {key[:4] for key, tensor in shared.bank.tensors.items() if not torch.equal(tensor, before[key])}
    assert moved == {"1/2:", "2/2:"}


def test_files_that_are_no_bank_are_refused(tmp_path: Path) -> None:
    shared, path = trainer([WIDE]), tmp_path / "bank"
    with pytest.raises(UserError, match="must be a whole file of a weight bank"):
        read_bank(path)
    write_bank(path, shared.bank, 0)
    assert read_bank(path).covers(NARROW)
    whole = path.read_bytes()
    for damaged in (whole[:-7], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="must be a whole file of a weight bank"):
            read_bank(path)


def test_the_state_of_another_bank_is_refused(tmp_path: Path) -> None:
    trainer([NARROW]).save(tmp_path / "state")
    with pytest.raises(UserError, match="must be the state of this weight bank"):
        trainer([WIDE]).load(tmp_path / "state")
    trainer([WIDE], plan=replace(PLAN, optimizer="adam")).save(tmp_path / "of-adam")
    with pytest.raises(UserError, match="must be the state of this weight bank"):
        trainer([WIDE]).load(tmp_path / "of-adam")
    shared = trainer([WIDE])
    write_bank(tmp_path / "bank", shared.bank, 0)  # weights without what training needs
    with pytest.raises(UserError, match="must be the state of this weight bank"):
        shared.load(tmp_path / "bank")


def gradients(steps: int, shape: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator) for _ in range(steps)]


@pytest.mark.parametrize("shape", [(3, 4), (4, 6), (8, 4, 3, 3), (4, 1, 3, 3)])
@pytest.mark.parametrize("word", OPTIMIZERS)
def test_with_all_gradients_it_is_the_optimizer_of_a_single_network(word: str, shape: tuple[int, ...]) -> None:
    plan = TrainingPlan(warmup_steps=4, full_rate_steps=6, optimizer=word)
    ours, theirs = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.ones(shape))
    optimizer = optimizer_of(plan, [theirs])
    places = PlaceOptimizer({"a": ours}, plan)
    average = theirs.detach().clone()
    for step, gradient in enumerate(gradients(12, shape)):
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        optimizer.param_groups[0]["lr"] = plan.learning_rate_at(step)
        optimizer.step()
        places.step()
        average.lerp_(theirs.detach(), 1 - plan.ema_decay_at(step))
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert torch.allclose(places.averages["a"], average, atol=1e-6)


def test_a_place_that_rarely_has_a_gradient_moves_by_the_rate_each_time() -> None:
    plan = TrainingPlan(warmup_steps=0, full_rate_steps=0)
    tensor = nn.Parameter(torch.zeros(2))
    places = PlaceOptimizer({"a": tensor}, plan)
    for step in range(200):
        tensor.grad = torch.tensor([1.0, 1.0 if step % 50 == 0 else 0.0])
        places.step()
    often, rarely = tensor.detach().abs().tolist()
    assert often == pytest.approx(200 * plan.learning_rate, rel=1e-3)
    assert rarely == pytest.approx(4 * plan.learning_rate, rel=1e-3)
    assert places.averages["a"][1] != 0
