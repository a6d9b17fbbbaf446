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
from evaluators.images.metrics import psnr, ssim_of_planes
from evaluators.tasks.rules import Pair, TaskRules, image_seed, range_text, read_range, read_word
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
    baseline_name: ClassVar[str] = "filled input"
    option_readers: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "masks": partial(read_word, option="--masks", words=("both", *KINDS)),
        "holes": partial(read_range, option="--holes", low=1.0, high=60.0, example="10-30"),
    }

    @property
    def title(self) -> str:
        kinds = {"both": "irregular and rectangular", "rectangles": "rectangular"}.get(self.masks, self.masks)
        return f"inpaint {kinds} holes of {range_text(self.holes)} %"

    @property
    def metric_name(self) -> str:
        return "PSNR in the holes"

    @property
    def metric_rule(self) -> str:
        return "PSNR on RGB in the holes"

    @property
    def plan(self) -> TrainingPlan:
        """Small patches, for here too many places teach more than large ones.

        Measured with ``plain`` (16 channels, 8 blocks, 40 thousand parameters, identity skip; one that starts from the
        push-pull fill learns nothing that shows in 400 steps), dB in the holes above the filled input on the halved
        photographs after 100, 200 and 400 steps (6, 12 and 24 s): 16 patches of 24x24 3.62, 4.72 and 6.48, 32 of 16x16
        3.57, 4.68 and 5.66, 8 of 32x32 2.12, 3.07 and 4.55, 4 of 48x48 1.90, 2.98 and 3.72. With 8 of 32x32 a rate of
        4e-3 instead of 2e-3 gives 1.06, 2.53 and 3.41, and the patches' mean PSNR as the loss 1.76 and 3.40 after 100
        and 200 steps. ``yardsticks``' diffusion reaches 9.14 (20.67 dB), which so short a training does not.
        """
        return TrainingPlan(batch=16, patch_px=24)

    def stored(self, image: NamedImage) -> tuple[None, np.ndarray]:
        return None, image.pixels

    def finish_patches(self, low: Tensor, high: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        count, _, height, width = high.shape
        masks = [self._mask(generator, height, width, int(generator.integers(2))) for _ in range(count)]
        mask = torch.from_numpy(np.stack(masks))[:, None].float()
        fill = torch.from_numpy(FILL / np.float32(255)).view(1, 3, 1, 1)
        filled = torch.cat([high * (1 - mask) + fill * mask, mask], dim=1)
        return filled.contiguous(memory_format=torch.channels_last), high

    def loss(self, output: Tensor, target: Tensor, low: Tensor) -> Tensor:
        """L1 inside the holes, for what lies outside is not used."""
        mask = low[:, 3:]
        return ((output - target).abs() * mask).sum() / (mask.sum() * target.shape[1]).clamp(min=1)

    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        height, width = image.pixels.shape[:2]
        generator = np.random.default_rng(image_seed(image.name, "mask", self.masks, *self.holes))
        mask = self._mask(generator, height, width, index % 2)[..., None]
        filled = np.where(mask, FILL, image.pixels)
        low = np.concatenate([filled, mask.astype(np.uint8) * np.uint8(255)], axis=2)
        return Pair(image.name, low, image.pixels, image.grey)

    def _mask(self, generator: np.random.Generator, height: int, width: int, kind: int) -> np.ndarray:
        low, high = self.holes
        word = KINDS[kind] if self.masks == "both" else self.masks
        return random_mask(generator, height, width, word, (low / 100, high / 100))

    def output(self, values: np.ndarray, low: np.ndarray) -> np.ndarray:
        return np.where(_holes(low)[..., None], super().output(values, low), low[..., :3])

    def baseline(self, low: np.ndarray) -> np.ndarray:
        return low[..., :3]

    @property
    def yardsticks(self) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]:
        """Diffusion of the surroundings into the holes."""
        return {"diffusion": lambda low: diffuse(low[..., :3], _holes(low)).round().clip(0, 255).astype(np.uint8)}

    def psnr_db(self, output: np.ndarray, pair: Pair) -> float:
        holes = _holes(pair.low)
        return psnr(output[holes], pair.high[holes])

    def ssim(self, output: np.ndarray, pair: Pair) -> float:
        return ssim_of_planes(output, pair.high)

    def other_metrics(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        return {"PSNR of the whole picture": psnr(output, pair.high)}

    @property
    def picture_note(self) -> str:
        return "PSNR on RGB: of all pixels in the window, in the holes of the picture, and of the whole picture."

    def picture_db(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        return {"in the holes": self.psnr_db(output, pair), "in all": psnr(output, pair.high)}


def _holes(low: np.ndarray) -> np.ndarray:
    """`(h, w)`, True in the holes."""
    return low[..., 3] > 0


RULES = Inpaint
