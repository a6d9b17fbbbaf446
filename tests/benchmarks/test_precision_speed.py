"""Processor time of a training step in float32 and in bfloat16, which ``auto`` chooses where the processor has it.

Steps of both take turns, so that whatever else the machine does meets both alike; figures are medians.

    python -m pytest --override-ini addopts= tests/benchmarks/test_precision_speed.py -s
"""

import statistics
import time

import numpy as np
import pytest
import torch

from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import choose_precision
from evaluators.training.trainer import Trainer
from search.experiments.network_specs import named_architecture
from space import build

NETWORKS = ("s-lwsr16+skip:width=8", "s-lwsr16+skip", "s-lwsr32+skip")
STEPS, WARM_UP = 15, 2


def step_ms(word: str) -> dict[str, float]:
    """Milliseconds of one thread per step, by precision; both in channels-last order."""
    generator = np.random.default_rng(0)
    highs = [generator.integers(0, 255, (256, 256, 3), dtype=np.uint8) for _ in range(4)]
    pool = PatchPool.from_pairs([(high[::4, ::4].copy(), high) for high in highs], 4)
    trainers = {
        precision: Trainer(
            build(named_architecture(word, 4), torch.Generator().manual_seed(0)),
            pool,
            TrainingPlan(),
            choose_precision("cpu", precision),
            seed=0,
        )
        for precision in ("fp32", "bf16")
    }
    seconds: dict[str, list[float]] = {precision: [] for precision in trainers}
    for step in range(1, STEPS + WARM_UP + 1):
        for precision, trainer in trainers.items():
            begun = time.process_time()
            trainer.train_to(step)
            seconds[precision].append(time.process_time() - begun)
    return {precision: 1000 * statistics.median(values[WARM_UP:]) for precision, values in seconds.items()}


@pytest.mark.parametrize("word", NETWORKS)
def test_bfloat16_is_not_slower_where_auto_takes_it(word: str, capsys) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        taken = step_ms(word)
    finally:
        torch.set_num_threads(threads)
    ratio = taken["fp32"] / taken["bf16"]
    with capsys.disabled():
        print(f"\n{word}: fp32 {taken['fp32']:.0f} ms, bf16 {taken['bf16']:.0f} ms, {ratio:.2f} times as fast")
    if choose_precision("cpu").name == "bf16":
        assert ratio > 0.9
