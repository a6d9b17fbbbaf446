"""Quality as a whole: pairs, restoring, baselines through the same path that networks take."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evaluators import data
from evaluators.images.folders import NamedImage, load_folder
from evaluators.images.pair_folders import NamedPair
from evaluators.quality import NonFiniteOutputError, baseline, evaluate, measure, restore
from evaluators.tasks import rules_of
from space import ZOO, build
from space.errors import UserError
from space.zoo import with_input_skip

SR2, SR4 = rules_of("sr", 2), rules_of("sr", 4)


@pytest.fixture
def pictures() -> tuple[NamedImage, ...]:
    generator = np.random.default_rng(0)
    smooth = generator.integers(60, 200, (7, 8, 3)).repeat(6, 0).repeat(6, 1).astype(np.uint8)
    return (
        NamedImage("a", smooth),
        NamedImage("b", smooth[::-1, :40].mean(2, keepdims=True).astype(np.uint8).repeat(3, 2), True),
    )


class Identity(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_restoring_rounds_and_clips_like_a_saved_picture() -> None:
    degraded = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert (restore(Identity(), degraded, SR2) == degraded).all()

    class Bright(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 300 - 1

    assert set(np.unique(restore(Bright(), degraded, SR2))) <= {0, *range(256)}
    assert restore(Bright(), degraded, SR2).max() == 255


def test_a_network_that_has_learned_nothing_is_interpolation(pictures) -> None:
    pairs = data.validation_pairs(pictures, SR2)
    network = build(with_input_skip(ZOO["s-lwsr16"].at_scale(2))).eval()
    ours, bicubic = evaluate(network, pairs, SR2), baseline(pairs, SR2)
    assert ours.psnr_db == pytest.approx(bicubic.psnr_db, abs=0.3)  # edges differ, the inside does not
    assert set(ours.psnr_db_by_image) == {"a", "b"}


def test_pairs_survive_the_file_between_processes(tmp_path: Path, pictures) -> None:
    pairs = data.validation_pairs(pictures, SR4)
    data.save_pairs(tmp_path / "pairs.npz", pairs)
    again = data.load_pairs(tmp_path / "pairs.npz")
    assert [(pair.name, pair.grey) for pair in again] == [("a", False), ("b", True)]
    assert all(
        (one.degraded == two.degraded).all() and (one.target == two.target).all()
        for one, two in zip(pairs, again, strict=True)
    )


def test_bicubic_on_the_embedded_photographs_is_a_known_number() -> None:
    pairs = data.validation_pairs(data.validation_images(None, SR4), SR4)
    assert baseline(pairs, SR4).psnr_db == pytest.approx(28.122, abs=0.002)


@pytest.mark.parametrize(
    ("name", "scale", "psnr_db"),
    [
        # Published: 33.66, 28.42, 30.24, 26.00, 29.56, 25.96; the grey image of Set14 as it is.
        ("Set5", 2, 33.67),
        ("Set5", 4, 28.43),
        ("Set14", 2, 30.23),
        ("Set14", 4, 26.00),
        pytest.param("B100", 2, 29.56, marks=pytest.mark.long),
        pytest.param("B100", 4, 25.96, marks=pytest.mark.long),
    ],
)
def test_published_bicubic_baselines(research_sets: Path, name: str, scale: int, psnr_db: float) -> None:
    rules = rules_of("sr", scale)
    pairs = data.validation_pairs(load_folder(research_sets / name / "HR", 16), rules)
    assert round(baseline(pairs, rules).psnr_db, 2) == psnr_db


def test_a_record_of_data_changes_with_a_pixel(pictures) -> None:
    before = data.describe(Path("mine"), pictures, SR4)
    assert before.startswith("folder mine, 2 images, ")
    pictures[0].pixels[3, 3, 0] += 1
    assert data.describe(Path("mine"), pictures, SR4) != before


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_output_that_is_not_finite_is_never_scored(value: float) -> None:
    """Rounded to 8 bits it would be a black or white pixel: once 7.51 dB, and a place on the front."""

    class Diverged(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            output = image.clone()
            output[..., 3, 3] = value
            return output

    rules = rules_of("denoise", 1)
    image = NamedImage("a", np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8))
    with pytest.raises(NonFiniteOutputError, match="must be finite"):
        evaluate(Diverged(), data.validation_pairs((image,), rules), rules)


def test_a_perfect_output_has_a_finite_psnr() -> None:
    rules = rules_of("denoise", 1)
    image = NamedImage("flat", np.full((24, 24, 3), 90, np.uint8))
    quality = measure(lambda pair: pair.target, data.validation_pairs((image,), rules), rules)
    assert quality.psnr_db == pytest.approx(10 * math.log10(255**2 * 24 * 24 * 3))


def test_a_picture_of_one_colour_is_refused() -> None:
    rules = rules_of("sr", 4)
    flat = NamedImage("flat.png", np.full((96, 96, 3), 90, np.uint8))
    with pytest.raises(UserError, match=r"flat\.png of photos in one colour"):
        data.check_measurable((flat,), "photos", rules)
    rough = NamedImage("rough.png", np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8))
    data.check_measurable((rough,), "photos", rules)
    data.check_measurable((flat,), "photos", rules_of("denoise", 1))  # its noise can be measured


def test_a_pair_of_the_same_picture_is_refused() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    with pytest.raises(UserError, match="twice the same"):
        data.check_measurable((NamedPair("a", pixels, pixels.copy()),), "pairs", rules_of("denoise", 1))
