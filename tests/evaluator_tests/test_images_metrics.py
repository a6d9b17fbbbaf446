"""PSNR and SSIM against scikit-image, against values known by hand, and the bicubic rows of the published tables."""

import math
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from evaluators.images.folders import load_folder
from evaluators.images.metrics import luma, psnr, psnr_y, ssim_y
from evaluators.images.resize import bicubic_pair, upscale

# PSNR on Y of bicubic enlargement in dB: measured once with these rules; published values differ by at most 0.01 dB
# (Set5 33.66 / 28.42, Set14 30.24 / 26.00, B100 29.56 / 25.96). Of Urban100 these are the first 30 images.
BICUBIC_PSNR_DB = {
    ("Set5", 2): 33.67,
    ("Set5", 4): 28.43,
    ("Set14", 2): 30.23,
    ("Set14", 4): 26.00,
    ("B100", 2): 29.56,
    ("B100", 4): 25.96,
    ("Urban100_first30", 2): 27.20,
    ("Urban100_first30", 4): 23.59,
}
LARGE_SETS = ("B100", "Urban100_first30")


def noisy_pair(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    smooth = np.add.outer(np.linspace(20, 200, shape[0]), np.linspace(0, 40, shape[1]))
    target = np.broadcast_to(smooth if len(shape) == 2 else smooth[..., None], shape)
    output = np.clip(target + generator.normal(0, 12, shape), 0, 255)
    return output.astype(np.uint8), target.astype(np.uint8)


@pytest.mark.parametrize(
    ("rgb", "y"),
    [((0, 0, 0), 16.0), ((255, 255, 255), 235.0), ((255, 0, 0), 81.481), ((0, 255, 0), 144.553), ((0, 0, 255), 40.966)],
)
def test_luma_of_the_corners_of_the_cube(rgb: tuple[int, int, int], y: float) -> None:
    assert luma(np.array([[rgb]], np.uint8)) == pytest.approx(np.array([[y]]), abs=1e-9)


def test_luma_is_not_rounded() -> None:
    assert luma(np.array([1, 0, 0], np.uint8)) == pytest.approx(16.0 + 65.481 / 255)


def test_psnr_known_by_hand() -> None:
    zeros = np.zeros((4, 4), np.uint8)
    assert psnr(zeros, zeros) == math.inf
    assert psnr(zeros, np.full((4, 4), 255, np.uint8)) == pytest.approx(0.0)
    assert psnr(zeros, np.ones((4, 4), np.uint8)) == pytest.approx(48.1308036, abs=1e-6)  # 20 log10 255
    assert psnr(np.zeros(3), np.full(3, 0.1), peak=1.0) == pytest.approx(20.0)
    assert math.isnan(psnr(np.array([np.nan]), np.array([1.0])))


@pytest.mark.parametrize("shape", [(40, 56), (40, 56, 3)])
def test_psnr_agrees_with_scikit_image(shape: tuple[int, ...]) -> None:
    output, target = noisy_pair(*shape)
    assert psnr(output, target) == pytest.approx(peak_signal_noise_ratio(target, output, data_range=255), abs=1e-9)


def test_shaving_hides_the_border() -> None:
    output, target = noisy_pair(40, 56, 3)
    spoiled = output.copy()
    spoiled[:4] = spoiled[-4:] = 0
    spoiled[:, :4] = spoiled[:, -4:] = 255
    assert psnr_y(spoiled, target, 4) == psnr_y(output, target, 4)
    assert ssim_y(spoiled, target, 4) == ssim_y(output, target, 4)
    assert psnr_y(spoiled, target, 3) < psnr_y(output, target, 3)


def test_grey_is_measured_as_it_is() -> None:
    output, target = noisy_pair(40, 56)
    assert psnr_y(output, target, 2) == pytest.approx(psnr(output[2:-2, 2:-2], target[2:-2, 2:-2]))
    as_colour = psnr_y(np.dstack([output] * 3), np.dstack([target] * 3), 2)
    assert as_colour - psnr_y(output, target, 2) == pytest.approx(20 * math.log10(255 / 219))  # the 16..235 scaling


@pytest.mark.parametrize("shape", [(11, 11), (12, 90), (64, 43), (120, 97)])
def test_ssim_agrees_with_scikit_image(shape: tuple[int, int]) -> None:
    output, target = noisy_pair(*shape, 3)
    _, similarity = structural_similarity(
        luma(output),
        luma(target),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    assert ssim_y(output, target, 0) == pytest.approx(similarity[5:-5, 5:-5].mean(), abs=1e-9)


def test_ssim_of_equal_images_is_one() -> None:
    output, _ = noisy_pair(30, 30, 3)
    assert ssim_y(output, output, 2) == pytest.approx(1.0, abs=1e-12)


def test_wrong_shapes_are_refused() -> None:
    output, target = noisy_pair(40, 56, 3)
    with pytest.raises(ValueError, match="of one shape"):
        psnr(output, target[..., :1])
    with pytest.raises(ValueError, match=r"shave must leave something of 56x40, got 20"):
        psnr_y(output, target, 20)
    with pytest.raises(ValueError, match="at least 11 px"):
        ssim_y(output, target, 15)
    with pytest.raises(ValueError, match="3 channels"):
        luma(np.zeros((4, 4, 4)))


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        pytest.param(name, scale, marks=pytest.mark.long if name in LARGE_SETS else ())
        for name, scale in sorted(BICUBIC_PSNR_DB)
    ],
)
def test_bicubic_baseline_of_the_published_tables(research_sets: Path, name: str, scale: int) -> None:
    values = []
    for image in load_folder(research_sets / name / "HR", 64):
        degraded, target = bicubic_pair(image.pixels[..., 0] if image.grey else image.pixels, scale)
        values.append(psnr_y(upscale(degraded, scale), target, scale))
    assert np.mean(values) == pytest.approx(BICUBIC_PSNR_DB[name, scale], abs=0.01)
