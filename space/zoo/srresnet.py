"""SRResNet (Ledig et al., CVPR 2017, arXiv 1609.04802) and its light forms (Lahiri et al., arXiv 2007.05835).

Lahiri et al. name only sizes (1.5M, 0.1M); the network with 16 blocks of 64 channels fits the first, and with LIST for
every 3x3 of the body three forms of its upsampler fit the second. Convolutions before batch norm have no bias (LIST
keeps its own, as in the authors' PyTorch code); parametric ReLUs have a slope per channel. Neither is in their count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.batch_norm import Normed
from space.layers.lightweight import List, ResampledList
from space.layers.upsamplers import STEPS, dense_step, depthwise_step
from space.zoo.counting_rule import CONVOLUTION_WEIGHTS
from space.zoo.published_network import PublishedNetwork
from space.zoo.sources import LAHIRI


@dataclass(frozen=True, slots=True)
class SrresnetSettings:
    """``light`` puts LIST in place of the body's 3x3 convolutions; ``upsampler`` is a key of ``STEP_KINDS``."""

    width: int = 64
    blocks: int = 16
    light: bool = False
    upsampler: str = "dense"


def _bilinear_list_step(in_channels: int, width: int, factor: int) -> nn.Module:
    """Bilinear resize, then LIST."""
    return ResampledList(in_channels, width, factor)


def _list_step(in_channels: int, width: int, factor: int) -> nn.Module:
    """LIST in place of the 3x3 convolution, and pixel shuffle."""
    return nn.Sequential(List(in_channels, width * factor**2), nn.PixelShuffle(factor))


STEP_KINDS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "dense": dense_step,
    "depthwise": depthwise_step,
    "list": _list_step,
    "bilinear-list": _bilinear_list_step,
}


def normed(width: int, light: bool) -> Normed:
    """A 3x3 convolution, dense or LIST, and batch norm."""
    return Normed(List(width, width) if light else nn.Conv2d(width, width, 3, padding=1, bias=False), width)


class _SrresnetBlock(nn.Module):
    """Convolution, norm, parametric ReLU, convolution, norm, plus input. `(N, width, H, W)` to the same."""

    def __init__(self, width: int, light: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(normed(width, light), nn.PReLU(width), normed(width, light))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Srresnet(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`.

    Raises:
        UserError: the upsampler is unknown.
    """

    def __init__(self, shape: IOShape, settings: SrresnetSettings) -> None:
        super().__init__()
        if settings.upsampler not in STEP_KINDS:
            raise UserError(f"unknown SRResNet upsampler {settings.upsampler!r}; known: {', '.join(STEP_KINDS)}")
        width, light = settings.width, settings.light
        step = STEP_KINDS[settings.upsampler]
        self.stem = nn.Sequential(nn.Conv2d(shape.in_channels, width, 9, padding=4), nn.PReLU(width))
        self.blocks = nn.Sequential(*(_SrresnetBlock(width, light) for _ in range(settings.blocks)))
        self.smooth = normed(width, light)
        self.steps = nn.Sequential(
            *(nn.Sequential(step(width, width, factor), nn.PReLU(width)) for factor in STEPS[shape.scale])
        )
        self.last = nn.Conv2d(width, shape.out_channels, 9, padding=4)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        return self.last(self.steps(self.smooth(self.blocks(features)) + features))


LIGHT = "only a size of 0.1M is published; identified by count: SRResNet with LIST for every 3x3 of its body, and "


def _entry(name: str, title: str, upsampler: str, light: bool = True, note: str = "") -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "sr",
        Architecture(IOShape(3, 3, 4), "srresnet", SrresnetSettings(light=light, upsampler=upsampler)),
        LAHIRI if light else "Ledig et al., arXiv 1609.04802",
        module=Srresnet,
        counting_rule=CONVOLUTION_WEIGHTS,
        approximation=light,
        note=note,
    )


NETWORKS = (
    _entry("srresnet", "SRResNet", "dense", light=False),
    _entry(
        "srresnet-lite",
        "SRResNet-LIST (bilinear + LIST upsampler)",
        "bilinear-list",
        note=LIGHT + "bilinear resize and LIST twice as its upsampler",
    ),
    _entry(
        "srresnet-lite-subpixel",
        "SRResNet-LIST (LIST sub-pixel upsampler)",
        "list",
        note=LIGHT + "LIST and pixel shuffle twice as its upsampler",
    ),
    _entry(
        "srresnet-lite-depthwise",
        "SRResNet-LIST (depthwise-separable sub-pixel upsampler)",
        "depthwise",
        note=LIGHT + "depthwise-separable sub-pixel convolutions, of which the paper warns, as its upsampler",
    ),
    _entry(
        "srresnet-lite-dense",
        "SRResNet-LIST (dense sub-pixel upsampler)",
        "dense",
        note="SRResNet with LIST for every 3x3 of the body and its own upsampler: larger than the 0.1M that is "
        "published",
    ),
)
