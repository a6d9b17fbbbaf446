"""Where a run's trials are kept: any storage of Optuna's by its URL; a journal file in the run's folder by default."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from search.storage.journal import JOURNAL, journal_storage
from space.errors import UserError
from space.files import write_atomically
from space.os_errors import first_line

NAME = "litefront"  # of the study in a run's own journal; elsewhere it is called as the run's folder
JOURNAL_SCHEME = "journal://"
URL_FILE = "storage.url"  # in a run's folder, where its trials are kept elsewhere
EXAMPLES = "journal:///path/run.log, sqlite:////path/runs.db, postgresql://user@host/database"


def open_storage(url: str) -> BaseStorage:
    """Optuna's storage at ``url``: ``journal:///path`` or a plain path, ``sqlite:///path``, ``postgresql://...``.

    Raises:
        UserError: it cannot be read or reached, or its journal is damaged.
    """
    path = journal_path(url)
    if path is not None:
        return journal_storage(path)
    try:
        return RDBStorage(url)
    except (ImportError, SQLAlchemyError, optuna.exceptions.StorageInternalError, ValueError) as error:
        raise UserError(
            f"storage {url} must be one that can be opened, got {type(error).__name__}: {first_line(error)}; for "
            f"example {EXAMPLES}"
        ) from error


def checked_url(option: str, text: str) -> str:
    """``text`` as it is written down with a run: whole, so that it means the same in every folder.

    Raises:
        UserError: it is no URL of a storage, or holds a password.
    """
    path = journal_path(text)
    if path is not None:
        return f"{JOURNAL_SCHEME}{path.resolve()}"
    url = _parsed(option, text)
    if url.password is not None:
        raise UserError(
            f"{option} must not hold a password, for it is written down with the run, got one for {url.host}; leave it "
            "to the database's own file or variable (~/.pgpass, PGPASSWORD)"
        )
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        url = url.set(database=str(Path(str(url.database)).resolve()))
    return url.render_as_string()


def journal_path(url: str) -> Path | None:
    """The file of a journal's URL or of a plain path; None for other storages."""
    if url.startswith(JOURNAL_SCHEME):
        return Path(url.removeprefix(JOURNAL_SCHEME))
    return None if "://" in url else Path(url)


def url_of(folder: Path, asked: str | None = None) -> str:
    """Where the trials of the run in ``folder`` are kept: as its folder says, as ``asked``, or in its journal.

    Raises:
        UserError: another storage is asked for than the run has.
    """
    if (folder / URL_FILE).is_file():
        known = (folder / URL_FILE).read_text("utf-8").splitlines()[0]
    elif asked is None or (folder / JOURNAL).exists():
        known = f"{JOURNAL_SCHEME}{folder / JOURNAL}"
    else:
        return asked
    if asked not in (None, known, known.replace(str(folder), str(folder.resolve()))):
        raise UserError(f"run {folder} was made with --storage {known}, got {asked}; use --run-dir for a new run")
    return known


def note_url(folder: Path, url: str, name: str) -> None:
    """Have ``folder`` say where its trials are, and what their study is called, unless they are in its own journal."""
    if journal_path(url) != folder / JOURNAL:
        write_atomically(folder / URL_FILE, f"{url}\n{name}\n".encode())


def name_of(folder: Path, url: str) -> str:
    """What the study of the run in ``folder`` is called: as it was made, wherever the folder was moved since."""
    if journal_path(url) == folder / JOURNAL:
        return NAME
    if (folder / URL_FILE).is_file():
        return (folder / URL_FILE).read_text("utf-8").splitlines()[1]
    return folder.resolve().name


def is_run(folder: Path) -> bool:
    """Whether a run was begun in ``folder``."""
    return (folder / JOURNAL).exists() or (folder / URL_FILE).exists()


def _parsed(option: str, text: str) -> URL:
    try:
        return make_url(text)
    except SQLAlchemyError:
        raise UserError(f"{option} must be a storage's URL, got {text!r}; for example {EXAMPLES}") from None
