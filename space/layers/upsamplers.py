"""Upsamplers: from `(N, C, H, W)` features to the `(N, out, scale*H, scale*W)` image.

Each one owns its convolutions, its pixel shuffles and the last convolution (``last``, which the input skip starts at
zero). Scales 2, 4 and 8 are reached in steps of 2, scale 3 in one step, scale 1 needs no step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from space.architecture import UpsamplerSpec
from space.errors import UserError
from space.layers.lightweight import ResampledList

STEPS = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
GROUPS = 4  # of the grouped upsampler, as in CARN-M (Ahn et al. 2018)


class _Stepwise(nn.Module):
    """One ``step(in_channels, width, factor)`` per factor of the scale, then a 3x3 convolution to the image."""

    def __init__(
        self, step: Callable[[int, int, int], nn.Module], in_channels: int, width: int, out_channels: int, scale: int
    ) -> None:
        super().__init__()
        channels = (in_channels, *(width for _ in STEPS[scale]))
        self.steps = nn.Sequential(*(step(channels[index], width, factor) for index, factor in enumerate(STEPS[scale])))
        self.last = nn.Conv2d(channels[-1], out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.steps(x))


def dense_step(in_channels: int, width: int, factor: int) -> nn.Module:
    """conv3x3 and pixel shuffle (Shi et al. 2016): the released s-LWSR tail."""
    return nn.Sequential(nn.Conv2d(in_channels, width * factor**2, 3, padding=1), nn.PixelShuffle(factor))


def depthwise_step(in_channels: int, width: int, factor: int) -> nn.Module:
    """Depthwise 3x3 and 1x1 instead of the dense 3x3; Lahiri et al. report it as harmful."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels),
        nn.Conv2d(in_channels, width * factor**2, 1),
        nn.PixelShuffle(factor),
    )


def _grouped_step(in_channels: int, width: int, factor: int) -> nn.Module:
    """conv3x3 in four groups and pixel shuffle (CARN-M, without its ReLU)."""
    if in_channels % GROUPS or width % GROUPS:
        raise UserError(f"the grouped upsampler needs channels in multiples of {GROUPS}, got {in_channels} and {width}")
    return nn.Sequential(
        nn.Conv2d(in_channels, width * factor**2, 3, padding=1, groups=GROUPS), nn.PixelShuffle(factor)
    )


def _nearest_step(in_channels: int, width: int, factor: int) -> nn.Module:
    """Nearest-neighbour resize, then conv3x3 (Odena et al. 2016)."""
    return nn.Sequential(nn.Upsample(scale_factor=factor), nn.Conv2d(in_channels, width, 3, padding=1))


def _bilinear_step(in_channels: int, width: int, factor: int) -> nn.Module:
    """Bilinear resize, then conv3x3."""
    return nn.Sequential(nn.Upsample(scale_factor=factor, mode="bilinear"), nn.Conv2d(in_channels, width, 3, padding=1))


def _transposed_step(in_channels: int, width: int, factor: int) -> nn.Module:
    """A transposed convolution whose windows overlap by half where the factor is even (4x4 at 2), by two at 3 (5x5)."""
    kernel = factor + 2
    return nn.ConvTranspose2d(in_channels, width, kernel, stride=factor, padding=1)


class DenseOneStep(nn.Module):
    """One conv3x3 to ``out * scale**2`` channels and one pixel shuffle to the image (ESPCN, Shi et al. 2016)."""

    def __init__(self, in_channels: int, width: int, out_channels: int, scale: int) -> None:
        super().__init__()
        self.last = nn.Conv2d(in_channels, out_channels * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale) if scale > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.shuffle(self.last(x))


UPSAMPLERS: dict[str, Callable[..., nn.Module]] = {
    "dense-two-step": partial(_Stepwise, dense_step),
    "dense-one-step": DenseOneStep,
    "depthwise": partial(_Stepwise, depthwise_step),
    "grouped": partial(_Stepwise, _grouped_step),
    "nearest": partial(_Stepwise, _nearest_step),
    "bilinear": partial(_Stepwise, _bilinear_step),
    "bilinear-list": partial(_Stepwise, ResampledList),
    "transposed": partial(_Stepwise, _transposed_step),
}


def upsampler(spec: UpsamplerSpec, in_channels: int, out_channels: int, scale: int) -> nn.Module:
    """The upsampler that ``spec`` describes.

    Raises:
        UserError: the kind or the scale is unknown.
    """
    if spec.kind not in UPSAMPLERS:
        raise UserError(f"unknown upsampler {spec.kind!r}; known: {', '.join(UPSAMPLERS)}")
    if scale not in STEPS:
        raise UserError(f"scale must be one of {', '.join(map(str, STEPS))}, got {scale}")
    return UPSAMPLERS[spec.kind](in_channels, spec.width, out_channels, scale)
