"""Folders of real pairs: which layouts are known, that nothing is added to them, and what titles say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluators import data
from evaluators.images.pair_folders import holds_pairs, load_pair_folder
from evaluators.tasks import RULES, rules_of
from space.errors import UserError

PAIRED = sorted(name for name in RULES if rules_of(name).degrade.has_pairs)


def save(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(level).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    ("degraded", "target", "name"),
    [
        ("blur/x.png", "sharp/x.png", "x.png"),
        ("rainy/x.png", "gt/x.png", "x.png"),
        ("Noisy/x.png", "Clean/x.png", "x.png"),
        ("flower_blur1.png", "flower_sharp1.png", "flower1.png"),
        ("5_real.PNG", "5_mean.PNG", "5.PNG"),
        ("rain-001.png", "norain-001.png", "001.png"),
        ("0001_NOISY_SRGB_010.PNG", "0001_GT_SRGB_010.PNG", "0001_SRGB_010.PNG"),
        ("NOISY_SRGB_010.PNG", "GT_SRGB_010.PNG", "SRGB_010.PNG"),
    ],
)
def test_the_layouts_of_public_sets_are_pairs(tmp_path: Path, degraded: str, target: str, name: str) -> None:
    save(tmp_path / degraded, 1)
    save(tmp_path / target, 2)
    assert holds_pairs(tmp_path)
    (pair,) = load_pair_folder(tmp_path, 16)
    assert pair.name == name
    assert np.array_equal(pair.degraded, np.asarray(Image.open(tmp_path / degraded)))
    assert np.array_equal(pair.target, np.asarray(Image.open(tmp_path / target)))


def test_pictures_with_such_words_in_their_names_are_single_ones(tmp_path: Path) -> None:
    for name in ("train.png", "trainer.png", "rain.png", "brain-clean.png", "input.png"):
        save(tmp_path / name, 1)
    assert not holds_pairs(tmp_path)


@pytest.mark.parametrize("name", PAIRED)
def test_nothing_is_added_to_pairs(tmp_path: Path, name: str) -> None:
    save(tmp_path / "rainy" / "x.png", 1)
    save(tmp_path / "clean" / "x.png", 2)
    rules = rules_of(name)
    images = data.training_images(tmp_path, rules)
    (pair,) = data.validation_pairs(data.validation_images(tmp_path, rules), rules)
    assert np.array_equal(pair.degraded, np.asarray(Image.open(tmp_path / "rainy" / "x.png")))
    pool = data.training_pool(images, rules)
    pool.save(tmp_path / "pool")
    reopened = type(pool).open(tmp_path / "pool", rules.degrade.finish_patches)
    rainy, clean = (
        set(np.asarray(Image.open(tmp_path / side / "x.png")).reshape(-1, 3).dot([1, 256, 65536]).tolist())
        for side in ("rainy", "clean")
    )
    for each in (pool, reopened):
        patches = each.sample(np.random.default_rng(0), 4, 16)
        for drawn, known in zip(patches, (rainy, clean), strict=True):
            colours = (drawn.permute(0, 2, 3, 1).reshape(-1, 3) * 255).round().long().numpy().dot([1, 256, 65536])
            assert set(colours.tolist()) <= known


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("half", ["blur", "noisy", "rainy"])
def test_the_degraded_half_of_pairs_is_no_clean_photograph(tmp_path: Path, name: str, half: str) -> None:
    other = {"blur": "sharp", "noisy": "clean", "rainy": "gt"}[half]
    save(tmp_path / "set" / half / "x.png", 1)
    save(tmp_path / "set" / other / "x.png", 2)
    rules = rules_of(name)
    remedy = r"set, which holds both" if rules.degrade.has_pairs else rf"set/{other}"
    for load in (data.training_images, data.validation_images):
        with pytest.raises(UserError, match=rf"got .*set/{half}, whose pictures are the degraded .* give .*{remedy}$"):
            load(tmp_path / "set" / half, rules)
        assert len(load(tmp_path / "set" / other, rules)) == 1


@pytest.mark.parametrize("name", PAIRED)
def test_titles_say_what_is_known_of_pairs(name: str) -> None:
    rules = rules_of(name)
    plain = rules.title
    both, train, val = (rules.of_pairs(*which) for which in ((True, True), (True, False), (False, True)))
    assert rules.of_pairs(False, False) == rules
    assert both.title.startswith(f"{name} of given pairs")
    assert not any(sign in both.title for sign in ("σ", "px", "25"))
    assert train.title.startswith(plain)
    assert train.title.endswith("trained on given pairs")
    assert val.title.startswith(f"{name} of given pairs, trained with ")
    assert both.options == rules.options
    assert "σ" not in val.show.input_note
    if name == "denoise":
        assert (rules.measure.published_level, train.measure.published_level, val.measure.published_level) == (
            "25",
            "25",
            None,
        )
        assert both.show.input_note == val.show.input_note == "as given"
        assert train.show.input_note == "σ 25"


def test_a_description_says_whether_it_is_of_pairs(tmp_path: Path) -> None:
    save(tmp_path / "pairs" / "noisy" / "x.png", 1)
    save(tmp_path / "pairs" / "clean" / "x.png", 2)
    save(tmp_path / ", 5 pairs, 0123456789ab" / "x.png", 1)
    rules = rules_of("denoise")

    def described(folder: Path | None) -> str:
        return data.describe(folder, data.validation_images(folder, rules), rules, validates=True)

    pairs = described(tmp_path / "pairs")
    assert data.describes_pairs(pairs)
    assert data.describes_pairs(f"pairs: {pairs}; more: {pairs}")
    assert not data.describes_pairs(described(None))
    assert not data.describes_pairs(described(tmp_path / ", 5 pairs, 0123456789ab"))
