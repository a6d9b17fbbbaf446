"""Trains one network; stopping and continuing from a checkpoint gives the same weights as not stopping."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from evaluators.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from evaluators.training.divergence import DivergedError, LossWatch, NonFiniteLossError
from evaluators.training.optimizers import optimizer_of
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.teacher import place_teachers
from space.errors import UserError
from space.specialists import networks_of

NORM_BATCHES = 10
"""Batches over which the statistics of batch norms are measured for the averaged weights. dncnn-list-color at sigma 25
after 100 steps: 24.10 dB with 10 as with 30; 22.42 with the statistics of the trained weights, 17.31 with their
average. After 200 steps 24.22, 24.24 and 24.02."""

LOSSES_PER_READ_CUDA = 50
"""Reading a loss waits for the device, so on CUDA this many are read together; on a CPU every loss is there."""


Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""From output, target and network input to a scalar."""


def _l1(output: torch.Tensor, target: torch.Tensor, _input: torch.Tensor) -> torch.Tensor:
    return F.l1_loss(output, target)


class Trainer:
    """The plan's optimizer on a loss (L1 by default), and an exponential average of the weights.

    A rate that has no end in view lets a rung be continued to any length; the average removes the noise that it leaves
    in the weights. ``network`` is trained in place: float32 ``(N, C, h, w)`` in [0, 1] to
    ``(N, c, scale h, scale w)``. Its parameters with ``requires_grad=False`` stay as they are. All randomness comes
    from a numpy generator seeded with ``seed``; a network that draws random numbers itself is trained, but does not
    continue bit for bit.

    Specialists need a pool each. They take turns, a step each, so that all of them together get the steps, and the
    work, of one network: k specialists are trained for 1/k of the steps each.
    """

    def __init__(
        self,
        network: nn.Module,
        pool: PatchPool | Sequence[PatchPool],
        plan: TrainingPlan,
        precision: Precision,
        seed: int,
        loss: Loss = _l1,
    ) -> None:
        self.precision = precision = precision.for_network(network)
        self.network = precision.place_network(network)
        self._pools = (pool,) if isinstance(pool, PatchPool) else tuple(pool)
        self._turns = tuple(zip(networks_of(self.network), self._pools, strict=True))
        self.plan = plan
        self.step = 0
        self._loss = loss.to(precision.device) if isinstance(loss, nn.Module) else loss
        if isinstance(loss, nn.Module):
            place_teachers(loss, precision)
        self._generator = np.random.default_rng(seed)
        self._parameters = {name: value for name, value in network.named_parameters() if value.requires_grad}
        self._average = {name: value.detach().clone() for name, value in self._parameters.items()}
        self._optimizer = optimizer_of(plan, self._parameters.values())
        self._watch = LossWatch()
        self._failure: DivergedError | None = None

    def train_to(
        self,
        steps: int,
        on_step: Callable[[int, float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        """Train until ``steps`` steps have been made in all; nothing happens if they have been made.

        ``on_step(step, loss)`` is told every step, counted from 1, with its loss (on CUDA some steps
        late); ``should_stop()`` is asked before each step and ends training there.

        Raises:
            DivergedError: a loss or a weight is not finite, or the loss has risen (``LossWatch``). The trainer then
                refuses to go on, to save, and to give weights.
            UserError: the network's output does not have the size of the pool's high-resolution patches.
        """
        self._refuse_after_failure()
        self.network.train()
        unread: list[torch.Tensor] = []
        at_once = LOSSES_PER_READ_CUDA if torch.device(self.precision.device).type == "cuda" else 1
        try:
            while self.step < steps and not (should_stop and should_stop()):
                unread.append(self._train_step())
                if len(unread) == at_once:
                    self._read_losses(unread, on_step)
            self._read_losses(unread, on_step)
            self._check_weights()
        except DivergedError as error:
            self._failure = error
            raise

    def averaged_network(self) -> nn.Module:
        """A float32 copy of the network in eval mode that holds the averaged weights; training is not disturbed.

        Batch norms get the statistics of the averaged weights, measured on patches: those of the trained weights, a
        step or two apart, do not fit them.

        Raises:
            DivergedError: training has diverged.
        """
        self._refuse_after_failure()
        network = copy.deepcopy(self.network)
        parameters = dict(network.named_parameters())
        with torch.no_grad():
            for name, value in self._average.items():
                parameters[name].copy_(value)
            for each, pool in zip(networks_of(network), self._pools, strict=True):
                self._measure_norms(each, pool)
        network.zero_grad(set_to_none=True)
        return network.eval()

    def _measure_norms(self, network: nn.Module, pool: PatchPool) -> None:
        """Set the statistics of batch norms to their mean over the next ``NORM_BATCHES`` batches."""
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        if not norms:
            return
        network.eval()
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.train().reset_running_stats()
            norm.momentum = None  # the plain mean over all batches
        generator = copy.deepcopy(self._generator)
        for _ in range(NORM_BATCHES):
            degraded, _ = pool.sample(generator, self.plan.batch, self.plan.patch_px)
            network(self.precision.place_batch(degraded))  # in float32, as it will be measured and used
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def save(self, path: Path | str) -> None:
        """Write everything that continuing needs to ``path``, atomically; see ``checkpoint.py`` for what.

        Raises:
            DivergedError: training has diverged.
        """
        self._refuse_after_failure()
        moments = {
            f"{name}/{kind}": value
            for name, parameter in self._parameters.items()
            for kind, value in self._optimizer.state.get(parameter, {}).items()
        }
        write_checkpoint(
            path,
            Checkpoint(
                step=self.step,
                plan=self.plan,
                generator_state=dict(self._generator.bit_generator.state),
                network=self.network.state_dict(),
                optimizer=moments,
                average=self._average,
            ),
        )

    @classmethod
    def load(
        cls,
        path: Path | str,
        network: nn.Module,
        pool: PatchPool | Sequence[PatchPool],
        precision: Precision,
        plan: TrainingPlan | None = None,
        loss: Loss = _l1,
    ) -> Trainer:
        """Continue from a file of ``save``; ``network`` is built by the caller and receives the weights.

        The plan is the checkpoint's, unless a later rung brings its own (larger patches, say); the optimizer is the
        checkpoint's in any case, for its state is of no use to another. On a CPU, with the
        same plan, pool, precision and number of threads, the following steps are bit for bit those of an
        uninterrupted run.

        Raises:
            UserError: the file is missing, damaged, not a checkpoint, or of another network.
        """
        checkpoint = read_checkpoint(path)
        checkpoint.check_fits(network, path)
        network.load_state_dict(checkpoint.network)
        plan = replace(plan or checkpoint.plan, optimizer=checkpoint.plan.optimizer)
        trainer = cls(network, pool, plan, precision, seed=0, loss=loss)
        trainer.step = checkpoint.step
        trainer._generator.bit_generator.state = checkpoint.generator_state
        for name, parameter in trainer._parameters.items():
            trainer._average[name].copy_(checkpoint.average[name])
            trainer._optimizer.state[parameter] = _restored_moments(parameter, name, checkpoint.optimizer)
        return trainer

    def _train_step(self) -> torch.Tensor:
        """One step; returns its loss, a detached scalar on the device that nothing has waited for."""
        network, pool = self._turns[self.step % len(self._turns)]
        degraded, target = pool.sample(self._generator, self.plan.batch, self.plan.patch_px)
        degraded, target = self.precision.place_batch(degraded), self.precision.place_batch(target)
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.learning_rate_at(self.step)
        self._optimizer.zero_grad(set_to_none=True)
        with self.precision.arithmetic():
            output = network(degraded)
        if output.shape != target.shape:
            raise UserError(
                f"the network's output must be {tuple(target.shape)} for an input of {tuple(degraded.shape)}, "
                f"got {tuple(output.shape)}; use a pool of the network's scale"
            )
        loss = self._loss(output.float(), target, degraded)
        loss.backward()
        self._optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self._average.values()), list(self._parameters.values()), 1 - self.plan.ema_decay_at(self.step)
            )
        self.step += 1
        return loss.detach()

    def _read_losses(self, unread: list[torch.Tensor], on_step: Callable[[int, float], None] | None) -> None:
        """Wait for the losses of the last steps, report them, and fail at the first by which training has diverged."""
        if not unread:
            return
        losses = torch.stack(unread).tolist()
        unread.clear()
        for step, loss in enumerate(losses, start=self.step - len(losses) + 1):
            self._watch.told(step, loss)
            if on_step:
                on_step(step, loss)

    def _check_weights(self) -> None:
        """Check the weights, which the last update may break after a finite loss; sums find one that is not finite."""
        values = [*self._parameters.values(), *self._average.values()]
        if values and not torch.isfinite(torch.stack([value.detach().sum() for value in values])).all():
            raise NonFiniteLossError("a weight", self.step)

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _restored_moments(parameter: nn.Parameter, name: str, saved: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The optimizer's state of one parameter; empty if it never received a gradient.

    Moments must lie in memory in the order of their parameter, because Adam's fused step walks both as flat arrays.
    """
    state = {}
    for key, value in saved.items():
        owner, _, kind = key.rpartition("/")
        if owner != name:
            continue
        if kind == "step":
            state[kind] = value.to(parameter.device)  # where Adam's fused form keeps it
        else:
            state[kind] = torch.empty_like(parameter, memory_format=torch.preserve_format).requires_grad_(False)
            state[kind].copy_(value)
    return state
