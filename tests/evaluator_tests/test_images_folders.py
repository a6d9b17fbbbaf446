"""Reading the user's images: every format as 8-bit RGB, every mistake as one line that names the file."""

import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluators.images.folders import NamedImage, fingerprint, load_folder, load_image
from space.errors import UserError

GREY, RGB, RGBA = 0, 2, 6  # colour types of PNG


def random_pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)


def png_bytes(width: int, height: int, bits: int, colour_type: int, rows: bytes) -> bytes:
    """A PNG file written by hand, because Pillow writes no 16-bit colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_16_bits(values: np.ndarray, colour_type: int) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png_bytes(values.shape[1], values.shape[0], 16, colour_type, rows)


def tiff_16_bits(values: np.ndarray, order: str) -> bytes:
    """An uncompressed RGB TIFF written by hand; ``order`` is ``"<"`` or ``">"``."""
    height, width = values.shape[:2]
    data = values.astype(f"{order}u2").tobytes()
    tags = [(256, width), (257, height), (258, 16), (259, 1), (262, 2), (273, 8), (277, 3), (278, height)]
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    entries = entries.replace(
        struct.pack(f"{order}HHII", 258, 4, 1, 16), struct.pack(f"{order}HHII", 258, 3, 3, 8 + len(data))
    )
    bits = struct.pack(f"{order}HHH", 16, 16, 16)
    count = struct.pack(f"{order}HHII", 279, 4, 1, len(data))
    directory = struct.pack(f"{order}H", len(tags) + 1) + entries + count + struct.pack(f"{order}I", 0)
    magic = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8 + len(data) + len(bits))
    return magic + data + bits + directory


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp"])
def test_rgb_comes_back_exactly(tmp_path: Path, suffix: str) -> None:
    pixels = random_pixels(13, 17, 3)
    options = {"lossless": True} if suffix == "webp" else {}
    loaded = load_image(saved(tmp_path / f"a.{suffix}", Image.fromarray(pixels), **options))
    assert loaded.dtype == np.uint8
    assert np.array_equal(loaded, pixels)


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_is_repeated_and_remembered(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(random_pixels(9, 12)).convert(mode)
    saved(tmp_path / "grey.png", image)
    saved(tmp_path / "rgb.png", image.convert("RGB"))
    grey, rgb = load_folder(tmp_path, 8)
    assert grey.grey
    assert not rgb.grey
    assert np.array_equal(grey.pixels, rgb.pixels)
    assert np.array_equal(grey.pixels[..., 0], np.asarray(image.convert("L")))


def test_transparency_is_dropped_and_not_blended(tmp_path: Path) -> None:
    pixels = random_pixels(9, 12, 4)
    pixels[:4, :, 3] = 0
    assert np.array_equal(load_image(saved(tmp_path / "a.png", Image.fromarray(pixels))), pixels[..., :3])


@pytest.mark.parametrize("transparency", [{}, {"transparency": 3}, {"transparency": bytes(range(8))}])
def test_palette(tmp_path: Path, transparency: dict) -> None:
    colours = random_pixels(8, 3)
    index = np.arange(80, dtype=np.uint8).reshape(8, 10) % 8
    image = Image.fromarray(index).convert("P")
    image.putdata(index.ravel().tolist())
    image.putpalette(colours.ravel().tolist())
    assert np.array_equal(load_image(saved(tmp_path / "a.png", image, **transparency)), colours[index])


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", Image.new("CMYK", (16, 12), (255, 0, 0, 0)))
    assert np.array_equal(load_image(path), np.full((12, 16, 3), (0, 255, 255)))


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[274] = 6  # stored lying on its left side: to be turned clockwise
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255
    loaded = load_image(saved(tmp_path / f"a.{suffix}", Image.fromarray(pixels), exif=exif))
    assert loaded.shape == (32, 16, 3)
    assert loaded[:12].min() > 250
    assert loaded[-12:].max() < 5


def test_16_bit_grey_is_rounded(tmp_path: Path) -> None:
    values = np.random.default_rng(3).integers(0, 65536, (9, 12))
    (image,) = load_folder(written(tmp_path / "a.png", png_16_bits(values, GREY)).parent, 8)
    assert image.grey
    assert np.array_equal(image.pixels[..., 1], np.round(values / 257))


@pytest.mark.parametrize("colour_type", [RGB, RGBA])
def test_16_bit_colour_png_is_rounded(tmp_path: Path, colour_type: int) -> None:
    values = np.random.default_rng(3).integers(0, 65536, (9, 12, 3 if colour_type == RGB else 4))
    loaded = load_image(written(tmp_path / "a.png", png_16_bits(values, colour_type)))
    assert np.array_equal(loaded, np.round(values[..., :3] / 257))


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_colour_tiff_is_rounded(tmp_path: Path, order: str) -> None:
    values = np.random.default_rng(3).integers(0, 65536, (9, 12, 3))
    loaded = load_image(written(tmp_path / "a.tif", tiff_16_bits(values, order)))
    assert np.array_equal(loaded, np.round(values / 257))


@pytest.mark.parametrize("mode", ["F", "I"])
def test_32_bits_are_refused(tmp_path: Path, mode: str) -> None:
    saved(tmp_path / "depth.tif", Image.new(mode, (16, 16), 70000))
    with pytest.raises(UserError, match=r"depth\.tif must h.*(got 32|32 bits per channel); convert it"):
        load_image(tmp_path / "depth.tif")


def test_folder_is_sorted_and_clutter_ignored(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "c.PNG"):
        saved(tmp_path / name, Image.new("RGB", (20, 16)))
    for name in (".DS_Store", "._a.png", "Thumbs.db", "desktop.ini"):
        written(tmp_path / name, b"clutter")
    (tmp_path / "inner").mkdir()
    saved(tmp_path / "inner" / "d.png", Image.new("RGB", (20, 16)))
    assert [image.name for image in load_folder(tmp_path, 16)] == ["a.png", "b.png", "c.PNG"]
    recursive = load_folder(str(tmp_path), 16, recursive=True)
    assert [image.name for image in recursive] == ["a.png", "b.png", "c.PNG", "inner/d.png"]


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"image folder must exist, got .*missing; check the path"):
        load_folder(tmp_path / "missing", 1)
    with pytest.raises(UserError, match=r"image folder must hold images, got none in .*; put PNG"):
        load_folder(tmp_path, 1)
    file = saved(tmp_path / "a.png", Image.new("RGB", (20, 16)))
    with pytest.raises(UserError, match=r"must be a folder, got the file .*a\.png; give the folder"):
        load_folder(file, 1)
    with pytest.raises(UserError, match=r"b\.png must be a readable file, got No such file or directory; check"):
        load_image(tmp_path / "b.png")


def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "a.png", Image.new("RGB", (20, 16)))
    strangers = {
        "pipe": "pipe must be a file, got a pipe; remove it",
        "device": "device must be a file, got a device; remove it",
        "dangling": r"dangling must be a readable file, got a link to nowhere\.png, where there is no file; mend",
        "circle": "circle must be a readable file, got a link to circle, where there is no file; mend",
        "socket": "socket must be a file, got a socket; remove it",
    }
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "dangling").symlink_to("nowhere.png")
    (tmp_path / "circle").symlink_to("circle")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name, message in strangers.items():
            with pytest.raises(UserError, match=message):
                load_image(tmp_path / name)
            one = tmp_path / f"with-{name}"
            one.mkdir()
            saved(one / "a.png", Image.new("RGB", (20, 16)))
            (tmp_path / name).rename(one / name)
            with pytest.raises(UserError, match=message):
                load_folder(one, 1)


def test_folders_that_hold_no_pictures_say_what_they_hold(tmp_path: Path) -> None:
    for name in ("HR", "LR"):
        (tmp_path / "set" / name).mkdir(parents=True)
    (tmp_path / "set" / ".git").mkdir()
    with pytest.raises(UserError, match=r"set, which holds only folders \(HR, LR\); give one of them"):
        load_folder(tmp_path / "set", 1)
    for index in range(9):
        (tmp_path / "many" / str(index)).mkdir(parents=True)
    with pytest.raises(UserError, match=r"only folders \(0, 1, 2, 3, 4 and 4 more\)"):
        load_folder(tmp_path / "many", 1)
    (tmp_path / "moved").symlink_to("elsewhere")
    with pytest.raises(UserError, match=r"must exist, got .*moved, a link to elsewhere, where there is no file; mend"):
        load_folder(tmp_path / "moved", 1)


def test_a_folder_or_file_without_rights_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *rest: object) -> None:
        raise PermissionError(13, "Permission denied")

    saved(tmp_path / "a.png", Image.new("RGB", (20, 16)))
    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(UserError, match=r"a\.png must be a readable file, got Permission denied; check the path"):
        load_folder(tmp_path, 1)
    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(UserError, match=r"image folder must be readable, got .*: Permission denied; check its rights"):
        load_folder(tmp_path, 1)


def test_a_file_that_is_no_picture_for_its_size_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "disk.img", "wb") as file:
        file.truncate((1 << 30) + 1)  # of holes
    with pytest.raises(UserError, match=r"disk\.img must have at most 1024 MB, got 1024 MB"):
        load_folder(tmp_path, 1)


def test_names_of_any_bytes_can_be_printed_and_stored(tmp_path: Path) -> None:
    names = [b"caf\xe9.png", b"\x1b[31m.png", "schön.png".encode(), b"two\nlines.png", b"[b].png"]
    names += ["Bildschirmfoto 3.04\u202fPM.png".encode(), "gnp.\u202eexe.png".encode()]
    for name in names:
        saved(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)), Image.new("RGB", (20, 16)))
    images = load_folder(tmp_path, 16)
    assert {image.name for image in images} == {
        r"caf\xe9.png",
        r"\x1b[31m.png",
        "schön.png",
        r"two\nlines.png",
        "[b].png",
        "Bildschirmfoto 3.04\u202fPM.png",
        r"gnp.\u202eexe.png",
    }
    for image in images:
        image.name.encode()
        assert not set(image.name) & set("\x1b\n\u202e")
    assert len(fingerprint(images)) == 12
    with pytest.raises(UserError, match=r"\\x1b\[31m\.png must be at least 17 px"):
        load_folder(tmp_path, 17)


def test_small_image_is_named_with_its_size(tmp_path: Path) -> None:
    saved(tmp_path / "a.png", Image.new("RGB", (20, 16)))
    with pytest.raises(UserError, match=r"a\.png must be at least 17 px on each side, got 20x16; remove it"):
        load_folder(tmp_path, 17)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(1000)])
def test_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    saved(tmp_path / "a.png", Image.new("RGB", (20, 16)))
    written(tmp_path / "notes.txt", content)
    with pytest.raises(UserError, match=r"notes\.txt must be an image, got something else; remove it"):
        load_folder(tmp_path, 1)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "bmp", "webp", "gif"])
@pytest.mark.parametrize("kept", [0.6, 0.95])
def test_truncated_image_is_named(tmp_path: Path, suffix: str, kept: float) -> None:
    path = saved(tmp_path / f"cut.{suffix}", Image.fromarray(random_pixels(64, 64, 3)))
    written(path, path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(UserError, match=rf"cut\.{suffix} must be") as caught:
        load_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side", [15_000, 30_000])
def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path, side: int) -> None:
    written(tmp_path / "bomb.png", png_bytes(side, side, 8, RGB, b""))
    with pytest.raises(UserError, match=r"bomb\.png must have at most 128 megapixels, got \d+x\d+; reduce it"):
        load_image(tmp_path / "bomb.png")


def test_our_limit_replaces_that_of_pillow_only_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "large.png", Image.new("RGB", (40, 30)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow alone would refuse
    assert load_image(path).shape == (30, 40, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_fingerprint_sees_every_change() -> None:
    pixels = random_pixels(6, 8, 3)
    changed = pixels.copy()
    changed[5, 7, 2] ^= 1
    a, b = NamedImage("a", pixels), NamedImage("b", pixels)
    variants = [[a], [b], [a, b], [b, a], [], [NamedImage("a", changed)], [NamedImage("a", pixels.reshape(8, 6, 3))]]
    prints = [fingerprint(variant) for variant in variants]
    assert len(set(prints)) == len(prints)
    assert all(len(digits) == 12 and int(digits, 16) >= 0 for digits in prints)
    assert fingerprint([a]) == fingerprint([NamedImage("a", pixels.copy())])
    assert fingerprint([NamedImage("a", pixels[:, ::2])]) == fingerprint([NamedImage("a", pixels[:, ::2].copy())])


def test_fingerprint_is_the_same_on_every_machine() -> None:
    image = NamedImage("ramp.png", np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    assert fingerprint([image]) == "b7f74f39477f"
