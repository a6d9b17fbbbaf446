"""Pictures that int8 takes its ranges from, out of the patches that a network is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from evaluators.compression.int8.network import quantized
from evaluators.training.pool import PatchPool
from space.specialists import Specialists, networks_of

PATCHES = 16
PATCH_PX = 64  # larger than those of training, which have few flat areas; smaller where the pictures are
SEED = 0


def calibration_patches(pool: PatchPool) -> list[Tensor]:
    """``PATCHES`` inputs `(1, C, h, w)`, always the same ones of a pool."""
    side = min(PATCH_PX, int(pool.sizes.min(axis=1).max()))
    generator = np.random.default_rng(SEED)
    return [pool.sample(generator, 1, side)[0] for _ in range(PATCHES)]


def quantized_on(network: nn.Module, pools: Sequence[PatchPool], float_layers: Sequence[str] = ()) -> nn.Module:
    """``network`` in int8, its ranges from the patches that it is trained on; of specialists, each from its own."""
    each = [
        quantized(one, calibration_patches(pool), float_layers)
        for one, pool in zip(networks_of(network), pools, strict=True)
    ]
    return Specialists(each).eval() if isinstance(network, Specialists) else each[0]
