"""The files of a run by name: checkpoints, weights, records. A folder now; any store of objects has the same form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

SHARED_FOLDER = "shared"  # of the weights that families share


class ArtifactStore(Protocol):
    """Files by names such as ``checkpoints/trial-3.safetensors``; it is sent to worker processes."""

    def put(self, name: str, write: Callable[[Path], object]) -> None:
        """Make ``name`` what ``write`` writes, atomically, to the path that it is given; replaces what was there."""
        ...

    def get(self, name: str) -> Path | None:
        """A local file with the content of ``name``, only to be read; None where there is none."""
        ...

    def open(self, name: str) -> BinaryIO:
        """``name``, to be read.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def delete(self, name: str) -> None:
        """Nothing happens where there is none."""
        ...

    def where(self, name: str = "") -> str:
        """Where a person finds ``name``, or all: a path, or an address."""
        ...


@dataclass(frozen=True)
class LocalArtifacts:
    """Files in ``folder``, and in folders one below it; those are made when they are first needed."""

    folder: Path

    def put(self, name: str, write: Callable[[Path], object]) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)  # not its parents: a run's folder that was moved away is trouble
        write(path)

    def get(self, name: str) -> Path | None:
        path = self.folder / name
        return path if path.exists() else None

    def open(self, name: str) -> BinaryIO:
        return open(self.folder / name, "rb")

    def delete(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def where(self, name: str = "") -> str:
        return str(self.folder / name)


def checkpoint_name(trial: int) -> str:
    """Of the checkpoint that a trial's training goes on from."""
    return f"checkpoints/trial-{trial}.safetensors"


def measured_weights_name(trial: int, rung: int) -> str:
    """Of the averaged weights of a trial as measured on a rung."""
    return f"checkpoints/trial-{trial}-rung-{rung}.safetensors"


def kept_weights_name(trial: int) -> str:
    """Of the copy of those weights that a run keeps while the trial is on its front."""
    return f"weights/trial-{trial}.safetensors"


def bank_name(family: int, first_rung: int = 0) -> str:
    """Of the weights that the networks of a family share in the generation that begins on ``first_rung``."""
    return f"{SHARED_FOLDER}/family-{family}{f'-rung-{first_rung}' if first_rung else ''}.safetensors"


def bank_checkpoint_name(family: int) -> str:
    """Of the state from which their training goes on, in the same generation or in the next."""
    return f"checkpoints/family-{family}.safetensors"


def pruned_weights_name(trial: int, ratio: float) -> str:
    """Of the weights that are left of a trial's where the share ``ratio`` of its channels was removed."""
    return f"checkpoints/trial-{trial}-pruned-{100 * ratio:.0f}.safetensors"
