"""Every way of storing a picture comes out exactly, by values written here byte by byte, or is refused in one line."""

from __future__ import annotations

import io
import itertools
import os
import struct
import subprocess
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluators.images import decode
from evaluators.images.decode import decode_rgb
from evaluators.images.pixel_formats import oriented
from space.errors import UserError
from tests.evaluator_tests.picture_files import (
    CHANNELS,
    DEFLATE,
    GREY,
    GREY_ALPHA,
    LZW,
    NONE,
    PACKBITS,
    PALETTE,
    RGB,
    RGBA,
    chunk,
    png,
    tiff,
)

PNG_KINDS = [(kind, bits) for kind in (GREY, GREY_ALPHA, RGB, RGBA) for bits in (1, 2, 4, 8, 16)]
PNG_KINDS = [(kind, bits) for kind, bits in PNG_KINDS if bits >= 8 or kind == GREY]
PNG_KINDS += [(PALETTE, bits) for bits in (1, 2, 4, 8)]
# Photometric interpretation, samples, extra samples.
TIFF_KINDS = [
    (0, 1, ()),
    (1, 1, ()),
    (1, 2, (2,)),
    (1, 2, (0,)),
    (2, 3, ()),
    (2, 4, (2,)),
    (2, 4, (0,)),
    (2, 4, ()),
    (3, 1, ()),
]


