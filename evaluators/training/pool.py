"""Training patches from arrays in memory: no decoding, no loader process, shared between workers."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from evaluators.atomic import write_atomically
from space.errors import UserError

CHANNELS = 3
PIXEL = np.dtype((np.void, CHANNELS))
"""Three bytes moved as one: copying a mirrored or transposed patch then takes half the time."""

SYMMETRIES = 8                  # flips of rows, of columns, and a transpose: all symmetries of a square
POOL_VERSION = 1

MIN_CROP_PX = 48
"""Smallest crop, in low-resolution pixels, that a memory cap leaves of an image: three default patches wide, so
that a crop still gives (48 - 16 + 1)^2 = 1,089 different ones. A tighter cap keeps fewer images instead."""


@dataclass(frozen=True, eq=False)
class PatchPool:
    """Pairs of uint8 images as two flat byte arrays, and random patches of them.

    ``low`` and ``high`` hold the images one after the other, each ``(height, width, 3)`` in C order; ``sizes``
    is int64 ``(images, 2)``, height and width of the low-resolution images in pixels. The high-resolution ones are
    ``scale`` times as large per side.
    """

    low: np.ndarray
    high: np.ndarray
    sizes: np.ndarray
    scale: int
    _position_ends: dict[int, np.ndarray] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        expected = CHANNELS * int(self.sizes.prod(axis=1).sum())
        if len(self.low) != expected or len(self.high) != expected * self.scale**2:
            raise UserError(
                f"a pool of {len(self.sizes)} images at scale {self.scale} must hold {expected} low-resolution and "
                f"{expected * self.scale**2} high-resolution bytes, got {len(self.low)} and {len(self.high)}; "
                "make the pool again"
            )

    @classmethod
    def from_pairs(
        cls,
        pairs: Sequence[tuple[np.ndarray, np.ndarray]],
        scale: int,
        max_bytes: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> PatchPool:
        """Copy ``(low, high)`` pairs of uint8 images ``(h, w, 3)`` and ``(scale h, scale w, 3)`` into one pool.

        ``max_bytes`` bounds the pool's size: if all images together are larger, each keeps at most an equal share, as
        one crop at a place that ``generator`` chooses (seed 0 by default). The pairs are read one at a time, so with
        a sequence that decodes on access no more than ``max_bytes`` and one pair are held.

        Raises:
            UserError: no pairs, an image that is not uint8 ``(h, w, 3)``, or sizes that do not agree.
        """
        generator = generator or np.random.default_rng(0)
        order = np.arange(len(pairs))
        if max_bytes is not None:
            smallest_bytes = CHANNELS * MIN_CROP_PX**2 * (1 + scale**2)
            if max_bytes < smallest_bytes:
                raise UserError(f"max_bytes must be at least {smallest_bytes}, got {max_bytes}; give it more memory")
            keep = min(len(pairs), max_bytes // smallest_bytes)
            order = np.sort(generator.choice(len(pairs), size=keep, replace=False))

        kept: list[tuple[np.ndarray, np.ndarray]] = []
        kept_bytes, share_px = 0, None
        for index in order.tolist():
            pair = pairs[index]
            _check_pair(*pair, scale, index)
            kept.append(pair if share_px is None else _random_crop(*pair, scale, share_px, generator))
            kept_bytes += sum(image.size for image in kept[-1])
            if max_bytes is not None and share_px is None and kept_bytes > max_bytes:
                share_px = max_bytes // len(order) // (CHANNELS * (1 + scale**2))
                kept = [_random_crop(*pair, scale, share_px, generator) for pair in kept]
        if not kept:
            raise UserError("a patch pool must have at least one image pair, got none; give training images")
        lows, highs = zip(*kept, strict=True)
        sizes = np.array([low.shape[:2] for low in lows], dtype=np.int64)
        return cls(_flat(lows), _flat(highs), sizes, scale)

    def save(self, path_dir: Path | str) -> None:
        """Write ``low.npy``, ``high.npy``, ``sizes.npy`` and ``pool.json`` (last: it marks a whole pool)."""
        folder = Path(path_dir)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("low", "high", "sizes"):
            buffer = io.BytesIO()
            np.save(buffer, getattr(self, name), allow_pickle=False)
            write_atomically(folder / f"{name}.npy", buffer.getbuffer())
        about = {"version": POOL_VERSION, "scale": self.scale}
        write_atomically(folder / "pool.json", json.dumps(about).encode())

    @classmethod
    def open(cls, path_dir: Path | str) -> PatchPool:
        """Map a saved pool into memory read-only; all processes that open it share the same pages.

        Raises:
            UserError: the folder holds no pool, or a damaged one.
        """
        folder = Path(path_dir)
        try:
            about = json.loads((folder / "pool.json").read_text())
            if about["version"] != POOL_VERSION:
                raise ValueError(f"version {about['version']}")
            low, high, sizes = (
                np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("low", "high", "sizes")
            )
            # Plain arrays over the same mapping: numpy slices its memmap class several times slower.
            return cls(np.asarray(low), np.asarray(high), np.asarray(sizes), about["scale"])
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise UserError(f"{folder} must hold a patch pool of version {POOL_VERSION}, "
                            f"got {str(error).rstrip('.')}; delete it and make it again") from None

    def sample(self, generator: np.random.Generator, batch: int, patch_px: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw random patches, each turned by one of the 8 symmetries of the square.

        Every position of every image is equally likely, so large images give more patches. Returns float32 in
        [0, 1]: low ``(batch, 3, patch_px, patch_px)`` and high ``(batch, 3, scale patch_px, scale patch_px)``, both
        in channels-last memory order.

        Raises:
            UserError: no image is as large as a patch.
        """
        scale, side = self.scale, self.scale * patch_px
        ends = self._ends(patch_px)
        positions = generator.integers(ends[-1], size=batch)
        images = np.searchsorted(ends, positions, side="right")
        turns = generator.integers(SYMMETRIES, size=batch)
        low = np.empty((batch, patch_px, patch_px, CHANNELS), np.uint8)
        high = np.empty((batch, side, side, CHANNELS), np.uint8)
        low_patches, high_patches = low.view(PIXEL)[..., 0], high.view(PIXEL)[..., 0]
        low_pixels, high_pixels = self.low.view(PIXEL), self.high.view(PIXEL)
        draws = zip(positions.tolist(), images.tolist(), turns.tolist(), strict=True)
        for index, (position, image, turn) in enumerate(draws):
            height, width = self.sizes[image].tolist()
            end = int(self._pixel_ends[image])
            y, x = divmod(int(ends[image]) - 1 - position, width - patch_px + 1)   # counted from the image's last one
            low_image = low_pixels[end - height * width : end].reshape(height, width)
            low_patches[index] = _turned(low_image[y : y + patch_px, x : x + patch_px], turn)
            height, width, end, y, x = height * scale, width * scale, end * scale**2, y * scale, x * scale
            high_image = high_pixels[end - height * width : end].reshape(height, width)
            high_patches[index] = _turned(high_image[y : y + side, x : x + side], turn)
        return _as_image_tensor(low), _as_image_tensor(high)

    @cached_property
    def _pixel_ends(self) -> np.ndarray:
        """Where each image ends in ``low``, in pixels ``(images,)``."""
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


