"""Training patches from arrays in memory: no decoding, no loader process, shared between workers."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from evaluators.training.patches import PatchSampler, Side
from space.errors import UserError
from space.files import write_atomically

LAYOUTS = ("image", "bayer")
POOL_VERSION = 3

Finish = Callable[[torch.Tensor, torch.Tensor, np.random.Generator], tuple[torch.Tensor, torch.Tensor]]

MIN_CROP_PX = 48
"""Smallest crop, in low-resolution pixels, that a memory cap leaves of an image: three default patches wide, so
that a crop still gives (48 - 16 + 1)^2 = 1,089 different ones. A tighter cap keeps fewer images instead."""


class ImagePairs(Protocol):
    """Degraded and clean images by number: a list, or an object that makes them on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[np.ndarray | None, np.ndarray]: ...


@dataclass(frozen=True, eq=False)
class PatchPool:
    """Pairs of images as two flat arrays, and random patches of them.

    ``degraded`` and ``target`` hold the images one after the other, each ``(height, width, channels)`` in C order,
    uint8 or uint16; ``sizes`` is int64 ``(images, 2)``, height and width of the degraded images in pixels. Targets are
    ``scale`` times as large per side. ``degraded`` is None where patches are degraded when they are sampled. ``finish``
    turns sampled patches into network input and target (``Degrade.finish_patches``). In the layout "bayer" the four
    channels are a sensor's packed RGGB, and symmetries keep that order.
    """

    degraded: np.ndarray | None
    target: np.ndarray
    sizes: np.ndarray
    scale: int
    channels: tuple[int, int] = (3, 3)  # of degraded and target
    layout: str = "image"
    finish: Finish | None = None

    def __post_init__(self) -> None:
        pixels = int(self.sizes.prod(axis=1).sum())
        expected = self.channels[0] * pixels, self.channels[1] * pixels * self.scale**2
        degraded_values = expected[0] if self.degraded is None else len(self.degraded)
        if (degraded_values, len(self.target)) != expected:
            raise UserError(
                f"a pool of {len(self.sizes)} images at scale {self.scale} must hold {expected[0]} low-resolution and "
                f"{expected[1]} high-resolution bytes, got {degraded_values} and {len(self.target)}; "
                "make the pool again"
            )

    @classmethod
    def from_pairs(
        cls,
        pairs: ImagePairs,
        scale: int,
        max_bytes: int | None = None,
        generator: np.random.Generator | None = None,
        layout: str = "image",
        finish: Finish | None = None,
    ) -> PatchPool:
        """Copy ``(degraded, target)`` pairs of images ``(h, w, C)`` and ``(scale h, scale w, c)`` into one pool.

        Of every pair, or of none, ``degraded`` may be None; all images of a side have one type and one number of
        channels.

        ``max_bytes`` bounds the pool's size: if all images together are larger, each keeps at most an equal share, as
        one crop at a place that ``generator`` chooses (seed 0 by default). The pairs are read one at a time, so with
        a sequence that decodes on access no more than ``max_bytes`` and one pair are held.

        Raises:
            UserError: no pairs, an image that is not uint8 or uint16 ``(h, w, c)``, or sizes that do not agree.
        """
        generator = generator or np.random.default_rng(0)
        order = np.arange(len(pairs))
        if max_bytes is not None:
            smallest_bytes = math.ceil(MIN_CROP_PX**2 * _bytes_per_pixel(*pairs[0], scale)) if len(pairs) else 1
            if max_bytes < smallest_bytes:
                raise UserError(f"max_bytes must be at least {smallest_bytes}, got {max_bytes}; give it more memory")
            keep = min(len(pairs), max_bytes // smallest_bytes)
            order = np.sort(generator.choice(len(pairs), size=keep, replace=False))

        kept: list[tuple[np.ndarray | None, np.ndarray]] = []
        kept_bytes, share_px = 0, None
        for index in order.tolist():
            pair = pairs[index]
            _check_pair(*pair, scale, index, kept[0] if kept else pair)
            kept.append(pair if share_px is None else _random_crop(*pair, scale, share_px, generator))
            kept_bytes += sum(image.nbytes for image in kept[-1] if image is not None)
            if max_bytes is not None and share_px is None and kept_bytes > max_bytes:
                share_px = int(max_bytes // len(order) // _bytes_per_pixel(*pair, scale))
                kept = [_random_crop(*pair, scale, share_px, generator) for pair in kept]
        if not kept:
            raise UserError("a patch pool must have at least one image pair, got none; give training images")
        targets = [target for _, target in kept]
        inputs = [degraded for degraded, _ in kept if degraded is not None]  # of all images or of none
        sizes = np.array([target.shape[:2] for target in targets], dtype=np.int64) // scale
        channels = (inputs or targets)[0].shape[2], targets[0].shape[2]
        return cls(_flat(inputs) if inputs else None, _flat(targets), sizes, scale, channels, layout, finish)

    def save(self, path_dir: Path | str) -> None:
        """Write ``degraded.npy``, ``target.npy``, ``sizes.npy`` and ``pool.json`` (last: it marks a whole pool)."""
        folder = Path(path_dir)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("degraded", "target", "sizes") if self.degraded is not None else ("target", "sizes"):
            buffer = io.BytesIO()
            np.save(buffer, getattr(self, name), allow_pickle=False)
            write_atomically(folder / f"{name}.npy", buffer.getbuffer())
        about = {
            "version": POOL_VERSION,
            "scale": self.scale,
            "channels": self.channels,
            "layout": self.layout,
            "has_degraded": self.degraded is not None,
            "is_finished": self.finish is not None,
        }
        write_atomically(folder / "pool.json", json.dumps(about).encode())

    @classmethod
    def open(cls, path_dir: Path | str, finish: Finish | None = None) -> PatchPool:
        """Map a saved pool into memory read-only; all processes that open it share the same pages.

        ``finish`` is used where the saved pool had one.

        Raises:
            UserError: the folder holds no pool, or a damaged one.
        """
        folder = Path(path_dir)
        try:
            about = json.loads((folder / "pool.json").read_text("utf-8"))
            if about["version"] != POOL_VERSION:
                raise ValueError(f"version {about['version']}")
            degraded = _mapped(folder / "degraded.npy") if about["has_degraded"] else None
            target, sizes = _mapped(folder / "target.npy"), _mapped(folder / "sizes.npy")
            channels, finish = tuple(about["channels"]), finish if about["is_finished"] else None
            return cls(degraded, target, sizes, about["scale"], channels, about["layout"], finish)
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise UserError(
                f"{folder} must hold a patch pool of version {POOL_VERSION}, "
                f"got {str(error).rstrip('.')}; delete it and make it again"
            ) from None

    def sample(self, generator: np.random.Generator, batch: int, patch_px: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Random patches, each turned by one of the 8 symmetries of the square.

        Every position of every image is equally likely, so large images give more patches. Returns float32 in
        [0, 1]: degraded ``(batch, C, patch_px, patch_px)`` and target ``(batch, c, scale patch_px, scale patch_px)``,
        both in channels-last memory order, as ``finish`` leaves them.

        Raises:
            UserError: no image is as large as a patch.
        """
        sampled = self._sampler.sample(generator, batch, patch_px)
        degraded, target = sampled[0], sampled[-1]
        return (degraded, target) if self.finish is None else self.finish(degraded, target, generator)

    @cached_property
    def _sampler(self) -> PatchSampler:
        target = Side(self.target, self.channels[1], self.scale)
        sides = (target,) if self.degraded is None else (Side(self.degraded, self.channels[0], 1), target)
        return PatchSampler(sides, self.sizes, self.layout == "bayer")


def _mapped(file: Path) -> np.ndarray:
    """A plain array over the mapped file: numpy slices its memmap class several times more slowly."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _bytes_per_pixel(degraded: np.ndarray | None, target: np.ndarray, scale: int) -> int:
    """Bytes of both sides per low-resolution pixel."""
    per_target = target.shape[2] * target.itemsize * scale**2
    return per_target + (0 if degraded is None else degraded.shape[2] * degraded.itemsize)


def _check_pair(
    degraded: np.ndarray | None, target: np.ndarray, scale: int, index: int, first: tuple[np.ndarray | None, np.ndarray]
) -> None:
    for image, other in zip((degraded, target), first, strict=True):
        if (image is None) != (other is None):
            raise UserError(f"training pair {index} must have a degraded image as the others have, or none as they")
        if image is None or other is None:
            continue
        channels = other.shape[2] if other.ndim == 3 else 3
        if image.dtype not in (np.uint8, np.uint16) or image.ndim != 3 or image.shape[2] != channels:
            raise UserError(
                f"training pair {index} must be uint8 (height, width, {channels}), got {image.dtype} {image.shape}; "
                "convert it to 8-bit RGB"
            )
    expected = tuple(
        side * scale for side in (degraded if degraded is not None else target[::scale, ::scale]).shape[:2]
    )
    if target.shape[:2] != expected:
        raise UserError(
            f"training pair {index} must have a high-resolution image of {expected} at scale {scale}, "
            f"got {target.shape[:2]}; crop it to a multiple of {scale} first"
        )


def _random_crop(
    degraded: np.ndarray | None, target: np.ndarray, scale: int, max_px: int, generator: np.random.Generator
) -> tuple[np.ndarray | None, np.ndarray]:
    """The pair itself if it has at most ``max_px`` low-resolution pixels, else one nearly square crop of that many."""
    height, width = (side // scale for side in target.shape[:2])
    if height * width <= max_px:
        return degraded, target
    short = min(height, width, int(max_px**0.5))
    long = min(max(height, width), max_px // short)
    crop_h, crop_w = (short, long) if height <= width else (long, short)
    y, x = int(generator.integers(height - crop_h + 1)), int(generator.integers(width - crop_w + 1))
    return (  # copies, so that the whole images can go
        None if degraded is None else degraded[y : y + crop_h, x : x + crop_w].copy(),
        target[y * scale : (y + crop_h) * scale, x * scale : (x + crop_w) * scale].copy(),
    )


def _flat(images: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([image.reshape(-1) for image in images])
