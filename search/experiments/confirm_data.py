"""The pictures of a run, read again: embedded ones, or the folders that it records, by their fingerprints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from evaluators import data
from evaluators.data import Picture
from search.experiments.data_specs import EMBEDDED
from search.experiments.training_data import Pictures
from search.records import RunResult
from space.errors import UserError

_FOLDER = re.compile(r"folder (?P<name>.+?), [0-9]+ (?:images|pairs), [0-9a-f]+")


def run_pictures(run: RunResult, train: Path | None, val: Path | None) -> tuple[str, str, Pictures]:
    """Data specs of what ``run`` was trained and measured on, and the pictures: of ``train`` and ``val`` or, without
    them, of the folders in the run's own command.

    A spec is the folder's name and not its path, so that trainings stay the same ones when a folder is moved.

    Raises:
        UserError: a folder is not given and not where the command says, cannot be read, or holds other pictures.
    """
    train_spec, train_pictures = _read(run, "train-data", run.settings.train_data, train, validates=False)
    val_spec, val_pictures = _read(run, "val-data", run.settings.val_data, val, validates=True)
    return train_spec, val_spec, {(train_spec, False): train_pictures, (val_spec, True): val_pictures}


def _read(
    run: RunResult, option: str, recorded: str, given: Path | None, validates: bool
) -> tuple[str, tuple[Picture, ...]]:
    is_embedded = recorded.startswith(data.EMBEDDED)
    folder = given if given is not None or is_embedded else _in_command(run.command, option)
    what = "measured on" if validates else "trained on"
    if folder is None and not is_embedded:
        raise UserError(f"--{option} must be what {run.name} was {what} ({recorded}), got none; give --{option} FOLDER")
    rules = run.settings.rules
    found = (data.validation_images if validates else data.training_images)(folder, rules)
    described = data.describe(folder, found, rules, validates)
    if _fingerprint(described) != _fingerprint(recorded):
        raise UserError(f"--{option} must be what {run.name} was {what} ({recorded}), got {described}")
    match = _FOLDER.fullmatch(recorded)
    return (match["name"] if match else EMBEDDED), found


def _fingerprint(described: str) -> list[str]:
    """The number of pictures and the fingerprint of their pixels, without the folder's name."""
    return described.rsplit(", ", 2)[1:]


def _in_command(command: str, option: str) -> Path | None:
    """The folder that the run's command names, if it is there."""
    try:
        words = shlex.split(command)
    except ValueError:  # a record of another hand
        return None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name == f"--{option}" and Path(value if equals else following).is_dir():
            return Path(value if equals else following)
    return None
