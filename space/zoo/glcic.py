"""The completion network of GLCIC (Iizuka et al., SIGGRAPH 2017) and its light forms.

Widths as in `otenim/GLCIC-PyTorch`, with the mask as fourth input channel. Every convolution but the last is followed
by batch norm and ReLU; that port has them the other way round, which changes no count, but then the norm could not be
folded. Lahiri et al. (arXiv 2007.05835) do not name their inpainting baseline of 6.0 million parameters; this network
fits by its count, and so do its light forms, built from the modules of their TensorFlow code (norm inside).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.batch_norm import Normed
from space.layers.lightweight import Gsat, List, ResampledList
from space.layers.padding import pad_to_multiple
from space.layers.protocols import DividesSides
from space.zoo.counting_rule import CONVOLUTION_WEIGHTS
from space.zoo.published_network import PublishedNetwork
from space.zoo.sources import IDENTIFIED, LAHIRI_FIGURE

# Between the first 5x5 and the last 3x3 convolution: what, channels out, dilation.
LAYERS = (
    ("down", 128, 1),
    ("conv", 128, 1),
    ("down", 256, 1),
    ("conv", 256, 1),
    ("conv", 256, 1),
    ("dilated", 256, 2),
    ("dilated", 256, 4),
    ("dilated", 256, 8),
    ("dilated", 256, 16),
    ("conv", 256, 1),
    ("conv", 256, 1),
    ("up", 128, 1),
    ("conv", 128, 1),
    ("up", 64, 1),
    ("conv", 32, 1),
)
FIRST, LAST = 64, 32
MULTIPLE = 4  # it works at a quarter of the sides
CHOICES = {
    "convolution": ("dense", "list"),
    "dilated": ("dense", "gsat", "list"),
    "resampling": ("dense", "bilinear-list"),
}


@dataclass(frozen=True, slots=True)
class GlcicSettings:
    """What the 3x3 convolutions, the dilated ones, and the strided and transposed ones are.

    ``list`` for the dilated ones is a LIST without dilation, as its definition has none.
    """

    convolution: str
    dilated: str
    resampling: str

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise UserError(f"{name} of GLCIC must be one of {', '.join(known)}, got {getattr(self, name)!r}")


class Glcic(nn.Module, DividesSides):
    """`(N, 4, H, W)`, an RGB image in [0, 1] and the mask of the hole, to `(N, 3, H, W)` in [0, 1].

    The whole image is given out; the part outside the hole is not copied from the input. Sides that 4 does not divide
    are extended and cut again.
    """

    def __init__(self, shape: IOShape, settings: GlcicSettings) -> None:
        super().__init__()
        self.first = _normed(nn.Conv2d(shape.in_channels, FIRST, 5, padding=2))
        layers, channels = [], FIRST
        for what, width, dilation in LAYERS:
            layers.append(_layer(what, channels, width, dilation, settings))
            channels = width
        self.middle = nn.Sequential(*layers)
        self.last = nn.Conv2d(LAST, shape.out_channels, 3, padding=1)

    @property
    def multiple(self) -> int:
        return MULTIPLE

    def forward(self, image_and_mask: Tensor) -> Tensor:
        height, width = image_and_mask.shape[-2:]
        x = self.middle(self.first(pad_to_multiple(image_and_mask, MULTIPLE)))
        return torch.sigmoid(self.last(x))[..., :height, :width]


def _layer(what: str, channels: int, width: int, dilation: int, settings: GlcicSettings) -> nn.Module:
    if what == "conv" and settings.convolution == "list":
        return List(channels, width, norm=True)
    if what == "dilated" and settings.dilated == "gsat":
        return Gsat(width, dilation)
    if what == "dilated" and settings.dilated == "list":
        return List(channels, width, norm=True)
    if what in ("down", "up") and settings.resampling == "bilinear-list":
        return ResampledList(channels, width, 0.5 if what == "down" else 2, norm=True)
    if what == "up":
        return _normed(nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1))
    stride = 2 if what == "down" else 1
    return _normed(nn.Conv2d(channels, width, 3, stride, padding=dilation, dilation=dilation))


def _normed(conv: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(Normed(conv, conv.out_channels), nn.ReLU())


def _entry(name: str, title: str, settings: GlcicSettings, note: str, light: bool = True) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "inpaint",
        Architecture(IOShape(4, 3), "glcic", settings),
        LAHIRI_FIGURE if light else "Iizuka et al., SIGGRAPH 2017; otenim/GLCIC-PyTorch, models.py",
        module=Glcic,
        counting_rule=CONVOLUTION_WEIGHTS,
        approximation=light,
        runs_with_search=name == "glcic-lite",
        note=note,
    )


NETWORKS = (
    _entry(
        "glcic",
        "GLCIC completion network",
        GlcicSettings("dense", "dense", "dense"),
        "batch norm before ReLU; the port has it behind",
        light=False,
    ),
    _entry("glcic-lite", "GLCIC with LIST and GSAT", GlcicSettings("list", "gsat", "bilinear-list"), IDENTIFIED),
    _entry(
        "glcic-lite-strided",
        "GLCIC with LIST and GSAT, strided and transposed convolutions dense",
        GlcicSettings("list", "gsat", "dense"),
        f"{IDENTIFIED}, and its 1.5M do not fit the printed 0.5M",
    ),
    _entry(
        "glcic-lite-list",
        "GLCIC with LIST, also for the dilated layers",
        GlcicSettings("list", "list", "bilinear-list"),
        f"{IDENTIFIED}, and its 0.34M do not fit the printed 0.5M",
    ),
)
