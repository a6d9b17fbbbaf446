"""One real training step before anything begins: what this machine cannot do in bfloat16 is found in a second or two.

A missing operator, a library that lacks a kernel, a value that overflows, an instruction that the processor lacks:
whatever it is, training goes on in float32, with one line for the user and a note in the record.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from evaluators.costs import architecture_costs
from evaluators.data import pools_of, training_pool
from evaluators.images.folders import NamedImage
from evaluators.tasks import TaskRules
from evaluators.training.precision import Precision
from evaluators.training.trainer import Trainer
from search.candidates.fixed_trials import fixed_trials
from search.experiments.trainables import Trainable, built
from search.records import RunSettings
from search.request.budget import Budget
from search.request.tables import load_used
from search.workers.failures import death
from space.architecture import Architecture
from space.errors import UserError
from space.knobs import Value
from space.search_space import BACKBONE, Parameter, SearchSpace
from space.specialists import networks_of
from space.tasks import Task

BATCH = 2  # images of the step: enough for every operator, and cheap
RANDOM_DESIGNS = 40  # of which the widest within the budget is tried
LONGEST_S = 300  # for the steps in a process of their own, its start included, on a machine that does much else
CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from search.sessions.first_step import survive; survive()"
)

_survived: set[str] = set()  # formats in which steps were made on this processor without the process dying


def designs(task: Task, settings: RunSettings, budget: Budget) -> tuple[Architecture, ...]:
    """The narrowest design of every backbone, the widest of some within the budget, and both ends of the papers'."""
    space = SearchSpace(task, settings.rules.shape)
    chosen = [_narrowest(space, name) for name in task.backbones]
    tables, generator = load_used(settings.tables), np.random.default_rng(settings.seed)
    drawn = []
    for _ in range(RANDOM_DESIGNS):
        arch = space.decode(space.random(generator))
        try:
            costs = architecture_costs(arch, settings.input_size, tables)
        except UserError:
            continue  # a table cannot price it
        if budget.allows(costs):
            drawn.append((arch.settings.width, costs.params, arch))
    chosen += [max(drawn, key=lambda each: each[:2])[-1]] if drawn else []
    trials = fixed_trials(task, settings, budget)
    papers = sorted((each for each in trials if each.status != "failed"), key=lambda record: record.costs.params)
    chosen += [papers[0].architecture, papers[-1].architecture] if papers else []
    return tuple(dict.fromkeys(chosen))


def _narrowest(space: SearchSpace, name: str) -> Architecture:
    """The first value of every knob, with the last, most particular way to add the input to the output."""

    def choose(parameter: Parameter) -> Value:
        return parameter.values[-1 if parameter.key == "input_skip" else 0]

    return space.decode(space.fill(choose, {BACKBONE: name}))


def tried(precision: Precision, networks: Iterable[tuple[Trainable, TaskRules]]) -> tuple[Precision, str | None]:
    """``precision`` if a step of each of ``networks`` succeeds in it, else float32 and the line that says why.

    What fails in float32 too is not a matter of precision and is left to those who train; in float32 alone nothing is
    tried, for there is nothing to fall back to.
    """
    if precision.autocast is None:
        return precision, None
    networks = tuple(networks)
    died = _death(precision, networks)
    if died is not None:
        if _death(precision.in_float32("to compare"), networks) is not None:
            return precision, None
        failed = f"a process that made first steps in {precision.autocast} ended ({died})"
        return precision.in_float32(failed), f"training in float32: {failed}"
    for network, rules in networks:
        reason = _failure(precision, network, rules)
        if reason is not None and _failure(precision.in_float32("to compare"), network, rules) is None:
            name = network.backbone if isinstance(network, Architecture) else network.spec
            failed = f"a first step of {name} in {precision.autocast} failed ({reason})"
            return precision.in_float32(failed), f"training in float32: {failed}"
    return precision, None


def _death(precision: Precision, networks: Sequence[tuple[Trainable, TaskRules]]) -> str | None:
    """How a process of its own ends that makes the steps, where it does not come to their end; None where it does.

    An instruction that the processor lacks, or a library that crashes, ends the whole process and is no exception. It
    is looked for on a CPU, and once for each format.
    """
    if not networks or precision.device != "cpu" or str(precision.autocast) in _survived:
        return None
    paths = json.dumps([path for path in sys.path if isinstance(path, str)])
    command = [sys.executable, "-P", "-c", CHILD, paths]
    try:
        done = subprocess.run(
            command,
            input=pickle.dumps((precision, networks)),
            timeout=LONGEST_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {LONGEST_S} s"
    if done.returncode:
        return death(done.returncode)
    _survived.add(str(precision.autocast))
    return None


def survive() -> None:
    """In a process of its own: the steps that its input names; exceptions are told apart elsewhere."""
    precision, networks = pickle.load(sys.stdin.buffer)
    for network, rules in networks:
        _failure(precision, network, rules)


def _failure(precision: Precision, network: Trainable, rules: TaskRules) -> str | None:
    """Type and first line of what one step raises, of whatever kind and library it is."""
    try:
        _step(precision, network, rules)
    except Exception as error:
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}".rstrip(": ")
    return None


def _step(precision: Precision, trainable: Trainable, rules: TaskRules) -> None:
    plan = replace(rules.degrade.plan, batch=BATCH)
    side_px = (plan.patch_px + 2) * rules.degrade.pixels_per_patch_pixel + 2 * rules.degrade.margin_px
    ramp = np.linspace(0, 255, side_px)
    pixels = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], ramp[::-1, None]), axis=2).astype(np.uint8)
    network = built(trainable, 0)
    pools = pools_of(training_pool((NamedImage("ramp", pixels),), rules), rules, len(networks_of(network)))
    Trainer(network, pools, plan, precision, seed=0, loss=rules.measure.loss).train_to(len(pools))
