"""Which families a run has: first those of published and of plain networks, then neighbours of what has shown to be
good."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from search.candidates.fixed_trials import fixed_trials
from search.candidates.initial_points import plain_point
from search.candidates.screening import Screen
from search.records import Status
from search.sharing.designs import FEWEST, can_share, largest_of
from space.knobs import SPECIALISTS, Value
from space.search_space import BACKBONE, Parameter, Values, middle
from space.weight_bank.families import Family

Held = tuple[tuple[str, Value], ...]

PLAIN_ENDS: dict[str, Value] = {"upsampler": "dense-one-step", "attention": "none"}  # the cheapest of the good ones
CHEAP_BLOCK = "inverted"
"""Of the second family of a plain backbone. By what the networks in ``reports/published/samplers/inherited.csv``
inherited, the families of s-LWSR and of plain residual networks have a front of 1.182 dB x decades; with plain inverted
networks 1.299, with plain residual networks of s-LWSR's backbone 1.186. Three further families raise 1.299 to 1.314 as
``following_family`` chooses them, to 1.306 if drawn at random (``python -m tests.benchmarks.family_choice``)."""
ATTENDED: dict[str, Value] = {"attention": "esa"}
"""Of the third: with ESA a trunk of dense residual blocks gains 0.03 dB (sr) and 0.09 dB (denoise) for 6 to 7 % more
time (``reports/published/study-blocks-sr``)."""
CHEAP_ALREADY = ("conv",)  # plain kinds of block that need no second family: one convolution alone
# What a neighbour has in common with its parent: another scale learns as much later, and a trunk that runs four times
# takes four times as long as the plan allows for a family.
KEPT = (BACKBONE, "input_skip", SPECIALISTS.name, "residual_scale", "recursion")


def first_families(screen: Screen, count: int) -> tuple[Family, ...]:
    """Up to ``count``, all different, of several networks that can share weights: those of published networks; of plain
    networks of the backbones without one, of residual blocks, of cheap ones, and with attention; and of plain ones of
    the others."""
    return tuple(islice(_published_and_plain(screen), count))


def shares_weights(screen: Screen) -> bool:
    """Whether there is a first family: several networks of a plain kind, or of a published network's, that fit the
    budget."""
    return bool(first_families(screen, 1))


def another_family(screen: Screen, known: Sequence[Family], shares: Mapping[int, float]) -> Family | None:
    """One more than ``known``: a neighbour of a trained one (``following_family``), or the next of the first ones where
    none could be trained. None if there is none."""
    if shares:
        return following_family(screen, known, shares)
    return next((each for each in first_families(screen, len(known) + 1) if each not in known), None)


def following_family(screen: Screen, known: Sequence[Family], shares: Mapping[int, float]) -> Family | None:
    """One more, which differs from one of ``known`` in one kind of part; None if there is none.

    Args:
        shares: by the number of a family, how often it is the one that the new one is a neighbour of, in proportion.
    """
    space, seen = screen.space, {family.held for family in known}
    generator = np.random.default_rng((screen.settings.seed, len(known)))
    weights = np.array(list(shares.values()), dtype=float)
    order = generator.choice(list(shares), size=len(shares), replace=False, p=weights / weights.sum())
    for index in order.tolist():
        for kinds in _turned(screen, known[index].largest(space), generator):
            family = _family(screen, kinds, {}, seen)
            if family is not None:
                return family
    return None


def _turned(screen: Screen, values: Values, generator: np.random.Generator) -> Iterator[Values]:
    """``values`` with another kind of one part, in random order."""
    own = [each for each in screen.space.of(str(values[BACKBONE])) if each.key in values]
    kinds = [each for each in own if not each.knob.elastic and each.key not in KEPT]
    for place in generator.permutation(len(kinds)).tolist():
        parameter = kinds[place]
        for index in generator.permutation(len(parameter.values)).tolist():
            value = parameter.values[index]
            if value != values[parameter.key]:
                yield screen.space.turned(values, parameter.key, value, missing=middle)


def _published_and_plain(screen: Screen) -> Iterator[Family]:
    space, generator = screen.space, np.random.default_rng(screen.settings.seed)
    seen: set[Held] = set()

    def new(kinds: Mapping[str, Value], at_least: Mapping[str, Value]) -> Iterator[Family]:
        family = _family(screen, kinds, at_least, seen)
        if family is not None:
            seen.add(family.held)
            yield family

    for record in fixed_trials(screen.task, screen.settings, screen.budget):
        if record.status != Status.FAILED and BACKBONE in record.knobs and not record.architecture.lacks_input_skip:
            numbers = {key: value for key, value in record.knobs.items() if not isinstance(value, str)}
            yield from new(record.knobs, numbers)
    published = {dict(held)[BACKBONE] for held in seen}
    for name in sorted(screen.task.backbones, key=lambda name: name in published):
        plain = {**plain_point(space, name, generator), **PLAIN_ENDS}
        yield from new(plain, {})
        if name in published or plain["block"] in CHEAP_ALREADY:
            continue
        for changed in ({"block": CHEAP_BLOCK}, ATTENDED):
            if all(_offers(space.of(name), key, value) for key, value in changed.items()):
                yield from new({**plain, **changed}, {})


def _offers(parameters: Sequence[Parameter], key: str, value: Value) -> bool:
    return any(each.key == key and value in each.values for each in parameters)


def _family(
    screen: Screen, kinds: Mapping[str, Value], at_least: Mapping[str, Value], seen: Collection[Held]
) -> Family | None:
    """That of ``kinds``, if it is not ``seen`` and has several networks that fit and can share weights."""
    largest = largest_of(screen, kinds, at_least)
    if largest is None or not can_share(screen.space.decode(largest)):
        return None
    family = Family.below(screen.space, largest)
    return family if family.held not in seen and family.size(screen.space) > FEWEST else None
