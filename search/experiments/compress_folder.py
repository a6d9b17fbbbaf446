"""The folder of one compression: what was asked of it and how it was begun, so that the same command continues it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.training.weights import save_weights
from search.experiments.train_folder import is_new, with_optimizer
from search.experiments.training import START_FILE
from search.models.folder import is_model_folder
from search.models.model import Model
from space.architecture import Architecture
from space.build import architecture_from_dict
from space.errors import UserError, first_line
from space.files import write_atomically
from space.folders import whole_folder

SETTINGS_FILE = "compress.json"
FINE_TUNING, INT8 = "fine-tuning", "int8"  # folders of the stages that train, while they do
VERSION = 1


@dataclass(frozen=True)
class Begun:
    """How a compression was begun.

    Attributes:
        said: the text of every setting that decides the result, by its option.
        architecture: what is left after pruning, whose weights lie in ``START_FILE``.
        pruning: what pruning did (``search.experiments.pruning_stage.PruningFacts``); empty without it.
        steps: of fine-tuning in float, and of training for int8; 0 without.
        validate_every: steps between two validations.
        threads: of the process that trains: with as many, a training continues bit for bit on a CPU.
    """

    said: Mapping[str, str]
    architecture: Architecture
    pruning: Mapping[str, Any]
    steps: tuple[int, int]
    validate_every: int
    threads: int
    command: str

    def write(self, folder: Path) -> None:
        about = {**vars(self), "version": VERSION, "architecture": self.architecture.to_dict()}
        write_atomically(folder / SETTINGS_FILE, (json.dumps(about, indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Begun:
        """Raises: UserError: the settings cannot be read."""
        path = folder / SETTINGS_FILE
        try:
            data: dict[str, Any] = json.loads(path.read_text("utf-8"))
            version = data.pop("version")
            if version != VERSION:
                raise ValueError(f"version {version} instead of {VERSION}")
            first, second = data.pop("steps")
            data["said"] = with_optimizer(data["said"])
            return cls(architecture=architecture_from_dict(data.pop("architecture")), steps=(first, second), **data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path} must be the settings of a compression, got: {first_line(error)}; give another --out, or "
                "--overwrite to begin again"
            ) from None


def existing(folder: Path, overwrite: bool) -> Begun | None:
    """How the compression in ``folder`` was begun; None where there is none, or it is to be begun again.

    Raises:
        UserError: the folder is something else.
    """
    return None if is_new(folder, SETTINGS_FILE, "compress") or overwrite else Begun.read(folder)


def is_finished(folder: Path) -> bool:
    """Whether it is a model folder that ``compress`` made."""
    return is_model_folder(folder) and (folder / SETTINGS_FILE).is_file()


def begin(folder: Path, begun: Begun, start: Model) -> None:
    """Make the folder, with its settings and the weights of ``start`` at once; what was there goes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as new:
        begun.write(new)
        save_weights(new / START_FILE, start.network, {"network": start.name})
