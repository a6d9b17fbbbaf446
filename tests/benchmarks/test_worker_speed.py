"""Two training processes of one thread against one of two threads, in turn, on the same network.

``pytest tests/benchmarks`` prints the ratio of finished training steps per minute. Two cores.
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from pathlib import Path

from evaluators import data
from evaluators.tasks import rules_of
from evaluators.training.plan import TrainingPlan
from evaluators.training.precision import choose_precision
from search.storage.artifacts import LocalArtifacts
from search.workers.jobs import PAIRS_FILE, POOL_FOLDER, JobRunner, Measured, RungJob, Setting
from search.workers.processes import ProcessWorkers
from space import ZOO

STEPS, ROUNDS, WARM_UP = 40, 5, 4


def steps_per_minute(workers: ProcessWorkers, jobs: int, steps: int, tag: str) -> float:
    waiting = [
        RungJob(
            number=trial,
            rung=0,
            steps=steps,
            architecture=ZOO["s-lwsr16"].architecture,
            seed=trial,
            checkpoint=f"{tag}-{trial}.safetensors",
            weights=f"{tag}-{trial}-w.safetensors",
            left_s=600,
        )
        for trial in range(jobs)
    ]
    train_s, answered = [], 0
    begun = time.perf_counter()
    while answered < jobs:
        while workers.idle() and waiting:
            workers.submit(waiting.pop(0))
        for answer in workers.poll(0.05):
            if isinstance(answer, Measured):
                answered += 1
                train_s.append(answer.train_s)
    return 60 * jobs * steps / (time.perf_counter() - begun)


def test_two_workers_against_one(benchmark, tmp_path: Path) -> None:
    images = data.training_images(None, rules_of("sr", 4))
    data.training_pool(images, rules_of("sr", 4)).save(tmp_path / POOL_FOLDER)
    data.save_pairs(
        tmp_path / PAIRS_FILE, data.validation_pairs(images[:1], rules_of("sr", 4))
    )  # measuring takes no time
    setting = Setting(tmp_path, LocalArtifacts(tmp_path), rules_of("sr", 4), TrainingPlan(), choose_precision())
    pools = {count: ProcessWorkers(count, partial(JobRunner, setting), 2 // count) for count in (1, 2)}
    try:
        measured: dict[int, list[float]] = {1: [], 2: []}
        for count, workers in pools.items():
            steps_per_minute(workers, count, WARM_UP, f"warm-up-{count}")
        for turn in range(ROUNDS):
            for count, workers in pools.items():
                measured[count].append(steps_per_minute(workers, 2, STEPS, f"{turn}-{count}"))
        ratio = statistics.median(two / one for one, two in zip(measured[1], measured[2], strict=True))
        benchmark.extra_info |= {"two_workers_over_one": round(ratio, 3)}
        print(
            f"\nworkers: {statistics.median(measured[2]):.0f} steps a minute with two processes of one thread, "
            f"{statistics.median(measured[1]):.0f} with one of two threads, ratio {ratio:.2f}"
        )
        benchmark.pedantic(steps_per_minute, args=(pools[2], 2, 5, "last"), rounds=1)
    finally:
        for workers in pools.values():
            workers.close()
