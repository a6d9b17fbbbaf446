"""Pictures that two sets share are found by what they show."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluators.images.embedded import training_photographs, validation_photographs
from evaluators.images.folders import NamedImage, load_folder
from evaluators.images.overlap import shared_picture
from evaluators.images.pair_folders import NamedPair
from evaluators.images.resize import downscale


def _jpeg(pixels: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=60)
    return np.asarray(Image.open(buffer))


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "renamed": lambda pixels: pixels,
    "JPEG": _jpeg,
    "mirrored": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "turned left": lambda pixels: np.rot90(pixels),
    "turned right and mirrored": lambda pixels: np.rot90(pixels, 3)[:, ::-1],
    "half as large": lambda pixels: downscale(pixels, 2),
    "a row and a column less": lambda pixels: pixels[1:, 1:],
    "grey": lambda pixels: np.asarray(Image.fromarray(pixels).convert("L").convert("RGB")),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found(how: str) -> None:
    known = validation_photographs()
    copy = NamedImage("other.png", np.ascontiguousarray(COPIES[how](known[2].pixels)))
    assert shared_picture((*training_photographs()[:2], copy), known) == ("other.png", known[2].name)


def test_different_pictures_are_not() -> None:
    photographs = (*training_photographs(), *validation_photographs())
    for index, photograph in enumerate(photographs):
        assert shared_picture((photograph,), photographs[:index]) is None


def test_flat_pictures_are_no_copies_of_anything() -> None:
    flat = NamedImage("flat", np.full((64, 64, 3), 90, np.uint8))
    assert shared_picture((flat,), validation_photographs()) is None


def test_a_pair_is_known_by_its_clean_side() -> None:
    clean = validation_photographs()[0]
    noise = np.random.default_rng(0).integers(0, 256, clean.pixels.shape, dtype=np.uint8)
    assert shared_picture((NamedPair("pair", noise, clean.pixels),), (clean,)) == ("pair", clean.name)


def test_sets_without_pictures_share_none() -> None:
    assert shared_picture((), validation_photographs()) is None
    assert shared_picture(validation_photographs(), ()) is None


def test_what_bsds500_shares_with_the_test_sets(research_sets: Path) -> None:
    train, set5, b100 = (load_folder(research_sets / name, 1) for name in ("BSDS500_train", "Set5/HR", "B100/HR"))
    assert shared_picture(train, set5) == ("302003.jpg", "img_005.png")
    assert shared_picture([picture for picture in train if picture.name != "302003.jpg"], set5) is None
    assert shared_picture(train, b100) is None
