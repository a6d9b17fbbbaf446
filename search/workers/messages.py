"""What a worker is asked to do, and what it says: the boundary between whoever has work and whoever does it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Job:
    """A piece of work. ``number`` tells it from all others of a session, and stands in every message about it.

    ``left_s`` counts from when it is begun; then it ends with a checkpoint. ``network`` says which network it is about
    (``Architecture.key``), so that failures can be told apart.
    """

    number: int
    network: str = ""
    left_s: float = math.inf


@dataclass(frozen=True)
class Progress:
    """After a step; ``psnr_db`` is what was measured between two steps on held-out pictures, and is always told."""

    number: int
    step: int
    steps: int
    loss: float
    psnr_db: float | None = None


@dataclass(frozen=True)
class Result:
    """The job is done; its kind says more."""

    number: int


@dataclass(frozen=True)
class Stopped:
    """The job ended early because it was told to, or its time was over; a checkpoint holds what was done."""

    number: int
    train_s: float = 0.0


@dataclass(frozen=True)
class Failed:
    """The job broke; ``diverged`` is what can only be the network's doing. ``trace`` is for the log."""

    number: int
    reason: str
    trace: str = ""
    diverged: bool = False


@dataclass(frozen=True)
class MachineTrouble:
    """A file could not be written, a GPU is gone; the job itself is well."""

    number: int
    reason: str
    trace: str = ""


Answer = Result | Stopped | Failed | MachineTrouble