def drawn(bits: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(bits).integers(0, 1 << bits, shape)


def in_8_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """As `(H, W, 3)` RGB; of the first channel only where there are fewer than three."""
    colours = values[..., :3] if values.shape[2] >= 3 else values[..., :1].repeat(3, axis=2)
    return np.round(colours / 257) if bits == 16 else colours * 255 // ((1 << bits) - 1)


def assert_refused(data: bytes, message: str = "") -> None:
    with pytest.raises(UserError, match=message) as caught:
        decode_rgb(data, "x.tif")
    assert "\n" not in str(caught.value)
    assert "x.tif" in str(caught.value)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("transparency", [False, True])
@pytest.mark.parametrize(("kind", "bits"), PNG_KINDS)
def test_every_png_is_exact(kind: int, bits: int, interlaced: bool, transparency: bool) -> None:
    values = drawn(bits, 11, 13, CHANNELS[kind])
    before, expected = b"", in_8_bits(values, bits)
    if kind == PALETTE:
        colours = drawn(8, 1 << bits, 3)
        before, expected = chunk(b"PLTE", colours.astype(np.uint8).tobytes()), colours[values[..., 0]]
    if transparency:
        before += chunk(b"tRNS", {GREY: bytes(2), RGB: bytes(6), PALETTE: b"\x07"}.get(kind, bytes(2)))
    pixels, grey = decode_rgb(png(values, bits, kind, interlaced, before), "x.png")
    assert np.array_equal(pixels, expected)
    assert grey == (kind in (GREY, GREY_ALPHA))


def of_tiff(kind: tuple[int, int, tuple[int, ...]], bits: int) -> tuple[np.ndarray, dict, np.ndarray]:
    """Values, further tags, and what they are in 8 bits."""
    colours, samples, extra = kind
    values, tags = drawn(bits, 21, 19, samples), {338: extra} if extra else {}
    if colours == 3:
        palette = drawn(16, 3, 1 << bits)
        return values, {320: tuple(palette.ravel().tolist())}, (palette // 256)[:, values[..., 0]].transpose(1, 2, 0)
    expected = in_8_bits(values, bits)
    return values, tags, 255 - expected if colours == 0 else expected


@pytest.mark.parametrize("kind", TIFF_KINDS)
def test_every_tiff_is_exact_or_refused(kind: tuple[int, int, tuple[int, ...]]) -> None:
    exact = set()
    for bits, order, planar, compression, predictor, layout in itertools.product(
        (1, 2, 4, 8, 16),
        "<>",
        (False, True),
        (NONE, LZW, DEFLATE, PACKBITS),
        (False, True),
        ({}, {"strip_rows": 4}, {"tile_px": 16}),
    ):
        if (predictor and (bits < 8 or compression in (NONE, PACKBITS))) or (kind[0] == 3 and bits == 16):
            continue
        values, tags, expected = of_tiff(kind, bits)
        data = tiff(values, bits, kind[0], order, planar, compression, predictor, tags=tags, **layout)
        try:
            pixels, grey = decode_rgb(data, "x.tif")
        except UserError:
            continue
        assert np.array_equal(pixels, expected), (bits, order, planar, compression, predictor, layout)
        assert grey == (kind[0] in (0, 1))
        exact.add((bits, planar, compression))
    # What cameras, scanners and image libraries write is read.
    common = {(bits, False, compression) for bits in ((8,) if kind[0] == 3 else (8, 16)) for compression in (NONE, LZW)}
    if kind in ((2, 3, ()), (2, 4, (2,))):
        common |= {(8, True, NONE), (8, True, LZW), (16, True, NONE)}
    grey_with_transparency_of_16_bits = {(16, False, NONE), (16, False, LZW)} if kind[:2] == (1, 2) else set()
    assert exact >= common - grey_with_transparency_of_16_bits


@pytest.mark.parametrize("orientation", range(1, 9))
def test_planes_of_16_bits_are_turned_as_all_others_are(orientation: int) -> None:
    values = drawn(16, 9, 14, 3)
    for planar in (False, True):
        pixels, _ = decode_rgb(tiff(values, 16, 2, planar=planar, tags={274: (orientation,)}), "x.tif")
        assert np.array_equal(pixels, np.round(oriented(values, orientation) / 257))
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray((values // 257).astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    assert np.array_equal(decode_rgb(buffer.getvalue(), "x.png")[0], oriented(np.asarray(image), orientation))
    content = chunk(b"eXIf", exif.tobytes()[6:])
    assert np.array_equal(
        decode_rgb(png(values[..., :2], 16, GREY_ALPHA, before=content), "x.png")[0][..., 0],
        np.round(oriented(values[..., :1], orientation)[..., 0] / 257),
    )


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("samples", [1, 3])
def test_the_files_of_these_tests_say_the_same_to_another_reader(planar: bool, samples: int) -> None:
    tifffile = pytest.importorskip("tifffile", reason="tifffile comes with scikit-image")
    iio = pytest.importorskip("imageio.v3", reason="imageio comes with scikit-image")
    values = drawn(16, 21, 19, samples)
    for order, layout in itertools.product("<>", ({}, {"strip_rows": 4}, {"tile_px": 16})):
        data = tiff(values, 16, 2 if samples == 3 else 1, order, planar, tags={}, **layout)
        read = tifffile.imread(io.BytesIO(data))
        assert np.array_equal(np.moveaxis(read, 0, -1) if planar and samples == 3 else read, values.squeeze())
    data = png(values[..., :1], 16, GREY)
    assert np.array_equal(iio.imread(data, extension=".png"), values[..., 0])
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.moveaxis(values, -1, 0).astype(np.uint16), photometric="rgb" if samples == 3 else None)
    assert np.array_equal(decode_rgb(buffer.getvalue(), "x.tif")[0], in_8_bits(values, 16))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tiff(drawn(32, 9, 9, 1), 32, 1), "must have 1, 2, 4, 8 or 16 bits per channel, got 32"),
        (tiff(drawn(16, 9, 9, 1), 16, 1, tags={339: (2,)}), "without a sign, got signed or floating-point"),
        (tiff(drawn(32, 9, 9, 1), 32, 1, tags={339: (3,)}), "without a sign, got signed or floating-point"),
        (tiff(drawn(8, 9, 9, 3), 8, 8), "must be grey or RGB, got Lab of 8 bits; convert it to RGB"),
        (tiff(drawn(8, 9, 9, 3), 8, 6), "must be grey or RGB, got YCbCr of 8 bits; convert it to RGB"),
        (tiff(drawn(16, 9, 9, 4), 16, 5), "must be grey or RGB, got CMYK of 16 bits"),
        (tiff(drawn(8, 9, 9, 4), 8, 2, tags={338: (1,)}), "multiplied by their transparency; save it without"),
        (tiff(drawn(16, 9, 9, 4), 16, 2, tags={338: (1,)}), "multiplied by their transparency; save it without"),
        (tiff(drawn(16, 9, 9, 3), 16, 2, planar=True, compression=LZW), r"one plane .* compression 5\); save it"),
        (tiff(drawn(16, 9, 9, 3), 16, 2, planar=True, tags={273: (8, 8, 60_000)}), "decoding error"),
        (tiff(drawn(8, 9, 9, 3), 8, 2, tags={254: (1,)}), "a RAW file or its preview; develop it"),
        (tiff(drawn(8, 9, 9, 3), 8, 2, tags={50706: (1, 4)}), "a RAW file or its preview; develop it"),
        (tiff(drawn(8, 9, 9, 3), 8, 77), "got a TIFF that cannot be read; convert it to PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "got PostScript that cannot be read"),
        (bytes(4) + b"ftypheic" + bytes(99), "got a HEIC that cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\n", "got a pointer of Git LFS"),
    ],
)
def test_what_would_not_come_out_exactly_is_refused(data: bytes, message: str) -> None:
    assert_refused(data, message)


def test_postscript_under_another_name_never_starts_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*command: object, **options: object) -> None:
        raise AssertionError(f"started {command}")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", "gs", raising=False)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    assert Image.open(io.BytesIO(eps)).format == "EPS"
    assert_refused(eps, "PostScript")


