"""The fronts of several runs, after the same long training of their members.

``python -m tests.benchmarks.fronts_alone RUN RUN … --out FOLDER`` begins a benchmark table of the members of their
fronts, each network once; ``python -m search benchmark --task TASK --out FOLDER`` trains them, all alike, from random
weights; and the first command again prints what each front is worth then, beside what its run says. Runs are of one
kind where their names differ in a number at the end: ``shared-0``, ``shared-1``.

The hypervolume is in dB over the baseline times decades of MACs, up to ``--most``. Of each front, at most ``--members``
count, evenly from the cheapest to the best, and in both columns the same. ``--figure FILE`` draws the fronts after the
trainings alone.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from matplotlib.figure import Figure

from latency_tables.plot_style import KINDS
from reports.plotting.style import write_png
from reports.run.hypervolume import Point, hypervolume
from search.experiments.benchmark import DESIGNS_FILE, begin, opened
from search.experiments.benchmark_designs import BENCHMARKS, Design
from search.experiments.confirmation import spread
from search.pareto import front, front_rung
from search.records import RunResult, TrialRecord
from search.storage.run_files import read_run


@dataclass(frozen=True)
class Area:
    """Of one run's front: as the run has it, and after the trainings alone; NaN while one of those is missing."""

    run: str
    in_run: float
    alone: float

    @property
    def kind(self) -> str:
        return kind_of(self.run)


def kind_of(run: str) -> str:
    return run.rstrip("0123456789").rstrip("-")


def members(run: RunResult, most: int, most_macs: float) -> list[TrialRecord]:
    """At most ``most`` members of the front below ``most_macs``."""
    return spread([trial for trial in front(run) if trial.costs.macs < most_macs], most)


def designs(runs: Mapping[str, RunResult], most: int, most_macs: float) -> Iterable[Design]:
    """Every network once, by the first run that has it; published ones by their name."""
    known: dict[str, Design] = {}
    for name, run in runs.items():
        for trial in members(run, most, most_macs):
            title = trial.source if trial.is_fixed else f"{name}#{trial.trial}"
            known.setdefault(trial.architecture.key, Design(title, name, trial.architecture))
    return known.values()


def on_front(networks: Iterable[Point]) -> list[Point]:
    """Of (MACs, dB over the baseline) those on their front, cheapest first."""
    points: list[Point] = []
    for macs, gain_db in sorted(networks):
        if gain_db > max((each for _, each in points), default=0.0):
            points.append((macs, gain_db))
    return points


def area(networks: Iterable[Point], most_macs: float) -> float:
    return hypervolume(on_front(networks), (most_macs, 0.0))


def areas(runs: Mapping[str, RunResult], gains: Mapping[str, float], most: int, most_macs: float) -> Sequence[Area]:
    """``gains`` are dB over the baseline after the trainings alone, by architecture key."""
    found = []
    for name, run in runs.items():
        chosen = members(run, most, most_macs)
        in_run = [
            (trial.costs.macs, result.psnr_db - run.baseline_psnr_db)
            for trial in chosen
            if (result := trial.at_rung(front_rung(run))) is not None
        ]
        alone = trained_alone(chosen, gains)
        later = area(alone, most_macs) if len(alone) == len(chosen) else math.nan
        found.append(Area(name, area(in_run, most_macs), later))
    return found


def trained_alone(chosen: Iterable[TrialRecord], gains: Mapping[str, float]) -> list[Point]:
    return [(trial.costs.macs, gains[trial.architecture.key]) for trial in chosen if trial.architecture.key in gains]


def figure(runs: Mapping[str, RunResult], gains: Mapping[str, float], most: int, most_macs: float) -> Figure:
    """The front of every run after the trainings alone, a colour for each kind of run."""
    drawn = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = drawn.subplots()
    colours: dict[str, str] = {}
    for name, run in runs.items():
        front_of_run = on_front(trained_alone(members(run, most, most_macs), gains))
        kind = kind_of(name)
        label = None if kind in colours else kind
        colour = colours.setdefault(kind, KINDS[len(colours) % len(KINDS)])
        macs, gains_db = zip(*front_of_run, strict=True)
        ends = [*macs, most_macs], [*gains_db, gains_db[-1]]
        axes.step(*ends, where="post", color=colour, lw=1.4, alpha=0.8, label=label)
        axes.plot(macs, gains_db, "o", ms=4, color=colour)
    axes.set_xscale("log")
    marks = [mark for mark in (0.2e9, 0.5e9, 1e9, 2e9, 5e9, 10e9) if mark < most_macs]
    axes.set_xticks(marks, [f"{mark / 1e9:g} G" for mark in marks])
    axes.minorticks_off()
    axes.set_xlabel("multiply-accumulates")
    axes.set_ylabel("PSNR over the baseline (dB)")
    axes.grid(axis="y", color="#EEEEEE", lw=0.8)
    axes.set_title("Fronts after the same long training of their members", loc="left", fontsize=12, fontweight="bold")
    axes.legend(frameon=False, loc="lower right", title="a line for each run")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs")
    parser.add_argument("--task", default="sr")
    parser.add_argument("--out", type=Path, required=True, help="folder of the benchmark table")
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument("--most", type=float, default=11.0, help="G MACs of the reference point")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    runs, most_macs = {folder.name: read_run(folder) for folder in options.runs}, 1e9 * options.most
    task = BENCHMARKS[options.task]
    if not (options.out / DESIGNS_FILE).exists():
        begin(options.out, task, designs(runs, options.members, most_macs))
        print(f"begun; now: python -m search benchmark --task {options.task} --out {options.out}")
        return
    table = opened(options.out, task)
    last = str(task.rungs[-1])
    keys = {design.name: design.architecture.key for design in table.designs}
    rows = [row for row in table.quality() if row["steps"] == last and row["seed"] == "0"]
    gains = {keys[row["name"]]: float(row["gain_db"]) for row in rows}
    print(f"{len(gains)} of {len(keys)} networks trained for {last} steps")
    print("| run | in the run | alone |\n|---|---|---|")
    found = areas(runs, gains, options.members, most_macs)
    for each in found:
        print(f"| {each.run} | {each.in_run:.3f} | {each.alone:.3f} |")
    if options.figure is not None:
        write_png(options.figure, lambda: figure(runs, gains, options.members, most_macs))
    for kind, group in groupby(sorted(found, key=lambda each: each.kind), key=lambda each: each.kind):
        of_kind = list(group)
        for name in ("in_run", "alone"):
            values = [getattr(each, name) for each in of_kind]
            if any(map(math.isnan, values)):
                continue
            deviation = statistics.stdev(values) if len(values) > 1 else math.nan
            print(f"{kind}, {name}: {statistics.mean(values):.3f} ± {deviation:.3f} of {len(values)}")


if __name__ == "__main__":
    main()
