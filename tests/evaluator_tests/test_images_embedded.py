"""The photographs in the package: complete, credited, freely licensed, and detailed enough to train on."""

import re
from importlib.resources import files

import numpy as np
import pytest

from evaluators.images.embedded import credits, training_photographs, validation_photographs
from evaluators.images.folders import NamedImage, fingerprint
from evaluators.images.make_photographs import LICENCE_URLS, MAX_TILES, TRAINING, detailed_tiles

MAX_MEGABYTES = 10.5  # a wheel that is still quick to install


@pytest.fixture(scope="module")
def training() -> tuple[NamedImage, ...]:
    return training_photographs()


@pytest.fixture(scope="module")
def validation() -> tuple[NamedImage, ...]:
    return validation_photographs()


def test_training_crops(training: tuple[NamedImage, ...]) -> None:
    assert len(training) == 169
    assert [image.name for image in training] == sorted(image.name for image in training)
    for image in training:
        assert image.pixels.shape == (256, 256, 3)
        assert image.pixels.dtype == np.uint8
        assert not image.grey


def test_no_photograph_dominates(training: tuple[NamedImage, ...]) -> None:
    titles = [re.sub(r"-[24]-y\d+-x\d+\.jpg$", "", image.name) for image in training]
    counts = {title: titles.count(title) for title in titles}
    assert set(counts) == {source.title for source in TRAINING}
    assert max(counts.values()) <= MAX_TILES + 6
    assert min(counts.values()) >= 5


def test_every_crop_has_detail(training: tuple[NamedImage, ...]) -> None:
    for image in training:
        grey = image.pixels.mean(axis=2)
        assert np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean() > 3.5, image.name


def test_validation_photographs(validation: tuple[NamedImage, ...]) -> None:
    assert {image.name: image.pixels.shape for image in validation} == {
        "astronaut.png": (512, 512, 3),
        "chelsea.png": (300, 451, 3),
        "china.jpg": (427, 640, 3),
        "coffee.png": (400, 600, 3),
        "flower.jpg": (427, 640, 3),
        "rocket.jpg": (427, 640, 3),
    }


def test_validation_pixels_are_those_of_their_packages(validation: tuple[NamedImage, ...]) -> None:
    data = pytest.importorskip("skimage.data")
    for image in validation:
        if hasattr(data, image.name.partition(".")[0]):
            assert np.array_equal(image.pixels, getattr(data, image.name.partition(".")[0])()), image.name


def test_lossless_pixels_never_change(validation: tuple[NamedImage, ...]) -> None:
    # Scores of earlier searches are comparable only while this holds. JPEG decoders may differ by one level.
    lossless = [image for image in validation if image.name.endswith(".png")]
    assert fingerprint(lossless) == "2c8de8b542f7"


def test_every_file_is_credited(training: tuple[NamedImage, ...], validation: tuple[NamedImage, ...]) -> None:
    rows = credits()
    present = [f"train/{image.name}" for image in training] + [f"val/{image.name}" for image in validation]
    assert [row["file"] for row in rows] == present
    for row in rows:
        assert row["title"]
        assert row["author"]
        assert row["source"]
        assert row["changes"]
        assert row["licence_url"] == LICENCE_URLS[row["licence"]]


def test_licence_note_names_every_author() -> None:
    note = (files("evaluators.images") / "photographs" / "LICENSES.md").read_text(encoding="utf-8")
    for row in credits():
        assert row["author"].partition(",")[0] in note
        assert row["licence_url"] in note


def test_photographs_are_small_enough_to_travel() -> None:
    folder = files("evaluators.images") / "photographs"
    sizes = [len(file.read_bytes()) for part in ("train", "val") for file in (folder / part).iterdir()]
    assert sum(sizes) <= MAX_MEGABYTES * 1e6


def test_tiles_are_the_detailed_ones() -> None:
    image = np.full((256 * 2 + 10, 256 * 3, 3), 90, np.uint8)
    image[5:261, 512:] = np.random.default_rng(4).integers(0, 256, (256, 256, 1))  # most detail
    image[261:517, :256:2] = 120  # some
    assert detailed_tiles(image) == [(5, 512), (261, 0)]
