"""Images whose sides a network that works at lower resolutions cannot divide."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """`(N, C, H, W)` with the border repeated at the right and the bottom until both sides are multiples.

    An image that needs nothing is returned as it is, without an operator.
    """
    height, width = image.shape[-2:]
    right, bottom = -width % multiple, -height % multiple
    return F.pad(image, (0, right, 0, bottom), mode="replicate") if right or bottom else image
