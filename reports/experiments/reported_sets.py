"""The test sets that papers report on, by their specs."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.tasks import TaskRules


@dataclass(frozen=True)
class ReportedSet:
    """A set that papers report on: its names there (grey and colour ones differ), its pictures, and what to say."""

    names: tuple[str, ...]
    images: int
    note: str = ""


# By test spec without "/HR". If the folder holds other pictures, no published figure applies.
REPORTED_SETS = {
    "Set5": ReportedSet(("Set5",), 5),
    "Set14": ReportedSet(("Set14",), 14),
    "B100": ReportedSet(("B100",), 100),
    "Urban100": ReportedSet(("Urban100",), 100),
    "Urban100_first30": ReportedSet(("Urban100",), 30, "published: all 100"),
    "Set12": ReportedSet(("Set12",), 12),
    "Kodak24": ReportedSet(("Kodak24",), 24),
    "McMaster": ReportedSet(("McMaster",), 18),
    "B100/HR@B100/cbsd68.txt": ReportedSet(("CBSD68", "BSD68"), 68),
}


def reported_set(spec: str) -> ReportedSet | None:
    return REPORTED_SETS.get(spec.removesuffix("/HR"))


def set_title(spec: str, rules: TaskRules) -> str:
    """How people call a test set: its name in the papers where it has another one there."""
    there = reported_set(spec)
    if there is None or "@" not in spec:
        return spec.removesuffix("/HR")
    return there.names[-1] if rules.shape.out_channels == 1 else there.names[0]
