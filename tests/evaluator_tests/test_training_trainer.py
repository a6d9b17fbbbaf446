"""Training: it learns, it continues bit for bit, it averages, and it never hands out a diverged network."""

import copy
import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from evaluators.training.divergence import NonFiniteLossError
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import NORM_BATCHES, Trainer
from space.errors import UserError

SCALE = 2
PLAN = TrainingPlan(batch=2, patch_px=6, warmup_steps=3, learning_rate=5e-3)
ADAM_PLAN = dataclasses.replace(PLAN, optimizer="adam", full_rate_steps=0)  # as before there were others
PRECISIONS = {
    "fp32": Precision("cpu", None, False, "test"),
    "fp32, channels last": Precision("cpu", None, True, "test"),
    "bf16, channels last": Precision("cpu", "bfloat16", True, "test"),
}


class TinyNetwork(nn.Module):
    """A fixed mean shift, convolutions for Adam and for Muon, a norm with running statistics: every kind of state."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Conv2d(3, 3, 1).requires_grad_(False)
        self.body = nn.Conv2d(3, 6, 3, padding=1)
        self.mixing = nn.Conv2d(6, 6, 1)
        self.norm = nn.BatchNorm2d(6)
        self.tail = nn.Conv2d(6, 3 * SCALE**2, 3, padding=1)
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm(self.mixing(self.body(self.shift(x)))))
        return F.pixel_shuffle(self.tail(y), SCALE) + F.interpolate(x, scale_factor=SCALE)


def _network() -> TinyNetwork:
    torch.manual_seed(0)
    return TinyNetwork()


@pytest.fixture(scope="module")
def pool() -> PatchPool:
    generator = np.random.default_rng(0)
    highs = [generator.integers(256, size=(32, 32, 3), dtype=np.uint8) for _ in range(3)]
    return PatchPool.from_pairs([(high[::SCALE, ::SCALE], high) for high in highs], SCALE)


def _trainer(pool: PatchPool, precision: str = "fp32, channels last", plan: TrainingPlan = PLAN) -> Trainer:
    return Trainer(_network(), pool, plan, PRECISIONS[precision], seed=7)


def _assert_same_state(ours: nn.Module, theirs: nn.Module) -> None:
    for (name, mine), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.equal(mine, other), name


@pytest.mark.parametrize("plan", [PLAN, ADAM_PLAN], ids=["muon", "adam"])
@pytest.mark.parametrize("precision", sorted(PRECISIONS))
def test_continuing_from_a_checkpoint_equals_an_uninterrupted_run_bit_for_bit(
    tmp_path, pool, precision: str, plan: TrainingPlan
) -> None:
    whole, whole_losses = _trainer(pool, precision, plan), []
    whole.train_to(11, on_step=lambda step, loss: whole_losses.append((step, loss)))

    first, losses = _trainer(pool, precision, plan), []
    first.train_to(4, on_step=lambda step, loss: losses.append((step, loss)))
    first.save(tmp_path / "rung.safetensors")
    torch.manual_seed(99)
    second = Trainer.load(tmp_path / "rung.safetensors", TinyNetwork(), pool, PRECISIONS[precision])
    assert second.step == 4
    second.train_to(11, on_step=lambda step, loss: losses.append((step, loss)))

    assert losses == whole_losses
    _assert_same_state(whole.network, second.network)
    _assert_same_state(whole.averaged_network(), second.averaged_network())
    for trainer, name in ((whole, "a"), (second, "b")):
        trainer.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_stopping_and_going_on_in_one_process_changes_nothing(pool) -> None:
    whole, pieces = _trainer(pool), _trainer(pool)
    whole.train_to(6)
    for steps in (2, 2, 5, 6):
        pieces.train_to(steps)
        pieces.averaged_network()
    assert pieces.step == 6
    _assert_same_state(whole.averaged_network(), pieces.averaged_network())


def test_a_later_rung_may_bring_its_own_plan(tmp_path, pool) -> None:
    trainer = _trainer(pool)
    trainer.train_to(2)
    trainer.save(tmp_path / "c")
    larger = TrainingPlan(batch=1, patch_px=8)
    assert Trainer.load(tmp_path / "c", TinyNetwork(), pool, PRECISIONS["fp32"], larger).plan == larger
    assert Trainer.load(tmp_path / "c", TinyNetwork(), pool, PRECISIONS["fp32"]).plan == PLAN


def test_a_checkpoint_goes_on_with_its_own_optimizer(tmp_path, pool) -> None:
    """One of an older program has no momentum for another to go on with."""
    trainer = _trainer(pool, plan=ADAM_PLAN)
    trainer.train_to(2)
    trainer.save(tmp_path / "c")
    found = Trainer.load(tmp_path / "c", TinyNetwork(), pool, PRECISIONS["fp32"], TrainingPlan(batch=1, patch_px=8))
    assert found.plan == TrainingPlan(batch=1, patch_px=8, optimizer="adam")
    found.train_to(3)


def test_training_lowers_the_loss(pool) -> None:
    losses = []
    _trainer(pool).train_to(60, on_step=lambda step, loss: losses.append(loss))
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_average_follows_its_formula_and_leaves_training_alone(pool) -> None:
    trainer, expected = _trainer(pool), None
    for step in range(1, 6):
        start = trainer.network.body.weight.detach().clone()
        expected = start if expected is None else expected
        trainer.train_to(step)
        share = PLAN.ema_decay_at(step - 1)
        expected = share * expected + (1 - share) * trainer.network.body.weight.detach()
        averaged = trainer.averaged_network()
        assert torch.allclose(averaged.body.weight, expected, atol=1e-7)
        assert not averaged.training
        assert trainer.network.training
        assert averaged.body.weight.dtype == torch.float32
        assert averaged.body.weight.grad is None
    assert not torch.equal(averaged.body.weight, trainer.network.body.weight)


def test_batch_norms_of_averaged_weights_have_statistics_of_their_own(pool) -> None:
    trainer = _trainer(pool, "fp32")
    trainer.train_to(5)
    averaged, generator = trainer.averaged_network(), copy.deepcopy(trainer._generator)
    with torch.no_grad():
        batches = [pool.sample(generator, PLAN.batch, PLAN.patch_px)[0] for _ in range(NORM_BATCHES)]
        before_norm = [averaged.mixing(averaged.body(averaged.shift(low))) for low in batches]
    for statistic, expected in (
        (averaged.norm.running_mean, [x.mean((0, 2, 3)) for x in before_norm]),
        (averaged.norm.running_var, [x.var((0, 2, 3)) for x in before_norm]),
    ):
        assert torch.allclose(statistic, torch.stack(expected).mean(0), atol=1e-5)
    assert not torch.allclose(averaged.norm.running_mean, trainer.network.norm.running_mean, atol=1e-3)
    assert averaged.norm.momentum == trainer.network.norm.momentum
    assert not averaged.norm.training


def test_average_decay_grows_to_its_limit_and_rate_warms_up() -> None:
    plan = TrainingPlan(learning_rate=1e-3, warmup_steps=4, ema_decay=0.99)
    decays = [plan.ema_decay_at(step) for step in range(5000)]
    assert decays == sorted(decays)
    assert decays[0] < 0.2
    assert decays[-1] == 0.99
    assert [plan.learning_rate_at(step) for step in range(6)] == pytest.approx([2.5e-4, 5e-4, 7.5e-4, 1e-3, 1e-3, 1e-3])
    assert TrainingPlan(warmup_steps=0).learning_rate_at(0) == TrainingPlan().learning_rate


def test_fixed_parameters_stay_and_trained_ones_move(pool) -> None:
    trainer = _trainer(pool)
    trainer.train_to(3)
    for network in (trainer.network, trainer.averaged_network()):
        for name, value in network.named_parameters():
            unchanged = torch.equal(value, _network().get_parameter(name))
            assert unchanged == (name.startswith("shift") or name == "unused"), name


class BreaksAt(TinyNetwork):
    """Returns infinity in step ``step``, or makes the gradients (not the loss) infinite there."""

    def __init__(self, step: int, where: str) -> None:
        super().__init__()
        self.left, self.where = step, where

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        output = super().forward(x)
        if self.left != 0:
            return output
        if self.where == "loss":
            return output * math.inf
        output.register_hook(lambda gradient: gradient * math.nan)
        return output


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_diverged_network_is_never_handed_out(tmp_path, pool, where: str) -> None:
    trainer, steps = Trainer(BreaksAt(3, where), pool, PLAN, PRECISIONS["fp32"], seed=0), []
    with pytest.raises(NonFiniteLossError) as caught:
        trainer.train_to(3, on_step=lambda step, loss: steps.append(step))
    assert caught.value.step == 3
    assert "step 3" in str(caught.value)
    assert steps == [1, 2] if where == "loss" else [1, 2, 3]
    for use in (trainer.averaged_network, lambda: trainer.save(tmp_path / "c"), lambda: trainer.train_to(9)):
        with pytest.raises(NonFiniteLossError):
            use()
    assert not list(tmp_path.iterdir())


def test_should_stop_ends_training_between_steps(pool) -> None:
    trainer = _trainer(pool)
    trainer.train_to(100, should_stop=lambda: trainer.step >= 4)
    assert trainer.step == 4
    trainer.train_to(4)
    assert trainer.step == 4


def test_network_of_another_scale_is_refused(pool) -> None:
    with pytest.raises(UserError, match="output must be"):
        Trainer(nn.Conv2d(3, 3, 1), pool, PLAN, PRECISIONS["fp32"], seed=0).train_to(1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0},
        {"patch_px": 0},
        {"warmup_steps": -1},
        {"learning_rate": 0.0},
        {"ema_decay": 1.0},
        {"full_rate_steps": -1},
        {"optimizer": "sgd"},
    ],
)
def test_plan_refuses_values_out_of_range(wrong: dict) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        TrainingPlan(**wrong)


@pytest.mark.parametrize("value", [PLAN, *PRECISIONS.values()])
def test_plan_and_precision_survive_a_dict(value: TrainingPlan | Precision) -> None:
    assert type(value).from_dict(value.to_dict()) == value


def test_a_rate_that_decays_ends_at_zero_and_begins_as_without() -> None:
    plain, decaying = PLAN, dataclasses.replace(PLAN, decay_steps=100)
    rates = [decaying.learning_rate_at(step) for step in range(101)]
    assert rates[:3] == [plain.learning_rate_at(step) for step in range(3)]  # warm-up
    assert all(before > after for before, after in itertools.pairwise(rates[3:]))
    assert rates[50] == pytest.approx(PLAN.learning_rate / 2)
    assert rates[100] == pytest.approx(0, abs=1e-12)
    assert decaying.learning_rate_at(150) == pytest.approx(0, abs=1e-12)


def test_a_rate_without_an_end_falls_with_the_root_of_the_steps() -> None:
    full = [PLAN.learning_rate_at(step) for step in (3, 50, PLAN.full_rate_steps)]
    assert full == [PLAN.learning_rate] * 3
    assert PLAN.learning_rate_at(4 * PLAN.full_rate_steps) == pytest.approx(PLAN.learning_rate / 2)
    staying = dataclasses.replace(PLAN, full_rate_steps=0)
    assert staying.learning_rate_at(10**6) == PLAN.learning_rate


def test_a_plan_without_decay_is_written_as_before_there_was_one() -> None:
    assert "decay_steps" not in PLAN.to_dict()
    decaying = dataclasses.replace(PLAN, decay_steps=7)
    assert decaying.to_dict()["decay_steps"] == 7
    assert set(ADAM_PLAN.to_dict()) == {"batch", "patch_px", "learning_rate", "warmup_steps", "ema_decay"}
    assert TrainingPlan.from_dict({"learning_rate": 2e-3}).optimizer == "adam"
    for plan in (PLAN, decaying, ADAM_PLAN):
        assert TrainingPlan.from_dict(plan.to_dict()) == plan
    with pytest.raises(UserError, match="decay_steps must be at least 0"):
        dataclasses.replace(PLAN, decay_steps=-1)
