"""The complete request of a run, parsed from its options before any data are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from evaluators.compression.compression import FP32, INT8
from evaluators.compression.int8.costs import int8_table
from evaluators.data import rules_of_folders
from evaluators.quantities import latency_key, quantity
from evaluators.tasks import TaskRules, rules_from_text, rules_of
from latency_tables.tables.table import table_names
from search.environment import available_cores
from search.proposers import DEFAULT, proposer
from search.records import Wanted
from search.request.budget import Budget, parse_budget
from search.request.options import DEFAULT_OBJECTIVE, DEFAULT_TIME, INT8_DEVICE, INT8_SAVES, option_texts
from search.request.tables import TableUse, load_used, measured_dtype, tables_of
from search.request.values import (
    AUTO,
    check_needed,
    chosen_evaluator,
    parse_compress,
    parse_evaluator,
    parse_input,
    parse_networks,
    parse_objectives,
    parse_processes,
    parse_rungs,
    parse_share,
    parse_tables,
    parse_time,
    task_values,
    written_folder,
)
from search.storage import checked_url
from space.command_line import parse_count
from space.errors import UserError
from space.tasks import TASKS, Task, task

RUNS = Path("runs")


@dataclass(frozen=True)
class Request:
    """A run, and what one session may do for it.

    ``wanted`` is what the run is and remains; the session's limits, its folders and its machine stand beside it.
    ``budget`` is that of ``wanted``, with the latency tables as they were named.
    """

    wanted: Wanted
    budget: Budget
    folder: Path
    time_s: float | None
    trials: int | None
    rungs: tuple[int, ...] | None = None  # None: fitted to the time
    specialists: int | None = None  # the most; None for as many as there can be
    train_folder: Path | None = None  # None: the embedded photographs, also of ``val_folder``
    val_folder: Path | None = None
    frames_folder: Path | None = None
    device: str | None = None
    precision: str = "auto"  # a value of ``--precision``
    storage: str | None = None  # a URL (``search.storage``); None for the journal in ``folder``
    has_default_objective: bool = False
    has_auto_evaluator: bool = False
    has_default_sampler: bool = False
    command: str = ""  # which makes the same request again

    @property
    def task(self) -> Task:
        return TASKS[self.wanted.task]

    @cached_property
    def rules(self) -> TaskRules:
        """The task with its options, before the folders are looked into."""
        return rules_of(self.wanted.task, self.wanted.scale, self.wanted.options)


def request_from_options(command: str = "", **options: object) -> Request:
    """Parse and check ``options``.

    They are those of ``search.request.options``, each as text, as on the command line, or as a plain value:
    ``request_from_options(task="sr", budget="200k-params", trials=20, input=(320, 180))``.

    Args:
        command: the command line that makes the same request.

    Raises:
        UserError: names the first option that is unknown or invalid.
    """
    given = option_texts(options)
    wanted_task = task(given["task"])
    scale = parse_count("--scale", given["scale"], 1) if "scale" in given else wanted_task.default_scale
    rules = rules_from_text(wanted_task.name, scale, task_values(given))
    budget = parse_budget(given["budget"])
    sampler = given.get("sampler", DEFAULT)
    proposer(sampler)
    device = given.get("device")
    _check_device(device)
    compress = parse_compress(given["compress"]) if given.get("compress") else ()
    objectives, tables, dtype = _objectives_and_tables(given, budget, compress)
    _check_compression(compress, objectives, tables, dtype)
    asked_evaluator = parse_evaluator(given["evaluator"])
    time, trials = given.get("time"), given.get("trials")
    if not time and not trials:
        time = DEFAULT_TIME
    train, val, frames = (Path(given[name]) if name in given else None for name in ("train_data", "val_data", "frames"))
    named = rules_of_folders(rules, train, val)
    check_needed(given, named)
    default_folder = RUNS / f"{run_name(named)}-{budget.text.replace(',', '_')}"
    time_s = parse_time(time) if time else None
    evaluator = asked_evaluator
    if asked_evaluator == AUTO:
        is_limited = bool(trials or given.get("rungs"))
        evaluator = chosen_evaluator(wanted_task.name, time_s, is_limited)
    wanted = Wanted(
        task=wanted_task.name,
        scale=scale,
        options=rules.options,
        budget=budget.text,
        objectives=objectives,
        input_size=parse_input(given.get("input"), wanted_task, scale),
        networks=parse_networks(given["networks"], rules) if "networks" in given else (),
        sampler=sampler,
        seed=parse_count("--seed", given["seed"], 0),
        tables=tables,
        compress=compress,
        compress_share=parse_share(given["compress_share"]),
        evaluator=evaluator,
        dtype=dtype,
        workers=parse_processes("--workers", given["workers"]) if "workers" in given else _default_workers(device),
    )
    return Request(
        wanted=wanted,
        budget=budget,
        folder=written_folder("--run-dir", Path(given["run_dir"]) if "run_dir" in given else default_folder),
        time_s=time_s,
        trials=parse_count("--trials", trials, 1) if trials else None,
        rungs=parse_rungs(given["rungs"]) if given.get("rungs") else None,
        specialists=parse_count("--specialists", given["specialists"], 1) if given.get("specialists") else None,
        train_folder=train,
        val_folder=val,
        frames_folder=frames,
        device=device,
        precision=given["precision"],
        storage=checked_url("--storage", given["storage"]) if "storage" in given else None,
        has_default_objective="objective" not in given,
        has_auto_evaluator=asked_evaluator == AUTO,
        has_default_sampler="sampler" not in given,
        command=command,
    )


def run_name(rules: TaskRules) -> str:
    """``sr-x4``, ``denoise-sigma25-25``: the task and those of its options that are not at their default."""
    default = rules_of(rules.task, rules.scale).options
    parts = [rules.task, *([f"x{rules.scale}"] if TASKS[rules.task].has_scales else [])]
    for name, value in rules.options.items():
        if value != default[name]:
            parts.append(name + ("-".join(f"{v:g}" for v in value) if isinstance(value, list) else f"-{value}"))
    return "-".join([*parts, *(["given-pairs"] if rules.given else [])])


def _default_workers(device: str | None) -> int:
    """A process per core on a CPU, with one thread each (``tests/benchmarks`` measures the gain); one on a GPU."""
    if (device or ("cuda" if torch.cuda.is_available() else "cpu")).startswith("cuda"):
        return 1
    return min(available_cores(), 8)


def _check_device(device: str | None) -> None:
    if device in table_names():
        raise UserError(
            f"--device of run must be where it trains (cpu, cuda or cuda:N), got the latency table {device}; "
            f"for milliseconds on it: --latency {device}, or a limit such as 1300ms@{device}"
        )


def _objectives_and_tables(
    given: Mapping[str, str], budget: Budget, compress: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[TableUse, ...], str]:
    """The objectives, every latency table that budget, objectives or ``--latency`` name, and the number format in
    which networks are measured."""
    limited = tables_of("--budget", budget.sources)
    objectives: tuple[str, ...]
    sources: tuple[str, ...]
    if "objective" not in given and limited:
        objectives, sources = ("psnr", *(latency_key(table.name) for table in limited)), ()
    elif "objective" not in given and INT8 in compress:
        objectives, sources = ("psnr", latency_key(INT8_DEVICE)), (INT8_DEVICE,)
    else:
        objectives, sources = parse_objectives(given.get("objective") or DEFAULT_OBJECTIVE)
    named = "--budget and --objective" if sources else "--budget"
    used = (*limited, *tables_of("--objective", sources))
    dtype = measured_dtype(named, (*objectives, *(limit.quantity for limit in budget.limits)), used) or FP32
    shown = parse_tables("--latency", given["latency"]) if given.get("latency") else ()
    for table in tables_of("--latency", shown):
        if dtype == INT8 and table.dtype != INT8:
            raise UserError(
                f"--latency must name int8 tables where networks are measured in int8, got {table.name} "
                f"({table.dtype}); leave it out"
            )
    return objectives, tables_of("--budget, --objective and --latency", (*budget.sources, *sources, *shown)), dtype


def _check_compression(
    compress: tuple[str, ...], objectives: tuple[str, ...], tables: tuple[TableUse, ...], dtype: str
) -> None:
    """Raises: UserError: int8 is asked for where it changes nothing, or a table has none."""
    if INT8 not in compress:
        return
    if dtype == INT8:
        raise UserError(
            "--compress int8 is for a run whose networks are measured in fp32, got one whose tables are int8, in which "
            "every network is int8; leave int8 out"
        )
    if not any(quantity(key).table or key in INT8_SAVES for key in objectives[1:]):
        raise UserError(
            f"--compress int8 needs an objective that int8 lowers, got {','.join(objectives)}; try --objective "
            f"psnr,{latency_key(INT8_DEVICE)}"
        )
    for table in load_used(tables):
        int8_table(table)