def _turned(patch: np.ndarray, turn: int) -> np.ndarray:
    """View of ``patch`` ``(p, p)`` under symmetry ``turn`` in 0..7."""
    if turn & 1:
        patch = patch[::-1]
    if turn & 2:
        patch = patch[:, ::-1]
    if turn & 4:
        patch = patch.T
    return patch


def _as_image_tensor(patches: np.ndarray) -> torch.Tensor:
    """uint8 ``(N, h, w, 3)`` to float32 ``(N, 3, h, w)`` in [0, 1]; the memory order stays channels last."""
    return torch.from_numpy(patches).permute(0, 3, 1, 2).to(torch.float32).div_(255.0)


def _check_pair(low: np.ndarray, high: np.ndarray, scale: int, index: int) -> None:
    for image in (low, high):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != CHANNELS:
            raise UserError(
                f"training pair {index} must be uint8 (height, width, {CHANNELS}), got {image.dtype} {image.shape}; "
                "convert it to 8-bit RGB"
            )
    expected = (low.shape[0] * scale, low.shape[1] * scale)
    if high.shape[:2] != expected:
        raise UserError(
            f"training pair {index} must have a high-resolution image of {expected} at scale {scale}, "
            f"got {high.shape[:2]}; crop it to a multiple of {scale} first"
        )


def _random_crop(
    low: np.ndarray, high: np.ndarray, scale: int, max_px: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The pair itself if ``low`` has at most ``max_px`` pixels, else one nearly square crop of that many."""
    height, width = low.shape[:2]
    if height * width <= max_px:
        return low, high
    short = min(height, width, int(max_px**0.5))
    long = min(max(height, width), max_px // short)
    crop_h, crop_w = (short, long) if height <= width else (long, short)
    y, x = int(generator.integers(height - crop_h + 1)), int(generator.integers(width - crop_w + 1))
    return (                                # copies, so that the whole images can go
        low[y : y + crop_h, x : x + crop_w].copy(),
        high[y * scale : (y + crop_h) * scale, x * scale : (x + crop_w) * scale].copy(),
    )


def _flat(images: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([image.reshape(-1) for image in images])
