"""What a run remembers of its shared weights: its families, their designs, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search.records import SharedWeights
from search.storage.study import Study
from space.architecture import Architecture
from space.build import architecture_from_dict
from space.weight_bank.families import Family

FAMILIES = "families"  # notes of a study


def families(study: Study) -> tuple[Family, ...]:
    return tuple(map(Family.from_dict, study.noted(FAMILIES, [])))


def note_families(study: Study, decided: Sequence[Family]) -> None:
    study.note(FAMILIES, [family.to_dict() for family in decided])


def designs(study: Study, family: int) -> tuple[Architecture, ...] | None:
    """On which its weights are trained; None where that is not decided."""
    noted = study.noted(f"family_{family}_designs")
    return None if noted is None else tuple(map(architecture_from_dict, noted))


def note_designs(study: Study, family: int, decided: Sequence[Architecture]) -> None:
    study.note(f"family_{family}_designs", [arch.to_dict() for arch in decided])


def outcome(study: Study, family: int) -> dict[str, Any] | None:
    """``train_s``, or why it ``failed``; None of one that is in training, or waits for it."""
    noted: dict[str, Any] | None = study.noted(f"family_{family}")
    return noted


def note_outcome(study: Study, family: int, **outcome: float | str) -> None:
    study.note(f"family_{family}", outcome)


def shared_weights(study: Study) -> tuple[SharedWeights, ...]:
    """Of all families whose training is over."""
    found = []
    for index, family in enumerate(families(study)):
        over = outcome(study, index)
        if over is not None:
            count = len(study.noted(f"family_{index}_designs", ()))
            found.append(SharedWeights(family.name, count, study.settings.rungs[0], **over))
    return tuple(found)
