"""A picture file as restoring takes it: 8 or 16 bits, grey or colour, with its transparency, profile and EXIF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from evaluators.images.decode import COLOUR_MODES, GREY_MODES, decode_with, fits_16_bits, opened, upright
from evaluators.images.names import escaped_name
from evaluators.images.pixel_formats import (
    canvas_of_webp,
    check_jpeg2000,
    check_tiff,
    is_inverted,
    planes_of_tiff,
    png_kind,
)
from evaluators.images.sixteen_bits import lower_bytes
from space.errors import UserError
from space.text_files import read_file

LARGEST_BYTES = 1 << 33
DECODED_BYTES_PER_PX = 11  # Pillow's four bytes, a copy that is turned upright, and ours of three
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, eq=False)
class Picture:
    """``pixels`` `(H, W, 1)` grey or `(H, W, 3)` RGB, uint8 or uint16, upright; ``alpha`` `(H, W)` alike.

    ``icc`` and ``exif`` are as the file has them, but that the EXIF says upright.
    """

    name: str
    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc: bytes | None = None
    exif: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def is_grey(self) -> bool:
        return self.pixels.shape[2] == 1

    @property
    def peak(self) -> int:
        """The value of white."""
        return int(np.iinfo(self.pixels.dtype).max)


def read_picture(path: Path, memory_bytes: int) -> Picture:
    """The picture in ``path``.

    Raises:
        UserError: it cannot be read or is no picture, or its pixels take more than ``memory_bytes``.
    """
    data = read_file(path, "picture", LARGEST_BYTES)

    def decode(data: bytes, shown: str) -> Picture:
        return _decoded(data, shown, memory_bytes)

    return decode_with(decode, data, escaped_name(path))


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of the picture in ``path`` by its header, as it is seen."""
    data = read_file(path, "picture", LARGEST_BYTES)

    def size(data: bytes, shown: str) -> tuple[int, int]:
        image = opened(data)
        is_asked = image.format != "PNG" or "exif" in image.info  # else a PNG would be read to its end
        turned = is_asked and image.getexif().get(ORIENTATION_TAG, 1) >= 5
        return (image.size[1], image.size[0]) if turned else image.size

    return decode_with(size, data, escaped_name(path))


def _decoded(data: bytes, shown: str, memory_bytes: int) -> Picture:
    _check_memory(canvas_of_webp(data), shown, memory_bytes)
    image = opened(data)
    _check_memory(image.size, shown, memory_bytes)
    icc = image.info.get("icc_profile")
    if isinstance(image, TiffImageFile):
        check_tiff(image.tag_v2, data, shown)
        planes = planes_of_tiff(image.tag_v2, data)
        if planes is not None:
            return Picture(shown, np.ascontiguousarray(planes), None, icc)
    elif image.format == "JPEG2000":
        check_jpeg2000(data, shown)
    if png_kind(data) == (16, 4):
        image.tile = [tile._replace(args="RGBA") for tile in image.tile]
        pairs = np.asarray(upright(image), np.uint16)
        values = pairs[..., 0::2] * 256 + pairs[..., 1::2]
        return Picture(shown, values[..., :1], values[..., 1], icc, _upright_exif(image))
    inverted = is_inverted(image)
    lower = lower_bytes(image, lambda: opened(data), upright)
    pixels, alpha = _channels(upright(image), lower, shown)
    pixels = np.iinfo(pixels.dtype).max - pixels if inverted else pixels
    return Picture(shown, pixels, alpha, icc, _upright_exif(image))


def _channels(image: Image.Image, lower: Image.Image | None, shown: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Colour or grey, and transparency, of an image that is read."""
    if image.mode in ("RGBa", "La"):
        raise UserError(f"image {shown} must not be multiplied by its transparency; save it without transparency")
    if image.mode == "F" or (image.mode == "I" and not fits_16_bits(np.asarray(image))):
        raise UserError(f"image {shown} must have at most 16 bits per channel, got 32; convert it to 16-bit PNG")
    if image.mode not in (*GREY_MODES, *COLOUR_MODES):
        raise UserError(f"image {shown} must be grey, RGB, CMYK or of a palette, got {image.mode}; convert it to RGB")
    if lower is not None:
        values = np.asarray(image).astype(np.uint16) * 256 + np.asarray(lower)
    elif image.mode.startswith("I"):
        values = np.asarray(image).astype(np.uint16)
    else:
        values = np.asarray(image.convert(_plain_mode(image)))
    values = values[..., None] if values.ndim == 2 else values
    colours = 1 if values.shape[2] <= 2 else 3
    alpha = values[..., colours] if values.shape[2] > colours and image.mode != "RGBX" else None
    if alpha is not None and (alpha == np.iinfo(alpha.dtype).max).all() and image.mode in ("P", "PA"):
        alpha = None
    return np.ascontiguousarray(values[..., :colours]), alpha


def _plain_mode(image: Image.Image) -> str:
    if image.mode == "LA":
        return "LA"
    is_clear = image.mode in ("RGBA", "PA") or "transparency" in image.info
    if image.mode in GREY_MODES:
        return "LA" if is_clear else "L"
    return "RGBA" if is_clear else "RGB"


def _upright_exif(image: ImageFile.ImageFile) -> bytes | None:
    """The EXIF data with an orientation that says upright; None without any, or where it is damaged.

    ``image`` is read already: asking a PNG for its EXIF reads it.
    """
    try:
        exif = image.getexif()
        if image.format == "TIFF" or not exif:
            return None
        if ORIENTATION_TAG in exif:
            exif[ORIENTATION_TAG] = 1
        return exif.tobytes()
    except Exception:  # decoders raise almost anything on damaged data
        return None


def _check_memory(size: tuple[int, int] | None, shown: str, memory_bytes: int) -> None:
    if size is None:
        return
    needed = size[0] * size[1] * DECODED_BYTES_PER_PX
    if needed > memory_bytes:
        raise UserError(
            f"image {shown} of {size[0]}x{size[1]} takes {needed / 1e6:,.0f} MB to be decoded, and --memory leaves "
            f"{max(memory_bytes, 0) / 1e6:,.0f} MB; raise --memory by {(needed - memory_bytes) / 1e6:,.0f} MB, or "
            "cut it into parts"
        )


__all__ = ["Picture", "picture_size", "read_picture"]
