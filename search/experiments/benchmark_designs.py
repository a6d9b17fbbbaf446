"""Which networks the benchmark table of a task has: half of them random, half of fronts, papers and plain designs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from evaluators.costs import architecture_costs
from evaluators.tasks import TaskRules, rules_of
from search.candidates.initial_points import PLAIN
from search.experiments.front_designs import narrowed
from search.experiments.network_specs import named_architecture
from space.architecture import Architecture
from space.channels.screening import screened
from space.errors import UserError
from space.knobs import Value
from space.search_space import BACKBONE, Parameter, SearchSpace
from space.tasks import TASKS

FEWEST_PARAMS, MOST_PARAMS = 20_000, 300_000  # of a random design
MOST_MACS = 6_000_000_000  # of every design but those of ``BenchmarkTask.dearer``: 1,600 steps then take minutes
MOST_OPERATORS = 140  # of a random design, deployed: on a CPU, a step of thin layers takes as long as there are layers
DRAWS, DRAW_SEED = 4_000, 15  # random points that are screened; of those within the limits the designs are taken
NEAREST = 15  # in cost, among which the backbone decides
RESIDUAL = "residual"  # the source of plain designs


@dataclass(frozen=True)
class Design:
    """One row of the table: ``source`` is ``random``, ``residual``, ``paper``, or the published front it is from."""

    name: str
    source: str
    architecture: Architecture

    @property
    def is_random(self) -> bool:
        return self.source == "random"


@dataclass(frozen=True)
class BenchmarkTask:
    """The task of a table, and which designs it has.

    ``papers`` are specs of published networks, of which those in ``dearer`` may cost more than ``MOST_MACS``.
    ``fronts`` are members of published fronts by ``FRONT#TRIAL``, each by its backbone and the knobs that are not
    plain; ``residual`` are plain residual designs by name likewise. A plain backbone may have fewer blocks than the
    search space offers. ``rungs`` are the numbers of steps after which a training is measured, the last one its end.
    """

    rules: TaskRules
    papers: tuple[str, ...]
    fronts: Mapping[str, str]
    residual: Mapping[str, str]
    dearer: tuple[str, ...] = ()
    random: int = 21
    repeated: int = 8
    rungs: tuple[int, ...] = (100, 200, 400, 800, 1600)

    @property
    def space(self) -> SearchSpace:
        return SearchSpace(TASKS[self.rules.task], self.rules.shape)

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels at which costs are stated: the task's own."""
        return TASKS[self.rules.task].input_sizes[self.rules.scale]

    def designs(self) -> tuple[Design, ...]:
        """All designs, random and chosen ones in turn, each half in an order that is spread over its costs."""
        scale, space = self.rules.scale, self.space
        named = [Design(spec, "paper", named_architecture(spec, scale)) for spec in self.papers]
        named += [Design(name, name.split("#")[0], designed(space, text)) for name, text in self.fronts.items()]
        named += [Design(name, RESIDUAL, designed(space, text)) for name, text in self.residual.items()]
        chosen = list({each.architecture.key: each for each in reversed(named)}.values())  # the first of equal ones
        drawn = [Design(f"random-{index + 1}", "random", arch) for index, arch in enumerate(self._drawn())]
        ours, theirs = (spread(sorted(half, key=self.macs)) for half in (drawn, chosen))
        turns = zip_longest(theirs, ours)
        return tuple({each.architecture.key: each for pair in turns for each in pair if each is not None}.values())

    def macs(self, design: Design) -> int:
        return architecture_costs(design.architecture, self.input_size).macs

    def repeats(self, designs: Sequence[Design]) -> tuple[Design, ...]:
        """Those that are trained with three seeds: spread over the costs, of both halves alike, without ``dearer``."""
        found: list[Design] = []
        for is_random in (False, True):
            half = [each for each in designs if each.is_random == is_random and each.name not in self.dearer]
            half.sort(key=self.macs)
            count = min(self.repeated // 2, len(half))
            found += [half[int((place + 0.5) * len(half) / count)] for place in range(count)]
        return tuple(found)

    def _drawn(self) -> list[Architecture]:
        """Random points of the space, evenly in log MACs between the cheapest and the dearest that was drawn.

        Of the ``NEAREST`` to each wanted cost, the first of the backbone that has been taken least. Fewer than wanted
        where fewer were found within the limits.
        """
        generator, space = np.random.default_rng(DRAW_SEED), self.space
        logs: dict[Architecture, float] = {}
        for _ in range(DRAWS):
            arch = space.decode(space.random(generator))
            found = screened(arch, *self.input_size)
            fits = FEWEST_PARAMS <= found.params <= MOST_PARAMS and found.macs <= MOST_MACS
            if fits and len(found.operators) <= MOST_OPERATORS:
                logs[arch] = math.log(found.macs)
        taken = dict.fromkeys(TASKS[self.rules.task].backbones, 0)
        chosen = []
        low, high = min(logs.values(), default=0.0), max(logs.values(), default=0.0)
        for wanted in np.linspace(low, high, min(self.random, len(logs))).tolist():
            nearest = sorted(logs, key=lambda each: abs(logs[each] - wanted))[:NEAREST]
            arch = min(nearest, key=lambda each: taken[each.backbone])
            taken[arch.backbone] += 1
            chosen.append(arch)
            logs.pop(arch)
        return chosen


def designed(space: SearchSpace, text: str) -> Architecture:
    """The network of ``plain:width=8,blocks=2``; a knob that is not named is plain.

    Raises:
        UserError: a knob that is unknown or has no such value, other than fewer blocks of a plain backbone.
    """
    backbone, _, turned = text.partition(":")
    knobs = dict(part.split("=") for part in turned.split(","))
    fewer = int(knobs.pop("blocks")) if backbone == "plain" else 0
    offered = {parameter.key: parameter for parameter in space.of(backbone)}
    given: dict[str, Value] = {BACKBONE: backbone}
    for name, value in knobs.items():
        values = {str(each): each for each in offered[name].values} if name in offered else {}
        if value not in values:
            raise UserError(f"a knob of {backbone} must have one of its values, got {name}={value} in {text!r}")
        given[name] = values[value]
    if fewer:
        given["blocks"] = next(value for value in offered["blocks"].values if int(value) >= fewer)
    arch = space.decode(space.fill(_plain, given))
    if fewer in (0, given.get("blocks")):
        return arch
    return narrowed(arch, arch.settings.width, fewer)


def _plain(parameter: Parameter) -> Value:
    wanted = PLAIN.get(parameter.key, ())
    return next((value for value in wanted if value in parameter.values), parameter.values[0])


def spread(ordered: Sequence[Design]) -> list[Design]:
    """``ordered`` so that every beginning of the list is spread over it: by the bits of the place, reversed."""
    bits = max(1, (len(ordered) - 1).bit_length())
    places = (int(format(place, f"0{bits}b")[::-1], 2) for place in range(2**bits))
    return [ordered[place] for place in places if place < len(ordered)]


def _grid(backbone: str, widths: Iterable[int], knob: str, depths: Iterable[int], more: str = "") -> dict[str, str]:
    depths = tuple(depths)
    return {
        f"{backbone}-{width}x{depth}": f"{backbone}:width={width},{knob}={depth}{more}"
        for width in widths
        for depth in depths
    }


_SR, _DENOISE = "sr-x4-200k-params", "denoise-200k-params"
_ONE_STEP = ",upsampler=dense-one-step"

BENCHMARKS: dict[str, BenchmarkTask] = {
    "sr": BenchmarkTask(
        rules_of("sr", 4),
        ("s-lwsr16", "s-lwsr16+skip", "etds-m5c16", "etds-m4c32", "etds-m6c32"),
        {
            f"{_SR}#47": "plain:width=8,blocks=18,block=inverted,expansion=1,activation_kept=1/2,attention=channel,"
            "upsampler=dense-one-step,input_skip=nearest",
            f"{_SR}#50": f"plain:width=8,blocks=18,block=inverted,expansion=1,attention=both{_ONE_STEP}",
            f"{_SR}#34": "plain:width=8,blocks=14,recursion=2,block=inverted-prelu,inverted_ratio=0.75,"
            f"inverted_expansion=1,inverted_at=last,activation_kept=2/3{_ONE_STEP}",
            f"{_SR}#48": "plain:width=20,blocks=20,block=inverted,expansion=1,activation_kept=1/2,malle=tail,"
            f"malle_kernel=1,malle_pool=2,attention=both{_ONE_STEP}",
            f"{_SR}#44": f"plain:width=8,blocks=14,recursion=2,activation_kept=2/3,attention=both{_ONE_STEP}",
            f"{_SR}#6": "symmetric:width=8,blocks_per_stage=3,pool=normal,upsampler=dense-two-step",
            f"{_SR}#12": "symmetric:width=12,blocks_per_stage=3,pool=normal,upsampler=dense-two-step",
        },
        {
            **_grid("plain", (8, 16), "blocks", (2, 6, 12), _ONE_STEP),
            **_grid("plain", (24,), "blocks", (2, 6), _ONE_STEP),
        },
        dearer=("s-lwsr16", "s-lwsr16+skip"),
    ),
    "denoise": BenchmarkTask(
        rules_of("denoise", 1),
        ("dncnn-list-color", "mallenet-port-8"),
        {
            f"{_DENOISE}#1": "pyramid:width=4,levels=3,blocks_per_side=1,resample=unshuffle+bilinear",
            f"{_DENOISE}#4": "pyramid:width=8,levels=3,blocks_per_side=2,resample=unshuffle+bilinear",
            f"{_DENOISE}#6": "plain:width=12,blocks=4",
        },
        {
            **_grid("plain", (8, 12), "blocks", (2, 6)),
            **_grid("plain", (16,), "blocks", (2, 4)),
            **_grid("pyramid", (4, 8, 12, 16), "blocks_per_side", (1, 2), ",levels=3,resample=unshuffle+bilinear"),
            **_grid("encoder_decoder", (8, 16), "blocks_per_level", (1,), ",levels=3,block=residual"),
            **_grid("symmetric", (8, 12), "blocks_per_stage", (1,), ",pool=normal"),
        },
        dearer=("dncnn-list-color",),
    ),
}
