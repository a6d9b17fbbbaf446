"""The folder of one training: what was asked of it, so that the same command continues it and another is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.training.plan import ADAM
from search.experiments.training import RECORD_FILE, Training
from search.models.folder import is_model_folder
from search.storage.lock import is_owned
from space.errors import UserError, first_line
from space.files import write_atomically
from space.folders import whole_folder

SETTINGS_FILE = "training.json"
VERSION = 1
LENGTH = ("steps", "time")  # of the settings


@dataclass(frozen=True)
class Settings:
    """What was asked: ``said`` has the text of every setting that decides the result, by its option.

    ``threads`` are those of the process that trains: with as many, a training continues bit for bit on a CPU.
    """

    said: Mapping[str, str]
    training: Training
    threads: int
    command: str

    def write(self, folder: Path) -> None:
        about = {"version": VERSION, "said": dict(self.said), "training": self.training.to_dict()}
        more = {"threads": self.threads, "command": self.command}
        text = json.dumps({**about, **more}, indent=1)
        write_atomically(folder / SETTINGS_FILE, (text + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Settings:
        """Raises: UserError: they cannot be read."""
        path = folder / SETTINGS_FILE
        try:
            data: dict[str, Any] = json.loads(path.read_text("utf-8"))
            if data["version"] != VERSION:
                raise ValueError(f"version {data['version']} instead of {VERSION}")
            return cls(
                with_optimizer(data["said"]),
                Training.from_dict(data["training"]),
                int(data["threads"]),
                data["command"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path} must be the settings of a training, got: {first_line(error)}; give another --out, or "
                "--overwrite to begin again"
            ) from None


def with_optimizer(said: Mapping[str, str]) -> dict[str, str]:
    """``said`` of older folders does not say the optimizer of what was trained: there was one."""
    return {**({"optimizer": ADAM} if "rate" in said else {}), **said}


def own_rate(texts: Mapping[str, str], begun: Mapping[str, str]) -> dict[str, str]:
    """The rate and the optimizer that a folder was ``begun`` with, where the options' ``texts`` do not say them: their
    defaults may be others today."""
    return {name: begun[name] for name in ("rate", "optimizer") if name in begun and name not in texts}


def existing(folder: Path, overwrite: bool) -> Settings | None:
    """What was asked of the training in ``folder``; None where there is none, or it is to be begun again.

    Raises:
        UserError: the folder is something else.
    """
    return None if is_new(folder, SETTINGS_FILE, "train") or overwrite else Settings.read(folder)


def is_new(folder: Path, settings: str, command: str) -> bool:
    """Whether nothing is in ``folder`` yet; else it is one of ``command``, which writes the file ``settings``.

    Raises:
        UserError: the folder is something else, or a command writes into it.
    """
    if not folder.exists() and not folder.is_symlink():
        return True
    if folder.is_dir() and not any(folder.iterdir()):
        return True
    if not (folder / settings).is_file():
        kind = f"a model folder that {command} did not make" if is_model_folder(folder) else "something else"
        raise UserError(f"--out must be a new folder or one of {command}, got {folder}, {kind}; give another")
    if is_owned(folder):
        raise UserError(f"{folder} is being written by another command; wait for it or stop it")
    return False


def is_finished(folder: Path) -> bool:
    """Whether it is a model folder, with all that was asked."""
    return is_model_folder(folder) and (folder / RECORD_FILE).is_file()


def check_same(asked: Mapping[str, str], begun: Mapping[str, str], folder: Path, what: str = "training") -> None:
    """Refuse another setting than those ``begun`` with, of ``what`` is in ``folder``.

    Raises:
        UserError: names the first.
    """
    for name in dict.fromkeys((*asked, *begun)):
        own, text = (said.get(name, "not given") for said in (begun, asked))
        if own == text:
            continue
        why = "; its rate falls to zero at its last step, so that it cannot be prolonged" if name in LENGTH else ""
        raise UserError(
            f"--{name} must stay {own}, with which the {what} in {folder} was begun, got {text}{why}; give another "
            "--out, or --overwrite to begin again"
        )


def begin(folder: Path, settings: Settings, overwrite: bool) -> None:
    """Make the folder with its settings; with ``overwrite`` the training that was there goes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_dir() and (overwrite or not any(folder.iterdir())):
        with whole_folder(folder) as new:
            settings.write(new)
        return
    folder.mkdir(exist_ok=True)
    settings.write(folder)


def drop_work(folder: Path, names: tuple[str, ...]) -> None:
    """Delete files and folders that only a training that goes on needs."""
    for name in names:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
