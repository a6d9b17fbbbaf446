"""Whether a folder can take a run: a new one where nothing else lies, or the same one again."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from search.records import KEPT, RunSettings
from search.request.tables import changed
from search.storage import URL_FILE
from search.storage.journal import JOURNAL
from search.storage.lock import OWNER
from space.errors import UserError
from space.logs import LOG_FILE

OURS = (OWNER, JOURNAL, URL_FILE, LOG_FILE)  # what a run has that was ended before its first result


def check_new(folder: Path) -> None:
    """Refuse a folder that holds anything but the beginnings of a run.

    Raises:
        UserError: it does, or it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--run-dir must be a folder, got the file {folder}")
    if folder.exists() and any(entry.name not in OURS for entry in folder.iterdir()):
        raise UserError(f"--run-dir must be empty or hold a run, got {folder} with other files; choose another")


def check_same(existing: RunSettings, asked: RunSettings, folder: Path) -> None:
    """Refuse to continue a run as another one.

    Raises:
        UserError: names the first value that a run keeps and that differs.
    """
    for kept in fields(RunSettings):
        before, now = getattr(existing, kept.name), getattr(asked, kept.name)
        if kept.metadata != KEPT or before == now:
            continue
        if kept.name == "tables":
            _check_tables(existing, asked, folder)
            continue
        what = "" if kept.name == "options" else f"{kept.name.replace('_', ' ')} "
        raise UserError(
            f"run {folder} was made with {what}{_shown(before) or 'none'}, got {_shown(now) or 'none'}; use "
            "--run-dir for a new run"
        )


def _check_tables(existing: RunSettings, asked: RunSettings, folder: Path) -> None:
    before, now = ({use.name: use for use in settings.tables} for settings in (existing, asked))
    if before.keys() != now.keys():
        raise UserError(
            f"run {folder} was made with latency tables {_shown(tuple(before)) or 'none'}, got "
            f"{_shown(tuple(now)) or 'none'}; for another phone: python -m search recost {folder} --device TABLE"
        )
    for name, use in before.items():
        if use.fingerprint != now[name].fingerprint:
            raise UserError(f"{changed(use, now[name].fingerprint)}; use --run-dir for a new run")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(option)}" for name, option in value.items())
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
