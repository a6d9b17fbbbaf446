"""Real Bayer frames from headerless files, described by the file ``frames.csv`` in their folder.

A row of ``frames.csv`` is ``file,width,height,pattern,bits,black,white,gain_r,gain_b``, and optionally ``shot,read``:

- ``file`` holds ``height`` x ``width`` values, row by row: uint16 little-endian, or uint8 where ``bits`` is at most 8;
- ``pattern`` are the colours of the first 2x2 (RGGB, GRBG, GBRG, BGGR), ``black`` and ``white`` the values that mean no
  light and full scale;
- ``gain_r`` and ``gain_b`` are the white balance relative to green;
- ``shot`` and ``read``: at a signal x (0 black, 1 white) the noise's variance is x shot + read, as in a DNG's
  NoiseProfile. Only networks that take a noise map need them; they are not guessed from the frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluators.images.bayer import pack
from evaluators.images.unprocess import Camera, mixed_colours
from space.errors import UserError
from space.text_files import csv_table, read_file

FILE = "frames.csv"
COLUMNS = ("file", "width", "height", "pattern", "bits", "black", "white", "gain_r", "gain_b")
FIRST_RED = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}  # row and column
LARGEST_NUMBER = 1e6  # in any column
LARGEST_FRAME_BYTES = 1 << 29  # 250 megapixels of 16 bits
SMALLEST_PX, LARGEST_PX = 32, 2048  # sides of the sensor that are used; of a larger frame the middle


@dataclass(frozen=True)
class Frame:
    """``packed`` is float32 RGGB `(h, w, 4)`, 0 at black and 1 at white, not clipped; ``noise`` is shot and read."""

    name: str
    packed: np.ndarray
    camera: Camera
    noise: tuple[float, float] | None = None


def load_frames(folder: Path, whole: bool = False) -> tuple[Frame, ...]:
    """The frames of ``folder``, in the order of its ``frames.csv``; of a large one the middle, unless ``whole``.

    Raises:
        UserError: ``frames.csv`` or a frame cannot be used; the message states the rule.
    """
    folder = Path(folder)
    what = f"--frames must be a folder with {FILE} ({','.join(COLUMNS)}), and that"
    rows = csv_table(FILE, read_file(folder / FILE, what), COLUMNS)
    if not rows:
        raise UserError(f"{FILE} must have a row per frame, got only a header")
    frames = []
    for line, row in rows:
        try:
            frames.append(_frame(folder, row, whole))
        except UserError as error:
            raise UserError(f"{FILE}, line {line}: {error}") from None
    return tuple(frames)


def _to_rggb(sensor: np.ndarray, pattern: str) -> np.ndarray:
    """``sensor`` without the first row or column where ``pattern`` does not begin with red, cut to even sides."""
    row, column = FIRST_RED[pattern]
    sensor = sensor[row:, column:]
    return sensor[: len(sensor) // 2 * 2, : sensor.shape[1] // 2 * 2]


def _frame(folder: Path, row: Mapping[str, str], whole: bool) -> Frame:
    name = row["file"].strip()
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise UserError(f"file must be a path below the folder of {FILE}, got {name!r}")
    width, height, bits = (_number(row, column, 1) for column in ("width", "height", "bits"))
    black, white = _number(row, "black", 0), _number(row, "white", 1)
    pattern = row["pattern"].upper()
    if pattern not in FIRST_RED:
        raise UserError(f"pattern of {name} must be one of {', '.join(FIRST_RED)}, got {row['pattern']!r}")
    if bits > 16:
        raise UserError(f"bits of {name} must be at most 16, got {bits:g}")
    if not black < white < 2**bits:
        raise UserError(
            f"levels of {name} must be black < white < 2^bits, got black {black:g}, white {white:g}, bits {bits:g}"
        )
    values = _values(folder / name, int(width), int(height), int(bits))
    levels = (_to_rggb(values, pattern).astype(np.float32) - black) / (white - black)
    camera = Camera(1.0, _number(row, "gain_r", 1e-3), _number(row, "gain_b", 1e-3), mixed_colours(np.ones(4)))
    noise = (_number(row, "shot", 0), _number(row, "read", 0)) if row.get("shot") or row.get("read") else None
    packed = pack(levels)
    return Frame(name, (packed if whole else _middle(packed)).astype(np.float32), camera, noise)


def _values(path: Path, width: int, height: int, bits: int) -> np.ndarray:
    """`(height, width)` of the file, as they are."""
    if min(width, height) < SMALLEST_PX:
        raise UserError(f"sides of {path.name} must be at least {SMALLEST_PX} px, got {width}x{height}")
    content = read_file(path, "frame", LARGEST_FRAME_BYTES)
    dtype = np.dtype("u1" if bits <= 8 else "<u2")
    expected = width * height * dtype.itemsize
    if len(content) != expected:
        raise UserError(
            f"{path.name} must hold {width}x{height} values of {dtype.itemsize} bytes, {expected:,} bytes in all, got "
            f"{len(content):,}; check width, height and bits in {FILE}"
        )
    values = np.frombuffer(content, dtype).reshape(height, width)
    if values.max() >= 2**bits:
        raise UserError(f"values of {path.name} must be below 2^{bits}, got {values.max()}; check bits in {FILE}")
    return values


def _number(row: Mapping[str, str], column: str, least: float) -> float:
    text = row.get(column)
    try:
        value = float(text or "")
    except ValueError:
        value = np.nan
    if not least <= value <= LARGEST_NUMBER or (column in ("width", "height", "bits") and value != int(value)):
        kind = "a whole number" if column in ("width", "height", "bits") else "a number"
        raise UserError(
            f"{column} of {row['file']} in {FILE} must be {kind} of at least {least:g}, and at most "
            f"{LARGEST_NUMBER:g}, got {text!r}"
        )
    return value


def _middle(packed: np.ndarray) -> np.ndarray:
    """At most ``LARGEST_PX`` of the sensor along each side."""
    tops = [max(0, side - LARGEST_PX // 2) // 2 for side in packed.shape[:2]]
    return packed[tops[0] :, tops[1] :][: LARGEST_PX // 2, : LARGEST_PX // 2]
