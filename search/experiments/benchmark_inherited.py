"""``inherited.csv``: what the designs of a benchmark inherit from families, and have after a few steps more alone.

Designs of one kind (``space.weight_bank.families``) are of one family. Its largest network is as wide and as deep as
its designs are where the limits of the table allow it, and it is trained as in a run, on these designs and on others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluators import data
from evaluators.quality import evaluate
from evaluators.sharing import BankTrainer
from evaluators.training.divergence import DivergedError
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import Trainer
from search.candidates.screening import Screen
from search.environment import environment
from search.experiments.benchmark import Benchmark, checked_rows
from search.experiments.benchmark_designs import MOST_MACS, MOST_PARAMS, BenchmarkTask, Design
from search.records import RunSettings
from search.request.request import request_from_options
from search.sharing.designs import can_share, designs_of, largest_of
from search.workers.jobs import training_seed
from space.architecture import Architecture
from space.files import write_csv_atomically
from space.knobs import Value
from space.search_space import Values
from space.weight_bank.families import Family, elastic_of

INHERITED_FILE = "inherited.csv"
COLUMNS = ("name", "steps_after", "psnr_db", "seconds", "family", "shared_steps", "commit", "device", "precision")
SHARED_STEPS = 400  # of a family's training: a minute or two of a core
PLAIN, BLOCKS = "plain", "blocks"
STEPS_AFTER = (0, 50, 100)  # steps alone from what was inherited, before it is measured


@dataclass(frozen=True)
class Group:
    """The designs of a table that are of one family: of the same kinds of parts."""

    kinds: tuple[tuple[str, Value], ...]
    members: tuple[Design, ...]
    at_least: tuple[tuple[str, Value], ...]  # the largest numbers that members have

    @property
    def name(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.kinds)


def read_inherited(benchmark: Benchmark) -> list[dict[str, str]]:
    """The rows of ``inherited.csv``. Raises as ``checked_rows``."""
    own = {design.name for design in benchmark.designs}
    return checked_rows(benchmark.folder / INHERITED_FILE, COLUMNS, ("name", "steps_after"), own)


def completed_inherited(benchmark: Benchmark, precision: Precision, is_over: Callable[[], bool]) -> Iterator[str]:
    """Train the families that ``inherited.csv`` lacks and measure what their designs inherit, until ``is_over``; each
    is written down when it is done.

    A family too small to be trained, and a design that it does not cover, have no rows.
    """
    rows = read_inherited(benchmark)
    done = {row["family"] for row in rows}
    for group in groups(benchmark):
        if group.name in done or is_over():
            continue
        begun = time.perf_counter()
        try:
            found = list(_measured(benchmark, group, precision, is_over))
        except DivergedError as error:
            yield f"inherited by none of {', '.join(each.name for each in group.members)}: {error}"
            continue
        if is_over() and not found:
            return
        rows += found
        write_csv_atomically(
            benchmark.folder / INHERITED_FILE, [COLUMNS, *([row[name] for name in COLUMNS] for row in rows)]
        )
        names = ", ".join(dict.fromkeys(row["name"] for row in found)) or "nothing: no family of several networks"
        yield f"inherited by {names} ({time.perf_counter() - begun:.0f} s)"


def groups(benchmark: Benchmark) -> tuple[Group, ...]:
    """The families of a table's designs, in their order; designs that cannot share weights are in none."""
    space, found = benchmark.task.space, dict[tuple[tuple[str, Value], ...], list[tuple[Design, Values]]]()
    for design in benchmark.designs:
        point = point_of(benchmark.task, design.architecture)
        if point is not None:
            elastic = {each.key for each in elastic_of(space, point)}
            kinds = tuple((key, value) for key, value in point.items() if key not in elastic)
            found.setdefault(kinds, []).append((design, point))
    return tuple(
        Group(kinds, tuple(design for design, _ in own), _largest_numbers(kinds, [point for _, point in own]))
        for kinds, own in found.items()
    )


