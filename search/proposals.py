"""From Optuna's suggestions to trials worth training: exact costs first, over-budget ones and repeats turned away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from evaluators.costs import Costs, architecture_costs
from evaluators.quantities import quantity
from search.budget import Budget
from search.latency import load_used
from search.neighbours import neighbours, starts
from search.records import SEARCHED, RunSettings, TrialRecord
from search.study import Proposal, Study
from search.within import Screen, fitted
from space.architecture import Architecture, IOShape
from space.build import architecture, backbone
from space.errors import UserError
from space.knobs import Knob, active
from space.papers import PAPERS, with_input_skip
from space.sample import random_knobs
from space.tasks import Task

SKIP_SUFFIX = "+skip"  # a paper's network with our bicubic input skip, so that it starts from its input
CLOSED_UNTRAINED = ("over-budget", "duplicate")
ATTEMPTS = 400  # proposals in a row that may be turned away before the space counts as exhausted
WALKS_IN_VAIN = 8  # walks from proposals into the budget, in one search for a trial, that may find nothing new


def fixed_trials(task: Task, settings: RunSettings, budget: Budget) -> Iterator[TrialRecord]:
    """The papers' networks that fit channels and budget, and those that the run names, if they fit the budget.

    Each is there as published and, if it has the setting and no skip, with ours. One that a latency table of the run
    cannot price is there as "failed", with the reason.
    """
    for paper in PAPERS.values():
        arch = paper.at_scale(settings.scale)
        fits = paper.task == task.name and arch.shape == settings.rules.shape  # not grey for colour, say
        if not fits or not (paper.runs_with_search or paper.name in settings.networks):
            continue
        forms = [(paper.name, arch, paper.knobs)]
        if getattr(arch.settings, "input_skip", "") == "none":
            skipping = with_input_skip(arch)
            knobs = {**paper.knobs, "input_skip": skipping.settings.input_skip}
            forms.append((paper.name + SKIP_SUFFIX, skipping, knobs))
        for source, network, knobs in forms:
            costs, problem = _price(network, settings)
            nearest = not paper.reproducible
            if problem is not None:
                yield TrialRecord(
                    -1, source, "failed", network, dict(knobs), costs, reason=problem, nearest_build=nearest
                )
            elif budget.allows(costs):
                yield TrialRecord(-1, source, "running", network, dict(knobs), costs, nearest_build=nearest)


def family(source: str) -> str:
    """The published network that a fixed trial is a form of."""
    return source.removesuffix(SKIP_SUFFIX)


def prepare_fixed(study: Study, task: Task, budget: Budget) -> None:
    """Queue the fixed trials that the storage does not have yet, narrow networks first, and then where a search starts.

    One that a kill caught between the queue and its training is written down once more.
    """
    for record in list(study.records.values()):
        if record.is_fixed and record.status == "running" and not record.rungs:
            _start_fixed(study, task, budget, study.interrupted(record.trial))
    known, shape = study.sources(), study.settings.shape
    trials = sorted(fixed_trials(task, study.settings, budget), key=_narrow_first)
    for record in trials:
        if record.source not in known:
            study.enqueue(record, _parameters(task, shape, record.knobs))
    if not (study.noted("neighbours_queued") or study.noted("starts_queued")):
        for knobs in _first_points(trials, task, study.settings, budget):
            study.enqueue_knobs(_parameters(task, shape, knobs))
        study.note("starts_queued", True)


def _first_points(
    trials: Sequence[TrialRecord], task: Task, settings: RunSettings, budget: Budget
) -> list[dict[str, object]]:
    """Sets of knobs that are trained before the sampler proposes any.

    Neighbours of the widest fixed trial that has knobs and starts from its input. A published network is known to be
    good; a nearest build is not, so that its neighbours take turns with small networks of every backbone. Without
    either these come first, then the neighbours of one of them.
    """
    shape = settings.shape
    origins = [
        record
        for record in trials
        if record.status != "failed"
        and "backbone" in record.knobs
        and getattr(record.architecture.settings, "input_skip", "") != "none"
    ]
    # The widest that fits, in the first of its forms: the point nearest to what the budget can carry.
    origin = max(origins, key=_narrow_first, default=None)
    if origin is not None and not origin.nearest_build:
        return neighbours(origin, settings, shape, budget)
    first = starts(task.backbones, settings, budget)
    if origin is not None:
        turns = zip_longest(first, neighbours(origin, settings, shape, budget))
        return [knobs for turn in turns for knobs in turn if knobs is not None]
    middle = sorted(first, key=lambda knobs: abs(first.index(knobs) - len(first) // 2))
    origin = next((r for r in (_searched(-1, knobs, settings) for knobs in middle) if r.status != "failed"), None)
    return first if origin is None else [*first, *neighbours(origin, settings, shape, budget)]


def _narrow_first(record: TrialRecord) -> tuple[int, int]:
    """Those without knobs first, by parameters; then by width."""
    width = getattr(record.architecture.settings, "width", None)
    return (width, 0) if "backbone" in record.knobs and isinstance(width, int) else (0, record.costs.params)


def next_trial(study: Study, task: Task, budget: Budget) -> TrialRecord | None:
    """The next trial to train: a queued fixed one, else the sampler's next proposal that fits the budget and is new.

    A proposal over the budget is told as such, and a network near it that fits is queued to come next
    (``search.within``). Returns None when ``ATTEMPTS`` proposals in a row were turned away.
    """
    settings = study.settings
    known = {
        record.architecture.key: record for record in study.records.values() if record.status not in CLOSED_UNTRAINED
    }
    screen, walks = Screen(settings, budget), WALKS_IN_VAIN
    for _ in range(ATTEMPTS):
        proposal = study.ask()
        if proposal.fixed_record is not None:
            record = _start_fixed(study, task, budget, proposal)
            if record.status == "failed":
                continue
            return record
        record = _choose(proposal, task, settings)
        if record.status == "failed":
            study.reject(record, budget)
            continue
        broken = budget.broken(record.costs)
        same = known.get(record.architecture.key)
        if broken:
            over = ", ".join(f"{quantity(limit.quantity).exact_text(record.costs)} > {limit.text}" for limit in broken)
            if walks:
                walks -= not _queue_near(study, task, record, screen, known)
            study.reject(replace(record, status="over-budget", reason=over), budget)
        elif same is not None:
            study.reject(replace(record, status="duplicate", reason=f"the same network as trial {same.trial}"), budget)
        else:
            study.start(record, budget)
            return record
    return None


def _queue_near(
    study: Study, task: Task, record: TrialRecord, screen: Screen, known: Mapping[str, TrialRecord]
) -> bool:
    """Queue a new network near ``record`` that fits the budget, or one of another backbone where none of its own does;
    whether there was one."""
    own, shape = str(record.knobs["backbone"]), study.settings.shape
    generator = np.random.default_rng((study.settings.seed, record.trial))
    others = [name for name in generator.permutation(task.backbones).tolist() if name != own]
    for name in (own, *others):
        wanted = record.knobs if name == own else random_knobs(shape, name, generator)
        knobs = {knob: value for knob, value in wanted.items() if knob != "backbone"}
        near = fitted(name, knobs, screen, generator, known.keys())
        if near is not None:
            study.enqueue_knobs(_parameters(task, shape, {"backbone": name, **near}))
            return True
    return False


def _start_fixed(study: Study, task: Task, budget: Budget, proposal: Proposal) -> TrialRecord:
    """Write down a paper's trial; those of its knobs that lie on the grid become Optuna's parameters."""
    record = TrialRecord.from_dict({**proposal.fixed_record, "trial": proposal.number})
    shape = study.settings.shape
    parameters = _parameters(task, shape, record.knobs)
    for parameter in (_backbone_knob(task), *_own_parameters(task, shape, record.knobs)):
        if parameter.name in parameters:
            proposal.choose(parameter)
    if record.status == "failed":
        study.reject(record, budget)
    else:
        study.start(record, budget)
    return record


def _choose(proposal: Proposal, task: Task, settings: RunSettings) -> TrialRecord:
    name = str(proposal.choose(_backbone_knob(task)))
    knobs: dict[str, object] = {}
    shape = settings.shape
    for knob in active(backbone(name).knobs_for(shape), knobs):
        knobs[knob.name] = proposal.choose(_parameter(task, shape, name, knob))
    return _searched(proposal.number, {"backbone": name, **knobs}, settings)


def _searched(number: int, knobs: Mapping[str, object], settings: RunSettings) -> TrialRecord:
    """A trial of the search space at ``knobs``, which name the backbone; "failed" where it cannot be priced."""
    values = {name: value for name, value in knobs.items() if name != "backbone"}
    arch = architecture(settings.shape, str(knobs["backbone"]), values)
    costs, problem = _price(arch, settings)
    status = "running" if problem is None else "failed"
    return TrialRecord(number, SEARCHED, status, arch, dict(knobs), costs, reason=problem)


def _price(arch: Architecture, settings: RunSettings) -> tuple[Costs, str | None]:
    """Costs with the milliseconds that the run asks for; without them, and why, where a table cannot price ``arch``."""
    tables = load_used(settings.tables)
    try:
        return architecture_costs(arch, settings.input_size, tables), None
    except UserError as error:
        return architecture_costs(arch, settings.input_size), str(error)


def _parameter(task: Task, shape: IOShape, family: str, knob: Knob) -> Knob:
    """``knob`` of the backbone ``family`` under the name of its Optuna parameter.

    Backbones share the parameter of a knob that has the same values in them. Optuna wants one set of values per name,
    so a knob whose values differ from those of the first backbone that has it is called ``family.knob``.
    """
    for name in task.backbones:
        for other in backbone(name).knobs_for(shape):
            if other.name == knob.name:
                return knob if other.values == knob.values else replace(knob, name=f"{family}.{knob.name}")
    return knob


def _own_parameters(task: Task, shape: IOShape, knobs: Mapping[str, object]) -> tuple[Knob, ...]:
    """The parameters of all knobs of the backbone that ``knobs`` name; none where they name none."""
    if "backbone" not in knobs:
        return ()
    family = str(knobs["backbone"])
    return tuple(_parameter(task, shape, family, knob) for knob in backbone(family).knobs_for(shape))


def _parameters(task: Task, shape: IOShape, knobs: Mapping[str, object]) -> dict[str, object]:
    """By the name of its parameter, each value of ``knobs`` that lies on its grid."""
    values = {}
    for parameter in (_backbone_knob(task), *_own_parameters(task, shape, knobs)):
        value = knobs.get(parameter.name.rpartition(".")[2])
        if value in parameter.values:
            values[parameter.name] = value
    return values


def _backbone_knob(task: Task) -> Knob:
    return Knob("backbone", task.backbones, "family of networks", "ours")
