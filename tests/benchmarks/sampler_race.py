"""Samplers against each other: hypervolume against evaluations, on made-up qualities (``made_quality``).

``python -m tests.benchmarks.sampler_race random tpe surrogate --trials 500 --seeds 5`` prints a table for each.
Proposals go the way that a run's go: screened by exact costs, repaired if over the budget, duplicates turned away.
There are no papers' trials and no initial points. What is measured has a noise of 0.02 dB; the members of a front are
chosen by what was measured, and the hypervolume (dB times decades of MACs) is of what they are truly worth.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import optuna

from search.candidates.next_trial import next_trial
from search.pareto import non_dominated_ranks
from search.records import RungResult, TrialRecord
from search.request.budget import parse_budget
from search.storage.study import Study
from search.storage.trial_attributes import directions
from space import TASKS
from tests.benchmarks.made_quality import QUALITIES
from tests.benchmarks.synthetic_run import settings

NOISE_DB, BASELINE_DB = 0.02, 28.0
AT = (30, 60, 150, 300, 500, 1000, 2000)
MOST_MACS = 2e9  # the reference point: about what the largest networks of 200k parameters need at ``INPUT``


def searched(sampler: str, quality: str, trials: int, seed: int) -> tuple[list[float], float]:
    """Hypervolume after every evaluation, and seconds per proposal."""
    asked = replace(settings(sampler), seed=seed)
    stored = optuna.create_study(directions=directions(asked.objectives))
    stored.set_user_attr("settings", asked.to_dict())
    study, generator, task = Study(stored), np.random.default_rng((seed, 1)), TASKS[asked.task]
    study.note("baseline", {"psnr_db": BASELINE_DB})
    found: list[tuple[TrialRecord, float, float]] = []
    volumes, proposing_s = [], 0.0
    for number in range(trials):
        begun = time.perf_counter()
        record = next_trial(study, task, parse_budget(asked.budget))
        proposing_s += time.perf_counter() - begun
        assert record is not None
        true_db = QUALITIES[quality](record.knobs, record.costs)
        measured_db = true_db + NOISE_DB * generator.normal()
        study.add_result(record.trial, RungResult(0, 100, BASELINE_DB + measured_db, 0.8, 1.0, 0.1, order=number + 1))
        found.append((record, measured_db, true_db))
        volumes.append(hypervolume(found))
    return volumes, proposing_s / trials


def hypervolume(found: list[tuple[TrialRecord, float, float]]) -> float:
    macs = np.log10([record.costs.macs for record, _, _ in found])
    measured, true = np.array([[measured, true] for _, measured, true in found]).T
    front = np.flatnonzero(non_dominated_ranks(np.column_stack([-measured, macs])) == 0)
    order = front[np.argsort(macs[front])]
    ends = np.minimum(np.append(macs[order], np.log10(MOST_MACS)), np.log10(MOST_MACS))
    return float(np.maximum(np.maximum.accumulate(true[order]), 0) @ np.diff(ends))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samplers", nargs="+")
    parser.add_argument("--quality", choices=QUALITIES, nargs="+", default=list(QUALITIES))
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    for quality in asked.quality:
        marks = [count for count in AT if count <= asked.trials]
        print(
            f"\n| {quality} | {' | '.join(map(str, marks))} | seconds per proposal |\n|---|{'---|' * (len(marks) + 1)}"
        )
        for sampler in asked.samplers:
            runs = [searched(sampler, quality, asked.trials, seed) for seed in range(asked.seeds)]
            volumes = np.array([volumes for volumes, _ in runs])
            cells = [f"{volumes[:, at - 1].mean():.3f} ± {volumes[:, at - 1].std():.3f}" for at in marks]
            seconds = np.mean([seconds for _, seconds in runs])
            print(f"| {sampler} | {' | '.join(cells)} | {seconds:.3f} |", flush=True)


if __name__ == "__main__":
    main()
