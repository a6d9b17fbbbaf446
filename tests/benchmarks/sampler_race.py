"""Samplers against each other: hypervolume against evaluations, without training.

``python -m tests.benchmarks.sampler_race random tpe surrogate --trials 500 --seeds 5`` prints a table for each of the
made-up qualities of ``made_quality``, over the whole space of sr x4 under 200k-params. What is measured there has a
noise of 0.02 dB; the members of a front are chosen by what was measured, and the hypervolume is of what they are truly
worth. With ``--table FILE`` quality is what the networks of ``tabulated_space`` inherited (``inherited_table``), and
the space is those.

Proposals go the way that a run's go: screened by exact costs, repaired if over the budget, duplicates turned away.
There are no papers' trials and no initial points. The hypervolume is in dB times decades of MACs. ``--out FILE`` gets
a line for each sampler and seed, and the same command continues it; ``--figure FILE`` draws them.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import optuna
from matplotlib.figure import Figure

from evaluators.costs import Costs
from latency_tables.plot_style import KINDS
from reports.plotting.style import write_png
from reports.run.hypervolume import hypervolume as area
from search.candidates.next_trial import next_trial
from search.pareto import non_dominated_ranks
from search.records import RungResult, TrialRecord
from search.request.budget import parse_budget
from search.storage.study import Study
from search.storage.trial_attributes import directions
from space import TASKS
from space.files import write_csv_atomically
from space.search_space import SearchSpace
from tests.benchmarks.inherited_table import INPUT, NO_LIMIT, read_table
from tests.benchmarks.made_quality import QUALITIES
from tests.benchmarks.synthetic_run import settings
from tests.benchmarks.tabulated_space import tabulated_space

NOISE_DB, BASELINE_DB = 0.02, 28.0
AT = (30, 60, 100, 150, 300, 500, 1000, 2000)
MOST_MACS = 2e9  # the reference point: about what the largest networks of 200k parameters need at 64x36
COLUMNS = ("quality", "sampler", "seed", "trials", "seconds_per_proposal", *(f"after_{count}" for count in AT))


@dataclass(frozen=True)
class Course:
    """Where a race is run: ``true_db`` gives dB above the baseline, and measuring adds ``noise_db`` of noise."""

    name: str
    title: str
    true_db: Callable[[TrialRecord], float]
    noise_db: float = NOISE_DB
    most_macs: float = MOST_MACS
    budget: str = "200k-params"
    space: SearchSpace | None = None
    input_size: tuple[int, int] | None = None


def made_up(name: str) -> Course:
    return Course(name, f"a made-up quality, {name}", lambda record: QUALITIES[name](record.knobs, record.costs))


def tabulated(path: Path) -> Course:
    """The networks of ``tabulated_space``, with the qualities in a file of ``inherited_table``."""
    rows = read_table(path)
    gains = {row["architecture"]: float(row["gain_db"]) for row in rows}
    most = max(float(row["macs"]) for row in rows)
    return Course(
        path.stem,
        f"what {len(rows):,} networks inherited",
        lambda record: gains[record.architecture.key],
        noise_db=0.0,
        most_macs=most,
        budget=NO_LIMIT,
        space=tabulated_space(),
        input_size=INPUT,
    )


def searched(course: Course, sampler: str, trials: int, seed: int) -> tuple[list[float], float]:
    """Hypervolume after every evaluation, and seconds per proposal."""
    asked = replace(settings(sampler, budget=course.budget), seed=seed)
    asked = replace(asked, input_size=course.input_size or asked.input_size)
    stored = optuna.create_study(directions=directions(asked.objectives))
    stored.set_user_attr("settings", asked.to_dict())
    study, generator, task = Study(stored), np.random.default_rng((seed, 1)), TASKS[asked.task]
    study.note("baseline", {"psnr_db": BASELINE_DB})
    found: list[tuple[Costs, float, float]] = []
    volumes: list[float] = []
    proposing_s = 0.0
    for number in range(trials):
        begun = time.perf_counter()
        record = next_trial(study, task, parse_budget(asked.budget), course.space)
        proposing_s += time.perf_counter() - begun
        if record is None:  # exhausted
            volumes += [volumes[-1]] * (trials - number)
            break
        true_db = course.true_db(record)
        measured_db = true_db + course.noise_db * generator.normal()
        study.add_result(record.trial, RungResult(0, 100, BASELINE_DB + measured_db, 0.8, 1.0, 0.1, order=number + 1))
        found.append((record.costs, measured_db, true_db))
        volumes.append(hypervolume(found, course.most_macs))
    return volumes, proposing_s / trials


def hypervolume(found: Sequence[tuple[Costs, float, float]], most_macs: float) -> float:
    macs = np.array([costs.macs for costs, _, _ in found])
    measured, true = np.array([[measured, true] for _, measured, true in found]).T
    front = np.flatnonzero(non_dominated_ranks(np.column_stack([-measured, macs])) == 0)
    order = front[np.argsort(macs[front])]
    heights = np.maximum(np.maximum.accumulate(true[order]), 0)
    points = [(float(cost), float(db)) for cost, db in zip(macs[order], heights, strict=True) if cost < most_macs]
    return area(points, (most_macs, 0.0))


def row_of(course: Course, sampler: str, trials: int, seed: int) -> dict[str, str]:
    volumes, seconds = searched(course, sampler, trials, seed)
    after = {f"after_{count}": f"{volumes[count - 1]:.5f}" if count <= trials else "" for count in AT}
    own = (course.name, sampler, str(seed), str(trials), f"{seconds:.4f}")
    return {**dict(zip(COLUMNS, own, strict=False)), **after}


def lines(course: Course, rows: Sequence[Mapping[str, str]], trials: int) -> list[str]:
    """A table of what was reached: means over seeds, and standard deviations."""
    marks = [count for count in AT if count <= trials]
    found = [f"| {course.name} | seeds | {' | '.join(map(str, marks))} | seconds per proposal |"]
    found.append(f"|---|---|{'---|' * (len(marks) + 1)}")
    for sampler in dict.fromkeys(row["sampler"] for row in rows):
        own = [row for row in rows if row["sampler"] == sampler]
        cells = []
        for count in marks:
            values = np.array([float(row[f"after_{count}"]) for row in own if row[f"after_{count}"]])
            cells.append(f"{values.mean():.3f} ± {values.std():.3f}" if len(values) else "")
        seconds = np.mean([float(row["seconds_per_proposal"]) for row in own])
        found.append(f"| {sampler} | {len(own)} | {' | '.join(cells)} | {seconds:.3f} |")
    return found


def figure(course: Course, rows: Sequence[Mapping[str, str]]) -> Figure:
    """Means over seeds, in bands of one standard deviation."""
    drawn = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = drawn.subplots()
    for index, sampler in enumerate(dict.fromkeys(row["sampler"] for row in rows)):
        own = [row for row in rows if row["sampler"] == sampler]
        marks = [count for count in AT if all(row[f"after_{count}"] for row in own)]
        values = np.array([[float(row[f"after_{count}"]) for count in marks] for row in own])
        mean, spread, colour = values.mean(0), values.std(0), KINDS[index % len(KINDS)]
        axes.fill_between(marks, mean - spread, mean + spread, color=colour, alpha=0.15, lw=0)
        axes.plot(marks, mean, "o-", ms=4, color=colour, label=f"{sampler}, {len(own)} seeds")
    axes.set_xscale("log")
    axes.set_xticks(AT, [f"{count:,}" for count in AT])
    axes.minorticks_off()
    axes.set_xlim(AT[0] * 0.9, max(count for count in AT if any(row[f"after_{count}"] for row in rows)) * 1.1)
    axes.set_xlabel("networks measured")
    axes.set_ylabel("area under the front (dB × decades of MACs)")
    axes.grid(axis="y", color="#EEEEEE", lw=0.8)
    axes.set_title(f"Samplers on {course.title}", loc="left", fontsize=12, fontweight="bold")
    axes.legend(frameon=False, loc="lower right")
    return drawn


def read_rows(path: Path | None) -> list[dict[str, str]]:
    if path is None or not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samplers", nargs="+")
    parser.add_argument("--quality", choices=QUALITIES, nargs="+", default=list(QUALITIES))
    parser.add_argument("--table", type=Path, help="a file of inherited_table, instead of --quality")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path, help="a PNG, of the last quality")
    asked = parser.parse_args()
    courses = [made_up(name) for name in asked.quality] if asked.table is None else [tabulated(asked.table)]
    rows = read_rows(asked.out)
    done = {(row["quality"], row["sampler"], int(row["seed"])) for row in rows}
    for course in courses:
        for seed in range(asked.seeds):
            for sampler in asked.samplers:
                if (course.name, sampler, seed) not in done:
                    rows.append(row_of(course, sampler, asked.trials, seed))
                    if asked.out:
                        write_csv_atomically(asked.out, [COLUMNS, *([row[name] for name in COLUMNS] for row in rows)])
        own = [row for row in rows if row["quality"] == course.name]
        print("", *lines(course, own, asked.trials), sep="\n", flush=True)
        if asked.figure:
            write_png(asked.figure, partial(figure, course, own))


if __name__ == "__main__":
    main()