def _largest_numbers(kinds: tuple[tuple[str, Value], ...], points: Sequence[Values]) -> tuple[tuple[str, Value], ...]:
    held, most = dict(kinds), dict[str, Value]()
    for point in points:
        for key, value in point.items():
            if key not in held and not isinstance(value, str):
                most[key] = max(value, float(most.get(key, value)))
    return tuple(most.items())


def point_of(task: BenchmarkTask, arch: Architecture) -> Values | None:
    """The point of the search space where ``arch`` lies; None if there is none, or its weights cannot be shared. A
    plain network of fewer blocks than the space offers lies at that of the fewest, but for their number."""
    if not can_share(arch):
        return None
    values = task.space.encode(arch)
    if values is None and arch.backbone == PLAIN:
        own = arch.settings.blocks
        fewest = next(each.values[0] for each in task.space.of(PLAIN) if each.key == BLOCKS)
        repeated = replace(arch, settings=replace(arch.settings, blocks=(own * int(fewest))[: int(fewest)]))
        offered = task.space.encode(repeated)
        values = None if offered is None else {**offered, BLOCKS: len(own)}
    return values


def _measured(
    benchmark: Benchmark, group: Group, precision: Precision, is_over: Callable[[], bool]
) -> Iterator[dict[str, str]]:
    """The rows of a group's designs; none if there is no family or ``is_over`` while it is trained, and none of a
    design that it does not cover.

    Raises:
        DivergedError: a training diverges.
    """
    screen, rules = _screen(benchmark.task), benchmark.task.rules
    largest = largest_of(screen, dict(group.kinds), dict(group.at_least))
    if largest is None:
        return
    part = screen.within(Family.below(screen.space, largest).space(screen.space))
    seed = training_seed(0, group.name)
    own = [design.architecture for design in group.members]
    designs = designs_of(part, np.random.default_rng(seed), largest, own)
    if not designs:
        return
    pool = data.training_pool(data.training_images(None, rules), rules)
    pairs = data.validation_pairs(data.validation_images(None, rules), rules)

    def pools(specialists: int) -> tuple[PatchPool, ...]:
        return data.pools_of(pool, rules, specialists)

    shared = BankTrainer(designs, pools, benchmark.plan, precision, seed, rules.measure.loss)
    shared.train_to(SHARED_STEPS, should_stop=is_over)
    if shared.step < SHARED_STEPS:
        return
    bank, place = shared.averaged_bank(), environment(precision, 1, 1)
    for design in group.members:
        if not bank.covers(design.architecture):
            continue
        begun = time.perf_counter()
        network, plan = bank.network(design.architecture), benchmark.plan.after(SHARED_STEPS)
        alone = Trainer(
            network, pools(design.architecture.shape.specialists), plan, precision, seed, rules.measure.loss
        )
        for steps in STEPS_AFTER:
            alone.train_to(steps)
            psnr_db = evaluate(alone.averaged_network(), pairs, rules, precision.device).psnr_db
            yield {
                "name": design.name,
                "steps_after": str(steps),
                "psnr_db": f"{psnr_db:.5f}",
                "seconds": f"{time.perf_counter() - begun:.1f}",
                "family": group.name,
                "shared_steps": str(SHARED_STEPS),
                "commit": place["commit"],
                "device": place["device"],
                "precision": precision.name,
            }


def _screen(task: BenchmarkTask) -> Screen:
    """Of the table's limits; nothing is run."""
    budget = f"{MOST_PARAMS}-params,{MOST_MACS}-macs"
    rules = task.rules
    request = request_from_options(task=rules.task, scale=rules.scale, budget=budget)
    settings = RunSettings(
        **vars(request.wanted), train_data="", val_data="", training={}, rungs=(), environment={}, created=""
    )
    return Screen(request.task, settings, request.budget)
