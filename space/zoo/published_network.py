"""One published network: the architecture, where it comes from, how its paper counts, and what was reported for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from space.architecture import Architecture
from space.errors import UserError
from space.zoo.counting_rule import CountingRule
from space.zoo.published_result import PublishedResult
from space.zoo.released_layout import ReleasedLayout


@dataclass(frozen=True)
class PublishedNetwork:
    """A published configuration that can be built.

    Args:
        name: what a user types.
        title: the name in published tables (``PublishedResult.network``).
        module: the class that builds it from shape and settings, for a network that is not searched; the name of its
            ``architecture.backbone`` then belongs to the zoo. None for one that is a point of a backbone's space.
        knobs: its place in the search space (with ``backbone``), as far as it has one.
        counting_rule: the paper's own, where it is not ours.
        approximation: the paper does not say enough to build its network; ``note`` says what is missing or chosen.
        runs_with_search: it is a fixed trial of every search whose task, channels and budget it fits: the networks of
            the five papers, one form of each. Any other runs where ``--networks`` names it.
        layouts: how files of released weights name its parameters.
        results: what its authors and others report for it, also under titles of its own forms and ablations.
    """

    name: str
    title: str
    task: str
    architecture: Architecture
    source: str
    module: type[nn.Module] | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    counting_rule: CountingRule | None = None
    approximation: bool = False
    runs_with_search: bool = False
    layouts: tuple[ReleasedLayout, ...] = ()
    results: tuple[PublishedResult, ...] = ()
    note: str = ""

    def at_scale(self, scale: int) -> Architecture:
        """The same design for another upscaling factor."""
        return replace(self.architecture, shape=replace(self.architecture.shape, scale=scale))


@dataclass(frozen=True, slots=True)
class OwnNetwork:
    """How a network that is not searched is described (``settings``, a frozen dataclass) and built (``network``)."""

    network: type[nn.Module]
    settings: type

    def assemble(self, arch: Architecture, make: Callable[..., nn.Module]) -> nn.Module:
        """What it is made of need not be known to the search: it is costed as one part."""
        return make(self.network, arch.shape, arch.settings)


def with_input_skip(arch: Architecture, mode: str | None = None) -> Architecture:
    """``arch`` with its input added to its output, so that it starts from what it is given.

    ``mode`` is the kind of ``InputSkip``; None is bicubic where the output is larger, else the input as it is.
    """
    mode = mode or ("bicubic" if arch.shape.scale > 1 else "identity")
    if arch.ends is None:
        raise UserError(f"an input skip is for networks of a backbone, got {arch.backbone}")
    return arch.with_ends(input_skip=mode)
