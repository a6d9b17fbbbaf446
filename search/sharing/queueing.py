"""What a run with shared weights queues: published networks, and the designs with which a generation begins."""

from __future__ import annotations

from search.sharing.generation import Generation
from search.storage.study import Study
from space.search_space import SearchSpace

QUEUED_NOTE = "families_queued"  # of the study


def queue_alone(study: Study, generation: Generation, space: SearchSpace) -> None:
    """The published networks that are trained alone, if the storage does not have them yet."""
    known = study.sources()
    for record in generation.alone():
        if record.source not in known:
            study.enqueue(record, space.parameters_of(record.knobs))


def queue_settled(study: Study, generation: Generation, space: SearchSpace) -> None:
    """Once in a generation for each family, when it is settled: its published networks, and the designs to begin with
    (``Generation.seeds``)."""
    name, queued = _noted(study, generation)
    known = study.sources(generation.first_rung)
    for index in range(len(generation.families)):
        if index in queued or not generation.is_settled(index):
            continue
        for record in generation.papers(index):
            if record.source not in known:
                study.enqueue(record, space.parameters_of(record.knobs))
        for arch in generation.seeds(index) if generation.is_trained(index) else ():
            values = space.encode(arch)
            if values is not None:
                study.enqueue_knobs(space.parameters_of(values))
        queued = [*queued, index]
        study.note(name, queued)


def reconsider(study: Study, generation: Generation) -> None:
    """Families that an earlier session had no time for are tried again; what they begin with is not queued yet."""
    again = generation.reconsider()
    name, queued = _noted(study, generation)
    if again:
        study.note(name, [index for index in queued if index not in again])


def _noted(study: Study, generation: Generation) -> tuple[str, list[int]]:
    """The name of the note of a generation, and the families in it."""
    rung = generation.first_rung
    name = QUEUED_NOTE + (f"_rung_{rung}" if rung else "")
    return name, study.noted(name, [])
