"""What a run remembers of its shared weights: its families, their designs, its generations, and what became of each
family in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search.records import SharedWeights
from search.storage.note_names import GENERATIONS
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


@dataclass(frozen=True)
class Beginning:
    """Of a generation: inherited quality is measured on ``rung``, and its rungs have so many ``steps``, None of the
    first one, which is planned; ``begun_s`` is the run's time by the clock; only the ``families`` with these numbers
    are trained, all if None."""

    rung: int = 0
    steps: tuple[int, ...] | None = None
    begun_s: float = 0.0
    families: tuple[int, ...] | None = None


def beginnings(study: Study) -> tuple[Beginning, ...]:
    """Of all generations of a run, the first of which needs no note."""
    noted = study.noted(GENERATIONS, [])
    return (Beginning(), *(Beginning(rung, tuple(steps), at, tuple(members)) for rung, steps, at, members in noted))


def begin(study: Study, beginning: Beginning) -> None:
    """A new generation begins: what was measured before is not compared with what is measured now."""
    later = (*beginnings(study)[1:], beginning)
    study.note(GENERATIONS, [[each.rung, each.steps, each.begun_s, each.families] for each in later])
    study.see_generation()


def outcome(study: Study, family: int, rung: int) -> dict[str, Any] | None:
    """``train_s`` and ``steps_made``, or why it ``failed``, in the generation of ``rung``; None of one that is in
    training, or waits for it."""
    noted: dict[str, Any] | None = study.noted(_outcome_name(family, rung))
    return noted


def note_outcome(study: Study, family: int, rung: int, **outcome: float | str) -> None:
    study.note(_outcome_name(family, rung), outcome)


def forget_outcome(study: Study, family: int, rung: int) -> None:
    """It waits for its training again."""
    study.note(_outcome_name(family, rung), None)


def _outcome_name(family: int, rung: int) -> str:
    return f"family_{family}" + (f"_rung_{rung}" if rung else "")


def shared_weights(study: Study) -> tuple[SharedWeights, ...]:
    """Of all families whose training is over, one generation after the other."""
    found = []
    for begun in beginnings(study):
        for index, family in enumerate(families(study)):
            over = outcome(study, index, begun.rung)
            if over is not None:
                count = len(study.noted(f"family_{index}_designs", ()))
                shown = {name: value for name, value in over.items() if name != "steps_made"}
                found.append(SharedWeights(family.name, count, study.settings.rungs[begun.rung], **shown))
    return tuple(found)
