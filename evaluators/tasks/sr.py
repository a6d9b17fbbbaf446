"""Super-resolution: bicubic reduction, and PSNR on Y as in the s-LWSR, CARN and IMDN tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.images.folders import NamedImage
from evaluators.images.metrics import luma, psnr_y, ssim_y
from evaluators.images.pairs import sr_pair
from evaluators.images.resize import upscale
from evaluators.images.ycbcr import LUMA, LUMA_OFFSET, join_luma
from evaluators.tasks.rules import Pair, TaskRules


@dataclass(frozen=True)
class SuperResolution(TaskRules):
    """``channels`` "y": the network sees Y of BT.601 in 16..235 (over 255), and colour is enlarged by bicubic.

    Inputs and targets are uint8 RGB. A network of Y gives Y, rounded to 8 bits, `(H, W, 1)`. It sees the picture of a
    grey file as it is, `(h, w, 1)` in 0..255: so the published tables measure it, and so it stays comparable.
    """

    scale: int = 4

    task: ClassVar[str] = "sr"
    baseline_name: ClassVar[str] = "bicubic"

    @property
    def title(self) -> str:
        return f"sr ×{self.scale}" + (" of Y" if self.channels == "y" else "")

    @property
    def baseline_in_words(self) -> str:
        return self.baseline_name

    @property
    def published_set(self) -> str:
        return "Set5"

    @property
    def metric_name(self) -> str:
        return "PSNR on Y"

    @property
    def metric_rule(self) -> str:
        return f"PSNR on Y, {self.scale} px shaved"

    def stored(self, image: NamedImage) -> tuple[np.ndarray, np.ndarray]:
        return sr_pair(image.pixels, self.scale)

    def finish_patches(self, low: Tensor, high: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        return (_luma(low), _luma(high)) if self.channels == "y" else (low, high)

    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        pixels = image.pixels[..., :1] if self.channels == "y" and image.grey else image.pixels
        return Pair(image.name, *sr_pair(pixels, self.scale), image.grey)

    def network_input(self, low: np.ndarray) -> np.ndarray:
        if self.channels == "y" and low.shape[2] == 3:
            return (luma(low) / 255).astype(np.float32)[..., None]
        return super().network_input(low)

    def baseline(self, low: np.ndarray) -> np.ndarray:
        return upscale(low, self.scale)

    def psnr_db(self, output: np.ndarray, pair: Pair) -> float:
        return float(psnr_y(*_measured(output, pair), self.scale))

    def ssim(self, output: np.ndarray, pair: Pair) -> float:
        return float(ssim_y(*_measured(output, pair), self.scale))

    @property
    def shows_input(self) -> bool:
        return True

    @property
    def picture_note(self) -> str:
        colour = " The networks restore Y; colour is enlarged by bicubic." if self.channels == "y" else ""
        return f"PSNR is on Y, for the window and for the picture in all.{colour}"

    def window_db(self, picture: np.ndarray, truth: np.ndarray) -> float:
        return float(psnr_y(picture, truth, 0))

    @property
    def input_note(self) -> str:
        return f"{self.scale}× smaller"

    def picture(self, output: np.ndarray, pair: Pair) -> np.ndarray:
        if output.shape[2] == 1 and pair.low.shape[2] == 3:
            return join_luma(output[..., 0], self.baseline(pair.low))
        return super().picture(output, pair)

    def input_picture(self, pair: Pair) -> np.ndarray:
        return super().picture(pair.low.repeat(self.scale, axis=0).repeat(self.scale, axis=1), pair)


def _measured(output: np.ndarray, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Output and target as the metrics take them.

    A grey picture is measured as it is, without the 16..235 range of Y: the published tables agree only so.
    """
    if output.shape[2] == 1:
        return output[..., 0], pair.high[..., 0] if pair.high.shape[2] == 1 else luma(pair.high)
    if pair.grey:
        return output.mean(axis=2).round(), pair.high[..., 0]
    return output, pair.high


def _luma(rgb: Tensor) -> Tensor:
    """Y / 255 `(N, 1, h, w)` of RGB in [0, 1]."""
    weights = torch.tensor(LUMA, dtype=rgb.dtype).view(1, 3, 1, 1) / 255
    return (rgb * weights).sum(1, keepdim=True) + LUMA_OFFSET / 255


RULES = SuperResolution
