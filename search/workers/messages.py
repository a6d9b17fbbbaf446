"""The messages between a dispatcher and its workers: jobs, progress and answers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Job:
    """A piece of work; ``number`` identifies it within a session and in every message about it.

    ``left_s`` seconds after it begins, it stops with a checkpoint. ``network`` is the ``Architecture.key`` of its
    network, by which failures are told apart.
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
    """The job is done; subclasses hold the result."""

    number: int


@dataclass(frozen=True)
class Stopped:
    """The job ended early, because it was told to or its time was over; its checkpoint holds the work so far."""

    number: int
    train_s: float = 0.0


@dataclass(frozen=True)
class Failed:
    """The job failed; ``diverged`` if only the network can be the cause. ``trace`` is for the log."""

    number: int
    reason: str
    trace: str = ""
    diverged: bool = False


@dataclass(frozen=True)
class MachineTrouble:
    """The machine failed and not the job: a file could not be written, or a GPU is gone."""

    number: int
    reason: str
    trace: str = ""


Answer = Result | Stopped | Failed | MachineTrouble