@pytest.mark.parametrize("kind", [b"iTXt", b"zTXt", b"iCCP", b"tEXt"])
def test_a_long_text_or_profile_in_a_png_is_nothing(kind: bytes) -> None:
    """Pillow alone refuses the file: the text is longer than it allows."""
    long = bytes(8 << 20)
    contents = {
        b"iTXt": b"about\0\1\0\0\0" + zlib.compress(long),
        b"zTXt": b"about\0\0" + zlib.compress(long),
        b"iCCP": b"about\0\0" + zlib.compress(long),
        b"tEXt": b"about\0" + b"a" * (8 << 20),
    }
    values = drawn(8, 9, 12, 3)
    for place in ("before", "after"):
        data = png(values, 8, RGB, **{place: chunk(kind, contents[kind])})
        assert np.array_equal(decode_rgb(data, "x.png")[0], values)


@pytest.mark.parametrize("compression", [LZW, DEFLATE])
def test_a_damaged_tiff_is_one_line_and_libtiff_says_nothing(compression: int, capfd) -> None:
    data = bytearray(tiff(drawn(16, 40, 40, 3), 16, 2, compression=compression))
    data[200:260] = bytes(60)
    assert_refused(bytes(data), "decoding error")
    assert capfd.readouterr() == ("", "")
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


def test_an_unknown_critical_chunk_is_refused() -> None:
    assert_refused(png(drawn(8, 9, 12, 3), 8, RGB, before=chunk(b"CgBI", bytes(4))), "unknown chunk b'CgBI'")


