"""The photographs that come with the package, so that a search runs without any data of the user's own.

For training, detailed crops of freely licensed photographs; for validation, six public ones. ``CREDITS.csv`` beside
them names author, licence, origin and changes of each file, and `credits` returns it.
"""

import csv
import io
from importlib.resources import files
from importlib.resources.abc import Traversable

import numpy as np

from evaluators.images.decode import decode_rgb
from evaluators.images.folders import NamedImage
from evaluators.images.resize import downscale

_IMAGE_SUFFIXES = (".jpg", ".png")


def training_photographs() -> tuple[NamedImage, ...]:
    """Crops of 256x256 px for training, sorted by name; decoded on every call."""
    return _photographs("train")


def validation_photographs() -> tuple[NamedImage, ...]:
    """Six whole photographs, 451x300 to 640x427 px, not used in training; sorted by name."""
    return _photographs("val")


def halved_photographs(side_px: int) -> tuple[NamedImage, ...]:
    """The six halved by bicubic, and of these the central ``side_px`` squared, or less where there is less."""
    return tuple(
        NamedImage(image.name, _centre(downscale(image.pixels, 2), side_px), image.grey)
        for image in validation_photographs()
    )


def credits() -> list[dict[str, str]]:
    """One row per file: file, title, author, licence, licence_url, source, changes."""
    table = (_folder() / "CREDITS.csv").read_bytes().decode("utf-8")
    return list(csv.DictReader(io.StringIO(table, newline="")))


def _centre(pixels: np.ndarray, side_px: int) -> np.ndarray:
    top, left = (max(0, side - side_px) // 2 for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side_px, left : left + side_px])


def _folder() -> Traversable:
    return files("evaluators.images") / "photographs"


def _photographs(part: str) -> tuple[NamedImage, ...]:
    found = [file for file in (_folder() / part).iterdir() if file.name.endswith(_IMAGE_SUFFIXES)]
    return tuple(
        NamedImage(file.name, *decode_rgb(file.read_bytes(), file.name))
        for file in sorted(found, key=lambda file: file.name)
    )
