"""How a file stores its pixels, by its header: what comes out of Pillow exactly, what is read here, what is refused.

Pillow opens more than it reads exactly: planes of 16 bits give other pixels, 12 bits come out dark, subsampled YCbCr
without JPEG is taken for complete. The tests write every way of storing that is let through, and compare.
"""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from space.errors import UserError

PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_EXIF = b"eXIf"

# Tags of TIFF, and their values.
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
FILL_ORDER, STRIPS, ORIENTATION, SAMPLES, STRIP_ROWS, PLANAR = 266, 273, 274, 277, 278, 284
EXTRA_SAMPLES, SAMPLE_FORMAT, DNG_VERSION = 338, 339, 50706
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
UNCOMPRESSED, JPEGS = 1, (6, 7)
ASSOCIATED = 1  # of EXTRA_SAMPLES: colours are multiplied by their transparency
COLOURS = {
    WHITE_IS_ZERO: "grey",
    BLACK_IS_ZERO: "grey",
    RGB: "RGB",
    PALETTE: "a palette",
    CMYK: "CMYK",
    YCBCR: "YCbCr",
    LAB: "Lab",
    9: "Lab",
    10: "Lab",
}

SIGNATURES = {
    PNG: "a PNG",
    b"\xff\xd8\xff": "a JPEG",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"II+\0": "a TIFF",
    b"MM\0+": "a TIFF",
    b"GIF8": "a GIF",
    b"RIFF": "a WebP",
    b"BM": "a BMP",
    b"%!PS": "PostScript",
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"<svg": "an SVG",
    b"<!DOC": "a web page",
    b"version https://git-lfs": "a pointer of Git LFS",
}


def named_kind(data: bytes) -> str | None:
    """What a file begins like, in words; None of what is not known."""
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1"):
        return "a HEIC"
    return next((name for signature, name in SIGNATURES.items() if data.startswith(signature)), None)


def png_kind(data: bytes) -> tuple[int, int] | None:
    """Bits per channel and colour type of a PNG; None of anything else."""
    return (data[24], data[25]) if data.startswith(PNG) and data[12:16] == b"IHDR" and len(data) > 25 else None


