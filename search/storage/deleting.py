"""Deleting a run: what it wrote itself, and nothing else.

A file that the run did not write stays where it is, in the run's folder; so do models that were trained or exported
into it. Links are removed and never followed. The run is moved aside before anything is deleted, its trials first, so
that a kill leaves no folder that looks like a run: at most a hidden one beside it, ``.NAME.deleted-…``, to be removed.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from optuna.storages import BaseStorage

from search.storage import URL_FILE, is_run, journal_path, name_of, open_storage, url_of
from search.storage.artifacts import SHARED_FOLDER
from search.storage.journal import JOURNAL
from search.storage.lock import OWNER, is_owned, own
from search.storage.runs_here import size_bytes
from space.errors import UserError
from space.logs import LOG_FILE

IDENTITY = (JOURNAL, URL_FILE)  # what makes a folder a run
CONFIRM = "confirm"  # trainings of the front again, which have an owner of their own
FOLDERS = ("checkpoints", "weights", "data", "recost", SHARED_FOLDER, CONFIRM)
FILES = (
    *IDENTITY,
    f"{JOURNAL}.lock*",
    OWNER,
    LOG_FILE,
    "front.csv",
    "front.json",
    "confirm.csv",
    "pareto.png",
    "pareto.svg",
    "strip-*.png",
    "report.html",
    ".*.part",  # of a write that a kill cut short
)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What ``delete_run`` did: the run's ``folder``, the bytes freed, and the names of what was left in it."""

    folder: Path
    freed_bytes: int
    kept: tuple[str, ...]


def own_entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """What lies in a run's folder: what the run wrote, its trials first, and everything else."""
    entries = sorted(folder.iterdir(), key=lambda path: (path.name not in IDENTITY, path.name))
    ours = [path for path in entries if _is_own(path)]
    return ours, [path for path in entries if path not in ours]


def check_deletable(folder: Path) -> None:
    """Refuse what ``delete_run`` would.

    Raises:
        UserError: it is no run, a link to one, or another command is writing it.
    """
    if not is_run(folder):
        raise UserError(f"{str(folder)!r} must be a run's folder, got something else; see: python -m search list")
    if folder.is_symlink():
        raise UserError(
            f"{folder} must be a run's own folder, got a link to {folder.resolve()}; name that, and unlink it"
        )
    if is_owned(folder / CONFIRM):
        raise UserError(f"{folder} is being confirmed by another command; wait for it or stop it")
    with own(folder):
        pass


def delete_run(folder: Path) -> Deleted:
    """Delete the run in ``folder``, and the folder if nothing else lies in it.

    Where its trials are kept in another storage, its study is deleted there.

    Raises:
        UserError: it is no run, a link to one, another command is writing it, or its storage cannot be reached; nothing
            is deleted then.
    """
    check_deletable(folder)
    folder = folder.resolve()
    with own(folder):
        study = _study_elsewhere(folder)
        ours, others = own_entries(folder)
        freed_bytes = sum(map(size_bytes, ours))
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.deleted-", dir=folder.parent))
        moved = aside / folder.name  # one folder deeper than runs are looked for
        try:
            if others:
                moved.mkdir()
                for path in ours:
                    path.rename(moved / path.name)
            else:
                folder.rename(moved)
        except OSError:
            for empty in (moved, aside):
                with contextlib.suppress(OSError):
                    empty.rmdir()
            raise
        if study is not None:
            storage, number = study
            storage.delete_study(number)
        shutil.rmtree(aside)
    return Deleted(folder, freed_bytes, tuple(path.name for path in others))


def _study_elsewhere(folder: Path) -> tuple[BaseStorage, int] | None:
    """The storage outside ``folder`` that its trials are kept in, and the number of its study there."""
    url = url_of(folder)
    path = journal_path(url)
    if path is not None and (path == folder / JOURNAL or not path.exists()):
        return None
    storage, name = open_storage(url), name_of(folder, url)
    return next(((storage, study._study_id) for study in storage.get_all_studies() if study.study_name == name), None)


def _is_own(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        return path.name in FOLDERS
    return path.name in FOLDERS or any(fnmatchcase(path.name, pattern) for pattern in FILES)
