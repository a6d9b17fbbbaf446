"""Files that were cut, changed, renamed or made up: each is read as it was meant or refused in one line, never worse.

``CASES`` are made from a fixed seed. A file that is read although it was damaged must still hold what was written into
it, wherever that can be known.
"""

from __future__ import annotations

import io
import json
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluators.images.bayer_frames import load_frames
from evaluators.images.folders import load_folder
from latency_tables.cli import main as latency_tables
from latency_tables.fitting.timings import COLUMNS, read_timings
from search.experiments.data_specs import pictures
from search.experiments.queue_file import COLUMNS as QUEUE
from search.experiments.queue_file import read_queue
from space.errors import UserError
from tests.evaluator_tests.picture_files import (
    DEFLATE,
    GREY,
    GREY_ALPHA,
    LZW,
    NONE,
    PALETTE,
    RGB,
    RGBA,
    chunk,
    png,
    tiff,
)
from tests.small_table import write_small_table

SEED = 11
SIDE = 24
PICTURES = 1_200
TABLES = 200, 100, 100  # of the table, its provenance and its bootstrap samples
TEXTS = 200  # of each other kind of text file

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Hostile:
    """One file: how it came about, its content, and what it holds if it is read; None where that cannot be known."""

    name: str
    data: bytes
    expected: np.ndarray | None = None


# How files are damaged. Each takes the generator and the content.


def cut(generator: np.random.Generator, data: bytes) -> bytes:
    return data[: int(generator.integers(0, len(data)))]


def flip_bits(generator: np.random.Generator, data: bytes) -> bytes:
    changed = bytearray(data)
    for at in generator.integers(0, len(data), int(generator.integers(1, 9))):
        changed[at] ^= 1 << int(generator.integers(8))
    return bytes(changed)


def damage_header(generator: np.random.Generator, data: bytes) -> bytes:
    head = min(len(data), 64)
    return generator.bytes(head // 4).join([data[: head // 2], data[head // 2 :]])


def overwrite(generator: np.random.Generator, data: bytes) -> bytes:
    at, length = int(generator.integers(0, len(data))), int(generator.integers(1, 40))
    filler = [b"\0" * length, b"\xff" * length, generator.bytes(length)][int(generator.integers(3))]
    return data[:at] + filler + data[at + length :]


def append(generator: np.random.Generator, data: bytes) -> bytes:
    return data + generator.bytes(int(generator.integers(1, 200)))


def repeat_a_part(generator: np.random.Generator, data: bytes) -> bytes:
    start, end = sorted(generator.integers(0, len(data), 2).tolist())
    return data[:end] + data[start:]


def keep(generator: np.random.Generator, data: bytes) -> bytes:
    return data


DAMAGES: tuple[Callable[[np.random.Generator, bytes], bytes], ...] = (
    cut,
    flip_bits,
    flip_bits,
    damage_header,
    overwrite,
    append,
    repeat_a_part,
    keep,
)


def saved(pixels: np.ndarray, suffix: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, suffix, **options)
    return buffer.getvalue()


def whole_pictures(generator: np.random.Generator) -> dict[str, tuple[bytes, np.ndarray | None]]:
    """By kind, a good file, and what it holds where every bit of it comes out."""
    wide = generator.integers(0, 65536, (SIDE, SIDE, 4))
    narrow = (wide >> 8).astype(np.uint8)
    rgb, rounded = narrow[..., :3], np.round(wide[..., :3] / 257)
    grey = np.repeat(rounded[..., :1], 3, axis=2)
    colours = generator.integers(0, 256, (256, 3), dtype=np.uint8)
    return {
        "png": (png(rgb, 8, RGB), rgb),
        "png 16": (png(wide[..., :3], 16, RGB), rounded),
        "png alpha": (png(wide, 16, RGBA), rounded),
        "png grey": (png(wide[..., :1], 16, GREY), grey),
        "png grey alpha": (png(wide[..., :2], 16, GREY_ALPHA), grey),
        "png palette": (
            png(narrow[..., :1], 8, PALETTE, before=chunk(b"PLTE", colours.tobytes())),
            colours[narrow[..., 0]],
        ),
        "png interlaced": (png(rgb, 8, RGB, interlaced=True), rgb),
        "tif": (tiff(rgb, 8, 2), rgb),
        "tif 16": (tiff(wide[..., :3], 16, 2), rounded),
        "tif planes": (tiff(wide[..., :3], 16, 2, planar=True, strip_rows=7), rounded),
        "tif lzw": (tiff(wide[..., :3], 16, 2, compression=LZW, predictor=True), rounded),
        "tif deflate": (tiff(rgb, 8, 2, compression=DEFLATE, tile_px=16), rgb),
        "tif big-endian": (tiff(wide[..., :1], 16, 1, ">", compression=NONE), grey),
        "bmp": (saved(rgb, "BMP"), rgb),
        "ppm": (saved(rgb, "PPM"), rgb),
        "gif": (saved(rgb, "GIF"), None),
        "webp": (saved(rgb, "WEBP", lossless=True), rgb),
        "jpg": (saved(rgb, "JPEG", quality=95), None),
        "jpg progressive": (saved(rgb, "JPEG", quality=80, progressive=True), None),
        "text": (b"these are my notes\n", None),
        "page": (b"<!DOCTYPE html><html><body>404</body></html>", None),
        "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 24\nshowpage\n", None),
    }


