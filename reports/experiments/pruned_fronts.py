"""Pruned and fine-tuned fronts against designs trained from random weights, at the same milliseconds and steps.

python -m reports.experiments.pruned_fronts FOLDER --steps 2000 --seeds 3

The trainings are kept in FOLDER; the same command continues. A kill costs the training that it falls in.
"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from evaluators.data import training_pool, validation_pairs
from evaluators.images.names import escaped_name
from evaluators.quality import baseline
from evaluators.tasks import Pair, TaskRules, rules_of
from evaluators.training.pool import PatchPool
from evaluators.training.precision import PRECISIONS, Precision, choose_precision
from latency_tables.tables.table import load_table
from reports.experiments.pruned_fronts_page import write_fronts
from reports.experiments.pruned_fronts_table import percent
from search.durations import duration_text
from search.environment import environment
from search.experiments.data_specs import EMBEDDED, check_apart, describe, pictures
from search.experiments.front_bench import Bench, ToldToStop, float_bench, int8_bench, trainer_of
from search.experiments.front_designs import plain
from search.experiments.front_records import FrontRecord, FrontRecords
from search.experiments.pruned_fronts import DRAWN, FrontsPlan, PrunedFronts
from search.request.values import parse_time
from search.sessions.deadline import Deadline
from search.sessions.interrupts import noted_interrupts
from search.storage.lock import own
from space.command_line import parse_count
from space.errors import UserError
from space.search_space import SearchSpace
from space.tasks import TASKS
from space.terminal import print_error

TASK, SCALE, INT8 = "sr", 4, "int8"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when all is trained, 2 of a user's mistake, 130 where there is more to train."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options, sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        print_error(str(error))
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports.experiments.pruned_fronts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="trainings, table, figure and page")
    add("--steps", default="2000", metavar="N", help="of each design in all (default: 2000)")
    add("--fine-tune", metavar="N", help="of these, of a pruned one after its parent's (default: half)")
    add("--rounds", default="2", metavar="N", help="of pruning, each with its share of the fine-tuning (default: 2)")
    add("--scope", default="global", help="global, or uniform: the same share of every group (default: global)")
    add("--ratios", default="0.25,0.5,0.75", help="shares of channels that go (default: 0.25,0.5,0.75)")
    add("--seeds", default="3", metavar="N", help="of everything (default: 3)")
    add("--width", default="48", metavar="N", help="channels of the parent (default: 48)")
    add("--blocks", default="8", metavar="N", help="residual blocks of the parent (default: 8)")
    add("--candidates", default="8", metavar="N", help="designs drawn for each share and seed (default: 8)")
    add("--rung", default="100", metavar="N", help="steps after which the best of them goes on (default: 100)")
    add("--table", default="pixel4-a76", help="latency table (default: pixel4-a76)")
    add("--train-data", default=EMBEDDED, help="data to train on, joined by commas (default: embedded)")
    add("--test", default="", help="further data to measure on, joined by commas, such as Set14/HR")
    add("--data", type=Path, metavar="FOLDER", help="folder that the named data folders lie in")
    add("--precision", default="auto", metavar="FORMAT", help=f"to train in: {', '.join(PRECISIONS)} (default: auto)")
    add("--device", help="cpu, cuda or cuda:N (default: cuda where present)")
    add("--int8", action="store_true", help="measure every network in int8 too, into FOLDER/int8")
    add("--time", help="such as 20m; the same command continues (default: no limit)")
    return parser


def _plan(options: argparse.Namespace) -> FrontsPlan:
    rules = rules_of(TASK, SCALE)
    steps = parse_count("--steps", options.steps, 2)
    width, blocks = parse_count("--width", options.width, 2), parse_count("--blocks", options.blocks, 1, 24)
    return FrontsPlan(
        rules,
        plain(SearchSpace(TASKS[TASK], rules.shape), width, blocks),
        steps,
        parse_count("--fine-tune", options.fine_tune, 1) if options.fine_tune else steps // 2,
        parse_count("--rounds", options.rounds, 1),
        options.scope,
        _ratios(options.ratios),
        parse_count("--candidates", options.candidates, 1),
        parse_count("--rung", options.rung, 1),
    )


def _ratios(text: str) -> tuple[float, ...]:
    try:
        return tuple(sorted({float(word) for word in text.split(",")}))
    except ValueError:
        raise UserError(f"--ratios must be numbers joined by commas, got {text!r}; for example 0.25,0.5,0.75") from None


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    plan, table = _plan(options), load_table(options.table)
    seeds, deadline = parse_count("--seeds", options.seeds, 1), Deadline(_limit_s(options.time))
    precision = choose_precision(options.device, options.precision)
    pool, data, tests = _data(options, plan.rules)
    command = escaped_name("python -m reports.experiments.pruned_fronts " + shlex.join(arguments))
    options.folder.mkdir(parents=True, exist_ok=True)
    with own(options.folder), noted_interrupts() as interrupted:
        records = FrontRecords(options.folder, _settings(plan, table.name, data, list(tests), precision))
        fronts = PrunedFronts(
            plan,
            float_bench(table, plan.size, tests, plan.rules, precision.device),
            trainer_of(plan.rules, pool, precision, lambda: interrupted() or deadline.is_over),
            records,
            _told,
            environment(precision, 1, torch.get_num_threads()) | {"command": command, "data": data},
        )
        try:
            fronts.run(seeds)
            status = 0
        except ToldToStop:
            print(f"{len(records.all)} trainings are finished; the same command continues", flush=True)
            status = 130
        without = {spec: baseline(pairs, plan.rules).psnr_db for spec, pairs in tests.items()}
        write_fronts(options.folder, plan, table.name, records.all, without)
        if options.int8:
            bench = int8_bench(table, plan.size, tests, plan.rules, pool, precision.device)
            _write_int8(options.folder / INT8, plan, table.name, records, bench, without)
    if (options.folder / "README.md").exists():  # not before a network is pruned
        print(f"table and figure: {options.folder / 'README.md'}")
    return status


def _write_int8(
    folder: Path, plan: FrontsPlan, table: str, records: FrontRecords, bench: Bench, without: Mapping[str, float]
) -> None:
    """The same trainings by int8 milliseconds and what int8 leaves of their PSNR; drawn designs are left out."""
    folder.mkdir(exist_ok=True)
    kept = FrontRecords(folder, {"table": table, "format": INT8})
    known = {record.place for record in kept.all} | {each.place for each in records.all if each.place.arm == DRAWN}
    for record in records.again(bench, known):
        kept.add(record, None)
    write_fronts(folder, plan, f"{table}-{INT8}", kept.all, without, INT8)


def _limit_s(text: str | None) -> float:
    return parse_time(text) if text else math.inf


def _data(options: argparse.Namespace, rules: TaskRules) -> tuple[PatchPool, str, Mapping[str, Sequence[Pair]]]:
    """Patches to train on with their description, and pairs by test set, the embedded photographs first.

    Raises:
        UserError: data that cannot be used, or training data that hold pictures of a test set.
    """
    root = options.data
    train = {spec: pictures(spec, root, rules, validates=False) for spec in options.train_data.split(",")}
    specs = dict.fromkeys([EMBEDDED, *filter(None, options.test.split(","))])
    test = {spec: pictures(spec, root, rules, validates=True) for spec in specs}
    check_apart(train, test)
    described = "; ".join(describe(spec, root, each, rules, validates=False) for spec, each in train.items())
    pool = training_pool(tuple(picture for each in train.values() for picture in each), rules)
    return pool, described, {spec: validation_pairs(each, rules) for spec, each in test.items()}


def _settings(plan: FrontsPlan, table: str, data: str, tests: Sequence[str], precision: Precision) -> dict[str, object]:
    """What must stay while a folder is continued; more seeds may follow."""
    own = {name: value for name, value in vars(plan).items() if name not in ("rules", "parent")}
    return {
        "parent": plan.parent.key,
        **own,
        "training plan": plan.rules.degrade.plan.to_dict(),
        "table": table,
        "data": data,
        "tests": list(tests),
        "precision": precision.name,
    }


def _told(record: FrontRecord) -> None:
    place = record.place
    reached = ", ".join(f"{spec} {value:.3f} dB" for spec, value in record.psnr_db.items()) or record.failure
    number = f" {place.number}" if place.arm == DRAWN else ""
    print(
        f"seed {place.seed}, {percent(place.ratio)}, {place.arm}{number}: {record.latency.ms:,.0f} ms, {reached} "
        f"({duration_text(record.train_s)})",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
