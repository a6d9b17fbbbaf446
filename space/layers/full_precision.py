"""float32 for what a network adds to its output, where autocast computes the rest in bfloat16.

bfloat16 keeps 8 bits of a value: an image at that precision is off by up to half a grey level of 255, which no later
layer takes back, while the same relative error in a residual is nothing. Some resizes have no bfloat16 form at all.
Without autocast everything here leaves values and operators as they are, whatever their format.
"""

from __future__ import annotations

import torch
from torch import Tensor

LOW = (torch.bfloat16, torch.float16)


def autocast_runs(value: Tensor) -> bool:
    """Whether autocast lowers arithmetic on the device of ``value``; never on the meta device."""
    kind = value.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def raised(value: Tensor) -> Tensor:
    """``value`` as float32 if autocast has lowered it, else unchanged."""
    return value.float() if value.dtype in LOW and autocast_runs(value) else value
