"""Training and validation images for a task: the embedded photographs, or folders of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluators.images.embedded import training_photographs, validation_photographs
from evaluators.images.folders import NamedImage, fingerprint, load_folder
from evaluators.tasks import RULES
from evaluators.training.pool import PatchPool

EMBEDDED = "embedded photographs"
POOL_BYTES = 1 << 30  # of a large folder, one crop per image is kept so that the pool stays below this


@dataclass(frozen=True)
class Pair:
    """One validation picture: uint8 `(h, w, 3)` input and `(scale h, scale w, 3)` target; ``grey`` if its file was."""

    name: str
    low: np.ndarray
    high: np.ndarray
    grey: bool = False


def training_images(folder: Path | None, patch_px: int, scale: int) -> tuple[NamedImage, ...]:
    """Images to train on, each at least as large as a patch of ``patch_px`` input pixels.

    Raises:
        UserError: the folder or one of its files cannot be used.
    """
    return training_photographs() if folder is None else load_folder(folder, patch_px * scale)


def validation_images(folder: Path | None, patch_px: int, scale: int) -> tuple[NamedImage, ...]:
    """Images to measure on; sizes and errors as in ``training_images``."""
    return validation_photographs() if folder is None else load_folder(folder, patch_px * scale)


def describe(folder: Path | None, images: Sequence[NamedImage]) -> str:
    """What a record says of a data set: its name, and a fingerprint of its pixels."""
    name = EMBEDDED if folder is None else f"folder {folder.name}"
    return f"{name}, {len(images)} images, {fingerprint(images)}"


def training_pool(images: Sequence[NamedImage], task: str, scale: int) -> PatchPool:
    """Patches of all ``images`` and of their degraded versions."""
    return PatchPool.from_pairs(_Pairs(images, task, scale), scale, POOL_BYTES)


def validation_pairs(images: Sequence[NamedImage], task: str, scale: int) -> tuple[Pair, ...]:
    return tuple(Pair(image.name, *RULES[task].pair(image.pixels, scale), image.grey) for image in images)


def save_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write ``pairs`` for other processes."""
    arrays = {
        f"{side}/{index}": getattr(pair, side)
        for index, pair in enumerate(pairs)
        for side in ("low", "high", "grey", "name")
    }
    with open(path, "wb") as handle:
        np.savez(handle, **arrays)


def load_pairs(path: Path) -> tuple[Pair, ...]:
    """Read what ``save_pairs`` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return tuple(
            Pair(
                str(arrays[f"name/{index}"]),
                arrays[f"low/{index}"],
                arrays[f"high/{index}"],
                bool(arrays[f"grey/{index}"]),
            )
            for index in range(len(arrays.files) // 4)
        )


class _Pairs(Sequence):
    """Degrades an image when it is asked for, so that a large folder's inputs are not all held twice."""

    def __init__(self, images: Sequence[NamedImage], task: str, scale: int) -> None:
        self._images, self._task, self._scale = images, task, scale

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return RULES[self._task].pair(self._images[index].pixels, self._scale)
