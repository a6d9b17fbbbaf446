"""How designs of an experiment are priced, and its trained networks measured: one place for every arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from evaluators.compression.int8 import quantized_on
from evaluators.compression.int8.costs import int8_costs, int8_table
from evaluators.costs import architecture_costs
from evaluators.data import pools_of
from evaluators.quality import evaluate
from evaluators.tasks import Pair, TaskRules
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from latency_tables.tables.estimate import Latency
from latency_tables.tables.table import LatencyTable
from search.workers.resumable import Resumable
from space.architecture import Architecture

Train = Callable[[nn.Module, int, int], nn.Module]
"""From a network, a number of steps and the seed of the patches to the network with its averaged weights."""


class ToldToStop(Exception):
    """Amid a training, which is lost."""


@dataclass(frozen=True)
class Bench:
    """What a comparison is made by; a comparison in another arithmetic, such as int8, brings both of its own.

    Attributes:
        cost: the predicted time of a design, which pruning lowers and in which the arms are equal.
        measure: PSNR in dB by test set of a network in eval mode; by the first set, drawn designs are chosen.
    """

    cost: Callable[[Architecture], Latency]
    measure: Callable[[nn.Module], Mapping[str, float]]

    def ms(self, arch: Architecture) -> float:
        return self.cost(arch).ms


def float_bench(
    table: LatencyTable,
    input_size: tuple[int, int],
    tests: Mapping[str, Sequence[Pair]],
    rules: TaskRules,
    device: str = "cpu",
) -> Bench:
    """Milliseconds of ``table`` at an input of ``input_size``, (width, height); PSNR in float32."""
    return Bench(
        lambda arch: architecture_costs(arch, input_size, [table]).latency[table.name],
        lambda network: {spec: evaluate(network, pairs, rules, device).psnr_db for spec, pairs in tests.items()},
    )


def int8_bench(
    table: LatencyTable,
    input_size: tuple[int, int],
    tests: Mapping[str, Sequence[Pair]],
    rules: TaskRules,
    pool: PatchPool,
    device: str = "cpu",
) -> Bench:
    """As ``float_bench``, in int8: milliseconds of the int8 table beside ``table``; PSNR as it is simulated, with
    ranges from patches of ``pool``.

    Raises:
        UserError: ``table`` has none beside it.
    """

    def measure(network: nn.Module) -> Mapping[str, float]:
        int8 = quantized_on(network, pools_of(pool, rules, 1))
        return {spec: evaluate(int8, pairs, rules, device).psnr_db for spec, pairs in tests.items()}

    int8_table(table)
    return Bench(lambda arch: int8_costs(arch, input_size, [table]).latency[table.name], measure)


def trainer_of(rules: TaskRules, pool: PatchPool, precision: Precision, ends: Callable[[], bool]) -> Train:
    """Training under the task's plan; raises ``ToldToStop`` when ``ends()`` before the last step."""

    def train(network: nn.Module, steps: int, seed: int) -> nn.Module:
        trainer = Resumable(lambda: network, seed, rules, rules.degrade.plan, pool).begun(precision)
        trainer.train_to(steps, should_stop=ends)
        if trainer.step < steps:
            raise ToldToStop
        return trainer.averaged_network()

    return train
