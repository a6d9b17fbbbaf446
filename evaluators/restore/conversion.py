"""Between pictures and a network: which channels it takes, what the task adds to them, and what its values mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from evaluators.images.metrics import luma
from evaluators.images.ycbcr import chroma_of, rgb_of
from evaluators.restore.exact import exact_function
from evaluators.restore.pictures import Picture
from evaluators.restore.tile_plan import Box
from evaluators.tasks import TaskRules
from evaluators.tasks.inpaint import FILL
from space.errors import UserError
from space.specialists import Specialists

CUBIC_REACH_PX = 2  # input pixels around one that its bicubic enlargement reads


@dataclass(frozen=True)
class Conversion:
    """From a part of a picture to a network's input, and from its values to pixels.

    Attributes:
        rules: the task; None of a network of the user's own, which gets the picture alone.
        in_channels, out_channels, scale: of the network.
        sigma: standard deviation of the noise, of 255, for networks that are told it; None where it is not given.
    """

    rules: TaskRules | None
    in_channels: int
    out_channels: int
    scale: int
    sigma: float | None = None

    @property
    def task(self) -> str:
        return "" if self.rules is None else self.rules.task

    @property
    def sees_luma(self) -> bool:
        return self.task == "sr" and self.in_channels == 1

    @property
    def has_noise_map(self) -> bool:
        return self.task == "denoise" and self.in_channels > self.out_channels

    @property
    def takes_mask(self) -> bool:
        return self.task == "inpaint"

    @property
    def reach_px(self) -> int:
        return CUBIC_REACH_PX if self.scale > 1 else 0

    def check(self, picture: Picture, mask: np.ndarray | None) -> None:
        """Raises: UserError: the network cannot take such a picture."""
        colours = self.in_channels - self.has_noise_map - self.takes_mask
        if colours not in (1, 3) or self.out_channels != colours:
            raise UserError(
                f"the network must take and give grey or RGB, got {self.in_channels} channels to {self.out_channels}; "
                "it cannot restore picture files"
            )
        if colours == 1 and not picture.is_grey and not self.sees_luma:
            raise UserError(
                f"picture {picture.name} must be grey for a network of one channel, got colour; convert it to grey, or "
                "take a colour network"
            )
        if self.takes_mask and mask is None:
            raise UserError(f"inpainting {picture.name} needs --mask, a picture that is white in the holes, got none")
        if mask is not None and mask.shape != picture.pixels.shape[:2]:
            raise UserError(
                f"the mask must have the size of its picture, {picture.size[0]}x{picture.size[1]}, got "
                f"{mask.shape[1]}x{mask.shape[0]}"
            )

    def network_input(self, picture: Picture, box: Box, mask: np.ndarray | None = None) -> np.ndarray:
        """float32 `(h, w, in_channels)` of the pixels in ``box``, repeated beyond the right and lower edge."""
        pixels = cut(picture.pixels, box)
        if self.sees_luma and not picture.is_grey:
            return (luma(_of_255(pixels)) / 255).astype(np.float32)[..., None]
        values = pixels.astype(np.float32) / np.float32(picture.peak)
        if picture.is_grey and self.out_channels == 3:
            values = np.repeat(values, 3, axis=2)
        if self.has_noise_map:
            assert self.sigma is not None  # checked where the network is chosen
            values = np.concatenate([values, np.full_like(values[..., :1], self.sigma / 255)], axis=2)
        if self.takes_mask:
            assert mask is not None  # checked with the picture
            holes = cut(mask[..., None], box)
            fill = FILL.astype(np.float32) / np.float32(255)
            values = np.concatenate([np.where(holes, fill, values), holes.astype(np.float32)], axis=2)
        return values

    def pixels(
        self, values: np.ndarray, picture: Picture, window: Box, core: Box, mask: np.ndarray | None = None
    ) -> np.ndarray:
        """What is kept of the network's ``values`` for ``window``: those of ``core``, in the picture's type and with
        its transparency."""
        kept = core.scaled(self.scale).within(window.scaled(self.scale))
        values = cut(values, kept)
        if self.sees_luma and not picture.is_grey:
            enlarged = cut(self._enlarged(_of_255(cut(picture.pixels, window))), kept)
            values = rgb_of(values[..., 0] * 255, chroma_of(enlarged)) / 255
        elif picture.is_grey and self.out_channels == 3:
            values = values.mean(axis=2, keepdims=True)
        peak = picture.peak
        output = (values * np.float32(peak)).round().clip(0, peak).astype(picture.pixels.dtype)
        if self.takes_mask:
            assert mask is not None
            output = np.where(cut(mask[..., None], core), output, cut(picture.pixels, core))
        if picture.alpha is None:
            return output
        alpha = cut(picture.alpha[..., None], core)
        if self.scale > 1:
            enlarged = cut(self._enlarged(cut(picture.alpha[..., None], window).astype(np.float32)), kept)
            alpha = enlarged.round().clip(0, peak).astype(picture.pixels.dtype)
        return np.concatenate([output, alpha], axis=2)

    def _enlarged(self, values: np.ndarray) -> np.ndarray:
        """By bicubic interpolation as super-resolution data are made with, in float32."""
        return _as_array(_cubic(self.scale)(_as_tensor(values)))


def _cubic(scale: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return exact_function(
        lambda image: F.interpolate(
            image.contiguous(), scale_factor=scale, mode="bicubic", align_corners=False, antialias=True
        )
    )


def _of_255(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32) / np.float32(257)


def _as_tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values.astype(np.float32))).permute(2, 0, 1)[None]


def _as_array(image: torch.Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).numpy()


def cut(values: np.ndarray, box: Box) -> np.ndarray:
    """The part of `(H, W, ...)` in ``box``; its last row and column are repeated for what lies beyond them."""
    height, width = values.shape[:2]
    part = values[box.top : min(box.bottom, height), box.left : min(box.right, width)]
    below, right = max(0, box.bottom - height), max(0, box.right - width)
    return np.pad(part, ((0, below), (0, right), (0, 0)), mode="edge") if below or right else part


def level_of(network: nn.Module, rules: TaskRules | None, sigma: float | None) -> float:
    """The place of ``sigma`` in the range that specialists share; NaN of a network for all levels.

    Raises:
        UserError: specialists, and no sigma, or one outside of their range.
    """
    if not isinstance(network, Specialists):
        return math.nan
    span = getattr(rules, "sigma", None)
    if span is None:
        raise UserError("specialists must be of a task with a range of sigma, got another; restore frames instead")
    low, high = span
    if sigma is None or not low <= sigma <= high:
        raise UserError(
            f"--sigma must be the noise of the picture, {low:g} to {high:g}, for networks that share that range, got "
            f"{'none' if sigma is None else f'{sigma:g}'}"
        )
    return (sigma - low) / (high - low) if high > low else 0.0
