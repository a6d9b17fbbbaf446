"""From the bytes of one image file to 8-bit RGB, with every failure as one line that names the file."""

import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from evaluators.images.pixel_formats import (
    canvas_of_webp,
    check_jpeg2000,
    check_tiff,
    essential_png,
    is_inverted,
    named_kind,
    planes_of_tiff,
    png_kind,
)
from evaluators.images.sixteen_bits import lower_bytes, rounded, values_of_grey_alpha
from space.errors import UserError

MAX_MEGAPIXELS = 128
"""Larger than the sensors of phones up to 108 megapixels; decoding one of these takes about 1.5 GB. The picture's size
is read from its header, before anything is decoded."""

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "PPM", "WEBP", "GIF", "JPEG2000", "AVIF")
"""What a file's content may be, whatever its name says. Pillow knows more: EPS among them, for which it starts
Ghostscript."""

Decoded = TypeVar("Decoded")
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK")


def decode_rgb(data: bytes, shown: str) -> tuple[np.ndarray, bool]:
    """Return ``(H, W, 3)`` uint8 RGB and whether the file has one grey channel; ``shown`` is its name in errors.

    Pixels are decoded exactly as stored, or the file is refused. The orientation from EXIF or TIFF is applied. Grey is
    repeated three times; palettes and CMYK are converted without colour profiles, which are ignored
    everywhere; transparency is dropped (the colours below it stay as stored, they are not blended with a background);
    16 bits become 8 by ``round(value / 257)``; and of several frames or pages the first is taken.

    Raises:
        UserError: no image, damaged or cut short, above ``MAX_MEGAPIXELS``, or stored in a way that does not come out
            exactly: 32 bits or floating point, Lab, colours multiplied by their transparency.
    """
    return decode_with(_decoded, data, shown)


def decode_with(decode: Callable[[bytes, str], Decoded], data: bytes, shown: str) -> Decoded:
    """``decode(data, shown)`` without Pillow's limit and messages.

    Raises:
        UserError: whatever the decoders raise, in one line; ``MemoryError`` passes.
    """
    try:
        with _pillow_without_its_limit(), _silent_libraries(data.startswith(TIFFS)):
            return decode(data, shown)
    except (UserError, MemoryError):
        raise
    except UnidentifiedImageError:
        kind = named_kind(data)
        if kind is not None:
            raise UserError(
                f"image {shown} must be a whole file with pixels of a common kind, got {kind} that cannot be read; "
                "convert it to PNG"
            ) from None
        raise UserError(f"file {shown} must be an image, got something else; remove it or convert it to PNG") from None
    except Exception as error:  # decoders raise almost anything on damaged data, and none of it is a bug of ours
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"image {shown} must be complete and undamaged, got a decoding error ({reason}); replace or remove it"
        ) from None


def _decoded(data: bytes, shown: str) -> tuple[np.ndarray, bool]:
    _check_size(canvas_of_webp(data), shown)  # its decoder takes memory for the whole canvas when it is opened
    kind = png_kind(data)
    if kind is not None:
        data = essential_png(data)
    image = opened(data)
    _check_size(image.size, shown)
    if isinstance(image, TiffImageFile):
        check_tiff(image.tag_v2, data, shown)
        planes = planes_of_tiff(image.tag_v2, data)
        if planes is not None:
            return rounded(planes), False
    elif image.format == "JPEG2000":
        check_jpeg2000(data, shown)
    if kind == (16, 4):
        return np.repeat(rounded(values_of_grey_alpha(image, upright))[..., None], 3, axis=2), True
    inverted = is_inverted(image)
    lower = lower_bytes(image, lambda: opened(data), upright)
    is_grey = image.mode in GREY_MODES
    pixels = _to_rgb(upright(image), lower, shown)
    return 255 - pixels if inverted else pixels, is_grey


def opened(data: bytes) -> ImageFile.ImageFile:
    Image.init()
    return Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])


def upright(image: Image.Image) -> Image.Image:
    """``image``, read to its end, as its EXIF says it is to be seen; damaged EXIF says nothing."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # as of decoders
        return image


def _to_rgb(image: Image.Image, lower: Image.Image | None, shown: str) -> np.ndarray:
    """``(H, W, 3)`` uint8 of an image in any of the modes that come out exactly."""
    if image.mode == "RGBa" or (image.mode == "La"):
        raise UserError(f"image {shown} must not be multiplied by its transparency; save it without transparency")
    if lower is not None:
        return rounded(np.asarray(image.convert("RGB"), np.uint32) * 256 + np.asarray(lower.convert("RGB")))
    if image.mode == "F" or (image.mode == "I" and not fits_16_bits(np.asarray(image))):
        raise UserError(f"image {shown} must have at most 16 bits per channel, got 32; convert it to 16-bit PNG")
    if image.mode not in (*GREY_MODES, *COLOUR_MODES):
        raise UserError(f"image {shown} must be grey, RGB, CMYK or of a palette, got {image.mode}; convert it to RGB")
    if image.mode.startswith("I"):
        return np.repeat(rounded(np.asarray(image).astype(np.uint32))[..., None], 3, axis=2)
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"))


def fits_16_bits(values: np.ndarray) -> bool:
    return bool(values.min() >= 0 and values.max() < 65536)


def _check_size(size: tuple[int, int] | None, shown: str) -> None:
    if size is not None and size[0] * size[1] > MAX_MEGAPIXELS * 1_000_000:
        raise UserError(
            f"image {shown} must have at most {MAX_MEGAPIXELS} megapixels, got {size[0]}x{size[1]}; reduce it or cut "
            "it into parts"
        )


@contextmanager
def _silent_libraries(is_needed: bool) -> Iterator[None]:
    """For the time of a block, nothing on standard error: libtiff writes there by itself what is damaged in a file."""
    try:
        kept = os.dup(2) if is_needed else None
    except OSError:  # there is no standard error
        kept = None
    if kept is None:
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _pillow_without_its_limit() -> Iterator[None]:
    """For the time of a block, no limit of Pillow's, for ours is checked; and none of its warnings on the terminal."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
