"""Deblurring: photographs blurred by a shaken camera with mild noise, or pairs such as GoPro's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from evaluators.images.folders import NamedImage
from evaluators.images.shake import POSES, camera_path, margin, shake
from evaluators.tasks.contracts import Degrade, Measure, Show
from evaluators.tasks.options import range_text, read_choice, read_range
from evaluators.tasks.pair import Pair
from evaluators.tasks.randomness import image_seed, normal_like
from evaluators.tasks.rules import TaskRules
from evaluators.training.plan import TrainingPlan

BLURS = ("both", "uniform", "shake")
LONGEST_PX = float(POSES)  # of a path without gaps between its poses


@dataclass(frozen=True)
class Deblur(TaskRules):
    """``blur``: "uniform", "shake" (spatially varying) or "both", half of the pictures each.

    ``extent`` is the range of the path's length in pixels: where 1,280 of them span 65 degrees, a turn of 0.1 degrees
    is about 2. ``sigma`` is the noise's standard deviation, of 255. Inputs and targets are uint8 RGB: what a camera
    saves is rounded. PSNR is on RGB, peak 255, as in the GoPro tables.
    """

    blur: str = "both"
    extent: tuple[float, float] = (2.0, 5.0)
    sigma: tuple[float, float] = (1.0, 1.0)

    task: ClassVar[str] = "deblur"
    option_readers: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "blur": partial(read_choice, option="--blur", choices=BLURS),
        "extent": partial(read_range, option="--extent", low=1.0, high=LONGEST_PX, example="2-5"),
        "sigma": partial(read_range, option="--sigma", low=0.0, high=255.0, example="1"),
    }

    @property
    def title(self) -> str:
        kinds = {"both": "uniform and shake", "uniform": "uniform", "shake": "shake"}[self.blur]
        made = f"{kinds} {range_text(self.extent)} px, σ {range_text(self.sigma)}"
        return f"deblur {self._degradation(made)}"

    @property
    def degrade(self) -> Degrade[Deblur]:
        return _Degrade(self)

    @property
    def measure(self) -> Measure[Deblur]:
        return _Measure(self)

    @property
    def show(self) -> Show[Deblur]:
        return Show(self)


class _Degrade(Degrade["Deblur"]):
    @property
    def has_pairs(self) -> bool:
        return True

    @property
    def margin_px(self) -> int:
        # A path's farthest point from its mean is less than its extent away; shifts are up to 0.7 of it beside turns.
        return math.ceil(1.7 * self._rules.extent[1])

    @property
    def plan(self) -> TrainingPlan:
        """Many small patches, each of another picture's path.

        Measured with ``plain`` (16 channels, 8 blocks, 40 thousand parameters), dB above the blurred input on the
        halved photographs after 100, 200 and 400 steps (4, 8 and 15 s), paths of 3 to 7 px: 32 patches of 16x16 0.49,
        0.89 and 0.93, 8 of 32x32 0.41, 0.37 and 0.74, 4 of 48x48 0.34, 0.47 and 0.57, 2 of 64x64 0.16, 0.30 and 0.41.
        Rates of 1e-3 and 4e-3 (48x48) are ties or worse: 0.69 and 0.54 after 400 steps, 0.25 and 0.19 after 100. With
        paths of 2 to 5 px 1.08, 1.29 and 1.44, and 8 of 32x32 0.68, 0.93 and 1.18.
        """
        return TrainingPlan()

    def stored(self, image: NamedImage) -> tuple[np.ndarray, np.ndarray]:
        blurred, sharp = self._blurred(image, image_seed(image.name, "training blur") % 2)
        return blurred.round().clip(0, 255).astype(np.uint8), sharp

    def finish_patches(self, degraded: Tensor, target: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        sigma = float(generator.uniform(*self._rules.sigma)) / 255
        return degraded + sigma * normal_like(generator, degraded), target

    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        blurred, sharp = self._blurred(image, index % 2)
        generator = np.random.default_rng(image_seed(image.name, "noise", self._rules.sigma))
        noisy = blurred + generator.uniform(*self._rules.sigma) * generator.standard_normal(blurred.shape)
        return Pair(image.name, noisy.round().clip(0, 255).astype(np.uint8), sharp, image.grey)

    def _blurred(self, image: NamedImage, second_kind: int) -> tuple[np.ndarray, np.ndarray]:
        """The blurred picture, float32 in 0..255, and the sharp one, both without what the path would see outside."""
        pixels = image.pixels
        height, width = pixels.shape[:2]
        generator = np.random.default_rng(image_seed(image.name, "path", self._rules.blur, *self._rules.extent))
        extent = generator.uniform(*self._rules.extent)
        turns = self._rules.blur == "shake" or (self._rules.blur == "both" and bool(second_kind))
        path = camera_path(generator, extent, turns, float(np.hypot(height, width)) / 2)
        edge = margin(path, height, width)
        return shake(pixels, path, edge), np.ascontiguousarray(pixels[edge : height - edge, edge : width - edge])


class _Measure(Measure["Deblur"]):
    baseline_name = "blurred input"

    @property
    def metric_name(self) -> str:
        return "PSNR on RGB"

    @property
    def published_set(self) -> str:
        return "GoPro"

    def baseline(self, degraded: np.ndarray) -> np.ndarray:
        return degraded


RULES = Deblur
