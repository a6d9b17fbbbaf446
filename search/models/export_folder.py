"""Exported files put into a model folder, all at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from search.models.folder import (
    CHECK_FILE,
    add_files,
    exported_files,
    is_model_folder,
    read_check,
    read_model,
    write_model,
)
from search.models.model import Model
from space.errors import UserError


def holds(folder: Path, model: Model) -> bool:
    """Whether ``folder`` is the model folder of ``model``: the same weights, to which files can be added."""
    if not is_model_folder(folder):
        return False
    there, ours = read_model(folder).network.state_dict(), model.network.state_dict()
    return there.keys() == ours.keys() and all(torch.equal(there[name], value) for name, value in ours.items())


def check_free(folder: Path, model: Model, names: Sequence[str], overwrite: bool) -> None:
    """Raises: UserError: something is there that is not to be replaced; the message names it."""
    if overwrite or not folder.exists():
        return
    if not holds(folder, model):
        if folder.is_dir() and not any(folder.iterdir()):
            return
        raise UserError(
            f"--out must be new, or the model folder of {model.name}, got {folder}; give --overwrite or another name"
        )
    there = sorted(set(exported_files(folder)) & set(names))
    if there:
        raise UserError(f"{folder} must not hold {there[0]} yet; give --overwrite, or leave it out")


def publish(folder: Path, model: Model, files: Sequence[Path], check: Mapping[str, Any], overwrite: bool) -> None:
    """Add ``files`` and what ``check`` says of each to the folder of ``model``, which is made if it is not there."""
    named: dict[str, Path | bytes] = {path.name: path for path in files}
    if holds(folder, model):
        add_files(folder, named | {CHECK_FILE: _json({**read_check(folder), **check})})
    else:
        write_model(folder, model, named | {CHECK_FILE: _json(check)}, overwrite or folder.exists())


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


@contextmanager
def unpublished(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` for what is not finished; it goes in the end, whatever happens."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part")
    except OSError as error:
        raise UserError(f"--out must lie in a folder that can be written, got {folder}: {error.strerror}") from None
    with temporary as name:
        yield Path(name)
