"""The training queue: a CSV file of trainings in priority order, one a line.

Columns: ``network`` (``search.experiments.network_specs``, a model folder as seen from the file, or RUN#TRIAL),
``task``, ``options`` (``scale=4 channels=grey sigma=25``, as on the command line, and those of ``train`` that add to
the loss, such as ``teacher=smfanet+ teacher-weights=smfanet-plus-x4.pth``), ``protocol``, ``steps``, ``seed``,
``train`` and ``test`` (data specs joined by spaces). Lines that begin with ``#`` are comments. All start from random
weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evaluators.tasks import TaskRules, rules_from_text
from search.experiments.network_specs import channels_of, entry_of, named_architecture
from search.experiments.start_network import model_and_rules, trainable_of
from search.experiments.teachers import added_loss
from search.experiments.trainables import Trainable
from search.experiments.training import Training
from search.models.folder import is_model_folder
from search.models.named import KINDS
from space.command_line import parse_count
from space.errors import UserError
from space.text_files import csv_rows, read_file, shortened

MOST_STEPS = 1_000_000_000  # a century of one core
LARGEST_SEED = 2**63 - 1  # what torch takes
LOSS_OPTIONS = ("teacher", "teacher-weights", "distil", "distil-weight", "spectrum-weight")
COLUMNS = ("network", "task", "options", "protocol", "steps", "seed", "train", "test")


def read_queue(path: Path) -> tuple[Training, ...]:
    """The trainings of the file, in its order.

    Raises:
        UserError: no such file, other columns, or a line that cannot be read; names the line.
    """
    rows = [
        (line, [value.strip() for value in fields])
        for line, fields in csv_rows(path.name, read_file(path, "a queue"), comment="#")
    ]
    if not rows or tuple(rows[0][1]) != COLUMNS:
        found = ",".join(rows[0][1]) if rows else "nothing"
        raise UserError(f"{path} must begin with the columns {','.join(COLUMNS)}, got {shortened(found)}")
    trainings: dict[str, Training] = {}
    for number, row in rows[1:]:
        try:
            training = _training(row, path.parent)
        except UserError as error:
            raise UserError(f"{path.name}, line {number}: {error}") from None
        if training.folder_name in trainings:
            raise UserError(
                f"{path.name}, line {number}: every training must stand there once, got {training.name} again"
            )
        trainings[training.folder_name] = training
    if not trainings:
        raise UserError(f"{path} must hold at least one training, got none")
    return tuple(trainings.values())


def _training(row: list[str], beside: Path) -> Training:
    if len(row) != len(COLUMNS):
        raise UserError(f"a line must have {len(COLUMNS)} values, got {len(row)}")
    values = dict(zip(COLUMNS, row, strict=True))
    options: dict[str, str | None] = {}
    for assignment in values["options"].split():
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UserError(f"options must be NAME=VALUE joined by spaces, got {assignment!r}")
        options[name] = value
    train, test = (tuple(values[name].split()) for name in ("train", "test"))
    if not train:
        raise UserError("train must name data, got nothing; for example embedded")
    loss = {name.replace("-", "_"): str(options.pop(name)) for name in LOSS_OPTIONS if name in options}
    training = named_training(
        values["network"],
        values["task"],
        options,
        values["protocol"],
        parse_count("steps", values["steps"], 1),
        parse_count("seed", values["seed"], 0),
        train,
        test,
        beside,
    )
    return replace(training, loss=added_loss(loss, training.rules)) if loss else training


def named_training(
    network: str,
    task_name: str,
    options: dict[str, str | None],
    protocol: str,
    steps: int,
    seed: int,
    train: tuple[str, ...],
    test: tuple[str, ...],
    beside: Path | None = None,
) -> Training:
    """A training of a network by its spec; ``options`` are the task's options as on a command line, and the scale.

    Args:
        beside: a folder from which a model folder may be named, too.

    Raises:
        UserError: a name, option or value that is not known, or a network of another task.
    """
    for name, value, largest in (("steps", steps, MOST_STEPS), ("seed", seed, LARGEST_SEED)):
        if value > largest:
            raise UserError(f"{name} must be at most {largest:,}, got {shortened(str(value))}")
    near = beside / network if beside is not None else Path(network)
    spec = str(near) if is_model_folder(near) else network
    is_found = any(KINDS[kind].is_meant(spec) for kind in ("FOLDER", "RUN#TRIAL"))
    architecture, rules = (_found if is_found else _published)(spec, task_name, options)
    return Training(network, architecture, rules, protocol, steps, seed, train, test)


def _found(spec: str, task_name: str, options: Mapping[str, str | None]) -> tuple[Trainable, TaskRules]:
    """The design that a run found or a model folder holds, whatever weights it has there."""
    texts = {option: value for option, value in options.items() if value is not None}
    model, rules = model_and_rules(spec, {"task": task_name, **texts}, seed=0)
    rules_from_text(task_name, rules.scale, {option: text for option, text in texts.items() if option != "scale"})
    return trainable_of(model, spec), rules


def _published(spec: str, task_name: str, options: Mapping[str, str | None]) -> tuple[Trainable, TaskRules]:
    entry = entry_of(spec)
    if entry.task != task_name:
        raise UserError(f"{entry.name} must be trained for its task {entry.task}, got {task_name!r}")
    options = dict(options)
    scale_text = options.pop("scale", None)
    scale = parse_count("scale", scale_text, 1) if scale_text else entry.architecture.shape.scale
    if options.get("channels") is None:
        options["channels"] = channels_of(entry)
    return named_architecture(spec, scale), rules_from_text(task_name, scale, options)
