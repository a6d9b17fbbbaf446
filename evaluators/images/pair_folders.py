"""Folders of degraded images with their clean counterparts: real noise, real motion blur.

Two layouts are supported: two sibling folders with the same file names (``blur`` and ``sharp``, as in GoPro), or
one folder whose file names differ by a word (``x_real.png`` and ``x_mean.png``, ``y_blur1.png`` and ``y_sharp1.png``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluators.images.folders import load_folder, load_image, picture_files
from evaluators.images.names import escaped_name
from space.errors import UserError

# Words for the degraded picture and for its clean partner, as public data sets name them.
WORDS = (
    ("noisy", "clean"),
    ("noisy", "gt"),  # SIDD
    ("noise", "clean"),
    ("real", "mean"),  # CC: one frame, and the mean of 500
    ("blur", "sharp"),  # GoPro
    ("blurred", "sharp"),
    ("blurry", "sharp"),
    ("blur", "gt"),
    ("rain", "norain"),  # Rain100
    ("rainy", "clean"),
    ("rain", "clean"),
    ("rain", "gt"),
    ("rainy", "gt"),
    ("hazy", "clear"),
    ("hazy", "gt"),
    ("degraded", "clean"),
    ("input", "target"),
    ("input", "gt"),
    ("lq", "gt"),
)


@dataclass(frozen=True, slots=True, eq=False)
class NamedPair:
    """A degraded image and its clean counterpart, both uint8 RGB `(H, W, 3)`."""

    name: str
    degraded: np.ndarray
    target: np.ndarray


def holds_pairs(folder: Path) -> bool:
    """Whether ``folder`` is laid out as pairs; False for a folder of single images, or of none.

    Raises:
        UserError: it cannot be read, or holds a file that is not an image.
    """
    return folder.is_dir() and (_side_by_side(folder) is not None or bool(_by_name(folder)))


def clean_half_beside(folder: Path) -> Path | None:
    """The folder of clean counterparts if ``folder`` is the degraded half of pairs (GoPro's ``blur``), else None."""
    folder = folder.resolve()
    sides = _side_by_side(folder.parent)
    return sides[1] if sides is not None and sides[0] == folder else None


def load_pair_folder(folder: Path, min_side_px: int) -> tuple[NamedPair, ...]:
    """Every pair of ``folder``, sorted by name.

    Raises:
        UserError: a picture without partner, a damaged one, pictures of two sizes, or one below ``min_side_px``.
    """
    sides = _side_by_side(folder)
    if sides is not None:
        inputs, targets = ({image.name: image.pixels for image in load_folder(side, min_side_px)} for side in sides)
        for name in sorted(inputs.keys() ^ targets.keys()):
            present, absent = sides if name in inputs else sides[::-1]
            raise UserError(
                f"{escaped_name(present)}/{name} must have a partner of its name in {absent.name}, got none; add it"
            )
        return tuple(
            _checked(NamedPair(name, inputs[name], targets[name]), folder, min_side_px) for name in sorted(inputs)
        )
    found = _by_name(folder)
    strangers = {file.name for file in picture_files(folder)} - {file.name for pair in found.values() for file in pair}
    if strangers:
        stranger = escaped_name(folder / min(strangers))
        raise UserError(f"{stranger} must have a partner as the others have, got none; remove it")
    return tuple(
        _checked(NamedPair(escaped_name(name), load_image(degraded), load_image(target)), folder, min_side_px)
        for name, (degraded, target) in sorted(found.items())
    )


def pairs_fingerprint(pairs: Iterable[NamedPair]) -> str:
    """Twelve hex digits that change with any name, size or pixel, and with the order."""
    digest = hashlib.blake2b(digest_size=6)
    for pair in pairs:
        for pixels in (pair.degraded, pair.target):
            digest.update(f"{pair.name}\0{pixels.shape}\0".encode())
            digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _side_by_side(folder: Path) -> tuple[Path, Path] | None:
    try:
        inside = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    except OSError as error:
        raise UserError(f"image folder must be readable, got {escaped_name(folder)}: {error.strerror}") from None
    for degraded, target in WORDS:
        if degraded in inside and target in inside:
            return inside[degraded], inside[target]
    return None


def _by_name(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Files whose names differ by the words of one entry of ``WORDS``, by the name without the word."""
    try:
        files = {file.name.lower(): file for file in picture_files(folder)}
    except UserError:
        return {}  # whoever loads the folder says what is wrong with it
    for degraded, target in WORDS:
        # The word stands by itself or before a number: ``flower_blur1.png``, ``NOISY_SRGB_010.png``.
        word = re.compile(rf"(?<![a-z]){degraded}(?![a-z])", re.IGNORECASE)
        pairs = {}
        for name, file in files.items():
            partner, replaced = word.subn(target, name)
            if replaced == 1 and partner in files:
                stem = re.sub(rf"[_-]?{word.pattern}", "", file.name, count=1, flags=re.IGNORECASE)
                pairs[stem.lstrip("_-")] = (file, files[partner])
        if pairs:
            return pairs
    return {}


def _checked(pair: NamedPair, folder: Path, min_side_px: int) -> NamedPair:
    if pair.degraded.shape != pair.target.shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (pair.degraded, pair.target)]
        raise UserError(
            f"pair {pair.name} of {escaped_name(folder)} must have one size, got {' and '.join(sizes)}; crop them alike"
        )
    if min(pair.degraded.shape[:2]) < min_side_px:
        height, width = pair.degraded.shape[:2]
        raise UserError(
            f"pair {pair.name} of {escaped_name(folder)} must be at least {min_side_px} px on each side, got "
            f"{width}x{height}; remove it"
        )
    return pair
