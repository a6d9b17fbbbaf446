"""Trains a weight bank: at every step the largest network, the smallest and some between, each on its slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from evaluators.sharing.bank_files import BankState, read_state, write_state
from evaluators.sharing.place_optimizer import PlaceOptimizer
from evaluators.training.divergence import DivergedError, LossWatch, NonFiniteLossError
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import Loss
from space.architecture import Architecture
from space.build import build
from space.errors import UserError
from space.specialists import networks_of
from space.weight_bank import WeightBank

BETWEEN = 1
"""Networks drawn at random at every step, beside the largest and the smallest. dB above bicubic that plain residual
networks inherit (``python -m tests.benchmarks.family_quality --between N``), of 8x4, 8x10, 12x8, 16x12, 24x10 and 28x12
channels and blocks: with none 0.60, 0.58, 0.55, 0.54, 0.67 and 0.99 after 400 steps (41 s of a core), with one 0.81,
0.88, 0.92, 0.95, 1.04 and 1.09 after 940 (125 s), with two 0.77, 0.87, 0.92, 0.97, 1.03 and 1.06 after 800 (133 s)."""

LOWERED = 0.5  # of the rate, after a divergence

Pools = Callable[[int], Sequence[PatchPool]]
"""The patches of each of a number of specialists (``evaluators.data.pools_of``)."""


class BankTrainer:
    """The sandwich rule (Yu and Huang, 2019) on a weight bank that covers ``designs``.

    The plan's optimizer (``PlaceOptimizer``) on the mean of the drawn networks' losses, one batch a step for all of
    them; networks inherit the exponential average of every weight. Training can be stopped and continued: on a CPU,
    with the same precision and number of threads, the following steps are bit for bit those of an uninterrupted
    training.

    Attributes:
        lowered_at: after how many steps its rate was lowered; None if it was not.

    Args:
        designs: smallest first; the last has all weights of the others. Drawn evenly between.
        pools: one for each of the specialists of a design, by their number.
        bank: to be trained further; else a new one of ``designs``, most of whose weights begin as those of the largest,
            drawn from ``seed``.
    """

    def __init__(
        self,
        designs: Sequence[Architecture],
        pools: Pools,
        plan: TrainingPlan,
        precision: Precision,
        seed: int,
        loss: Loss,
        bank: WeightBank | None = None,
    ) -> None:
        if bank is None:
            bank = WeightBank.covering(reversed(designs), torch.Generator().manual_seed(seed))
        self.bank = bank
        self.designs = tuple(designs)
        self.plan = plan
        self.precision = precision
        self.step = 0
        self.lowered_at: int | None = None
        self._pools, self._loss = pools, loss
        self._generator = np.random.default_rng(seed)
        bank.to(precision.device)
        self._optimizer = PlaceOptimizer(bank.tensors, plan)
        self._networks: dict[Architecture, tuple[nn.Module, Precision]] = {}
        self._watch = LossWatch()
        self._failure: DivergedError | None = None

    def train_to(
        self,
        steps: int,
        on_step: Callable[[int, float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        """Train until ``steps`` steps have been made in all; arguments as of ``Trainer.train_to``.

        Raises:
            DivergedError: as of ``Trainer.train_to``; the trainer then refuses to go on and to save.
            UserError: a network's output does not have the size of the patches.
        """
        self._refuse_after_failure()
        try:
            while self.step < steps and not (should_stop and should_stop()):
                loss = self._train_step()
                self._watch.told(self.step, loss)
                if on_step:
                    on_step(self.step, loss)
            values = [tensor.detach().sum() for tensor in self.bank.tensors.values()]
            if not torch.isfinite(torch.stack(values)).all():
                raise NonFiniteLossError("a weight", self.step)
        except DivergedError as error:
            self._failure = error
            raise

    def lower_rate(self) -> None:
        """Go on from here at ``LOWERED`` of the rate: after a divergence, from a state before it."""
        self.lowered_at = self.step
        self._optimizer.rate = LOWERED

    @torch.no_grad()
    def averaged_bank(self) -> WeightBank:
        """A copy of the bank, on the CPU, with the averaged weights.

        Raises:
            DivergedError: training has diverged.
        """
        self._refuse_after_failure()
        return self.bank.with_values(self._optimizer.averages)

    def save(self, path: Path | str) -> None:
        """Write all that continuing needs to ``path``, atomically.

        Raises:
            DivergedError: training has diverged.
        """
        self._refuse_after_failure()
        state = dict(self._generator.bit_generator.state)
        write_state(path, BankState(self.step, state, self.bank, dict(self._optimizer.state()), self.lowered_at))

    def load(self, path: Path | str) -> None:
        """Go on from a file of ``save``, of a training of the same designs with the same optimizer.

        Raises:
            UserError: the file is missing, damaged, or of another bank.
        """
        found = read_state(path)
        shapes, own = ({key: tensor.shape for key, tensor in bank.tensors.items()} for bank in (found.bank, self.bank))
        if shapes != own or found.moments.keys() != dict(self._optimizer.state()).keys():
            raise UserError(f"{path} must be the state of this weight bank, got another; delete it and train again")
        self.step = found.step
        self._generator.bit_generator.state = found.generator_state
        with torch.no_grad():
            for key, tensor in self.bank.tensors.items():
                tensor.copy_(found.bank.tensors[key])
        self._optimizer.load(found.moments)
        if found.lowered_at is not None:
            self.lower_rate()
            self.lowered_at = found.lowered_at

    def _train_step(self) -> float:
        """One step; returns the mean of the drawn networks' losses."""
        drawn = self._drawn()
        self._optimizer.zero_grad()
        batches: dict[int, tuple[Tensor, Tensor]] = {}
        total = 0.0
        for arch in drawn:
            if arch.shape.specialists not in batches:
                batches[arch.shape.specialists] = self._batch(arch.shape.specialists)
            loss = self._loss_of(arch, *batches[arch.shape.specialists]) / len(drawn)
            loss.backward()
            total += float(loss.detach())
        self._optimizer.step()
        self.step += 1
        return total

    def _drawn(self) -> list[Architecture]:
        """The largest and the smallest, and ``BETWEEN`` of the others; each once."""
        between = self.designs[1:-1]
        chosen = self._generator.permutation(len(between))[:BETWEEN].tolist()
        return list(dict.fromkeys((self.designs[-1], self.designs[0], *(between[index] for index in chosen))))

    def _batch(self, specialists: int) -> tuple[Tensor, Tensor]:
        """For the specialist whose turn it is."""
        pool = self._pools(specialists)[self.step % specialists]
        degraded, target = pool.sample(self._generator, self.plan.batch, self.plan.patch_px)
        return self.precision.place_batch(degraded), self.precision.place_batch(target)

    def _loss_of(self, arch: Architecture, degraded: Tensor, target: Tensor) -> Tensor:
        count = arch.shape.specialists
        turn = self.step % count
        network, precision = self._network(arch, turn)
        with precision.arithmetic():
            output: Tensor = functional_call(network, self._weights(arch, turn), (degraded,))
        if output.shape != target.shape:
            raise UserError(
                f"a network's output must be {tuple(target.shape)} for an input of {tuple(degraded.shape)}, "
                f"got {tuple(output.shape)}; use a pool of the network's scale"
            )
        return self._loss(output.float(), target, degraded)

    def _network(self, arch: Architecture, turn: int) -> tuple[nn.Module, Precision]:
        """The module that runs on the bank's weights, its own being of no use, and its arithmetic."""
        if arch not in self._networks:
            built = build(arch, torch.Generator())
            precision = self.precision.for_network(built)
            self._networks[arch] = precision.place_network(built).train(), precision
        network, precision = self._networks[arch]
        return networks_of(network)[turn], precision

    def _weights(self, arch: Architecture, turn: int) -> dict[str, Tensor]:
        weights = self.bank.weights(arch)
        if arch.shape.specialists == 1:
            return weights
        prefix = f"networks.{turn}."
        return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
