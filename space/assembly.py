"""From an architecture to a network of parts, real ones or stand-ins for them."""

from __future__ import annotations

from torch import nn

from space.architecture import Architecture
from space.backbones import BACKBONES, Backbone
from space.errors import UserError
from space.parts import Make
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


def assemble(arch: Architecture, make: Make) -> nn.Module:
    """Build the network of ``arch`` from parts made by ``make`` (``space.operators.screen``); of specialists, one."""
    return built_by(arch.backbone).assemble(arch, make)
