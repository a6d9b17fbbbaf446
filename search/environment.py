"""Where a run was made: versions, commit, machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from evaluators.training.precision import Precision
from space.checkout import commit

LIBRARIES = ("torch", "optuna", "numpy")


def environment(precision: Precision, workers: int, threads: int) -> dict[str, str]:
    """What a record says of the place where numbers were made."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {
        "litefront": _own_version(),
        "commit": commit(),
        "python": platform.python_version(),
        **versions,
        "device": _device(precision),
        "workers": f"{workers} x {threads} threads",
        "precision": f"training {precision.autocast or 'float32'} ({precision.reason}), evaluation float32",
    }


def all_of(environments: Iterable[Mapping[str, str]], name: str) -> str:
    """Every value that ``name`` has in records of such places, in their order: what is continued by another version or
    on another machine was made with both."""
    return ", ".join(dict.fromkeys(place.get(name, "unknown") for place in environments))


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_of(processes: int) -> int:
    """How many threads each of so many processes takes."""
    return max(1, available_cores() // processes)


def _own_version() -> str:
    try:
        return importlib.metadata.version("litefront")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _device(precision: Precision) -> str:
    if precision.device.startswith("cuda"):
        return torch.cuda.get_device_name(precision.device)
    return f"CPU {processor()}"


def processor() -> str:
    """The name of this machine's processor, as its system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
