"""The benchmark table of a task: its designs, the order of its trainings, and the tables that say what came out.

A table's folder holds ``designs.json`` (the architectures that it was begun with), ``designs.csv``, ``quality.csv``
and, while it is continued, ``trainings/``. A training that stands in ``quality.csv`` is done, whether its record is
there or not, so that a table can be continued on another machine.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.costs import architecture_costs
from evaluators.training.plan import TrainingPlan
from latency_tables.tables.table import load_table
from search.experiments.benchmark_designs import BenchmarkTask, Design
from search.experiments.curve import CURVE_FILE, read_points
from search.experiments.data_specs import EMBEDDED
from search.experiments.sessions import artifacts_of
from search.experiments.training import Training, TrainingRecord
from space.build import architecture_from_dict
from space.errors import UserError
from space.files import write_csv_atomically, write_text_atomically
from space.text_files import csv_table, read_file

DESIGNS_FILE, COSTS_FILE, QUALITY_FILE, TRAININGS = "designs.json", "designs.csv", "quality.csv", "trainings"
PHONES = ("pixel4-a76", "pixel4-a55", "a03s-a53")  # latency tables: a large core, a small one, an old one
COSTS = ("name", "source", "architecture", "backbone", "params", "macs", *(f"ms_{phone}" for phone in PHONES))
QUALITY = ("name", "seed", "steps", "psnr_db", "gain_db", "train_s", "commit", "device", "precision", "training")
SEEDS = (0, 1, 2)  # the later ones of the repeated designs alone


@dataclass(frozen=True)
class Benchmark:
    """The table in ``folder``; ``designs`` and the ``plan`` of its trainings are those that it was begun with."""

    folder: Path
    task: BenchmarkTask
    designs: tuple[Design, ...]
    plan: TrainingPlan

    @property
    def trainings_folder(self) -> Path:
        return self.folder / TRAININGS

    def trainings(self) -> tuple[Training, ...]:
        """All trainings of the table: the first seed of all designs, then the other seeds of the repeated ones."""
        first = [self._training(design, SEEDS[0]) for design in self.designs]
        repeated = self.task.repeats(self.designs)
        return (*first, *(self._training(design, seed) for seed in SEEDS[1:] for design in repeated))

    def _training(self, design: Design, seed: int) -> Training:
        rungs = self.task.rungs
        return Training(
            design.name,
            design.architecture,
            self.task.rules,
            "short",
            rungs[-1],
            seed,
            train=(EMBEDDED,),
            test=(),
            validation=EMBEDDED,
            validate_at=rungs,
            plan_changes=self.task.rules.degrade.plan.changes(self.plan),
        )

    def waiting(self) -> tuple[Training, ...]:
        """Those that ``quality.csv`` does not have yet."""
        done = {row["training"] for row in self.quality()}
        return tuple(training for training in self.trainings() if training.folder_name not in done)

    def quality(self) -> list[dict[str, str]]:
        """The rows of ``quality.csv``.

        Raises:
            UserError: a column is missing, or a row is of a training that this table does not have, or there twice.
        """
        own = {training.folder_name for training in self.trainings()}
        return checked_rows(self.folder / QUALITY_FILE, QUALITY, ("training", "steps"), own)

    def write_costs(self) -> None:
        """``designs.csv``."""
        _write(self.folder / COSTS_FILE, COSTS, self._costs())

    def write_quality(self) -> None:
        """``quality.csv``: what stood there, and what the records say."""
        trainings = self.trainings()
        place = {training.folder_name: index for index, training in enumerate(trainings)}
        rows: dict[tuple[str, int], Mapping[str, str]] = {
            (row["training"], int(row["steps"])): row for row in self.quality()
        }
        for training in trainings:
            for row in self._rows(training):
                rows[training.folder_name, int(row["steps"])] = row
        ordered = sorted(rows.values(), key=lambda row: (place[row["training"]], int(row["steps"])))
        _write(self.folder / QUALITY_FILE, QUALITY, ordered)

    def _rows(self, training: Training) -> Iterable[Mapping[str, str]]:
        artifacts = artifacts_of(training, self.trainings_folder)
        record, curve = TrainingRecord.read(artifacts), artifacts.get(CURVE_FILE)
        if record is None or record.validation is None or curve is None:
            return
        for point in read_points(curve):
            if point.psnr_db is not None and point.step in self.task.rungs:
                yield {
                    "name": training.name,
                    "seed": str(training.seed),
                    "steps": str(point.step),
                    "psnr_db": f"{point.psnr_db:.5f}",
                    "gain_db": f"{point.psnr_db - record.validation.baseline_psnr_db:.5f}",
                    "train_s": f"{point.seconds:.1f}",
                    "commit": record.environment["commit"],
                    "device": record.environment["device"],
                    "precision": record.trained_in,
                    "training": training.folder_name,
                }

    def _costs(self) -> Iterable[Mapping[str, str]]:
        tables = [load_table(name) for name in PHONES]
        for design in self.designs:
            costs = architecture_costs(design.architecture, self.task.input_size, tables)
            yield {
                "name": design.name,
                "source": design.source,
                "architecture": design.architecture.key,
                "backbone": design.architecture.backbone,
                "params": str(costs.params),
                "macs": str(costs.macs),
                **{f"ms_{phone}": f"{costs.latency[phone].ms:.3f}" for phone in PHONES},
            }


def begin(folder: Path, task: BenchmarkTask, designs: Iterable[Design]) -> None:
    """Write down the ``designs`` of a new table in ``folder``, and how they will be trained."""
    rows = [{"name": each.name, "source": each.source, "architecture": each.architecture.to_dict()} for each in designs]
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    about = {"task": task.rules.task, "scale": task.rules.scale, "options": task.rules.options}
    about["plan"] = task.rules.degrade.plan.to_dict()
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(folder / DESIGNS_FILE, f'{json.dumps(about)[:-1]}, "designs": [\n  {lines}\n]}}\n')


def opened(folder: Path, task: BenchmarkTask) -> Benchmark:
    """The table in ``folder``, begun if there is none: its designs are drawn, which takes a minute, and written there.

    Raises:
        UserError: it was begun for another task, or its designs cannot be read.
    """
    path = folder / DESIGNS_FILE
    if not path.exists():
        begin(folder, task, task.designs())
    try:
        stored = json.loads(read_file(path, "a benchmark's designs"))
        of = (stored["task"], stored["scale"], stored["options"])
        plan = TrainingPlan.from_dict(stored["plan"])
        designs = tuple(
            Design(row["name"], row["source"], architecture_from_dict(row["architecture"])) for row in stored["designs"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} must hold the designs of a benchmark, got: {error}; take another --out") from None
    if of != (task.rules.task, task.rules.scale, task.rules.options):
        raise UserError(
            f"{folder} must be a benchmark of {task.rules.title}, got one of {of[0]} x{of[1]} {of[2]}; "
            "take another --out"
        )
    return Benchmark(folder, task, designs, plan)


def rows_in(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of one of a benchmark's tables, none where there is no such file.

    Raises:
        UserError: a column is missing.
    """
    if not path.exists():
        return []
    return [row for _, row in csv_table(path.name, read_file(path, "a table"), columns)]


def checked_rows(
    path: Path, columns: Sequence[str], key: tuple[str, str], own: Collection[str]
) -> list[dict[str, str]]:
    """As ``rows_in``; ``key`` are the columns of what a row is of, one of ``own``, and of a number of steps.

    Raises:
        UserError: a column is missing, or a row is of something that this table does not have, or there twice.
    """
    (name, steps), rows, seen = key, rows_in(path, columns), set[tuple[str, str]]()
    for line, row in enumerate(rows, start=2):
        place = row[name], row[steps]
        what = f"another's {name}" if row[name] not in own else "a second time" if place in seen else ""
        if what or not row[steps].isdecimal():
            raise UserError(
                f"{path} line {line} must be of a {name} of this table, and once, got {row[name]} after "
                f"{row[steps]} steps{f', {what}' if what else ''}; delete the line, or take another --out"
            )
        seen.add(place)
    return rows


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    write_csv_atomically(path, [columns, *([row[name] for name in columns] for row in rows)])
