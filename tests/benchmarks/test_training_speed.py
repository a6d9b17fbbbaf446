"""Speed of ``Trainer`` against the shortest loop a person would write, in one run on one machine.

Both train s-LWSR16 x4 with our bicubic input skip, from the same start, in the same precision, with the same batch,
patch, optimizer and rate, on one thread. The hand-written loop cuts plain patches out of one float array and leaves
out what a search needs besides: warm-up, augmentation, averaged weights, and watching the loss. Times are processor
seconds of this process in alternating blocks of steps, so that other work on the machine falls on both alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from evaluators.training.plan import ADAM_BETAS, TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision, choose_precision
from evaluators.training.trainer import Trainer
from space import ZOO, build
from space.zoo import with_input_skip

SCALE = 4
BLOCK_STEPS = 4
BLOCKS = 12


def network() -> nn.Module:
    published = ZOO["s-lwsr16"].architecture
    with_skip = with_input_skip(published)
    return build(with_skip, torch.Generator().manual_seed(0))


def images(count: int = 16, low_px: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Noise: what is in a picture does not change the time. Low ``(N, h, w, 3)`` and high, uint8."""
    generator = np.random.default_rng(0)
    shapes = ((count, low_px, low_px, 3), (count, SCALE * low_px, SCALE * low_px, 3))
    return tuple(generator.integers(256, size=shape, dtype=np.uint8) for shape in shapes)


def bare_loop(
    net: nn.Module, lows: np.ndarray, highs: np.ndarray, plan: TrainingPlan, precision: Precision
) -> Callable[[int], None]:
    """A function that makes ``n`` hand-written training steps."""
    net = precision.place_network(net)
    lows, highs = (precision.place_batch(torch.from_numpy(a).permute(0, 3, 1, 2).float() / 255) for a in (lows, highs))
    optimizer = torch.optim.Adam(net.parameters(), lr=plan.learning_rate, betas=ADAM_BETAS, fused=True)
    generator = np.random.default_rng(0)
    side = plan.patch_px

    def steps(n: int) -> None:
        for _ in range(n):
            places = generator.integers([len(lows), *(s - side + 1 for s in lows.shape[2:])], size=(plan.batch, 3))
            low = torch.stack([lows[i, :, y : y + side, x : x + side] for i, y, x in places])
            high = torch.stack(
                [highs[i, :, SCALE * y : SCALE * (y + side), SCALE * x : SCALE * (x + side)] for i, y, x in places]
            )
            low, high = precision.place_batch(low), precision.place_batch(high)
            optimizer.zero_grad()
            with precision.arithmetic():
                output = net(low)
            F.l1_loss(output.float(), high).backward()
            optimizer.step()

    return steps


def trainer_loop(
    net: nn.Module, lows: np.ndarray, highs: np.ndarray, plan: TrainingPlan, precision: Precision
) -> Callable[[int], None]:
    """A function that makes ``n`` more steps of ``Trainer``."""
    pool = PatchPool.from_pairs(list(zip(lows, highs, strict=True)), SCALE)
    trainer = Trainer(net, pool, plan, precision, seed=0)
    return lambda n: trainer.train_to(trainer.step + n)


def _block_s(steps: Callable[[int], None], precision: Precision) -> float:
    """Processor seconds of one block on a CPU, seconds until the work is done on CUDA."""
    on_cuda = precision.device != "cpu"
    clock = time.perf_counter if on_cuda else time.process_time
    start = clock()
    steps(BLOCK_STEPS)
    if on_cuda:
        torch.cuda.synchronize(precision.device)
    return clock() - start


def speed_ratio(plan: TrainingPlan, precision: Precision, make: Callable[[], nn.Module] = network) -> dict[str, float]:
    """Steps per second of both, and their ratio: above 1 the ``Trainer`` is faster.

    The ratio is the median over ``BLOCKS`` pairs of neighbouring blocks.
    """
    data = images()
    bare, ours = bare_loop(make(), *data, plan, precision), trainer_loop(make(), *data, plan, precision)
    bare(2), ours(2)
    pairs = [(_block_s(bare, precision), _block_s(ours, precision)) for _ in range(BLOCKS)]
    return {
        "bare_steps_per_s": BLOCK_STEPS / median(bare_s for bare_s, _ in pairs),
        "trainer_steps_per_s": BLOCK_STEPS / median(ours_s for _, ours_s in pairs),
        "trainer_over_bare": median(bare_s / ours_s for bare_s, ours_s in pairs),
    }


@pytest.fixture
def one_thread():
    """The search runs one single-threaded worker per core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_trainer_step(benchmark) -> None:
    """Time of one step; the comparison with the bare loop is printed and stands in ``extra_info``."""
    plan, precision = TrainingPlan(), choose_precision()
    ratio = speed_ratio(plan, precision)
    steps_per_s, of_bare = ratio["trainer_steps_per_s"], ratio["trainer_over_bare"]
    print(f"\ntraining: {steps_per_s:.2f} steps a second, {of_bare:.2f} of a bare loop")
    benchmark.extra_info.update(ratio, precision=precision.to_dict(), plan=plan.to_dict())
    ours = trainer_loop(network(), *images(), plan, precision)
    benchmark.pedantic(ours, args=(1,), warmup_rounds=2, rounds=10)
    assert ratio["trainer_over_bare"] > 0


@pytest.mark.usefixtures("one_thread")
def test_batch_from_the_pool(benchmark) -> None:
    """Time to draw one batch, which comes on top of each step."""
    plan = TrainingPlan()
    pool = PatchPool.from_pairs(list(zip(*images(), strict=True)), SCALE)
    generator = np.random.default_rng(0)
    low, high = benchmark(pool.sample, generator, plan.batch, plan.patch_px)
    assert low.shape[0] == high.shape[0] == plan.batch
