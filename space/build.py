"""From knobs to an architecture, and from an architecture to a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from space import knobs as knob_rules
from space.architecture import Architecture, IOShape, from_dict
from space.backbones import BACKBONES, Backbone
from space.blocks.feature_align import ArBlock
from space.blocks.foldable import Foldable
from space.blocks.image_ends import MeanShift
from space.errors import UserError
from space.references import REFERENCES, Reference
from space.references.etds import Etds
from space.specialists import Specialists


def backbone(name: str) -> Backbone:
    """The backbone called ``name``, which has knobs and can be searched.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in BACKBONES:
        raise UserError(f"unknown backbone {name!r}; known: {', '.join(BACKBONES)}")
    return BACKBONES[name]


def _family(name: str) -> Backbone | Reference:
    """The backbone or reference network called ``name``."""
    return REFERENCES[name] if name in REFERENCES else backbone(name)


def architecture(shape: IOShape, backbone_name: str, knobs: Mapping[str, Any]) -> Architecture:
    """The architecture that ``knobs`` describe; every knob that applies and has no default must be given, and no other.

    Raises:
        UserError: a knob is missing, unknown or off its values.
    """
    family = backbone(backbone_name)
    knobs = knob_rules.complete(family.knobs_for(shape), knobs)
    knob_rules.check(family.knobs_for(shape), knobs)
    shape = replace(shape, specialists=knobs.get("specialists", 1), masked=False)
    return Architecture(shape, backbone_name, family.settings_from_knobs(knobs))


def architecture_from_dict(data: Mapping[str, Any]) -> Architecture:
    """The inverse of ``Architecture.to_dict``.

    Raises:
        UserError: an unknown backbone, or a field that is missing or unknown.
    """
    family = _family(data["backbone"])
    return Architecture(
        from_dict(data["shape"], IOShape), data["backbone"], from_dict(data["settings"], family.settings)
    )


def construct(factory: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
    """Make a part for real."""
    return factory(*args, **options)


def assemble(arch: Architecture, make: Callable[..., nn.Module]) -> nn.Module:
    """The network of ``arch`` out of parts from ``make`` (see ``space.operators.screen``); of specialists, one."""
    if arch.backbone in REFERENCES:
        return make(REFERENCES[arch.backbone].network, arch.shape, arch.settings)
    return backbone(arch.backbone).network(arch.shape, arch.settings, make)


def build(arch: Architecture, generator: torch.Generator | None = None) -> nn.Module:
    """The network of ``arch``, freshly initialised from ``generator`` (torch's default one if None).

    An ordinary ``nn.Module`` from `(N, in, H, W)` to `(N, out, scale*H, scale*W)`, float32, images in [0, 1].
    A network that adds to its input starts as that input: its last convolution (``residual_end``) is zero.
    Specialists are a ``Specialists`` of such networks, which differ in their weights.

    >>> import space, torch
    >>> network = space.build(space.PAPERS["s-lwsr16"].architecture)
    >>> network(torch.rand(1, 3, 24, 32)).shape
    torch.Size([1, 3, 96, 128])
    """
    networks = [assemble(arch, construct) for _ in range(arch.shape.specialists)]
    for network in networks:
        initialise(network, generator)
    return Specialists(networks) if len(networks) > 1 else networks[0]


@torch.no_grad()
def initialise(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw weights from ``generator``: uniform within 1/sqrt(fan in), torch's own range for these layers.

    AR blocks, which stand in a row without skips, widen it (``ArBlock.keep_spread``); ETDS's stream of colours starts
    as the identity (``Etds.reset``).
    """
    for module in network.modules():
        if isinstance(module, MeanShift):
            module.reset()
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and not module.weight.is_meta:
            bound = 1 / math.sqrt(module.weight[0].numel())
            module.weight.uniform_(-bound, bound, generator=generator)
            if module.bias is not None:
                module.bias.uniform_(-bound, bound, generator=generator)
    for module in network.modules():
        if isinstance(module, ArBlock):
            module.keep_spread()
        elif isinstance(module, Etds):
            module.reset()
    end = getattr(network, "residual_end", None)
    for parameter in end.parameters() if end is not None else ():
        parameter.zero_()


def deploy_form(network: nn.Module) -> nn.Module:
    """Fold in place what inference does not need as an operator of its own; the network computes the same."""
    for module in network.modules():
        if isinstance(module, Foldable):
            module.fold()
    return network
