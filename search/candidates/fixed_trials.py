"""Fixed trials: published networks that are trained and plotted alongside the searched ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from search.candidates.screening import Screen
from search.records import RunSettings, TrialRecord
from search.request.budget import Budget
from search.storage.proposal import Proposal
from search.storage.study import Study
from space.architecture import Architecture
from space.knobs import Value
from space.tasks import Task
from space.zoo import ZOO, with_input_skip

SKIP_SUFFIX = "+skip"  # a published network with our bicubic input skip, so that it starts from its input


def fixed_trials(task: Task, settings: RunSettings, budget: Budget) -> Iterator[TrialRecord]:
    """The five papers' networks that fit channels and budget, and those named by the run that fit the budget.

    Each is included as published and, if it can have an input skip and has none, with ours. One that a latency table of
    the run cannot price is included as "failed", with the reason.
    """
    screen = Screen(task, settings, budget)
    for published in ZOO.values():
        arch = published.at_scale(settings.scale)
        fits = published.task == task.name and arch.shape == settings.rules.shape  # not grey for colour, say
        if not fits or not (published.runs_with_search or published.name in settings.networks):
            continue
        forms: list[tuple[str, Architecture, Mapping[str, Value]]] = [(published.name, arch, published.knobs)]
        if arch.lacks_input_skip:
            skipping = with_input_skip(arch)
            assert skipping.ends is not None  # as of every network that can have a skip
            knobs = {**published.knobs, "input_skip": skipping.ends.input_skip}
            forms.append((published.name + SKIP_SUFFIX, skipping, knobs))
        for source, network, values in forms:
            record = screen.record(-1, source, network, values, approximation=published.approximation)
            if record.status == "failed" or budget.allows(record.costs):
                yield record


def base_name(source: str) -> str:
    """The published network that a fixed trial is a form of."""
    return source.removesuffix(SKIP_SUFFIX)


def start_fixed(study: Study, screen: Screen, proposal: Proposal) -> TrialRecord:
    """Write down a queued fixed trial; those of its knobs that lie on the grid become Optuna's parameters."""
    stored = proposal.fixed_record
    assert stored is not None
    record = TrialRecord.from_dict({**stored, "trial": proposal.number})
    for parameter in screen.space.on_grid(record.knobs):
        proposal.choose(parameter)
    if record.status == "failed":
        study.reject(record, screen.budget)
    else:
        study.start(record, screen.budget)
    return record
