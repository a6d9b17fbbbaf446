"""Deleting a run: ``search.delete``."""

from __future__ import annotations

from pathlib import Path

from search.storage.deleting import Deleted, delete_run
from search.storage.runs_here import run_folder


def delete(folder: Path | str) -> Deleted:
    """Delete the run in ``folder``, a path or a name below ``runs/``: its trials, weights, reports. There is no undo.

    What the run did not write itself stays: files of the user's, models that were trained or exported into its folder.
    The result says what (``kept``) and how many bytes were freed (``freed_bytes``). A damaged run is deleted too.

    >>> import search, shutil
    >>> _ = shutil.copytree("runs/example", "runs/unwanted")
    >>> search.delete("runs/unwanted").kept
    ()
    >>> search.load("runs/unwanted")
    Traceback (most recent call last):
        ...
    space.errors.UserError: 'runs/unwanted' must be a run's folder or its name in runs/, got neither; see: ...

    Raises:
        UserError: there is no run, it is running, or ``folder`` is a link to it.
    """
    return delete_run(run_folder(folder))
