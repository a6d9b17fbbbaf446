"""Real commands in processes of their own, and what must hold whatever is done to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from search.storage.run_files import read_run
from space.errors import UserError

ROOT = Path(__file__).parents[2]
RUN = [
    "run",
    "--task",
    "sr",
    "--budget",
    "4k-params",
    "--rungs",
    "2,4",
    "--workers",
    "2",
    "--train-data",
    "photos",
    "--val-data",
    "photos",
]
FOLDER = Path("runs") / "sr-x4-4k-params"


def make_photos(folder: Path) -> None:
    (folder / "photos").mkdir()
    generator = np.random.default_rng(0)
    for name in "abc":
        pixels = generator.integers(0, 256, (15, 15, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(pixels).save(folder / "photos" / f"{name}.png")


def begin(folder: Path, *arguments: str, **options: object) -> subprocess.Popen:
    """The command in a group of processes of its own; its output in ``out.txt``."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with open(folder / "out.txt", "ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "search", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=out,
            stderr=out,
            start_new_session=True,
            **options,
        )


def workers_of(process: subprocess.Popen) -> list[int]:
    """Numbers of its worker processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and b"worker_process" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            pass  # it ended meanwhile
    return found


def results(folder: Path) -> set[tuple[int, int]]:
    """Trial and rung of every result that the run in ``folder`` holds."""
    try:
        run = read_run(folder / FOLDER)
    except UserError:
        return set()
    return {(trial.trial, result.rung) for trial in run.trials for result in trial.rungs}


def tracebacks(folder: Path) -> int:
    """On the terminal, of all commands so far."""
    return (folder / "out.txt").read_text().count("Traceback")


def kill_group(process: subprocess.Popen, number: signal.Signals = signal.SIGKILL) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def wait_for(condition, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False
