"""Pictures in and out: every format, 8 and 16 bits, grey, transparency, profile and orientation."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from evaluators.restore.pictures import picture_size, read_picture
from evaluators.restore.writing import WRITERS, Header, check_header, writing
from space import UserError
from tests.evaluator_tests import picture_files

MEMORY = 1_000_000_000
GENERATOR = np.random.default_rng(0)


def values(channels: int, bits: int, size: tuple[int, int] = (37, 150)) -> np.ndarray:
    dtype = np.uint8 if bits == 8 else np.uint16
    return GENERATOR.integers(0, 2**bits, (size[1], size[0], channels)).astype(dtype)


def written(path: Path, pixels: np.ndarray, icc: bytes | None = None, exif: bytes | None = None) -> Path:
    """``pixels`` written in bands of uneven heights."""
    bits = 8 if pixels.dtype == np.uint8 else 16
    header = Header((pixels.shape[1], pixels.shape[0]), pixels.shape[2], bits, icc, exif)
    with writing(path, header) as writer:
        for top, bottom in pairwise((0, 1, 30, len(pixels))):
            writer.rows(pixels[top:bottom])
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossless_files_come_back_as_they_were(tmp_path: Path, suffix: str, bits: int, channels: int) -> None:
    pixels = values(channels, bits)
    if (suffix, bits, channels) == (".tif", 16, 2):
        pytest.skip("Pillow does not read it")
    picture = read_picture(written(tmp_path / f"a{suffix}", pixels), MEMORY)
    colours = channels - (channels in (2, 4))
    assert np.array_equal(picture.pixels, pixels[..., :colours])
    assert picture.pixels.dtype == pixels.dtype
    if colours < channels:
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, pixels[..., colours])
    else:
        assert picture.alpha is None


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_profile_and_exif_are_kept_and_say_upright(tmp_path: Path, suffix: str) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    source = tmp_path / "turned.jpg"
    Image.fromarray(values(3, 8)).save(source, exif=exif.tobytes(), icc_profile=icc, quality=95)
    picture = read_picture(source, MEMORY)
    assert picture.size == (150, 37) == picture_size(source)
    assert picture.icc == icc
    again = read_picture(written(tmp_path / f"again{suffix}", picture.pixels, picture.icc, picture.exif), MEMORY)
    assert again.size == (150, 37)
    assert again.icc == icc
    if not suffix.startswith(".tif"):
        with Image.open(tmp_path / f"again{suffix}") as image:
            assert image.getexif()[0x0112] == 1
            assert image.getexif()[0x010F] == "maker"


def test_palettes_keep_their_transparency_and_cmyk_becomes_rgb(tmp_path: Path) -> None:
    image = Image.fromarray(values(3, 8)).quantize(16)
    image.save(tmp_path / "palette.png", transparency=3)
    picture = read_picture(tmp_path / "palette.png", MEMORY)
    assert picture.pixels.shape[2] == 3
    assert picture.alpha is not None
    assert set(np.unique(picture.alpha)) == {0, 255}
    Image.fromarray(values(3, 8)).convert("CMYK").save(tmp_path / "cmyk.tif")
    assert read_picture(tmp_path / "cmyk.tif", MEMORY).pixels.shape[2] == 3


def test_sixteen_bits_of_every_png(tmp_path: Path) -> None:
    for kind in (picture_files.GREY, picture_files.RGB, picture_files.GREY_ALPHA, picture_files.RGBA):
        pixels = values(picture_files.CHANNELS[kind], 16)
        (tmp_path / "a.png").write_bytes(picture_files.png(pixels, 16, kind))
        picture = read_picture(tmp_path / "a.png", MEMORY)
        assert np.array_equal(picture.pixels, pixels[..., : picture.pixels.shape[2]])


def test_a_picture_of_900_megapixels_says_what_it_needs(tmp_path: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n" + picture_files.chunk(
        b"IHDR", (30000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    )
    (tmp_path / "large.png").write_bytes(header + picture_files.chunk(b"IDAT", b"") + picture_files.chunk(b"IEND", b""))
    with pytest.raises(UserError, match=r"30000x30000 takes 9,900 MB to be decoded.*raise --memory"):
        read_picture(tmp_path / "large.png", MEMORY)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0 cut"])
def test_broken_files_are_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_picture(tmp_path / "a.png", MEMORY)
    assert "\n" not in str(raised.value)
    assert "a.png" in str(raised.value)


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="transparency cannot be a JPEG"):
        check_header(tmp_path / "a.jpg", Header((10, 10), 4, 8))
    with pytest.raises(UserError, match=r"WebP must be at most 16,?383|at most 16383"):
        check_header(tmp_path / "a.webp", Header((20000, 10), 3, 8))
    with pytest.raises(UserError, match="must end in"), writing(tmp_path / "a.gif", Header((1, 1), 3, 8)):
        pass


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fails() -> None:
        with writing(path, Header((4, 4), 3, 8)) as writer:
            writer.rows(np.zeros((2, 4, 3), np.uint8))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_jpeg_quality_and_lossless_webp(tmp_path: Path) -> None:
    pixels = values(3, 8)
    with writing(tmp_path / "a.webp", Header((37, 150), 3, 8, quality=100)) as writer:
        writer.rows(pixels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO((tmp_path / "a.webp").read_bytes()))), pixels)
