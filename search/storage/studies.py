"""Optuna's study of a run, opened or created in its storage; a journal damaged by a kill is repaired."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna

from search.storage import journal_path, name_of, note_url, open_storage, url_of
from search.storage.journal import repair, whole_bytes
from search.storage.trial_attributes import Direction
from space.errors import UserError
from space.os_errors import first_line


def create_study(
    folder: Path, url: str | None, directions: Sequence[Direction], metric_names: Sequence[str]
) -> optuna.Study:
    """The study of the new run in ``folder``, kept at ``url``; in the folder's journal if None."""
    url = url_of(folder, url)
    name = name_of(folder, url)
    study = optuna.create_study(study_name=name, storage=open_storage(url), load_if_exists=True, directions=directions)
    study.set_metric_names(list(metric_names))
    note_url(folder, url, name)
    return study


def open_study(folder: Path, url: str | None, owned: bool) -> optuna.Study | None:
    """The study of the run in ``folder``, which is kept at ``url`` or where the folder says; None if none was begun.

    Args:
        owned: whether the caller owns the folder (``lock.own``): only then is what a kill left mended.

    Raises:
        UserError: the storage is damaged, or cannot be reached.
    """
    url = url_of(folder, url)
    path = journal_path(url)
    if path is not None:
        if not path.exists():
            return None
        if owned:
            repair(path)
        if not (path.stat().st_size if owned else whole_bytes(path, path.read_bytes())):
            return None  # ended before its first line was written
    stored = open_storage(url)
    name = name_of(folder, url)
    if path is None and name not in {summary.study_name for summary in stored.get_all_studies()}:
        return None
    try:
        return optuna.load_study(study_name=name, storage=stored)
    except Exception as error:  # Optuna does not say of what kind a line is that it cannot replay
        raise unreadable(folder, url, error) from error


def unreadable(folder: Path, url: str | None, why: BaseException | str) -> UserError:
    """The storage of a run is not as it was written; ``why`` is an exception, or what was found."""
    got = f"{type(why).__name__}: {first_line(why)}" if isinstance(why, BaseException) else why
    url = url_of(folder, url)
    where = f"journal {path}" if (path := journal_path(url)) is not None else f"storage {url}"
    return UserError(
        f"{where} must be that of a run, undamaged, got {got}; restore the file, or use --run-dir for a new run"
    )


@contextmanager
def without_collection() -> Iterator[None]:
    """Python looks for unreachable objects again and again while millions are made; here it would find none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.unfreeze()  # what is there now counts as old: else the next object made has all of it looked at
            gc.enable()
