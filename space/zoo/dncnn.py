"""DnCNN (Zhang et al., TIP 2017, arXiv 1608.03981) and its light form by LIST layers (Lahiri et al., arXiv 2007.05835).

A chain of 3x3 convolutions predicts the noise, which is subtracted from the image; all but the first and the last are
followed by batch norm. Layers and counts are those of two codes: `avisekiit/TCSVT-LightWeight-CNNs` has no biases
beside LIST's own, `cszn/KAIR` has them everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.batch_norm import Normed
from space.layers.lightweight import List
from space.layers.protocols import ResidualEnd
from space.zoo.counting_rule import TRAINING_FORM
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import ON_GREY, ON_RGB, Size, reported
from space.zoo.released_layout import ReleasedLayout
from space.zoo.sources import DPIR_COLOUR, DPIR_GREY, KAIR_DNCNN, LAHIRI_CODE, PARAMS_COUNTED


@dataclass(frozen=True, slots=True)
class DnCnnSettings:
    """``layers`` counts all convolutions. ``middle`` is what all but the first and last are: ``dense`` or ``list``.

    ``bias`` gives the 3x3 convolutions biases; LIST always has its own.
    """

    width: int
    layers: int
    middle: str
    bias: bool

    def __post_init__(self) -> None:
        if self.middle not in ("dense", "list"):
            raise UserError(f"middle layers of DnCNN must be dense or list, got {self.middle!r}")
        if self.layers < 3:
            raise UserError(f"DnCNN needs at least 3 layers, got {self.layers}")


class DnCnn(nn.Module, ResidualEnd):
    """`(N, in, H, W)` to the same shape: the noisy image minus the predicted noise, images in [0, 1]."""

    def __init__(self, shape: IOShape, settings: DnCnnSettings) -> None:
        super().__init__()
        width, bias = settings.width, settings.bias
        self.first = nn.Conv2d(shape.in_channels, width, 3, padding=1, bias=bias)
        self.middle = nn.ModuleList(
            Normed(
                List(width, width) if settings.middle == "list" else nn.Conv2d(width, width, 3, padding=1, bias=bias),
                width,
            )
            for _ in range(settings.layers - 2)
        )
        self.last = nn.Conv2d(width, shape.out_channels, 3, padding=1, bias=bias)

    @property
    def residual_end(self) -> nn.Conv2d:
        """The last convolution, which gives the change of the image."""
        return self.last

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.first(image))
        for layer in self.middle:
            x = F.relu(layer(x))
        return image - self.last(x)


def _dncnn_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """The first convolution, the middle ones and the last one of `network_dncnn.py`, class DnCNN."""
    middle = entry.architecture.settings.layers - 2
    names = {f"middle.{index}.layer": f"model.{2 * index + 2}" for index in range(middle)}
    return {"first": "model.0", **names, "last": f"model.{2 * middle + 2}"}


def _dncnn_norm_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """`models.py`, class DnCNN of SaoYan: convolution, batch norm and ReLU in one `Sequential`, no biases."""
    middle = entry.architecture.settings.layers - 2
    names = {}
    for index in range(middle):
        names[f"middle.{index}.layer"] = f"dncnn.{3 * index + 2}"
        names[f"middle.{index}.norm"] = f"dncnn.{3 * index + 3}"
    return {"first": "dncnn.0", **names, "last": f"dncnn.{3 * middle + 2}"}


# Batch norm is folded in KAIR's files: convolution i is `model.{2 i}`, with a ReLU between each two.
KAIR = ReleasedLayout(_dncnn_names, KAIR_DNCNN, folded=True, form="17 or 20 layers with biases, batch norm folded")
SAOYAN = ReleasedLayout(
    _dncnn_norm_names, "SaoYan/DnCNN-PyTorch, models.py", form="17 layers without biases, with batch norm"
)
# KAIR's file has biases at both ends, which the network of the lightweight-modules paper has not.
KAIR_OF_S = replace(KAIR, network="dncnn-s")
GREY, COLOUR = IOShape(1, 1), IOShape(3, 3)
README = "cszn/DnCNN, README"
RESULTS = (
    *reported(
        "DnCNN-S",
        "denoise",
        README,
        {("BSD68", "15"): 31.73, ("BSD68", "25"): 29.23, ("BSD68", "50"): 26.23},
        Size(555_137),
        metric=ON_GREY,
        note=PARAMS_COUNTED,
    ),
    *reported(
        "DnCNN-B",
        "denoise",
        README,
        {("BSD68", "15"): 31.61, ("BSD68", "25"): 29.16, ("BSD68", "50"): 26.23},
        Size(665_921),
        metric=ON_GREY,
        note=PARAMS_COUNTED,
    ),
    *reported(
        "DnCNN-S",
        "denoise",
        DPIR_GREY,
        {
            ("Set12", "15"): 32.86,
            ("Set12", "25"): 30.44,
            ("Set12", "50"): 27.18,
            ("BSD68", "15"): 31.73,
            ("BSD68", "25"): 29.23,
            ("BSD68", "50"): 26.23,
        },
        Size(555_137),
        metric=ON_GREY,
        is_own=False,
        note="printed as DnCNN; params counted from its code",
    ),
    *reported(
        "DnCNN (color)",
        "denoise",
        DPIR_COLOUR,
        {
            ("CBSD68", "15"): 33.9,
            ("CBSD68", "25"): 31.24,
            ("CBSD68", "50"): 27.95,
            ("Kodak24", "15"): 34.6,
            ("Kodak24", "25"): 32.14,
            ("Kodak24", "50"): 28.95,
            ("McMaster", "15"): 33.45,
            ("McMaster", "25"): 31.52,
            ("McMaster", "50"): 28.62,
        },
        Size(668_227),
        metric=ON_RGB,
        is_own=False,
        note=PARAMS_COUNTED,
    ),
)


def _lahiri(
    name: str, title: str, shape: IOShape, middle: str, layouts: tuple[ReleasedLayout, ...] = ()
) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "denoise",
        Architecture(shape, "dncnn", DnCnnSettings(64, 17, middle, bias=False)),
        LAHIRI_CODE,
        module=DnCnn,
        counting_rule=TRAINING_FORM,
        runs_with_search=middle == "list",
        layouts=layouts,
        note="no biases but LIST's own; the paper's counts include batch norm",
    )


def _original(name: str, title: str, shape: IOShape, layers: int, note: str) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "denoise",
        Architecture(shape, "dncnn", DnCnnSettings(64, layers, "dense", bias=True)),
        f"Zhang et al., arXiv 1608.03981; {KAIR_DNCNN}",
        module=DnCnn,
        layouts=(KAIR,),
        results=tuple(result for result in RESULTS if result.network == title),
        note=note,
    )


NETWORKS = (
    _lahiri("dncnn", "DnCNN, 17 layers without biases", GREY, "dense", (SAOYAN, KAIR_OF_S)),
    _lahiri("dncnn-list", "DnCNN-LIST", GREY, "list"),
    _lahiri("dncnn-color", "DnCNN, 17 layers without biases (color)", COLOUR, "dense", (SAOYAN,)),
    _lahiri("dncnn-list-color", "DnCNN-LIST (color)", COLOUR, "list"),
    _original("dncnn-s", "DnCNN-S", GREY, 17, "one network for each noise level"),
    _original("dncnn-b", "DnCNN-B", GREY, 20, "one network for all noise levels"),
    _original("dncnn-b-color", "DnCNN (color)", COLOUR, 20, "one network for all noise levels"),
)
