"""One published network: its architecture, source, the paper's counting rule, and reported results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from space.architecture import Architecture
from space.errors import UserError
from space.zoo.counting_rule import CountingRule
from space.zoo.measured_result import MeasuredResult
from space.zoo.published_result import PublishedResult
from space.zoo.released_layout import ReleasedLayout


@dataclass(frozen=True)
class PublishedNetwork:
    """A published configuration that can be built.

    Args:
        name: the name on the command line.
        title: the name in published tables (``PublishedResult.network``).
        module: the class that builds it from shape and settings, for a network that is not searched; its
            ``architecture.backbone`` is then a name of the zoo. None for a point in the space of a backbone.
        knobs: its point in the search space (with ``backbone``), if it has one.
        counting_rule: the paper's own, if it differs from ours.
        approximation: the paper does not fully specify its network; ``note`` states what is missing or chosen.
        runs_with_search: whether it is a fixed trial of every search whose task, channels and budget it fits: the
            networks of the five papers, one form of each. Others run if ``--networks`` names them.
        layouts: how files of released weights name its parameters.
        results: results reported by its authors and others, also under the titles of its forms and ablations.
        measured: what its authors' weights give here, on datasets for which nobody reports a figure.
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
    measured: tuple[MeasuredResult, ...] = ()
    note: str = ""

    def at_scale(self, scale: int) -> Architecture:
        """The same design for another upscaling factor."""
        return replace(self.architecture, shape=replace(self.architecture.shape, scale=scale))


@dataclass(frozen=True, slots=True)
class OwnNetwork:
    """A network that is not searched: ``settings`` (a frozen dataclass), and the class ``network`` that builds it."""

    network: type[nn.Module]
    settings: type

    def assemble(self, arch: Architecture, make: Callable[..., nn.Module]) -> nn.Module:
        """Build the network as a single part, since the search does not need its structure to cost it."""
        return make(self.network, arch.shape, arch.settings)


def with_input_skip(arch: Architecture, mode: str | None = None) -> Architecture:
    """``arch`` with its input added to its output, so that it starts from its input.

    ``mode`` is the kind of ``InputSkip``; None means bicubic if the output is larger, else the input unchanged.
    """
    mode = mode or ("bicubic" if arch.shape.scale > 1 else "identity")
    if arch.ends is None:
        raise UserError(f"an input skip is for networks of a backbone, got {arch.backbone}")
    return arch.with_ends(input_skip=mode)
