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
from evaluators.images.ycbcr import grey
from evaluators.tasks.contracts import Degrade, Measure, Show
from evaluators.tasks.options import range_text, read_range
from evaluators.tasks.pair import Pair
from evaluators.tasks.randomness import batch_uniform, image_seed, normal_like
from evaluators.tasks.rules import VALIDATION, TaskRules
from evaluators.training.plan import TrainingPlan


@dataclass(frozen=True)
class Denoise(TaskRules):
    """``sigma`` is the range of the noise's standard deviation, of 255; a range of some width is blind denoising.

    Noise is neither clipped nor rounded, as in the papers' tables (DnCNN, FFDNet): inputs are float32, clean values in
    [0, 1] and noise beyond, targets uint8. PSNR is over all channels, peak 255, of the 8-bit output: RGB for colour,
    the grey picture for grey. Of a range, validation pictures take levels spread evenly over it. With ``channels``
    "colour-noise-map" or "grey-noise-map" denoising is not blind: the last channel of an input is sigma / 255, known
    without error (FFDNet, section 3.2). Pictures that a user gives with their noise have no known level and no map.
    """

    sigma: tuple[float, float] = (25.0, 25.0)

    task: ClassVar[str] = "denoise"
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
    def degrade(self) -> Degrade[Denoise]:
        return _Degrade(self)

    @property
    def measure(self) -> Measure[Denoise]:
        return _Measure(self)

    @property
    def show(self) -> Show[Denoise]:
        return _Show(self)


class _Degrade(Degrade["Denoise"]):
    @property
    def has_pairs(self) -> bool:
        return not self._rules.has_map

    @property
    def plan(self) -> TrainingPlan:
        """As many pixels as the 32 patches of 16x16 of super-resolution.

        Measured with ``plain`` (16 channels, 8 blocks, 40 thousand parameters) at sigma 25, dB above the noisy input on
        the halved photographs after 100 and 200 steps (5 and 9 s): 8 patches of 32x32 7.79 and 8.78, 32 of 16x16 7.65
        and 8.85, which is as good.
        """
        return TrainingPlan(batch=8, patch_px=32)

    def from_rgb(self, pixels: np.ndarray, grey_file: bool = False) -> np.ndarray:
        if not self._rules.is_grey:
            return pixels
        return pixels[..., :1] if grey_file else grey(pixels)

    def divided(self, count: int) -> tuple[Denoise, ...]:
        """Even in sigma."""
        if self._rules.sigma[0] == self._rules.sigma[1]:
            return ()
        return tuple(
            replace(self._rules, sigma=part) for part in pairwise(np.linspace(*self._rules.sigma, count + 1).tolist())
        )

    def stored(self, image: NamedImage) -> tuple[None, np.ndarray]:
        return None, self.from_rgb(image.pixels, image.grey)

    def finish_patches(self, degraded: Tensor, target: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        sigma = batch_uniform(generator, *self._rules.sigma, len(target)) / 255
        noisy = target + sigma * normal_like(generator, target)
        if self._rules.has_map:
            noisy = torch.cat([noisy, sigma.expand(-1, 1, *target.shape[2:])], dim=1)
            noisy = noisy.contiguous(memory_format=torch.channels_last)
        return noisy, target

    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        target = self.from_rgb(image.pixels, image.grey)
        low, top = self._rules.sigma
        level = (index + 0.5) / count
        sigma = low + (top - low) * level
        # The same noise with a map as without.
        generator = np.random.default_rng(
            image_seed(image.name, "noise", "grey" if self._rules.is_grey else "colour", sigma)
        )
        noise = generator.standard_normal(target.shape, dtype=np.float32) * np.float32(sigma / 255)
        noisy = target.astype(np.float32) / np.float32(255) + noise
        if self._rules.has_map:
            noisy = np.concatenate([noisy, np.full_like(noisy[..., :1], sigma / 255)], axis=2)
        return Pair(image.name, noisy, target, image.grey, level=level)


class _Measure(Measure["Denoise"]):
    baseline_name = "noisy input"

    @property
    def metric_name(self) -> str:
        return "PSNR on grey" if self._rules.is_grey else "PSNR on RGB"

    @property
    def published_set(self) -> str:
        return "BSD68" if self._rules.channels == "grey" else "CBSD68"

    @property
    def published_level(self) -> str | None:
        low, high = self._rules.sigma
        return f"{low:g}" if low == high and VALIDATION not in self._rules.given else None

    def baseline(self, degraded: np.ndarray) -> np.ndarray:
        image = degraded[..., : self._rules.shape.out_channels]
        return image if image.dtype == np.uint8 else image * np.float32(255)


class _Show(Show["Denoise"]):
    @property
    def input_note(self) -> str:
        return "as given" if VALIDATION in self._rules.given else f"σ {range_text(self._rules.sigma)}"


RULES = Denoise
