"""Inpainting: holes of known place, filled with a constant colour before the network sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.images.diffusion import diffuse
from evaluators.images.folders import NamedImage
from evaluators.images.masks import KINDS, random_mask
from evaluators.images.metrics import psnr
from evaluators.tasks.contracts import Degrade, Measure, Show
from evaluators.tasks.options import range_text, read_choice, read_range
from evaluators.tasks.pair import Pair
from evaluators.tasks.randomness import image_seed
from evaluators.tasks.rules import TaskRules
from evaluators.training.plan import TrainingPlan
from space.layers.image_ends import DIV2K_MEAN

# What stands in a hole: GLCIC fills with the mean of its training set.
FILL = np.round(np.array(DIV2K_MEAN) * 255).astype(np.uint8)


@dataclass(frozen=True)
class Inpaint(TaskRules):
    """``masks``: "irregular" (pen strokes), "rectangles" or "both", every second picture each.

    ``holes`` is the range of the holes' share of the picture in percent. Inputs are uint8 RGB with filled holes and the
    mask (255 in the hole) as fourth channel, targets uint8 RGB. Outside of the holes an output is the input. PSNR is on
    RGB inside the holes, peak 255; SSIM, and a second PSNR, are of the whole picture.
    """

    masks: str = "both"
    holes: tuple[float, float] = (10.0, 30.0)

    task: ClassVar[str] = "inpaint"
    option_readers: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "masks": partial(read_choice, option="--masks", choices=("both", *KINDS)),
        "holes": partial(read_range, option="--holes", low=1.0, high=60.0, example="10-30"),
    }

    @property
    def title(self) -> str:
        kinds = {"both": "irregular and rectangular", "rectangles": "rectangular"}.get(self.masks, self.masks)
        return f"inpaint {kinds} holes of {range_text(self.holes)} %"

    @property
    def degrade(self) -> Degrade[Inpaint]:
        return _Degrade(self)

    @property
    def measure(self) -> Measure[Inpaint]:
        return _Measure(self)

    @property
    def show(self) -> Show[Inpaint]:
        return _Show(self)


class _Degrade(Degrade["Inpaint"]):
    @property
    def plan(self) -> TrainingPlan:
        """Small patches, for here too many places teach more than large ones.

        Measured with ``plain`` (16 channels, 8 blocks, 40 thousand parameters, identity skip; one that starts from the
        push-pull fill learns nothing that shows in 400 steps), dB in the holes above the filled input on the halved
        photographs after 100, 200 and 400 steps (6, 12 and 24 s): 16 patches of 24x24 3.62, 4.72 and 6.48, 32 of 16x16
        3.57, 4.68 and 5.66, 8 of 32x32 2.12, 3.07 and 4.55, 4 of 48x48 1.90, 2.98 and 3.72. With 8 of 32x32 a rate of
        4e-3 instead of 2e-3 gives 1.06, 2.53 and 3.41, and the patches' mean PSNR as the loss 1.76 and 3.40 after 100
        and 200 steps. The classical baseline, diffusion, reaches 9.14 (20.67 dB), which so short a training does not.
        """
        return TrainingPlan(batch=16, patch_px=24)

    def stored(self, image: NamedImage) -> tuple[None, np.ndarray]:
        return None, image.pixels

    def finish_patches(self, degraded: Tensor, target: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        count, _, height, width = target.shape
        masks = [self._mask(generator, height, width, int(generator.integers(2))) for _ in range(count)]
        mask = torch.from_numpy(np.stack(masks))[:, None].float()
        fill = torch.from_numpy(FILL / np.float32(255)).view(1, 3, 1, 1)
        filled = torch.cat([target * (1 - mask) + fill * mask, mask], dim=1)
        return filled.contiguous(memory_format=torch.channels_last), target

    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        height, width = image.pixels.shape[:2]
        generator = np.random.default_rng(image_seed(image.name, "mask", self._rules.masks, *self._rules.holes))
        mask = self._mask(generator, height, width, index % 2)[..., None]
        filled = np.where(mask, FILL, image.pixels)
        degraded = np.concatenate([filled, mask.astype(np.uint8) * np.uint8(255)], axis=2)
        return Pair(image.name, degraded, image.pixels, image.grey)

    def _mask(self, generator: np.random.Generator, height: int, width: int, kind: int) -> np.ndarray:
        low, high = self._rules.holes
        shape = KINDS[kind] if self._rules.masks == "both" else self._rules.masks
        return random_mask(generator, height, width, shape, (low / 100, high / 100))


class _Measure(Measure["Inpaint"]):
    baseline_name = "filled input"

    @property
    def metric_name(self) -> str:
        return "PSNR in the holes"

    @property
    def metric_rule(self) -> str:
        return "PSNR on RGB in the holes"

    def loss(self, output: Tensor, target: Tensor, network_input: Tensor) -> Tensor:
        """L1 inside the holes, for what lies outside is not used."""
        mask = network_input[:, 3:]
        return ((output - target).abs() * mask).sum() / (mask.sum() * target.shape[1]).clamp(min=1)

    def output(self, values: np.ndarray, degraded: np.ndarray) -> np.ndarray:
        return np.where(_holes(degraded)[..., None], super().output(values, degraded), degraded[..., :3])

    def baseline(self, degraded: np.ndarray) -> np.ndarray:
        return degraded[..., :3]

    @property
    def classical_baselines(self) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]:
        """Diffusion of the surroundings into the holes."""
        return {"diffusion": lambda each: diffuse(each[..., :3], _holes(each)).round().clip(0, 255).astype(np.uint8)}

    def psnr_db(self, output: np.ndarray, pair: Pair) -> float:
        holes = _holes(pair.degraded)
        return psnr(output[holes], pair.target[holes])

    def other_metrics(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        return {"PSNR of the whole picture": psnr(output, pair.target)}


class _Show(Show["Inpaint"]):
    @property
    def picture_note(self) -> str:
        return "PSNR on RGB: of all pixels in the window, in the holes of the picture, and of the whole picture."

    def picture_db(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        return {"in the holes": self._rules.measure.psnr_db(output, pair), "in all": psnr(output, pair.target)}


def _holes(degraded: np.ndarray) -> np.ndarray:
    """`(h, w)`, True in the holes."""
    return degraded[..., 3] > 0


RULES = Inpaint
