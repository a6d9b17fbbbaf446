"""Random numbers of degradation: seeds from names, and batches of uniform and normal values."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor


def image_seed(name: str, *about: object) -> int:
    """A seed that depends on an image's name and on what is done to it, the same on every machine."""
    text = "/".join(map(str, (name, *about)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def batch_uniform(generator: np.random.Generator, low: float, high: float, count: int) -> Tensor:
    """``count`` float32 values `(N, 1, 1, 1)` between ``low`` and ``high``."""
    return torch.from_numpy(generator.uniform(low, high, (count, 1, 1, 1)).astype(np.float32))


def normal_like(generator: np.random.Generator, values: Tensor) -> Tensor:
    """Standard normal float32 noise of the shape of ``values`` `(N, C, h, w)`, in channels-last memory order."""
    count, channels, height, width = values.shape
    noise = generator.standard_normal((count, height, width, channels), dtype=np.float32)
    return torch.from_numpy(noise).permute(0, 3, 1, 2)
