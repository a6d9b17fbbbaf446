"""What is particular to each task: its degradation, metric and published baselines."""

from pathlib import Path

import numpy as np
import pytest
import torch

from evaluators import data
from evaluators.images.bayer import pack, unpack
from evaluators.images.folders import NamedImage, load_folder
from evaluators.images.masks import random_mask
from evaluators.images.pair_folders import holds_pairs
from evaluators.images.shake import POSES, camera_path, margin, shake
from evaluators.images.unprocess import process, random_camera, read_variance, unprocess
from evaluators.images.ycbcr import join_luma
from evaluators.quality import SELF_ENSEMBLE, baseline, restore, self_ensembled
from evaluators.tasks import rules_from_text, rules_of
from evaluators.tasks.raw_denoise import EXPOSURE
from evaluators.training.patches import SYMMETRIES, turned_bayer
from space import UserError
from tests import small_pictures
from tests.small_pictures import FirstChannels


@pytest.fixture(scope="module")
def photographs() -> tuple[NamedImage, ...]:
    return small_pictures.photographs()


def test_options_that_are_wrong_are_refused_in_one_line() -> None:
    wrong = [
        ("denoise", "sigma", "loud", "--sigma must be a number or a range"),
        ("denoise", "sigma", "50-15", "got '50-15'"),
        ("sr", "sigma", "25", "--sigma is an option of denoise, deblur and not of sr"),
        ("denoise", "channels", "y", "--channels of denoise must be one of colour, grey"),
        ("inpaint", "holes", "0", "from 1 to 60"),
        ("deblur", "blur", "soft", "--blur must be one of both, uniform, shake"),
    ]
    for task, name, word, message in wrong:
        with pytest.raises(UserError, match=r"^[^\n]*$") as caught:
            rules_from_text(task, None, {name: word})
        assert message in str(caught.value)
    with pytest.raises(UserError, match="--scale of denoise must be left out"):
        rules_of("denoise", 2)


# Denoising.


@pytest.mark.parametrize(("sigma", "psnr_db"), [(15, 24.61), (25, 20.17), (50, 14.15)])
@pytest.mark.parametrize("channels", ["grey", "colour"])
def test_noisy_baseline_is_what_the_level_says(sigma: int, psnr_db: float, channels: str) -> None:
    rules = rules_of("denoise", options={"sigma": [sigma, sigma], "channels": channels})
    pairs = data.validation_pairs(data.validation_images(None, rules), rules)
    assert baseline(pairs, rules).psnr_db == pytest.approx(psnr_db, abs=0.03)


def test_blind_validation_covers_the_range_evenly(photographs) -> None:
    rules = rules_of("denoise", options={"sigma": [0.0, 50.0]})
    pairs = data.validation_pairs(photographs, rules)
    levels = [float(np.std(pair.degraded * 255 - pair.target)) for pair in pairs]
    assert levels == pytest.approx([12.5, 37.5], rel=0.02)


def test_real_noise_and_real_blur_baselines(research_sets: Path) -> None:
    for task, folder, expected in (
        ("denoise", "CC_real_noise", [37.00, 33.28, 35.47, 33.26, 29.63]),
        ("deblur", "GoPro_samples", [25.11, 24.05]),
    ):
        rules = rules_of(task)
        images = data.validation_images(research_sets / folder, rules)
        quality = baseline(data.validation_pairs(images, rules), rules)
        assert [round(value, 2) for value in quality.psnr_db_by_image.values()] == expected


def test_grey_noise_is_that_of_set12(research_sets: Path) -> None:
    rules = rules_of("denoise", options={"sigma": [25.0, 25.0], "channels": "grey"})
    pairs = data.validation_pairs(load_folder(research_sets / "Set12", 16), rules)
    assert pairs[0].target.shape == (256, 256, 1)
    assert baseline(pairs, rules).psnr_db == pytest.approx(20.17, abs=0.01)


def test_pairs_side_by_side_and_by_name_are_found_and_a_lonely_one_refused(tmp_path: Path, photographs) -> None:
    from PIL import Image

    rules = rules_of("deblur")
    for layout, names in (("folders", ("blur/x.png", "sharp/x.png")), ("names", ("x_blur1.png", "x_sharp1.png"))):
        for name, image in zip(names, photographs, strict=True):
            (tmp_path / layout / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.pixels).save(tmp_path / layout / name)
        assert holds_pairs(tmp_path / layout)
        images = data.validation_images(tmp_path / layout, rules)
        (pair,) = data.validation_pairs(images, rules)
        assert np.array_equal(pair.degraded, photographs[0].pixels)
        assert np.array_equal(pair.target, photographs[1].pixels)
        degraded, target = data.training_pool(images, rules).sample(np.random.default_rng(0), 2, 48)
        assert not torch.equal(degraded, target)  # and no noise of ours on top
        assert torch.isin(degraded, torch.arange(256, dtype=torch.float32) / 255).all()
        with pytest.raises(UserError, match="cannot serve inpaint"):
            data.validation_images(tmp_path / layout, rules_of("inpaint"))
    Image.fromarray(photographs[0].pixels).save(tmp_path / "names" / "y_blur1.png")
    with pytest.raises(UserError, match="partner"):
        data.validation_images(tmp_path / "names", rules)


