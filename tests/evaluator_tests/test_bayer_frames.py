"""Real Bayer frames: geometry, levels, colours, and every mistake in their description as one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluators import data
from evaluators.images.bayer import pack
from evaluators.images.bayer_frames import COLUMNS, FIRST_RED, LARGEST_PX, load_frames
from evaluators.tasks import rules_of
from space import TASKS, UserError

ROW = {
    "file": "a.raw",
    "width": 40,
    "height": 34,
    "pattern": "RGGB",
    "bits": 12,
    "black": 64,
    "white": 4000,
    "gain_r": 2.0,
    "gain_b": 1.5,
}


def write_frame(folder: Path, values: np.ndarray, **changed: object) -> Path:
    """``values`` as a file and its ``frames.csv``, with ``changed`` columns."""
    row = {**ROW, "height": len(values), "width": values.shape[1], **changed}
    (folder / "a.raw").write_bytes(values.astype("u1" if row["bits"] == 8 else "<u2").tobytes())
    (folder / "frames.csv").write_text(",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n")
    return folder


def sensor(height: int = 34, width: int = 40) -> np.ndarray:
    """RGGB levels; red, green and blue are told apart by their size."""
    values = np.random.default_rng(0).integers(0, 200, (height, width))
    values[0::2, 0::2] += 3000
    values[1::2, 1::2] += 1000
    return values + 64


@pytest.mark.parametrize("pattern", sorted(FIRST_RED))
def test_every_pattern_is_packed_as_rggb(tmp_path: Path, pattern: str) -> None:
    """A scene whose first rows and columns are cut until it begins with the pattern's first colour."""
    red_row, red_column = FIRST_RED[pattern]
    shifted = np.pad(sensor(), ((red_row, 0), (red_column, 0)), mode="reflect")
    (frame,) = load_frames(write_frame(tmp_path, shifted, pattern=pattern.lower()))
    assert np.allclose(frame.packed, (pack(sensor()) - 64) / (4000 - 64), atol=1e-6)
    red, green, also_green, blue = frame.packed.mean(axis=(0, 1))
    assert red > blue > max(green, also_green)
    assert (frame.camera.red, frame.camera.blue, frame.name, frame.noise) == (2.0, 1.5, "a.raw", None)


def test_levels_are_black_to_white_and_not_clipped(tmp_path: Path) -> None:
    values = np.full((34, 40), 64)
    values[0, 0], values[0, 1], values[1, 0] = 4000, 0, 4095
    (frame,) = load_frames(write_frame(tmp_path, values))
    assert frame.packed.dtype == np.float32
    assert frame.packed[0, 0, 0] == 1
    assert frame.packed[0, 0, 1] < 0 < 1 < frame.packed[0, 0, 2]
    assert frame.packed[0, 0, 3] == 0


def test_8_bits_take_one_byte(tmp_path: Path) -> None:
    (frame,) = load_frames(write_frame(tmp_path, sensor() // 16, bits=8, black=4, white=250))
    assert np.allclose(frame.packed, (pack(sensor() // 16) - 4) / 246, atol=1e-6)


def test_of_a_large_frame_the_middle_is_used(tmp_path: Path) -> None:
    values = np.zeros((36, LARGEST_PX + 8), int)
    values[:, 4:-4] = 100
    (frame,) = load_frames(write_frame(tmp_path, values, black=0, white=100))
    assert frame.packed.shape == (18, LARGEST_PX // 2, 4)
    assert frame.packed.min() == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 42}, "a.raw must hold 42x34 values of 2 bytes, 2,856 bytes in all, got 2,720"),
        ({"pattern": "RGBG"}, "pattern of a.raw must be one of RGGB, GRBG, GBRG, BGGR, got 'RGBG'"),
        ({"black": 4000}, "black < white < 2^bits, got black 4000, white 4000, bits 12"),
        ({"white": 5000}, "black < white < 2^bits, got black 64, white 5000, bits 12"),
        ({"bits": 11, "white": 2000}, "values of a.raw must be below 2^11"),
        ({"bits": 24, "white": 5000}, "bits of a.raw must be at most 16, got 24"),
        ({"height": 34.5}, "height of a.raw in frames.csv must be a whole number of at least 1, and at most 1e+06"),
        ({"gain_r": "warm"}, "gain_r of a.raw in frames.csv must be a number of at least 0.001, and at most 1e+06"),
        ({"gain_b": "nan"}, "gain_b of a.raw in frames.csv must be a number of at least 0.001, and at most 1e+06"),
        ({"shot": "0.01"}, "read of a.raw in frames.csv must be a number of at least 0, and at most 1e+06"),
        ({"width": 20}, "sides of a.raw must be at least 32 px, got 20x34"),
        ({"width": "1e308"}, "width of a.raw in frames.csv must be a whole number"),
        ({"file": "../a.raw"}, "file must be a path below the folder of frames.csv, got '../a.raw'"),
        ({"file": "b.raw"}, "frames.csv, line 2: frame must be a file, got "),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, changed: dict, message: str) -> None:
    write_frame(tmp_path, sensor(), **changed)
    with pytest.raises(UserError) as caught:
        load_frames(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "", ",".join(COLUMNS) + "\n", "file,width\na.raw,40\n"])
def test_a_folder_without_description_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "frames.csv").write_text(content)
    with pytest.raises(UserError, match=r"frames\.csv.*(a row per frame|file,? ?width,? ?height)"):
        load_frames(tmp_path)


def test_frames_become_pictures_of_raw_denoising_only(tmp_path: Path) -> None:
    write_frame(tmp_path, sensor())
    rules = rules_of("raw-denoise")
    (pair,) = data.frame_pairs(tmp_path, rules)
    picture = rules.show.picture(rules.measure.baseline(pair.degraded), pair)
    assert picture.shape == (17, 20, 3)
    red, green, blue = picture.mean(axis=(0, 1))
    assert red > blue > green
    assert data.frame_pairs(None, rules) == ()
    for name in TASKS.keys() - {"raw-denoise"}:
        with pytest.raises(UserError, match=f"--frames is an option of raw-denoise and not of {name}"):
            data.frame_pairs(tmp_path, rules_of(name))


def test_a_noise_map_needs_the_noise(tmp_path: Path) -> None:
    rules = rules_of("raw-denoise", options={"channels": "noise-map"})
    with pytest.raises(UserError, match=r"must have the columns shot and read .* got none for a.raw"):
        data.frame_pairs(write_frame(tmp_path, sensor()), rules)
    (pair,) = data.frame_pairs(write_frame(tmp_path, sensor(), shot=0.01, read=1e-4), rules)
    assert pair.degraded.shape == (17, 20, 5)
    signal = np.maximum(pair.degraded[..., :4].mean(axis=2), 0)
    assert np.allclose(pair.degraded[..., 4], np.sqrt(0.01 * signal + 1e-4))