def header_of(kind: str, width: int, height: int) -> bytes:
    """The beginning of a file that says it is so large, with hardly anything behind it."""
    if kind == "png":
        pixels = png(np.zeros((1, 1, 3), int), 8, RGB)
        return pixels[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + pixels[33:]
    if kind == "tif":
        return tiff(np.zeros((1, 1, 3), int), 8, 2, tags={256: (width,), 257: (height,)})
    if kind == "ppm":
        return f"P6 {width} {height} 255\n".encode()
    if kind == "bmp":
        return b"BM" + struct.pack("<IIIIiiHHIIIIII", 54, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    if kind == "gif":
        screen = struct.pack("<HHBBBBHHHHB", width, height, 0, 0, 0, 44, 0, 0, width, height, 0)
        return b"GIF89a" + screen + b"\x08\1\0\0;"
    if kind == "webp":
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sides
    buffer = io.BytesIO()
    Image.new("L", (16, 8)).save(buffer, "JPEG")
    return buffer.getvalue().replace(struct.pack(">HH", 8, 16), struct.pack(">HH", height, width), 1)


@pytest.mark.parametrize(("width", "height"), [(16320, 12240), (65_000, 65_000)])
@pytest.mark.parametrize("kind", ["png", "tif", "ppm", "bmp", "gif", "webp", "jpg"])
def test_a_picture_that_is_too_large_is_refused_by_its_header(
    kind: str, width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(image: Image.Image) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(decode, "upright", loaded)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_refused(header_of(kind, width, height), f"at most 128 megapixels, got {width}x{height}; reduce")


def test_jpeg_2000_of_more_than_8_bits_is_refused() -> None:
    from PIL import features

    if not features.check("jpg_2000"):
        pytest.skip("this Pillow has no JPEG 2000")
    values = drawn(8, 32, 32, 3).astype(np.uint8)
    exact, wide = io.BytesIO(), io.BytesIO()
    Image.fromarray(values).save(exact, "JPEG2000", irreversible=False)
    Image.fromarray(drawn(16, 32, 32).astype(np.uint16)).save(wide, "JPEG2000")
    assert np.array_equal(decode_rgb(exact.getvalue(), "x.jp2")[0], values)
    assert_refused(wide.getvalue(), "must have 8 bits per channel in JPEG 2000, got 16; convert it to PNG")


@pytest.mark.parametrize("suffix", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_or_pages_the_first_is_taken(suffix: str) -> None:
    first, second = Image.new("RGB", (20, 16), "red"), Image.new("RGB", (20, 16), "blue")
    buffer = io.BytesIO()
    options = {"lossless": True} if suffix == "WEBP" else {}
    first.save(buffer, suffix, save_all=True, append_images=[second], **options)
    assert np.array_equal(decode_rgb(buffer.getvalue(), "x")[0], np.asarray(first))


def test_cmyk_of_a_camera_s_jpeg_is_read_without_a_profile() -> None:
    buffer = io.BytesIO()
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(buffer, "JPEG", quality=100)
    pixels, grey = decode_rgb(buffer.getvalue(), "x.jpg")
    assert not grey
    assert np.abs(pixels.astype(int) - (0, 255, 255)).max() <= 2


@pytest.mark.parametrize("profile", [b"", b"no profile at all", bytes(70_000)])
def test_a_colour_profile_changes_nothing(profile: bytes) -> None:
    pixels = drawn(8, 16, 16, 3).astype(np.uint8)
    for suffix in ("PNG", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, suffix, icc_profile=profile)
        assert np.array_equal(decode_rgb(buffer.getvalue(), "x")[0], pixels)


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\x11" * 50])
def test_damaged_exif_says_nothing(exif: bytes) -> None:
    buffer = io.BytesIO()
    image = Image.new("RGB", (24, 16), "green")
    image.save(buffer, "JPEG", exif=exif)
    assert decode_rgb(buffer.getvalue(), "x.jpg")[0].shape == (16, 24, 3)


@pytest.mark.parametrize("maxval", [1, 15, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("plain", [False, True])
def test_netpbm_of_any_maximum_is_rounded(maxval: int, channels: int, plain: bool) -> None:
    values = np.random.default_rng(0).integers(0, maxval + 1, (9, 12, channels))
    values[0, :2, 0] = 0, maxval
    kind = {(1, True): 2, (3, True): 3, (1, False): 5, (3, False): 6}[channels, plain]
    body = values.astype("u1" if maxval < 256 else ">u2").tobytes()
    if plain:
        body = " ".join(map(str, values.ravel())).encode()
    pixels, grey = decode_rgb(f"P{kind}\n# by hand\n12 9\n{maxval}\n".encode() + body, "x.ppm")
    assert np.array_equal(pixels, np.repeat(np.floor(values * 255 / maxval + 0.5), 4 - channels, axis=2)[..., :3])
    assert grey == (channels == 1)


def test_a_file_s_name_does_not_matter(tmp_path: Path) -> None:
    from evaluators.images.folders import load_image

    (tmp_path / "a.jpg").write_bytes(png(drawn(8, 9, 12, 3), 8, RGB))
    assert np.array_equal(load_image(tmp_path / "a.jpg"), drawn(8, 9, 12, 3))
