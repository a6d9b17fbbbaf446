"""Groups of channels that are sure to cost multiply-accumulates, found without counting any."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import nn

from space.architecture import Architecture
from space.assembly import assemble
from space.channels.widths import architecture_channels
from space.deploy import deploy_form
from space.operators.shapes import made_on_meta
from space.parts import construct


@lru_cache(maxsize=64)
def multiplied_groups(arch: Architecture) -> frozenset[str]:
    """Groups of ``arch`` with channels in a layer that the deploy form keeps as it is: without them it is smaller.

    Of other groups nothing is said. Their layers may be folded into another that stays as large, as ECBSR's branches,
    or into one that does not, as ETDS's streams.
    """
    with made_on_meta():
        trained, deployed = assemble(arch.unpruned, construct), deploy_form(assemble(arch.unpruned, construct))
    shapes = _weights(trained)
    kept = [path for path, shape in _weights(deployed).items() if shapes.get(path) == shape]
    channels = architecture_channels(arch.unpruned)
    axes = [axis for path in kept for axis in channels.axes[path] if axis is not None]
    units = np.concatenate(axes) if axes else np.empty(0, int)
    # All units of a group are in the same places.
    return frozenset(name for name, group in channels.groups.items() if group.units[0] in units)


def _weights(network: nn.Module) -> dict[str, torch.Size]:
    """The shapes of the weights that are multiplied with values, by name."""
    layers = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    return {
        f"{path}.weight" if path else "weight": module.weight.shape
        for path, module in network.named_modules()
        if isinstance(module, layers)
    }
