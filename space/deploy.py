"""The deploy form of a network: what inference runs, and what costs are counted of."""

from __future__ import annotations

from torch import nn

from space.layers.protocols import Foldable


def deploy_form(network: nn.Module) -> nn.Module:
    """Fold, in place, every part that inference does not need as a separate operator; outputs do not change."""
    for module in network.modules():
        if isinstance(module, Foldable):
            module.fold()
    return network
