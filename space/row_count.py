"""How many different rows of blocks there are: combinatorics in place of listing them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from space.blocks.block import BlockSpec
from space.knobs import Value

Flags: TypeAlias = tuple[bool, ...]
"""Of the places of one kind in a row, whether the block there is without its activation."""


class Choice:
    """Blocks of which one stands in all places of its kind, with its activation or without."""

    def __init__(self, specs: Iterable[BlockSpec]) -> None:
        self.specs = frozenset(specs)
        linear = {spec: spec.linear() for spec in self.specs}
        self._changing = sum(spec != without for spec, without in linear.items())
        # Without their activations different blocks may be the same one, which may be a choice of its own as well.
        without = frozenset(linear.values())
        self._members = Counter(
            (spec in self.specs, spec in without, linear.get(spec) == spec) for spec in self.specs | without
        )

    def alternatives(self, patterns: Sequence[Flags]) -> Counter[frozenset[int]]:
        """How many different fillings of the places there are, by the indices of the ``patterns`` that give them."""
        if not patterns[0]:
            return Counter({frozenset(range(len(patterns))): 1})
        found: Counter[frozenset[int]] = Counter()
        for (is_with, is_without, is_either), number in self._members.items():
            given = (
                index
                for index, flags in enumerate(patterns)
                if (is_without if all(flags) else is_with if not any(flags) else is_either)
            )
            found[frozenset(given)] += number
        for mixed in {flags for flags in patterns if any(flags) and not all(flags)}:
            found[frozenset(index for index, flags in enumerate(patterns) if flags == mixed)] += self._changing
        return found


@dataclass(frozen=True, slots=True)
class RowKinds:
    """What a row may consist of: blocks of one choice, and of another one in some of their places.

    Attributes:
        second: of the kind ``second_kind``, which no block of ``first`` is.
        example: values of knobs that give one of each; both change without their activations, if any of theirs do.
    """

    first: Choice
    second: Choice
    second_kind: str
    example: Mapping[str, Value]

    def count(self, examples: Iterable[tuple[BlockSpec, ...]]) -> int:
        """How many different rows there are with the patterns of ``examples``, all rows of the blocks of ``example``.

        A row shows where its blocks of the second kind are. With these places given, both kinds are chosen apart but
        for one thing: a pattern says of both which are without activation.
        """
        patterns: dict[Flags, list[tuple[Flags, Flags]]] = {}
        for row in examples:
            places = tuple(bool(self.second.specs) and spec.kind == self.second_kind for spec in row)
            linear = {
                kind: tuple(
                    not spec.activated for spec, is_second in zip(row, places, strict=True) if is_second == kind
                )
                for kind in (False, True)
            }
            patterns.setdefault(places, []).append((linear[False], linear[True]))
        total = 0
        for both in patterns.values():
            firsts = self.first.alternatives([flags for flags, _ in both])
            seconds = self.second.alternatives([flags for _, flags in both])
            total += sum(
                number * other
                for (given, number), (also, other) in product(firsts.items(), seconds.items())
                if given & also
            )
        return total