# Deblurring.


@pytest.mark.parametrize("turns", [False, True])
def test_a_path_has_mean_zero_and_the_extent_asked_for(turns: bool) -> None:
    path = camera_path(np.random.default_rng(0), 9.0, turns, 100.0)
    assert path.shape == (POSES, 3)
    assert path.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-9)
    extent = np.linalg.norm(path[:, None, :2] - path[None, :, :2], axis=2).max()
    assert extent < 9.0 if turns else extent == pytest.approx(9.0)
    assert (np.ptp(path[:, 2]) > 0) == turns


def test_blur_without_turns_is_the_same_everywhere_and_with_turns_is_not() -> None:
    dots = np.zeros((121, 121, 3), np.uint8)
    dots[20:121:40, 20:121:40] = 255
    spread = {}
    for turns in (False, True):
        path = camera_path(np.random.default_rng(2), 8.0, turns, 86.0)
        edge = margin(path, 121, 121)
        blurred = shake(np.pad(dots, ((edge, edge), (edge, edge), (0, 0))), path, edge)
        assert blurred.shape == dots.shape
        light = (blurred[..., 0] / 255.0) ** 2.2
        assert light.sum() == pytest.approx(9, rel=0.05)  # light is spread and not lost
        windows = [light[y - 19 : y + 20, x - 19 : x + 20] for y in (20, 60, 100) for x in (20, 60, 100)]
        spread[turns] = max(float(np.abs(window - windows[4]).max()) for window in windows)
    assert spread[False] < 1e-3
    assert spread[True] > 0.02


def test_paths_spread_light_as_measured_camera_shakes_do(research_sets: Path) -> None:
    kernels = np.load(research_sets / "blur_kernels" / "levin09.npz")
    radii = []
    for kernel in kernels.values():
        y, x = np.indices(kernel.shape)
        weights = kernel / kernel.sum()
        centre = (weights * y).sum(), (weights * x).sum()
        radii.append(float(np.sqrt((weights * ((y - centre[0]) ** 2 + (x - centre[1]) ** 2)).sum())))
    generator = np.random.default_rng(0)
    ours = [
        float(np.sqrt((camera_path(generator, extent, False, 1.0)[:, :2] ** 2).sum(axis=1).mean()))
        for extent in np.linspace(4, 11, 40)
    ]
    assert min(radii) < np.median(ours) * 1.5 < max(radii) * 1.5
    assert max(ours) < max(radii)


# Inpainting.


@pytest.mark.parametrize("kind", ["irregular", "rectangles"])
def test_holes_cover_the_share_asked_for(kind: str) -> None:
    generator = np.random.default_rng(0)
    shares = [random_mask(generator, 96, 128, kind, (0.1, 0.3)).mean() for _ in range(20)]
    assert min(shares) >= 0.1
    assert max(shares) <= 0.3
    assert np.ptp(shares) > 0.1


def test_outside_of_the_holes_nothing_changes_and_the_metric_looks_inside(photographs) -> None:
    rules = rules_of("inpaint")
    pair = rules.degrade.pair(photographs[0])
    holes = pair.degraded[..., 3] == 255
    white = rules.measure.output(np.ones_like(pair.target, np.float32), pair.degraded)
    assert (white[holes] == 255).all()
    assert (white[~holes] == pair.target[~holes]).all()
    difference = (white[holes].astype(float) - pair.target[holes]) ** 2
    assert rules.measure.psnr_db(white, pair) == pytest.approx(10 * np.log10(255**2 / difference.mean()))
    whole = rules.measure.other_metrics(white, pair)["PSNR of the whole picture"]
    assert whole == pytest.approx(rules.measure.psnr_db(white, pair) - 10 * np.log10(holes.mean()))


def test_the_loss_looks_inside_the_holes() -> None:
    rules = rules_of("inpaint")
    target, degraded = torch.rand(2, 3, 4, 4), torch.zeros(2, 4, 4, 4)
    degraded[:, 3, :2] = 1
    output = target.clone()
    output[:, :, 2:] += 5
    assert rules.measure.loss(output, target, degraded).item() == 0
    output[:, :, :2] += 0.25
    assert rules.measure.loss(output, target, degraded).item() == pytest.approx(0.25, abs=1e-5)


# RAW.


