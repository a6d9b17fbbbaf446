"""Where a run was made: versions, commit, machine."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import torch

from evaluators.training.precision import Precision

LIBRARIES = ("torch", "optuna", "numpy")


def environment(precision: Precision, workers: int, threads: int) -> dict[str, str]:
    """What a record says of the place where numbers were made."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {
        "litefront": _own_version(),
        "commit": _commit(),
        "python": platform.python_version(),
        **versions,
        "device": _device(precision),
        "workers": f"{workers} x {threads} threads",
        "precision": f"training {precision.autocast or 'float32'} ({precision.reason}), evaluation float32",
    }


def _own_version() -> str:
    try:
        return importlib.metadata.version("litefront")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """The checkout's commit, with "+changes" where files differ; "none" for an installed package."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return "none"
    try:
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
        return _git(root, "rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "none"


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", root, *arguments], capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


def _device(precision: Precision) -> str:
    if precision.device.startswith("cuda"):
        return torch.cuda.get_device_name(precision.device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return f"CPU {names[0] if names else platform.processor() or platform.machine()}"
