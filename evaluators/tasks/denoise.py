"""Denoising of additive white Gaussian noise, grey or colour; or of whatever noise a folder of pairs holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.images.folders import NamedImage
from evaluators.images.metrics import psnr, ssim_of_planes
from evaluators.images.ycbcr import grey
from evaluators.tasks.rules import (
    VALIDATION,
    Pair,
    TaskRules,
    batch_uniform,
    image_seed,
    normal_like,
    range_text,
    read_range,
)
from evaluators.training.plan import TrainingPlan


@dataclass(frozen=True)
class Denoise(TaskRules):
    """``sigma`` is the range of the noise's standard deviation, of 255; a range of some width is blind denoising.

    Noise is neither clipped nor rounded, as in the papers' tables (DnCNN, FFDNet): inputs are float32, ``low`` in
    [0, 1] with noise beyond, targets uint8. PSNR is over all channels, peak 255, of the 8-bit output: RGB for colour,
    the grey picture for grey. Of a range, validation pictures take levels spread evenly over it. With ``channels``
    "colour-noise-map" or "grey-noise-map" denoising is not blind: the last channel of an input is sigma / 255, known
    without error (FFDNet, section 3.2). Pictures that a user gives with their noise have no known level and no map.
    """

    sigma: tuple[float, float] = (25.0, 25.0)

    task: ClassVar[str] = "denoise"
    baseline_name: ClassVar[str] = "noisy input"
    option_readers: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "sigma": partial(read_range, option="--sigma", low=0.0, high=255.0, example="25 or 0-50")
    }

    @property
    def title(self) -> str:
        kinds = " grey" * self.is_grey + ", noise map" * self.has_map
        return f"denoise {self._degradation(f'σ {range_text(self.sigma)}')}{kinds}"

    @property
    def is_grey(self) -> bool:
        return self.shape.out_channels == 1

    @property
    def has_map(self) -> bool:
        """Whether a network is told the noise level."""
        return self.shape.in_channels > self.shape.out_channels

    @property
    def has_pairs(self) -> bool:
        return not self.has_map

    @property
    def published_set(self) -> str:
        return "BSD68" if self.channels == "grey" else "CBSD68"

    @property
    def published_level(self) -> str | None:
        low, high = self.sigma
        return f"{low:g}" if low == high and VALIDATION not in self.given else None

    @property
    def metric_name(self) -> str:
        return "PSNR on grey" if self.is_grey else "PSNR on RGB"

    @property
    def plan(self) -> TrainingPlan:
        """As many pixels as the 32 patches of 16x16 of super-resolution.

        Measured with ``plain`` (16 channels, 8 blocks, 40 thousand parameters) at sigma 25, dB above the noisy input on
        the halved photographs after 100 and 200 steps (5 and 9 s): 8 patches of 32x32 7.79 and 8.78, 32 of 16x16 7.65
        and 8.85, which is as good.
        """
        return TrainingPlan(batch=8, patch_px=32)

    def from_rgb(self, pixels: np.ndarray, grey_file: bool = False) -> np.ndarray:
        if not self.is_grey:
            return pixels
        return pixels[..., :1] if grey_file else grey(pixels)

    def divided(self, count: int) -> tuple[Denoise, ...]:
        """Even in sigma."""
        if self.sigma[0] == self.sigma[1]:
            return ()
        return tuple(replace(self, sigma=part) for part in pairwise(np.linspace(*self.sigma, count + 1).tolist()))

    def stored(self, image: NamedImage) -> tuple[None, np.ndarray]:
        return None, self.from_rgb(image.pixels, image.grey)

    def finish_patches(self, low: Tensor, high: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        sigma = batch_uniform(generator, *self.sigma, len(high)) / 255
        noisy = high + sigma * normal_like(generator, high)
        if self.has_map:
            noisy = torch.cat([noisy, sigma.expand(-1, 1, *high.shape[2:])], dim=1)
            noisy = noisy.contiguous(memory_format=torch.channels_last)
        return noisy, high

    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        high = self.from_rgb(image.pixels, image.grey)
        low, top = self.sigma
        level = (index + 0.5) / count
        sigma = low + (top - low) * level
        # The same noise with a map as without.
        generator = np.random.default_rng(image_seed(image.name, "noise", "grey" if self.is_grey else "colour", sigma))
        noise = generator.standard_normal(high.shape, dtype=np.float32) * np.float32(sigma / 255)
        noisy = high.astype(np.float32) / np.float32(255) + noise
        if self.has_map:
            noisy = np.concatenate([noisy, np.full_like(noisy[..., :1], sigma / 255)], axis=2)
        return Pair(image.name, noisy, high, image.grey, level=level)

    def baseline(self, low: np.ndarray) -> np.ndarray:
        picture = low[..., : self.shape.out_channels]
        return picture if picture.dtype == np.uint8 else picture * np.float32(255)

    def psnr_db(self, output: np.ndarray, pair: Pair) -> float:
        return psnr(output, pair.high)

    def ssim(self, output: np.ndarray, pair: Pair) -> float:
        return ssim_of_planes(output, pair.high)

    @property
    def input_note(self) -> str:
        return "as given" if VALIDATION in self.given else f"σ {range_text(self.sigma)}"


RULES = Denoise