def hostile_pictures() -> Iterator[Hostile]:
    generator = np.random.default_rng(SEED)
    kinds = whole_pictures(generator)
    endings = ["png", "jpg", "tif", "bmp", "webp", "gif", "ppm", "eps", "txt", ""]
    for index in range(PICTURES):
        kind, (data, expected) = list(kinds.items())[index % len(kinds)]
        damage = DAMAGES[int(generator.integers(len(DAMAGES)))]
        # What comes out of a picture without a checksum after its bits were changed cannot be known.
        known = damage in (cut, keep, append) or (kind.startswith("png") and damage is flip_bits)
        name = f"{index:03} {kind} {damage.__name__}.{endings[int(generator.integers(len(endings)))]}"
        yield Hostile(name, damage(generator, data), expected if known else None)


WORDS = (
    b"1e308",
    b"nan",
    b"inf",
    b"-1",
    b"",
    b" ",
    b"0",
    b"9" * 400,
    b"1" * 20_000,
    b"x" * (1 << 20),
    b"\0",
    b"\xff",
    b'"',
    b"\r",
    b"\n",
    "\u2028".encode(),
    b"\x1b[2J",
    b"=1+1",
    "²".encode(),
    b"3x3x3",
    b"1e-320",
    b"os:getcwd",
    b"../../x",
    b"#",
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1")


def hostile_texts(generator: np.random.Generator, good: str, count: int) -> Iterator[Hostile]:
    """Of a good text of commas: cells changed, files cut, bits flipped, saved in other ways."""
    for index in range(count):
        rows = [line.split(",") for line in good.split("\n")]
        how = int(generator.integers(6))
        if how <= 2:
            row = int(generator.integers(len(rows)))
            at = int(generator.integers(len(rows[row])))
            word = WORDS[int(generator.integers(len(WORDS)))]
            rows[row][at] = "\ufffe"
            data = "\n".join(map(",".join, rows)).encode().replace("\ufffe".encode(), word)
            name = f"word {word[:8]!r}"
        elif how == 3:
            name = ENCODINGS[int(generator.integers(len(ENCODINGS)))]
            data = (good.replace("\n", "\r\n") + "é\n").encode(name)
        elif how == 4:
            row = int(generator.integers(len(rows)))
            rows[row : row + 1] = [[], rows[row], rows[row], rows[row][:-1], [*rows[row], "more"]][: 1 + row % 5]
            data, name = "\n".join(map(",".join, rows)).encode(), "rows"
        else:
            damage = DAMAGES[int(generator.integers(len(DAMAGES)))]
            data, name = damage(generator, good.encode()), damage.__name__
        yield Hostile(f"{index:03} {name}", data)


def assert_one_line(error: UserError, name: str) -> None:
    text = str(error)
    assert "\n" not in text, name
    assert len(text) < 1500, name
    text.encode("utf-8", "surrogateescape")


def read_or_refused(read: Callable[[], object], name: str) -> bool:
    """Whether it was read; anything but a value or one line is a failure of the test."""
    try:
        read()
    except UserError as error:
        assert_one_line(error, name)
        return False
    return True


def test_pictures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    read = 0
    for number, each in enumerate(hostile_pictures()):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / each.name).write_bytes(each.data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                (image,) = load_folder(folder, 1)
            except UserError as error:
                assert_one_line(error, each.name)
                continue
        read += 1
        assert image.pixels.dtype == np.uint8
        assert image.pixels.ndim == 3
        assert image.pixels.shape[2] == 3
        if each.expected is not None:
            assert np.array_equal(image.pixels, each.expected), each.name
    assert 20 < read < PICTURES
    assert capfd.readouterr() == ("", "")  # libraries below Python say nothing either


def test_latency_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(SEED)
    path = write_small_table(tmp_path, "t")
    parts = (path, path.with_suffix(".provenance.json"), path.with_suffix(".draws.csv"))
    good = [part.read_text() for part in parts]
    read = 0
    for part, text, count in zip(parts, good, TABLES, strict=True):
        for number, each in enumerate(hostile_texts(generator, text, count)):
            part.write_bytes(each.data)
            os.utime(part, ns=(number, number))  # tables that are known are told by the time of their last change
            status = latency_tables(["show", str(path), "--json"])
            out, error = capsys.readouterr()
            if status == 0:
                assert json.loads(out)["name"] == "t"
                read += 1
            else:
                assert status == 2, each.name
                assert error.count("\n") == 1, each.name
                assert error.startswith("error: "), each.name
        part.write_text(text)
        os.utime(part, ns=(0, 1_000_000))
    assert 0 < read < sum(TABLES)


BOARD = "Board,Y1,A75,1,fp32,LiteRT,2.3.0"
TIMED = ("resnet18_wd2", "mobilenetv2_w1", "squeezenet_v1_1", "bagnet9", "regnetx002")
GOOD = {
    "timings": ",".join(COLUMNS) + "\n" + "\n".join(f"{name},,{9 + i},{BOARD}" for i, name in enumerate(TIMED)),
    "queue": ",".join(QUEUE) + "\n# first\necbsr-m4c8,sr,scale=2,short,8,0,embedded,embedded\n"
    "dncnn-list,denoise,channels=grey sigma=15,long,9,1,embedded,",
    "list": "# a set\na\nb.png\n./c.png",
    "frames": "file,width,height,pattern,bits,black,white,gain_r,gain_b,shot,read\n"
    "a.raw,40,34,RGGB,12,64,4000,2,1.5,0.01,0.0001\nb.raw,40,34,GRBG,12,64,4000,2,1.5,,",
}


@pytest.fixture
def readers(tmp_path: Path) -> dict[str, Callable[[bytes], object]]:
    """By kind of text file, what reads its content."""
    for name in "abc":
        (tmp_path / "photos").mkdir(exist_ok=True)
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (SIDE * 2, SIDE * 2, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{name}.png")
        (tmp_path / f"{name}.raw").write_bytes(np.full((34, 40), 700, "<u2").tobytes())
    from evaluators.tasks import rules_of

    rules = rules_of("sr", 2)

    def written(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return {
        "timings": lambda data: read_timings(written("timings.csv", data)),
        "queue": lambda data: read_queue(written("jobs.csv", data)),
        "list": lambda data: written("l.txt", data) and pictures("photos@l.txt", tmp_path, rules, validates=True),
        "frames": lambda data: written("frames.csv", data) and load_frames(tmp_path),
    }


@pytest.mark.parametrize("kind", GOOD)
def test_text_files(kind: str, readers: dict[str, Callable[[bytes], object]]) -> None:
    assert read_or_refused(lambda: readers[kind](GOOD[kind].encode()), "good")
    generator = np.random.default_rng(SEED)
    made = list(hostile_texts(generator, GOOD[kind], TEXTS))
    read = [read_or_refused(lambda each=each: readers[kind](each.data), each.name) for each in made]
    assert len(read) == TEXTS
    assert 0 < sum(read) < TEXTS


def test_there_are_enough_of_them() -> None:
    assert len({each.data for each in hostile_pictures()}) + sum(TABLES) + TEXTS * len(GOOD) >= 2_000
