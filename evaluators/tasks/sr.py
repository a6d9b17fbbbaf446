"""Super-resolution: bicubic reduction, and PSNR on Y as in the s-LWSR, CARN and IMDN tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.images.folders import NamedImage
from evaluators.images.metrics import luma, psnr_y, ssim_y
from evaluators.images.resize import bicubic_pair, upscale
from evaluators.images.ycbcr import LUMA, LUMA_OFFSET, join_luma
from evaluators.tasks.contracts import Degrade, Measure, Show
from evaluators.tasks.pair import Pair
from evaluators.tasks.rules import TaskRules


@dataclass(frozen=True)
class SuperResolution(TaskRules):
    """``channels`` "y": the network sees Y of BT.601 in 16..235 (over 255), and colour is enlarged by bicubic.

    Inputs and targets are uint8 RGB. A network of Y gives Y, rounded to 8 bits, `(H, W, 1)`. It sees the picture of a
    grey file as it is, `(h, w, 1)` in 0..255: so the published tables measure it, and so it stays comparable.
    """

    scale: int = 4

    task: ClassVar[str] = "sr"

    @property
    def title(self) -> str:
        return f"sr ×{self.scale}" + (" of Y" if self.channels == "y" else "")

    @property
    def degrade(self) -> Degrade[SuperResolution]:
        return _Degrade(self)

    @property
    def measure(self) -> Measure[SuperResolution]:
        return _Measure(self)

    @property
    def show(self) -> Show[SuperResolution]:
        return _Show(self)


class _Degrade(Degrade["SuperResolution"]):
    def stored(self, image: NamedImage) -> tuple[np.ndarray, np.ndarray]:
        return bicubic_pair(image.pixels, self._rules.scale)

    def finish_patches(self, degraded: Tensor, target: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        return (_luma(degraded), _luma(target)) if self._rules.channels == "y" else (degraded, target)

    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        pixels = image.pixels[..., :1] if self._rules.channels == "y" and image.grey else image.pixels
        return Pair(image.name, *bicubic_pair(pixels, self._rules.scale), image.grey)

    def network_input(self, degraded: np.ndarray) -> np.ndarray:
        if self._rules.channels == "y" and degraded.shape[2] == 3:
            return (luma(degraded) / 255).astype(np.float32)[..., None]
        return super().network_input(degraded)


class _Measure(Measure["SuperResolution"]):
    baseline_name = "bicubic"

    @property
    def metric_name(self) -> str:
        return "PSNR on Y"

    @property
    def metric_rule(self) -> str:
        return f"PSNR on Y, {self._rules.scale} px shaved"

    @property
    def published_set(self) -> str:
        return "Set5"

    def baseline(self, degraded: np.ndarray) -> np.ndarray:
        return upscale(degraded, self._rules.scale)

    def psnr_db(self, output: np.ndarray, pair: Pair) -> float:
        return float(psnr_y(*_measured(output, pair), self._rules.scale))

    def ssim(self, output: np.ndarray, pair: Pair) -> float:
        return float(ssim_y(*_measured(output, pair), self._rules.scale))


class _Show(Show["SuperResolution"]):
    @property
    def baseline_in_words(self) -> str:
        return self._rules.measure.baseline_name

    @property
    def shows_input(self) -> bool:
        return True

    @property
    def input_note(self) -> str:
        return f"{self._rules.scale}× smaller"

    @property
    def picture_note(self) -> str:
        colour = " The networks restore Y; colour is enlarged by bicubic." if self._rules.channels == "y" else ""
        return f"PSNR is on Y, for the window and for the picture in all.{colour}"

    def window_db(self, picture: np.ndarray, truth: np.ndarray) -> float:
        return float(psnr_y(picture, truth, 0))

    def picture(self, output: np.ndarray, pair: Pair) -> np.ndarray:
        if output.shape[2] == 1 and pair.degraded.shape[2] == 3:
            return join_luma(output[..., 0], self._rules.measure.baseline(pair.degraded))
        return super().picture(output, pair)

    def input_picture(self, pair: Pair) -> np.ndarray:
        scale = self._rules.scale
        return super().picture(pair.degraded.repeat(scale, axis=0).repeat(scale, axis=1), pair)


def _measured(output: np.ndarray, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Output and target as the metrics take them.

    A grey picture is measured as it is, without the 16..235 range of Y: the published tables agree only so.
    """
    if output.shape[2] == 1:
        return output[..., 0], pair.target[..., 0] if pair.target.shape[2] == 1 else luma(pair.target)
    if pair.grey:
        return output.mean(axis=2).round(), pair.target[..., 0]
    return output, pair.target


def _luma(rgb: Tensor) -> Tensor:
    """Y / 255 `(N, 1, h, w)` of RGB in [0, 1]."""
    weights = torch.tensor(LUMA, dtype=rgb.dtype).view(1, 3, 1, 1) / 255
    return (rgb * weights).sum(1, keepdim=True) + LUMA_OFFSET / 255


RULES = SuperResolution
