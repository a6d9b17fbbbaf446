"""From knobs to an architecture, and from an architecture to a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from space.architecture import Architecture, EndsSpec, IOShape, from_dict, widths_from
from space.assembly import assemble, backbone, built_by
from space.channels.widths import narrow_to_widths
from space.layers.protocols import ResidualEnd, StartsItself
from space.parts import construct
from space.specialists import Specialists


def architecture(shape: IOShape, backbone_name: str, knobs: Mapping[str, Any]) -> Architecture:
    """The architecture that ``knobs`` describe; every knob that applies and has no default must be given, and no other.

    Raises:
        UserError: a knob is missing, unknown or off its values.
    """
    return backbone(backbone_name).architecture(shape, knobs)


def architecture_from_dict(data: Mapping[str, Any]) -> Architecture:
    """The inverse of ``Architecture.to_dict``.

    Raises:
        UserError: an unknown backbone, or a field that is missing or unknown.
    """
    settings: Any = from_dict(data["settings"], built_by(data["backbone"]).settings)
    ends = from_dict(data["ends"], EndsSpec) if "ends" in data else None
    widths = widths_from(data["widths"]) if "widths" in data else ()
    return Architecture(from_dict(data["shape"], IOShape), data["backbone"], settings, ends, widths)


def build(arch: Architecture, generator: torch.Generator | None = None) -> nn.Module:
    """Build the network of ``arch``, initialised from ``generator`` (torch's default generator if None).

    Returns an ordinary ``nn.Module`` from `(N, in, H, W)` to `(N, out, scale*H, scale*W)`, float32, images in [0, 1].
    With an input skip, the last convolution (``residual_end``) starts at zero, so that the network starts as its skip.
    Several specialists are returned as a ``Specialists`` of such networks with different weights.

    >>> import space, torch
    >>> network = space.build(space.PAPERS["s-lwsr16"].architecture)
    >>> network(torch.rand(1, 3, 24, 32)).shape
    torch.Size([1, 3, 96, 128])
    """
    networks = [assemble(arch, construct) for _ in range(arch.shape.specialists)]
    for network in networks:
        if arch.widths:
            narrow_to_widths(network, arch)
        initialise(network, generator)
    return Specialists(networks) if len(networks) > 1 else networks[0]


@torch.no_grad()
def initialise(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Initialise weights from ``generator``: uniform within 1/sqrt(fan in), torch's default for these layers.

    Fixed weights keep their values, a part that ``StartsItself`` adjusts its own, and a ``ResidualEnd`` becomes zero.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.weight.requires_grad:
            if module.weight.is_meta:
                continue
            bound = 1 / math.sqrt(module.weight[0].numel())
            module.weight.uniform_(-bound, bound, generator=generator)
            if module.bias is not None:
                module.bias.uniform_(-bound, bound, generator=generator)
    for module in network.modules():
        if isinstance(module, StartsItself):
            module.reset()
    end = network.residual_end if isinstance(network, ResidualEnd) else None
    for parameter in end.parameters() if end is not None else ():
        parameter.zero_()
