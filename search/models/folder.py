"""Model folders: a network with its weights, its card and its exported files, whole and hashed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from evaluators.training.weights import save_weights
from search.models.about import About
from search.models.card import card
from search.models.files import network_of
from search.models.model import Model
from search.models.own_network import OWN_FILE, load_own, write_own
from space.errors import UserError, first_line
from space.folders import whole_folder
from space.weights import read_stored

FORMAT = 1  # of the manifest and of ``architecture.json``
MANIFEST, WEIGHTS_FILE, ARCHITECTURE_FILE, CARD_FILE, CHECK_FILE = (
    "manifest.json",
    "model.safetensors",
    "architecture.json",
    "card.md",
    "check.json",
)
OWN_FILES = (MANIFEST, WEIGHTS_FILE, ARCHITECTURE_FILE, CARD_FILE, CHECK_FILE, OWN_FILE)
BLOCK = 1 << 20  # bytes that are hashed at a time


def load_model(folder: Path | str) -> nn.Module:
    """The network in a model folder, in eval mode with its weights; every file of the folder is verified first.

    Maps `(N, in, H, W)` to `(N, out, scale*H, scale*W)`, float32 in [0, 1]. If several networks share the range of
    noise levels, a ``space.specialists.Specialists`` with all of them.

    >>> import search, torch
    >>> run = search.load("runs/example")
    >>> search.write_model("example-model", run.model(run.best()), overwrite=True)
    >>> search.load_model("example-model")(torch.rand(1, 3, 24, 32)).shape
    torch.Size([1, 3, 96, 128])

    Raises:
        UserError: it is no model folder; a file was changed, is missing or was added, and is named.
    """
    return read_model(Path(folder)).network


def write_model(
    folder: Path | str, model: Model, files: Mapping[str, Path | bytes] | None = None, overwrite: bool = False
) -> None:
    """Write a model folder: weights, architecture, card, check and manifest, and ``files`` by their names in it.

    It is there whole or not at all.

    Args:
        overwrite: replace the model folder that is there, whole.

    >>> import search
    >>> search.write_model("smfanet-model", search.model_named("smfanet"), overwrite=True)

    Raises:
        UserError: ``folder`` exists without ``overwrite``, or is another thing than a model folder.
    """
    folder = Path(folder)
    _check_place(folder, overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"a model folder must be one that can be written, got {folder}: {error.strerror}") from None
    with whole_folder(folder) as new:
        about = About(model.name, model.architecture, model.rules, model.facts)
        save_weights(new / WEIGHTS_FILE, model.network, about.metadata())
        if model.architecture is None:
            write_own(model, new / OWN_FILE)
        _write_json(new / ARCHITECTURE_FILE, {"format": FORMAT, **_described(model, about)})
        _write_json(new / CHECK_FILE, {})
        _finish(new, model, files or {})


def add_files(folder: Path | str, files: Mapping[str, Path | bytes]) -> None:
    """Add ``files`` by name, such as exported ones and ``CHECK_FILE``, to a model folder; those of the same name go.

    Card and manifest say them afterwards. The folder is the old one or the new one, whatever happens in between.

    Raises:
        UserError: it is no model folder, or not as its manifest says.
    """
    folder = Path(folder)
    model = _read(folder)
    with whole_folder(folder) as new:
        for path in folder.iterdir():
            if path.name not in files:
                _link(path, new / path.name)
        _finish(new, model, files)


def read_model(folder: Path | str) -> Model:
    """The model in ``folder``, called as the folder.

    Raises:
        UserError: it is no model folder; a file was changed, is missing or was added, and is named; or it holds the
            weights of a user's own network, without the network.
    """
    return replace(_read(Path(folder)), name=Path(folder).resolve().name)


def read_check(folder: Path | str) -> dict[str, Any]:
    """What the export's check found, by file; empty before the first export.

    Raises:
        UserError: as ``read_model``.
    """
    verify(Path(folder))
    return dict(_json(Path(folder) / CHECK_FILE))


def is_model_folder(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def exported_files(folder: Path | str) -> tuple[str, ...]:
    """The names of what was added to a model folder, in order."""
    return tuple(sorted(_listed(Path(folder)).keys() - set(OWN_FILES)))


def verify(folder: Path) -> None:
    """Compare every file with the manifest.

    Raises:
        UserError: a file was changed, is missing or was added; the message names the first.
    """
    listed = _listed(folder)
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    remedy = "write the folder again, or restore the file"
    for name in sorted(listed.keys() | there):
        if name not in there:
            raise UserError(f"model folder {folder} must hold {name}, as its manifest says, got none; {remedy}")
        if name not in listed:
            raise UserError(f"model folder {folder} must hold only what its manifest lists, got {name}; take it out")
        if not (folder / name).is_file() or listed[name] != _entry(folder / name):
            raise UserError(f"model folder {folder} must hold {name} as it was written, got a changed one; {remedy}")


def _read(folder: Path) -> Model:
    verify(folder)
    described = _json(folder / ARCHITECTURE_FILE)
    if described.get("format") != FORMAT:
        raise UserError(
            f"model folder {folder} must be of format {FORMAT}, got {described.get('format')!r}; update litefront"
        )
    stored = read_stored(folder / WEIGHTS_FILE)
    about = About.read(stored.metadata, stored.where)
    if about is not None and about.architecture is not None:
        network = network_of(about.architecture, stored)
        has_weights = bool(described["has_weights"])
        return Model(about.name, network, about.rules, about.architecture, has_weights, about.facts)
    return load_own(folder, described)


def _described(model: Model, about: About) -> dict[str, Any]:
    metadata = about.metadata()
    texts = {name: json.loads(metadata[name]) for name in ("architecture", "task", "facts") if name in metadata}
    known = {"name": about.name, "key": metadata.get("key"), "has_weights": model.has_weights}
    return {**known, "architecture": None, "task": None, **texts}


def _finish(new: Path, model: Model, files: Mapping[str, Path | bytes]) -> None:
    """Put ``files`` into a folder that is being written, then card and manifest."""
    for name, content in files.items():
        if Path(name).name != name or name in (MANIFEST, WEIGHTS_FILE, ARCHITECTURE_FILE, CARD_FILE, OWN_FILE):
            raise ValueError(f"a file of a model folder must have a name of its own, got {name!r}")
        if isinstance(content, bytes):
            (new / name).write_bytes(content)
        else:
            shutil.copyfile(content, new / name)
    described = _json(new / ARCHITECTURE_FILE)
    exported = sorted({path.name for path in new.iterdir()} - set(OWN_FILES))
    _unlinked(new / CARD_FILE).write_text(card(model, described, exported, _json(new / CHECK_FILE)), "utf-8")
    listed = {path.name: _entry(path) for path in sorted(new.iterdir()) if path.name != MANIFEST}
    _write_json(_unlinked(new / MANIFEST), {"format": FORMAT, "files": listed})


def _unlinked(path: Path) -> Path:
    """``path`` to be written anew; what it was linked to stays."""
    path.unlink(missing_ok=True)
    return path


def _link(source: Path, target: Path) -> None:
    """The same file under a second name or, where the file system has no links, a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _check_place(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not overwrite:
        raise UserError(f"{folder} must not exist yet, got a folder or file of that name; give --overwrite or another")
    if not is_model_folder(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"only a model folder is replaced, got {folder} without {MANIFEST}; give another name")


def _listed(folder: Path) -> dict[str, dict[str, Any]]:
    if not is_model_folder(folder):
        raise UserError(f"a model folder must hold {MANIFEST}, got {folder} without it; check the name")
    manifest = _json(folder / MANIFEST)
    if manifest.get("format") != FORMAT or not isinstance(manifest.get("files"), dict):
        raise UserError(f"{folder / MANIFEST} must be a manifest of format {FORMAT}, got another; update litefront")
    return dict(manifest["files"])


def _entry(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} must be a JSON object, got: {first_line(error)}; write the folder again") from None


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
