"""One configuration of a paper: the architecture, where it comes from, and how the paper counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from space.architecture import Architecture
from space.errors import UserError


@dataclass(frozen=True, slots=True)
class CountingRule:
    """How a paper counts: ``macs(params, input_width_px, input_height_px)`` and ``params(network)``.

    None where the paper counts as we do: true multiply-accumulates, and everything that the deployed network stores.
    ``network`` is in its training form. ``network_macs(network, input_width_px, input_height_px)`` is for a rule that
    needs the layers; it goes before ``macs``.
    """

    name: str
    macs: Callable[[int, int, int], int] | None = None
    params: Callable[[nn.Module], int] | None = None
    network_macs: Callable[[nn.Module, int, int], int] | None = None


def convolution_weights(network: nn.Module) -> int:
    """Weights of all convolutions: no bias, no norm, no activation. Shared ones count once."""
    return sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))


def training_parameters(network: nn.Module) -> int:
    """All learned parameters of the training form, batch norm included."""
    return sum(parameter.numel() for parameter in network.parameters())


PARAMS_TIMES_INPUT_PIXELS = CountingRule(
    "multiply-adds as parameters x input pixels (s-LWSR table II)",
    macs=lambda params, width_px, height_px: params * width_px * height_px,
)
CONVOLUTION_WEIGHTS = CountingRule(
    "parameters as weights of convolutions, without bias and norm", params=convolution_weights
)
TRAINING_FORM = CountingRule("parameters of the training form, batch norm included", params=training_parameters)


@dataclass(frozen=True)
class Paper:
    """A published configuration that can be built.

    ``knobs`` holds its place in the search space (with ``backbone``), as far as it has one. ``reproducible`` is
    False where the paper does not say enough: the architecture is then the nearest build and ``note`` says why.
    ``title`` is the name in the published tables (``space.papers.published``). One that ``runs_with_search`` is a fixed
    trial of every search whose task, channels and budget it fits: the networks of the five papers, one form of each;
    any other runs where ``--networks`` names it.
    """

    name: str
    title: str
    task: str
    architecture: Architecture
    source: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    counting_rule: CountingRule | None = None
    reproducible: bool = True
    runs_with_search: bool = False
    note: str = ""

    def at_scale(self, scale: int) -> Architecture:
        """The same design for another upscaling factor."""
        return replace(self.architecture, shape=replace(self.architecture.shape, scale=scale))


def with_input_skip(arch: Architecture, mode: str | None = None) -> Architecture:
    """``arch`` with its input added to its output, so that it starts from what it is given.

    ``mode`` is the kind of ``InputSkip``; None is bicubic where the output is larger, else the input as it is.
    """
    mode = mode or ("bicubic" if arch.shape.scale > 1 else "identity")
    if arch.ends is None:
        raise UserError(f"an input skip is for networks of a backbone, got {arch.backbone}")
    return replace(arch, ends=replace(arch.ends, input_skip=mode))