def test_unprocessing_and_processing_come_back_to_the_photograph() -> None:
    ramp = np.linspace(30, 200, 16).astype(np.uint8)
    image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], ramp[::-1, None]), axis=2)
    image = image.repeat(2, 0).repeat(2, 1)  # every 2x2 of the sensor has one colour
    camera = random_camera(np.random.default_rng(0))
    again = process(unprocess(image, camera), camera).astype(int)
    assert np.abs(again - image[::2, ::2].astype(int)).max() <= 2


def test_read_noise_is_on_the_line_of_the_natural_logarithm() -> None:
    assert read_variance(np.array([1e-4, 0.012])) == pytest.approx([6.33e-9, 2.157e-4], rel=1e-3)


def test_symmetries_keep_the_bayer_order() -> None:
    colour = np.array([[0, 1], [2, 3]])
    sensor = np.tile(colour, (5, 5)) * 1000 + np.arange(100).reshape(10, 10)
    assert np.array_equal(unpack(pack(sensor)), sensor)
    seen = set()
    for turn in range(SYMMETRIES):
        turned = turned_bayer(pack(sensor), turn)
        assert turned.shape == (4, 4, 4)
        kinds = set(map(tuple, (turned // 1000).reshape(-1, 4)))
        assert kinds == ({(0, 2, 1, 3)} if turn & 4 else {(0, 1, 2, 3)})  # the greens of a transposed sensor swap
        mosaic = unpack(turned) % 1000
        steps = {abs(int(d)) for d in np.diff(mosaic, axis=1).ravel()}
        assert steps == ({10} if turn & 4 else {1})  # neighbours on the sensor stay neighbours
        seen.add(mosaic.tobytes())
    assert len(seen) == SYMMETRIES


def test_sensor_noise_has_the_variance_of_its_model() -> None:
    rules = rules_of("raw-denoise", options={"shot": [0.005, 0.005]})
    target = torch.full((64, 4, 16, 16), 0.3)
    degraded, _ = rules.degrade.finish_patches(target, target, np.random.default_rng(0))
    variance = 0.3 * 0.005 + float(read_variance(np.array(0.005)))
    assert ((degraded - EXPOSURE * target) / EXPOSURE).var().item() == pytest.approx(variance, rel=0.05)


def test_the_loss_of_raw_is_the_mean_psnr_of_the_patches() -> None:
    rules = rules_of("raw-denoise")
    target = torch.rand(2, 4, 8, 8)
    errors = torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)  # 20 and 40 dB
    loss = rules.measure.loss(EXPOSURE * (target + errors), EXPOSURE * target, target)
    assert loss.item() == pytest.approx(-30, abs=0.01)


# Super-resolution.


def test_self_ensemble_is_the_mean_over_the_symmetries() -> None:
    image = torch.rand(1, 3, 6, 8)
    assert torch.allclose(self_ensembled(FirstChannels(3, 2))(image), FirstChannels(3, 2)(image), atol=1e-6)
    weights, runs = torch.rand(1, 3, 6, 8), []

    def uneven(x: torch.Tensor) -> torch.Tensor:
        runs.append(x.shape)
        return x * torch.arange(x.shape[3])

    mean = self_ensembled(uneven)(weights)
    assert len(runs) == SELF_ENSEMBLE
    # Multiplied by its column once from each side, by its row once from each side, every value twice.
    assert torch.allclose(mean, weights * ((8 - 1) / 2 + (6 - 1) / 2) / 2, atol=1e-5)


def test_a_network_of_luma_gives_a_colour_picture(photographs) -> None:
    rules = rules_of("sr", 2, {"channels": "y"})
    pair = rules.degrade.pair(photographs[0])
    output = restore(FirstChannels(1, 2), pair.degraded, rules)
    assert output.shape == (*pair.target.shape[:2], 1)
    assert rules.show.picture(output, pair).shape == pair.target.shape
    colour = photographs[0].pixels
    from evaluators.images.metrics import luma

    assert np.abs(join_luma(luma(colour), colour).astype(int) - colour).max() <= 1


def test_a_network_of_luma_sees_a_grey_file_as_it_is(photographs) -> None:
    """Y would squeeze it into 16..235, and its PSNR would not be comparable with the baseline's."""
    grey = photographs[0].pixels[..., :1].repeat(3, axis=2)
    rules = rules_of("sr", 2, {"channels": "y"})
    pair = rules.degrade.pair(NamedImage("grey", grey, grey=True))
    assert np.array_equal(rules.degrade.network_input(pair.degraded)[..., 0], pair.degraded[..., 0] / np.float32(255))
    output = restore(FirstChannels(1, 2), pair.degraded, rules)
    assert np.array_equal(rules.show.picture(output, pair), pair.degraded.repeat(2, 0).repeat(2, 1).repeat(3, 2))
    assert np.array_equal(rules.show.input_picture(pair), rules.show.picture(output, pair))
    of_colour_networks = rules_of("sr", 2)
    same = of_colour_networks.degrade.pair(NamedImage("grey", grey, grey=True))
    assert baseline([pair], rules) == baseline([same], of_colour_networks)