def essential_png(data: bytes) -> bytes:
    """A PNG without all that does not change its pixels: texts, profiles and animation, however long they are.

    Raises:
        ValueError: a chunk that a reader must know and that the standard does not.
    """
    parts, at = [PNG], len(PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in _PIXELS or kind == _EXIF:
            parts.append(data[at:end])
        elif not kind[0] & 0x20:
            raise ValueError(f"unknown chunk {kind!r}")
        at = end
    return b"".join(parts)


def canvas_of_webp(data: bytes) -> tuple[int, int] | None:
    """Width and height that the header of an extended WebP file says; None of anything else.

    Plain ones are not larger than 16,383 px a side and are decoded when they are loaded.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


def check_jpeg2000(data: bytes, shown: str) -> None:
    """Raises: UserError: a component is not of 8 bits; Pillow cuts off what is below."""
    at = data.find(b"\xff\x4f\xff\x51")
    count = int.from_bytes(data[at + 40 : at + 42], "big")
    bits = {1 + (data[at + 42 + 3 * index] & 0x7F) for index in range(count)}
    if bits - set(range(1, 9)):
        raise UserError(f"image {shown} must have 8 bits per channel in JPEG 2000, got {max(bits)}; convert it to PNG")


def check_tiff(tags: Mapping[int, Any], data: bytes, shown: str) -> None:
    """Refuse what Pillow would open and not read exactly.

    Raises:
        UserError: says how the pixels are stored.
    """
    bits, compression, colours = tags.get(BITS, (1,)), tags.get(COMPRESSION, UNCOMPRESSED), tags.get(PHOTOMETRIC, 0)
    if DNG_VERSION in tags or int(tags.get(SUBFILE, 0)) & 1 or data[8:10] == b"CR":
        raise UserError(
            f"image {shown} must be a finished picture, got a RAW file or its preview; develop it and save it as PNG "
            "or TIFF"
        )
    if set(tags.get(SAMPLE_FORMAT, (1,))) != {1}:
        raise UserError(
            f"image {shown} must hold whole numbers without a sign, got signed or floating-point values of {max(bits)} "
            "bits per channel; convert it to 16-bit PNG"
        )
    if not set(bits) <= {1, 2, 4, 8, 16}:
        raise UserError(
            f"image {shown} must have 1, 2, 4, 8 or 16 bits per channel, got {max(bits)}; convert it to 16-bit PNG"
        )
    known = (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE) + ((CMYK,) if max(bits) == 8 else ())
    if colours not in known and not (colours == YCBCR and compression in JPEGS):
        name = COLOURS.get(colours, f"colours of kind {colours}")
        raise UserError(f"image {shown} must be grey or RGB, got {name} of {max(bits)} bits; convert it to RGB")
    if ASSOCIATED in tags.get(EXTRA_SAMPLES, ()):
        raise UserError(
            f"image {shown} must not have colours multiplied by their transparency; save it without transparency"
        )
    if tags.get(PLANAR, 1) == 2 and not _planes_are_exact(tags):
        raise UserError(
            f"image {shown} must store a pixel's {max(bits)}-bit colours together, got one plane after the other "
            f"(planar configuration 2, compression {compression}); save it as PNG"
        )


def _planes_are_exact(tags: Mapping[int, Any]) -> bool:
    if tags.get(FILL_ORDER, 1) != 1 or tags.get(PHOTOMETRIC, 0) not in (BLACK_IS_ZERO, RGB):
        return False
    bits, named = set(tags.get(BITS, (1,))), {BLACK_IS_ZERO: 1, RGB: 3}[tags.get(PHOTOMETRIC, 0)]
    if tags.get(SAMPLES, 1) != named + len(tags.get(EXTRA_SAMPLES, ())):
        return False
    return bits == {8} or _has_wide_planes(tags)


def _has_wide_planes(tags: Mapping[int, Any]) -> bool:
    """Whether ``planes_of_tiff`` reads it: uncompressed strips of RGB, 16 bits each."""
    return (
        tags.get(PLANAR, 1) == 2
        and set(tags.get(BITS, (1,))) == {16}
        and tags.get(COMPRESSION, UNCOMPRESSED) == UNCOMPRESSED
        and tags.get(PHOTOMETRIC, 0) == RGB
        and tags.get(FILL_ORDER, 1) == 1
        and STRIPS in tags
    )


def planes_of_tiff(tags: Mapping[int, Any], data: bytes) -> np.ndarray | None:
    """uint16 `(H, W, 3)`, upright, of an RGB picture whose planes lie one after the other; None of another.

    Raises:
        ValueError: the file is cut short, or says of itself what cannot be.
    """
    if not _has_wide_planes(tags):
        return None
    width, height, samples = tags[WIDTH], tags[HEIGHT], tags.get(SAMPLES, 1)
    rows = min(int(tags.get(STRIP_ROWS, height)), height)
    strips = -(-height // rows)
    offsets = tags[STRIPS]
    if len(offsets) != strips * samples or samples < 3:
        raise ValueError(f"{len(offsets)} strips instead of {strips * samples}")
    order = "<" if data[:2] == b"II" else ">"
    pixels = np.empty((height, width, 3), np.uint16)
    for plane in range(3):
        for strip in range(strips):
            top = strip * rows
            count = min(rows, height - top)
            values = np.frombuffer(data, f"{order}u2", count * width, offsets[plane * strips + strip])
            pixels[top : top + count, :, plane] = values.reshape(count, width)
    return oriented(pixels, tags.get(ORIENTATION, 1))


def oriented(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """`(H, W, C)` as EXIF's orientation, 1 to 8, says it is to be seen; as it is for any other number."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    turned = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
    rows, columns = turned.get(orientation, (1, 1))
    return pixels[::rows, ::columns]


def is_inverted(image: Image.Image) -> bool:
    """Whether 0 means white where Pillow does not say so: of 16 bits in TIFF."""
    if not isinstance(image, TiffImageFile):
        return False
    return image.mode.startswith("I") and image.tag_v2.get(PHOTOMETRIC, 0) == WHITE_IS_ZERO
