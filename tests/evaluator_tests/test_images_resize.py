"""Bicubic resize: its properties, hand-computed pixels, and the published low-resolution files byte for byte."""

from pathlib import Path

import numpy as np
import pytest

from evaluators.images import resize
from evaluators.images.folders import load_folder, load_image
from evaluators.images.resize import bicubic_pair, downscale, modcrop, upscale
from space.errors import UserError

EDGES = ("replicate", "mirror")
PUBLISHED = {  # number of low-resolution files
    ("Set5", 2): 5,
    ("Set5", 4): 5,
    ("Set14", 2): 14,
    ("Set14", 4): 14,
    ("B100", 4): 100,
    ("Urban100_first30", 4): 30,
}


def random_image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def resized_tap_by_tap(image: np.ndarray, n_out: int, edge: str) -> np.ndarray:
    """One axis of a ``(n_in, M)`` uint8 image by the definition of the kernel, pixel by pixel."""
    n_in = len(image)
    stretch = max(n_in / n_out, 1.0)
    rows = []
    for out in range(n_out):
        centre = (out + 0.5) * n_in / n_out - 0.5
        row, total = np.zeros(image.shape[1]), 0.0
        for source in range(int(centre - 2 * stretch) - 2, int(centre + 2 * stretch) + 3):
            t = abs(centre - source) / stretch
            weight = 1.5 * t**3 - 2.5 * t**2 + 1 if t <= 1 else max(2 - t, 0) * -0.5 * (t - 1) * (2 - t)
            inside = min(max(source, 0), n_in - 1)
            if edge == "mirror" and inside != source:
                inside = -1 - source if source < 0 else 2 * n_in - 1 - source
            row += weight * image[inside]
            total += weight
        rows.append(np.floor(np.clip(row / total, 0, 255) + 0.5))
    return np.array(rows, np.uint8)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_constant_image_stays_constant(scale: int, level: int, edge: str) -> None:
    image = np.full((24, 48, 3), level, np.uint8)
    assert np.all(downscale(image, scale, edge) == level)
    assert np.all(upscale(image, scale, edge) == level)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(("n_in", "n_out"), [(32, 8), (32, 16), (30, 10), (8, 32), (10, 30), (7, 7)])
def test_weights_of_each_pixel_sum_to_one(n_in: int, n_out: int, edge: str) -> None:
    weights, index = resize._taps(n_in, n_out, edge)
    assert weights.sum(axis=1) == pytest.approx(np.ones(n_out), abs=1e-12)
    assert index.min() >= 0
    assert index.max() < n_in


def test_hand_computed_step() -> None:
    # x2, weights at distances 1/4, 3/4, 5/4, 7/4: 111/128, 29/128, -9/128, -3/128. Left of the step 200 * (-3) / 128
    # and 200 * (-9) / 128 clip to 0; then 200 times 26, 102, 137 and 131 / 128: 40.6, 159.4, 214.1, 204.7.
    step = np.array([[0, 0, 0, 200, 200, 200]], np.uint8)
    assert upscale(step, 2)[0].tolist() == [0, 0, 0, 0, 0, 41, 159, 214, 205, 200, 200, 200]
    # Reduced by 2: (-3, -9, 29, 111, 111, 29, -9, -3) / 256; 200 * -12 / 256 clips to 0, 200 * 128 / 256 is exact.
    assert downscale(np.repeat(step, 2, axis=0), 2)[0].tolist() == [0, 100, 209]


def test_halves_round_up() -> None:
    # The middle pixel is exactly 100.5, between rows of 100 and 101.
    image = np.repeat(np.array([[100], [100], [100], [101], [101], [101]], np.uint8), 2, axis=1)
    assert downscale(image, 2)[:, 0].tolist() == [100, 101, 101]


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(("height", "width"), [(16, 20), (64, 52), (72, 200)])
@pytest.mark.parametrize("scale", [2, 4])
def test_bands_agree_with_the_definition(height: int, width: int, scale: int, edge: str) -> None:
    image = random_image(height, width, 3)
    for resized, n_rows, n_columns in (
        (downscale(image, scale, edge), height // scale, width // scale),
        (upscale(image, scale, edge), height * scale, width * scale),
    ):
        rows = resized_tap_by_tap(image.reshape(height, -1), n_rows, edge).reshape(n_rows, width, 3)
        columns = resized_tap_by_tap(rows.swapaxes(0, 1).reshape(width, -1), n_columns, edge)
        assert np.array_equal(resized, columns.reshape(n_columns, n_rows, 3).swapaxes(0, 1))


def test_edge_rules_differ_only_at_the_edge() -> None:
    image = random_image(64, 64)
    replicate, mirror = downscale(image, 4, "replicate"), downscale(image, 4, "mirror")
    assert not np.array_equal(replicate, mirror)
    assert np.array_equal(replicate[2:-2, 2:-2], mirror[2:-2, 2:-2])


def test_channels_are_independent_and_grey_has_none() -> None:
    image = random_image(33, 47, 3)
    reduced = downscale(image, 4)
    assert reduced.shape == (8, 11, 3)
    for channel in range(3):
        assert np.array_equal(reduced[..., channel], downscale(image[..., channel], 4))


def test_pair_is_cropped_and_reduced() -> None:
    image = random_image(35, 50, 3)
    degraded, target = bicubic_pair(image, 4)
    assert degraded.shape == (8, 12, 3)
    assert np.array_equal(target, image[:32, :48])
    assert np.array_equal(degraded, downscale(image, 4))
    assert degraded.dtype == target.dtype == np.uint8


def test_mistakes_are_answered_in_one_line() -> None:
    with pytest.raises(UserError, match="at least 4 px on each side for scale 4, got 20x3; use a larger image"):
        modcrop(random_image(3, 20), 4)
    with pytest.raises(UserError, match="edge must be one of replicate, mirror, got 'wrap'"):
        downscale(random_image(8, 8), 2, "wrap")
    with pytest.raises(UserError, match="scale must be a whole number of at least 1, got 0"):
        upscale(random_image(8, 8), 0)
    with pytest.raises(ValueError, match="must be uint8"):
        downscale(random_image(8, 8) / 255.0, 2)


@pytest.mark.parametrize(("name", "scale"), sorted(PUBLISHED))
def test_published_low_resolution_files_byte_for_byte(research_sets: Path, name: str, scale: int) -> None:
    high = load_folder(research_sets / name / "HR", 64)
    low = load_folder(research_sets / name / f"LR_bicubic_x{scale}", 16)
    assert len(low) == PUBLISHED[name, scale]
    for large, small in zip(high, low, strict=True):
        assert Path(large.name).stem == Path(small.name).stem
        assert np.array_equal(downscale(large.pixels, scale), small.pixels), small.name


def test_div2k_mirrors_at_the_edge(research_sets: Path) -> None:
    high = load_image(research_sets / "DIV2K_sample" / "0803_HR.png")
    low = load_image(research_sets / "DIV2K_sample" / "0803_LR_bicubic_x4.png")
    assert np.array_equal(downscale(high, 4, "mirror"), low)
    assert not np.array_equal(downscale(high, 4, "replicate"), low)
