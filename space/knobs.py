"""Knobs are data: what a search may turn, the values, when each one matters, and which paper it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from space.architecture import IOShape
from space.errors import UserError

Value = int | float | str
Condition = Mapping[str, tuple[Value, ...]]  # by the names of knobs, the values that they may have

SLWSR = "s-LWSR (Li et al., arXiv 1909.10774)"
MALLE_SOURCE = "MalleConv (Jiang et al., arXiv 2201.00392)"
MALLE_PORT = "unofficial port of MalleNet (Jensen-JZ/MalleNet-PyTorch)"
DEBLUR = "progressive residual deblurring (JEIT210298)"
FAN = "Feature-Align network (Young et al., arXiv 2103.01524)"
FAN_CODE = "re-implementation of its block (yifanlu0227/HEAL)"
LAHIRI = "lightweight modules (Lahiri et al., arXiv 2007.05835)"
SMFANET = "SMFANet (Zheng et al., ECCV 2024)"
VSCINET = "VSCINet (NTIRE 2026 efficient super-resolution)"
ZENOSR = "ZenoSR (NTIRE 2026 efficient super-resolution, team 4)"
SPAN = "SPAN (Wan et al., arXiv 2311.12770)"
SPANV2 = "SPANV2 (NTIRE 2026 efficient super-resolution, team 22)"
ECBSR = "ECBSR (Zhang et al., ACM MM 2021)"


def is_met(condition: Condition, chosen: Mapping[str, Value]) -> bool:
    for name, allowed in condition.items():  # noqa: SIM110  # a generator takes twice the time, millions of times
        if chosen.get(name) not in allowed:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Knob:
    """One choice of a search space.

    ``when`` maps earlier knobs to the values for which this one changes the network; a knob whose condition does not
    hold is not sampled. ``same_size`` overrides the values for networks whose output is as large as their input; () if
    the knob changes nothing there. ``masked`` adds values for networks whose last input channel is a mask of holes.
    ``default`` is the value of choices without the knob: for a knob added after stored runs and published
    configurations, the value that changes nothing. ``elastic``: networks that differ in it alone can do their work
    with the same weights, but for a small part of them (``space.weight_bank.families``).
    """

    name: str
    values: tuple[Value, ...]
    meaning: str
    source: str
    when: Condition = field(default_factory=dict)
    same_size: tuple[Value, ...] | None = None
    masked: tuple[Value, ...] = ()
    default: Value | None = None
    elastic: bool = False

    def applies(self, chosen: Mapping[str, Value]) -> bool:
        return is_met(self.when, chosen)

    def at_shape(self, shape: IOShape) -> Knob | None:
        """This knob for networks of ``shape``; None if it changes nothing there."""
        values = self.values if shape.scale > 1 or self.same_size is None else self.same_size
        if shape.masked:
            values += self.masked
        return replace(self, values=values) if values else None

    @property
    def step(self) -> int | float | None:
        """The constant distance between numeric values; None if they are names or unevenly spaced."""
        numbers = [value for value in self.values if not isinstance(value, str)]
        gaps = {after - before for before, after in pairwise(numbers)}
        return gaps.pop() if len(gaps) == 1 and len(numbers) == len(self.values) else None


# Knobs that mean the same for every residual trunk.

WIDTH = Knob("width", tuple(range(8, 65, 4)), "feature channels", f"{SLWSR} table II: 16, 32, 64", elastic=True)
RECURSION = Knob("recursion", (1, 2, 3, 4), "times the blocks are applied with shared weights", f"{DEBLUR} table 3")
RESIDUAL_SCALE = Knob(
    "residual_scale",
    (0.1, 0.5, 1.0),
    "factor on every block's residual branch",
    f"{SLWSR} equation 1 (alpha); EDSR uses 0.1 for wide networks",
)

# Not of a backbone but of what is searched for: offered where the noise has a range of known levels.
SPECIALISTS = Knob(
    "specialists",
    (1, 2, 3, 4),
    "networks that share the range of noise levels, an equal part each; all are stored, one runs for a picture",
    f"{FAN}, which does not say how many",
    default=1,
)


def active(knobs: tuple[Knob, ...], chosen: Mapping[str, Value]) -> Iterator[Knob]:
    """The knobs that apply given those ``chosen`` so far; lazy, so that a caller may choose while iterating."""
    return (knob for knob in knobs if knob.applies(chosen))


def complete(knobs: tuple[Knob, ...], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """``chosen``, completed with the defaults of missing knobs that apply and have one.

    Raises:
        UserError: a choice is missing, unknown or off the grid; the message names the first knob at fault, the rule
            and the value.
    """
    completed = dict(chosen)
    names = set()
    for knob in active(knobs, completed):
        name = knob.name
        if name not in completed:
            if knob.default is None:
                raise UserError(f"knob {name!r} is missing; its values: {', '.join(map(str, knob.values))}")
            completed[name] = knob.default
        elif completed[name] not in knob.values:
            known = ", ".join(map(str, knob.values))
            raise UserError(f"{name} must be one of {known}, got {completed[name]!r}")
        names.add(name)
    for name in completed:
        if name not in names:
            offered = ", ".join(knob.name for knob in active(knobs, completed))
            raise UserError(f"knob {name!r} does not apply here; these do: {offered}")
    return completed
