"""From an architecture to a network of parts, real ones or stand-ins for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from space.architecture import Architecture
from space.backbones import BACKBONES, Backbone
from space.errors import UserError
from space.zoo import OWN_NETWORKS, OwnNetwork


def backbone(name: str) -> Backbone:
    """The searchable backbone called ``name``.

    Raises:
        UserError: ``name`` is unknown; the message lists the known ones.
    """
    if name not in BACKBONES:
        raise UserError(f"unknown backbone {name!r}; known: {', '.join(BACKBONES)}")
    return BACKBONES[name]


def built_by(name: str) -> Backbone | OwnNetwork:
    """What builds the architectures whose ``backbone`` is ``name``: a backbone, or a network of the zoo's own."""
    return OWN_NETWORKS.get(name) or backbone(name)


def construct(factory: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
    """Make a part for real."""
    return factory(*args, **options)


def assemble(arch: Architecture, make: Callable[..., nn.Module]) -> nn.Module:
    """Build the network of ``arch`` from parts made by ``make`` (``space.operators.screen``); of specialists, one."""
    return built_by(arch.backbone).assemble(arch, make)
