"""Patches: aligned, evenly drawn, shared, and within the memory that they were given."""

import numpy as np
import pytest
import torch

from evaluators.training import pool as pool_module
from evaluators.training.patches import SYMMETRIES
from evaluators.training.pool import PatchPool
from space.errors import UserError

SCALES = (1, 2, 4)


def _pairs(scale: int, sizes: tuple[tuple[int, int], ...] = ((9, 12), (14, 7), (20, 20))) -> list:
    """Noise images whose high-resolution partner repeats every pixel, so that alignment is an equality."""
    generator = np.random.default_rng(5)
    lows = [generator.integers(256, size=(*size, 3), dtype=np.uint8) for size in sizes]
    return [(degraded, degraded.repeat(scale, axis=0).repeat(scale, axis=1)) for degraded in lows]


@pytest.mark.parametrize("scale", SCALES)
def test_degraded_and_target_patches_show_the_same_place(scale: int) -> None:
    degraded, target = PatchPool.from_pairs(_pairs(scale), scale).sample(np.random.default_rng(0), batch=64, patch_px=5)
    assert degraded.shape == (64, 3, 5, 5)
    assert target.shape == (64, 3, 5 * scale, 5 * scale)
    assert degraded.dtype == target.dtype == torch.float32
    assert torch.equal(degraded.repeat_interleave(scale, 2).repeat_interleave(scale, 3), target)


def test_all_symmetries_of_all_places_are_drawn_and_nothing_else() -> None:
    image = np.random.default_rng(1).integers(256, size=(4, 5, 3), dtype=np.uint8)
    degraded, _ = PatchPool.from_pairs([(image, image)], scale=1).sample(
        np.random.default_rng(0), batch=2000, patch_px=3
    )
    places = [image[y : y + 3, x : x + 3] for y in range(2) for x in range(3)]
    turned = [np.rot90(flipped, k) for place in places for flipped in (place, place[::-1]) for k in range(4)]
    expected = {patch.tobytes() for patch in turned}
    assert len(expected) == 6 * SYMMETRIES
    drawn = (degraded.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    assert {patch.tobytes() for patch in drawn} == expected


def test_images_are_drawn_in_proportion_to_their_positions() -> None:
    sizes = {10: (8, 8), 20: (11, 12), 30: (3, 50)}
    pairs = [(np.full((*size, 3), value, np.uint8),) * 2 for value, size in sizes.items()]
    degraded, _ = PatchPool.from_pairs(pairs, scale=1).sample(np.random.default_rng(0), batch=6000, patch_px=4)
    share = [(degraded[:, 0, 0, 0] * 255).round().eq(value).float().mean().item() for value in (10, 20, 30)]
    assert share == pytest.approx([25 / 97, 72 / 97, 0], abs=0.03)


def test_values_are_exactly_bytes_over_255_in_channels_last_order() -> None:
    pool = PatchPool.from_pairs(_pairs(2), 2)
    degraded, target = pool.sample(np.random.default_rng(0), batch=4, patch_px=6)
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in (degraded, target))
    known = torch.arange(256, dtype=torch.float32) / 255
    assert torch.isin(degraded, known).all()


