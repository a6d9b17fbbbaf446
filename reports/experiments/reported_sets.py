"""The test sets that papers report on, by the words that name them here."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.tasks import TaskRules


@dataclass(frozen=True)
class ReportedSet:
    """A set that papers report on: its names there (grey and colour ones differ), its pictures, and what to say."""

    names: tuple[str, ...]
    images: int
    note: str = ""


# By the test word without "/HR". With other pictures in such a folder nothing of it was published.
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


def reported_set(word: str) -> ReportedSet | None:
    return REPORTED_SETS.get(word.removesuffix("/HR"))


def set_title(word: str, rules: TaskRules) -> str:
    """How people call a test set: its name in the papers where it has another one there."""
    there = reported_set(word)
    if there is None or "@" not in word:
        return word.removesuffix("/HR")
    return there.names[-1] if rules.shape.out_channels == 1 else there.names[0]
