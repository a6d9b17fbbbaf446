"""One configuration of a paper: the architecture, where it comes from, and how the paper counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from space.architecture import Architecture


@dataclass(frozen=True, slots=True)
class CountingRule:
    """How a paper counts its multiply-adds: ``macs(params, input_width_px, input_height_px)``."""

    name: str
    macs: Callable[[int, int, int], int]


PARAMS_TIMES_INPUT_PIXELS = CountingRule(
    "parameters x input pixels (s-LWSR table II)", lambda params, width_px, height_px: params * width_px * height_px
)


@dataclass(frozen=True)
class Paper:
    """A published configuration that can be built.

    ``knobs`` holds its place in the search space (with ``backbone``), as far as it has one. ``reproducible`` is
    False where the paper does not say enough: the architecture is then the nearest build and ``note`` says why.
    ``title`` is the name in the published tables (``space.papers.published``).
    """

    name: str
    title: str
    task: str
    architecture: Architecture
    source: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    counting_rule: CountingRule | None = None
    reproducible: bool = True
    note: str = ""

    def at_scale(self, scale: int) -> Architecture:
        """The same design for another upscaling factor."""
        return replace(self.architecture, shape=replace(self.architecture.shape, scale=scale))


def with_input_skip(arch: Architecture, mode: str = "bicubic") -> Architecture:
    """``arch`` with the resized input added to its output, so that it starts from what it is given."""
    return replace(arch, settings=replace(arch.settings, input_skip=mode))
