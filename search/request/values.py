"""Values of options, as they are written on a command line and read by every command the same way."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluators.compression.compression import STEPS
from evaluators.quantities import PREFIX, QUANTITIES, latency_key
from evaluators.tasks import TaskRules
from evaluators.tasks.rules import TRAINING, VALIDATION
from search.environment import available_cores
from search.records import ALONE, EVALUATORS, SHARED
from search.request.tables import table_name, tables_there_are
from space.command_line import parse_count, parse_size
from space.errors import UserError
from space.tasks import OPTIONS, TASKS, Task
from space.terminal import print_note
from space.zoo import ZOO

AUTO = "auto"  # of --evaluator
SHARED_TASKS = ("sr",)  # of which shared weights were measured to be better
SHARED_FROM_S = 300.0

LONGEST_S = 365 * 24 * 3600.0

TIME_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def task_values(options: Mapping[str, Any]) -> dict[str, str | None]:
    """Of ``options``, the values given for those of a task; None where the default is meant."""
    return {name: options.get(name) for name in ("channels", *OPTIONS)}


def check_needed(options: Mapping[str, Any], rules: TaskRules) -> None:
    """Refuse options that would change nothing: those of degradation where all pictures come with theirs.

    Raises:
        UserError: names the first of them.
    """
    if rules.given != {TRAINING, VALIDATION}:
        return
    for name in TASKS[rules.task].options:
        if options.get(name) is not None:
            raise UserError(
                f"--{name} says how clean pictures are degraded, got {options[name]!r} with pairs, to which "
                "nothing is added; leave it out"
            )


def parse_time(text: str) -> float:
    """Seconds of ``90s``, ``10m``, ``1.5h``; a bare number is seconds."""
    match = re.fullmatch(r"([0-9]+\.?[0-9]*)([a-z]*)", text.strip().lower())
    if match is None or match[2] not in TIME_UNITS or float(match[1]) <= 0:
        raise UserError(f"--time must be a positive number with s, m or h, got {text!r}; for example 10m")
    seconds = float(match[1]) * TIME_UNITS[match[2]]
    if seconds > LONGEST_S:
        raise UserError(f"--time must be at most {LONGEST_S / 3600:.0f}h, a year, got {text!r}")
    return seconds


def parse_processes(option: str, text: str, always: int = 1) -> int:
    """How many processes train side by side: at least 1, at most one for each core, or ``always``; less is said."""
    count, most = parse_count(option, text, 1), max(available_cores(), always)
    if count > most:
        print_note(f"{option} {count} is more than this machine carries; {most} run, for {available_cores()} cores")
    return min(count, most)


def written_folder(option: str, folder: Path) -> Path:
    """``folder``, whose name every library that writes there can spell.

    Raises:
        UserError: it is not UTF-8, which safetensors does not open.
    """
    try:
        str(folder).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{option} must be a name in UTF-8, got {str(folder)!r}; choose another") from None
    return folder


def parse_input(text: str | None, task: Task, scale: int) -> tuple[int, int]:
    """WIDTHxHEIGHT in pixels; the task's default size for ``scale`` if None."""
    if text is None:
        return task.input_sizes[scale]
    return parse_size("--input", text)