def test_same_generator_state_gives_same_patches() -> None:
    pool = PatchPool.from_pairs(_pairs(2), 2)
    first, second = (pool.sample(np.random.default_rng(3), 8, 5) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_reopened_pool_is_mapped_and_gives_the_same_patches(tmp_path) -> None:
    pool = PatchPool.from_pairs(_pairs(4), 4)
    pool.save(tmp_path / "pool")
    mapped = PatchPool.open(tmp_path / "pool")
    assert not mapped.degraded.flags.writeable
    assert np.array_equal(mapped.degraded, pool.degraded)
    assert np.array_equal(mapped.target, pool.target)
    for ours, theirs in zip(*(p.sample(np.random.default_rng(0), 16, 6) for p in (pool, mapped)), strict=True):
        assert torch.equal(ours, theirs)


def _cut(path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize("name", ["degraded.npy", "target.npy", "sizes.npy", "pool.json"])
@pytest.mark.parametrize("damage", [_cut, lambda path: path.unlink(), lambda path: path.write_bytes(b"{}")])
def test_damaged_pool_is_refused_in_one_line_with_its_name(tmp_path, name: str, damage) -> None:
    PatchPool.from_pairs(_pairs(1), 1).save(tmp_path / "pool")
    damage(tmp_path / "pool" / name)
    with pytest.raises(UserError, match="pool") as caught:
        PatchPool.open(tmp_path / "pool")
    assert "\n" not in str(caught.value)


def test_array_of_python_objects_is_refused(tmp_path) -> None:
    PatchPool.from_pairs(_pairs(1), 1).save(tmp_path)
    np.save(tmp_path / "degraded.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="Python objects"):
        PatchPool.open(tmp_path)


@pytest.mark.parametrize("max_bytes", [40_000, 100_000, 10_000_000])
def test_memory_cap_holds_and_crops_stay_aligned(max_bytes: int, monkeypatch) -> None:
    monkeypatch.setattr(pool_module, "MIN_CROP_PX", 16)
    pairs = _pairs(2, sizes=((100, 30), (17, 90), (64, 64), (20, 20)))
    pool = PatchPool.from_pairs(pairs, 2, max_bytes, np.random.default_rng(0))
    assert (
        0.6 * min(max_bytes, sum(degraded.size + target.size for degraded, target in pairs))
        < pool.degraded.size + pool.target.size
    )
    assert pool.degraded.size + pool.target.size <= max_bytes
    degraded, target = pool.sample(np.random.default_rng(0), batch=64, patch_px=8)
    assert torch.equal(degraded.repeat_interleave(2, 2).repeat_interleave(2, 3), target)


def test_unequal_images_that_fit_together_are_kept_whole() -> None:
    pairs = _pairs(1, sizes=((200, 200), (50, 50), (60, 50)))
    pool = PatchPool.from_pairs(pairs, 1, max_bytes=sum(degraded.size + target.size for degraded, target in pairs))
    assert pool.sizes.tolist() == [[200, 200], [50, 50], [60, 50]]


def test_memory_cap_keeps_fewer_images_rather_than_crumbs_and_repeats_itself() -> None:
    image = np.random.default_rng(2).integers(256, size=(200, 200, 3), dtype=np.uint8)
    make = [PatchPool.from_pairs([(image, image)] * 50, 1, 60_000, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert len(make[0].sizes) == 60_000 // (2 * 3 * 48**2)
    assert make[0].sizes.min() >= 48
    assert np.array_equal(make[0].degraded, make[1].degraded)
    assert not np.array_equal(make[0].degraded, make[2].degraded)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "at least one image pair"),
        ([(np.zeros((4, 4, 3), np.uint8), np.zeros((8, 9, 3), np.uint8))], "pair 0 must have a high-resolution"),
        ([(np.zeros((4, 4, 3)), np.zeros((8, 8, 3)))], "must be uint8"),
        ([(np.zeros((4, 4), np.uint8), np.zeros((8, 8), np.uint8))], "must be uint8"),
    ],
)
def test_wrong_pairs_are_refused(pairs: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        PatchPool.from_pairs(pairs, 2)


def test_patch_larger_than_every_image_is_refused_with_the_largest_that_fits() -> None:
    with pytest.raises(UserError, match=r"patch_px 21 .* a patch of 20"):
        PatchPool.from_pairs(_pairs(2), 2).sample(np.random.default_rng(0), batch=1, patch_px=21)


def test_cap_below_one_crop_is_refused() -> None:
    with pytest.raises(UserError, match="max_bytes must be at least 13824, got 5"):
        PatchPool.from_pairs(_pairs(1), 1, max_bytes=5)
