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
    rung = generation.first_rung
    name = QUEUED_NOTE + (f"_rung_{rung}" if rung else "")
    queued: list[int] = study.noted(name, [])
    known = study.sources(rung)
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