def parse_objectives(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``psnr`` and one or more costs, psnr first; and the latency tables that they name, by name or path.

    Costs are the keys of ``QUANTITIES`` and ``ms@TABLE``, which may stand there for several tables.
    """
    known = f"{', '.join(QUANTITIES)}, {PREFIX}TABLE"
    values, sources = [], []
    for given in text.split(","):
        value, at, source = given.strip().partition("@")
        value = value.lower()
        if value in ("latency", "ms"):
            if not at or value == "latency":
                raise UserError(
                    f"--objective in milliseconds must be {PREFIX}TABLE, got {given.strip()!r}; {tables_there_are()}"
                )
            values.append(latency_key(table_name("--objective", source)))
            sources.append(source)
        elif at or value not in ("psnr", *QUANTITIES):
            raise UserError(f"--objective must be psnr and any of {known}, got {given.strip()!r}")
        else:
            values.append(value)
    if len(set(values)) != len(values):
        raise UserError(f"--objective must name each objective once, got {text!r}")
    if "psnr" not in values or len(values) < 2:
        raise UserError(f"--objective must be psnr and at least one of {known}, got {text!r}")
    return ("psnr", *(value for value in values if value != "psnr")), tuple(sources)


def parse_tables(option: str, text: str) -> tuple[str, ...]:
    """Latency tables joined by commas, by name or path, each once."""
    sources = tuple(value.strip() for value in text.split(","))
    names = [table_name(option, source) for source in sources]
    if len(set(names)) != len(names):
        raise UserError(f"{option} must name each latency table once, got {text!r}")
    return sources


def parse_compress(text: str) -> tuple[str, ...]:
    """Ways to compress joined by commas, in the order of ``STEPS``."""
    values = [value.strip().lower() for value in text.split(",")]
    for value in values:
        if value not in STEPS:
            raise UserError(f"--compress must be of {', '.join(STEPS)}, got {value!r}; for example prune,int8")
    return tuple(step for step in STEPS if step in values)


def parse_evaluator(text: str) -> str:
    """How a candidate gets its first weights, or ``auto``."""
    value = text.strip().lower()
    if value not in (AUTO, *EVALUATORS):
        known = ", ".join((AUTO, *EVALUATORS))
        raise UserError(f"--evaluator must be one of {known}, got {text!r}; for example {SHARED}")
    return value


def chosen_evaluator(task: str, time_s: float | None, is_limited: bool) -> str:
    """What ``auto`` stands for in a new run; ``is_limited`` by trials or rungs.

    Shared where it is measured to be better (``reports/published/sr-x4-shared``), and there is time to train weights.
    """
    is_long = time_s is not None and time_s >= SHARED_FROM_S
    return SHARED if task in SHARED_TASKS and is_long and not is_limited else ALONE


def parse_share(text: str) -> float:
    """A share of the time, above 0 and below 1."""
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise UserError(f"--compress-share must be a number above 0 and below 1, got {text!r}; for example 0.3")
    return share


def parse_networks(text: str, rules: TaskRules) -> tuple[str, ...]:
    """Names of published networks joined by commas, in the table's order and without those that run with every search.

    Raises:
        UserError: a name that is not in the table, or a network of another task, other channels or another scale.
    """
    values = [value.strip() for value in text.split(",")]
    for value in values:
        known = [name for name, entry in ZOO.items() if entry.task == rules.task]
        if value not in ZOO:
            raise UserError(
                f"--networks must be of the published networks of {rules.task}, got {value!r}; known: "
                + ", ".join(known)
            )
        if value not in known:
            raise UserError(
                f"--networks of {rules.task} must be for that task, got {value} for {ZOO[value].task}; "
                f"known: {', '.join(known)}"
            )
        shape, wanted = ZOO[value].at_scale(rules.scale).shape, rules.shape
        if shape != wanted:
            raise UserError(
                f"--networks must take {wanted.in_channels} and give {wanted.out_channels} channels as this run's, got "
                f"{value} with {shape.in_channels} and {shape.out_channels}; see --channels"
            )
    return tuple(name for name, entry in ZOO.items() if name in values and not entry.runs_with_search)


def parse_rungs(text: str) -> tuple[int, ...]:
    """Training steps in all at each rung, rising."""
    try:
        rungs = tuple(int(value) for value in text.split(","))
    except ValueError:
        rungs = ()
    if not rungs or rungs[0] < 1 or any(after <= before for before, after in itertools.pairwise(rungs)):
        raise UserError(
            f"--rungs must be rising whole numbers of steps joined by commas, got {text!r}; for example 100,300,1000"
        )
    return rungs
