"""The runs in a folder at a glance: request and state of each, without reading its trials."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.records import RunSettings
from search.storage import URL_FILE, is_run
from search.storage.journal import JOURNAL
from search.storage.lock import is_owned
from search.storage.studies import open_study
from space.errors import UserError

RUNS = Path("runs")
HEAD_BYTES = 1 << 20  # of the journal, in which the settings stand: they are written first
SETTINGS, SESSIONS, DONE = (f'"user_attr":{{"{name}":'.encode() for name in ("settings", "sessions", "done"))


@dataclass(frozen=True, slots=True)
class RunGlance:
    """One run; ``created``, ``task`` and ``budget`` are empty where it cannot be read.

    ``state`` is ``running``, ``finished``, ``interrupted`` (the same command goes on), or ``damaged`` and why.
    ``size_bytes`` is all that lies in its folder.
    """

    folder: str
    created: str
    task: str
    budget: str
    state: str
    size_bytes: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def glance(folder: Path) -> RunGlance:
    """The summary of the run in ``folder``; never raises, whatever the folder contains."""
    created = task = budget = ""
    try:
        asked, is_finished = _of_storage(folder) if (folder / URL_FILE).exists() else _of_journal(folder)
        created, task, budget = asked.created, asked.rules.title, asked.budget
        state = "running" if is_owned(folder) else "finished" if is_finished else "interrupted"
    except OSError as error:
        state = f"damaged: {error.strerror or type(error).__name__}"
    except UserError as error:
        state = f"damaged: {error}"
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        state = "damaged: its settings cannot be read"
    return RunGlance(str(folder), created, task, budget, state, size_bytes(folder))


def run_folder(name: Path | str) -> Path:
    """The folder of a run given by path, or by name below ``runs/``.

    Raises:
        UserError: neither exists.
    """
    for folder in (Path(name), RUNS / name):
        if is_run(folder):
            return folder
    raise UserError(
        f"{str(name)!r} must be a run's folder or its name in runs/, got neither; see: python -m search list"
    )


def known_runs() -> list[Path]:
    """Folders of runs below ``runs/``."""
    return sorted(folder for folder in RUNS.glob("*") if is_run(folder))


def _of_journal(folder: Path) -> tuple[RunSettings, bool]:
    """Its settings, and whether it is finished: what was last begun is if its end was written down after it."""
    data = (folder / JOURNAL).read_bytes()
    lines = (*data[:HEAD_BYTES].split(b"\n"), b"{}")
    line = next(line for line in lines if SETTINGS in line or line == b"{}")
    settings = RunSettings.from_dict(json.loads(line)["user_attr"]["settings"])
    return settings, data.rfind(DONE) > data.rfind(SESSIONS)


def _of_storage(folder: Path) -> tuple[RunSettings, bool]:
    """The same of a run whose trials are kept elsewhere."""
    study = open_study(folder, None, owned=False)
    notes: dict[str, Any] = {} if study is None else study.user_attrs
    done = notes.get("done", {})
    return RunSettings.from_dict(notes["settings"]), done.get("sessions") == len(notes.get("sessions", ()))


def size_bytes(path: Path) -> int:
    """What a file, or all that lies in a folder, takes; of links only what they take themselves."""
    total = os.lstat(path).st_size if path.is_symlink() or path.is_file() else 0
    for parent, _, names in os.walk(path) if not path.is_symlink() else ():
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total
