"""How much each layer's int8 costs, and which few layers are worth keeping in float."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evaluators.compression.int8.network import Int8Network, placed_like
from evaluators.compression.int8.points import layers_of
from space.errors import UserError


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Of one layer, the path of a module: PSNR (peak 1) to the float network where it alone computes in int8; infinite
    where that changes nothing."""

    layer: str
    psnr_to_float_db: float


def sensitivities(network: Int8Network, images: Sequence[Tensor]) -> tuple[Sensitivity, ...]:
    """Of every layer with weights, the most sensitive first, on ``images`` `(1, C, h, w)`.

    A pass over the images a layer: give a few small ones.
    """
    layers = layers_of(network.network, tuple(images[0].shape))
    images = [placed_like(network, image) for image in images]
    with torch.no_grad():
        wanted = [network.network(image) for image in images]
        found = [Sensitivity(layer, _psnr(_alone(network, layer, layers), images, wanted)) for layer in layers]
    return tuple(sorted(found, key=lambda each: each.psnr_to_float_db))


def most_sensitive(network: nn.Module, count: int, images: Sequence[Tensor]) -> tuple[str, ...]:
    """The ``count`` layers whose int8 costs the most; all of a network with fewer.

    Raises:
        UserError: ``count`` is negative, or ``network`` is several specialists, whose layers are not the same.
    """
    if count < 0:
        raise UserError(f"the number of layers to keep in float must be 0 or more, got {count}; try 2")
    if count == 0:
        return ()
    if not isinstance(network, Int8Network):
        raise UserError(
            "layers are kept in float of one network, got specialists, whose sensitive layers differ; use 0"
        )
    return tuple(each.layer for each in sensitivities(network, images)[:count])


def _alone(network: Int8Network, layer: str, layers: Sequence[str]) -> Int8Network:
    return network.with_float([each for each in layers if each != layer])


def _psnr(network: nn.Module, images: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    squares = [float((network(image) - target).square().mean()) for image, target in zip(images, wanted, strict=True)]
    mean = sum(squares) / len(squares)
    return math.inf if mean == 0 else -10 * math.log10(mean)
