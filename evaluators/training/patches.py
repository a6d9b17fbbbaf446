"""Random patches of images that lie one after the other in flat arrays, each under a symmetry of the square."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from evaluators.images.bayer import pack, unpack
from space.errors import UserError

SYMMETRIES = 8  # flips of rows, of columns, and a transpose: all symmetries of a square


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The degraded images or the targets: ``flat`` holds them in C order, ``scale`` times as large as the degraded."""

    flat: np.ndarray
    channels: int
    scale: int


class PatchSampler:
    """Patches at the same places of each of ``sides``.

    ``sizes`` is int64 ``(images, 2)``, height and width of the images at scale 1 in pixels. With ``is_bayer`` the
    images are packed RGGB, ``(height, width, 4)``, and patches keep that order of colours.
    """

    def __init__(self, sides: Sequence[Side], sizes: np.ndarray, is_bayer: bool) -> None:
        self.sides = sides
        self.sizes = sizes
        self.is_bayer = is_bayer
        self._position_ends: dict[int, np.ndarray] = {}

    def sample(self, generator: np.random.Generator, batch: int, patch_px: int) -> list[torch.Tensor]:
        """For each side, float32 ``(batch, channels, scale patch_px, scale patch_px)`` in [0, 1], channels last.

        Raises:
            UserError: no image is as large as a patch.
        """
        bayer = self.is_bayer
        window_px = patch_px + bayer  # a turned Bayer patch loses a row and a column of the sensor on each side
        ends = self._ends(window_px)
        positions = generator.integers(ends[-1], size=batch)
        images = np.searchsorted(ends, positions, side="right")
        turns = generator.integers(SYMMETRIES, size=batch)
        turn_patch = turned_bayer if bayer else turned
        chosen = tuple(zip(positions.tolist(), images.tolist(), turns.tolist(), strict=True))
        sampled = []
        for side in self.sides:
            flat, channels, scale = side.flat, side.channels, side.scale
            pixel = np.dtype((np.void, channels * flat.itemsize))
            # A pixel's bytes moved as one: copying a mirrored or transposed patch then takes half the time.
            pixels = flat.view(flat.dtype if bayer else pixel)
            per_pixel = channels if bayer else 1
            patches = np.empty((batch, patch_px * scale, patch_px * scale, channels), flat.dtype)
            out = patches if bayer else patches.view(pixel)[..., 0]
            for index, (position, image, turn) in enumerate(chosen):
                height, width = self.sizes[image].tolist()
                end = int(self._pixel_ends[image]) * scale**2 * per_pixel
                # Counted from the image's last one.
                y, x = divmod(int(ends[image]) - 1 - position, width - window_px + 1)
                height, width, y, x, window = (value * scale for value in (height, width, y, x, window_px))
                shape = (height, width, channels) if bayer else (height, width)
                whole = pixels[end - height * width * per_pixel : end].reshape(shape)
                out[index] = turn_patch(whole[y : y + window, x : x + window], turn)
            sampled.append(_as_image_tensor(patches))
        return sampled

    @cached_property
    def _pixel_ends(self) -> np.ndarray:
        """Where each image ends among the low-resolution ones, in pixels ``(images,)``."""
        return np.cumsum(self.sizes.prod(axis=1))

    def _ends(self, patch_px: int) -> np.ndarray:
        """Cumulated number of patch positions ``(images,)``: where each image's positions end."""
        if patch_px not in self._position_ends:
            ends = np.cumsum(np.maximum(self.sizes - patch_px + 1, 0).prod(axis=1))
            if ends[-1] == 0:
                height, width = self.sizes[self.sizes.min(axis=1).argmax()].tolist()
                raise UserError(
                    f"a patch must fit into a training image, got patch_px {patch_px} and low-resolution images of at "
                    f"most {width}x{height}; give larger images or a patch of {min(height, width)}"
                )
            self._position_ends[patch_px] = ends
        return self._position_ends[patch_px]


def turned(patch: np.ndarray, turn: int) -> np.ndarray:
    """``patch``, ``(p, p)``, under symmetry ``turn`` in 0..7; a view."""
    if turn & 1:
        patch = patch[::-1]
    if turn & 2:
        patch = patch[:, ::-1]
    if turn & 4:
        patch = patch.T
    return patch


def turned_bayer(packed: np.ndarray, turn: int) -> np.ndarray:
    """Packed RGGB ``(p + 1, p + 1, 4)`` under symmetry ``turn`` of the sensor, ``(p, p, 4)``, again RGGB.

    A flip of the sensor starts with the wrong row or column, which is cut off; a transpose keeps the order (Liu et al.
    2019, "Learning raw image denoising with Bayer pattern unification and Bayer preserving augmentation").
    """
    sensor = unpack(packed)
    sensor = sensor[::-1][1:-1] if turn & 1 else sensor[:-2]
    sensor = sensor[:, ::-1][:, 1:-1] if turn & 2 else sensor[:, :-2]
    return pack(sensor.T if turn & 4 else sensor)


def _as_image_tensor(patches: np.ndarray) -> torch.Tensor:
    """Integers ``(N, h, w, c)`` to float32 ``(N, c, h, w)`` in [0, 1]; the memory order stays channels last."""
    if patches.dtype == np.uint16:
        patches = patches.astype(np.float32)
        return torch.from_numpy(patches).permute(0, 3, 1, 2).div_(65535.0)
    return torch.from_numpy(patches).permute(0, 3, 1, 2).to(torch.float32).div_(255.0)
