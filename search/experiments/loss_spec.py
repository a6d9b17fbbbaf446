"""What a training adds to its task's own loss, as a value that records and jobs carry: a teacher, the spectra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from space.errors import UserError

KINDS = {"output": "the distance from the output of", "features": "the distance from the target in features of"}
"""What a teacher's weight is of, by the name that ``--distil`` gives it, and in words that end with the teacher."""
MOST_WEIGHT = 100.0


@dataclass(frozen=True)
class TeacherName:
    """A teacher as a process that trains finds it again.

    ``name`` is as ``search.model_named`` reads it, ``weights`` the path of its weights file where the name has none of
    its own; ``fingerprint`` changes with its architecture and with any of its weights.
    """

    name: str
    weights: str
    fingerprint: str

    @property
    def said(self) -> str:
        return self.name + (f" with {self.weights}" if self.weights else "") + f" ({self.fingerprint})"


@dataclass(frozen=True)
class Distil:
    """``weight`` times the distance from what ``teacher`` gives; ``kind`` is one of ``KINDS``.

    ``teacher`` is None only in an ablation that has not been told yet who teaches.
    """

    kind: str
    weight: float
    teacher: TeacherName | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"--distil must be one of {', '.join(KINDS)}, got {self.kind!r}")
        check_weight("--distil-weight", self.weight)


@dataclass(frozen=True)
class LossSpec:
    """Nothing by default: the task's own loss alone."""

    distil: Distil | None = None
    spectrum_weight: float = 0.0

    def __post_init__(self) -> None:
        check_weight("--spectrum-weight", self.spectrum_weight)

    @property
    def is_own(self) -> bool:
        """Whether it is the task's own loss and nothing else."""
        return self == LossSpec()

    @property
    def said(self) -> str:
        """In words, for a record, a page and a line: what is added to the task's own loss."""
        parts = []
        if self.distil is not None:
            teacher = self.distil.teacher.said if self.distil.teacher else "a teacher"
            parts.append(f"{self.distil.weight:g} x {KINDS[self.distil.kind]} {teacher}")
        if self.spectrum_weight:
            parts.append(f"{self.spectrum_weight:g} x the L1 of spectra")
        return " and ".join(parts)

    def taught_by(self, teacher: TeacherName) -> LossSpec:
        """This with ``teacher``, where there is to be one."""
        return self if self.distil is None else replace(self, distil=replace(self.distil, teacher=teacher))

    @property
    def decisive(self) -> dict[str, Any]:
        """What another result would follow from: not what the teacher is called, nor where its weights lie."""
        found = self.to_dict()
        if self.distil is not None and self.distil.teacher is not None:
            found["distil"]["teacher"] = self.distil.teacher.fingerprint
        return found

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; empty for the task's own loss alone."""
        found: dict[str, Any] = {}
        if self.distil is not None:
            found["distil"] = asdict(self.distil)
        if self.spectrum_weight:
            found["spectrum_weight"] = self.spectrum_weight
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LossSpec:
        """The inverse of ``to_dict``."""
        distil = None
        if "distil" in data:
            given = dict(data["distil"])
            teacher = given.pop("teacher")
            distil = Distil(**given, teacher=TeacherName(**teacher) if teacher else None)
        return cls(distil, float(data.get("spectrum_weight", 0.0)))


def parse_weight(option: str, text: str) -> float:
    """A weight as typed.

    Raises:
        UserError: no number from 0 to ``MOST_WEIGHT``.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    check_weight(option, value, text)
    return value


def check_weight(option: str, value: float, text: str | None = None) -> None:
    if not 0 <= value <= MOST_WEIGHT:
        given = f"{value:g}" if text is None else repr(text)
        raise UserError(f"{option} must be a number from 0 to {MOST_WEIGHT:g}, got {given}; for example 1")
