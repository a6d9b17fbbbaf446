"""From the bytes of one image file to 8-bit RGB, with every failure as one line that names the file."""

import io
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from space.errors import UserError

MAX_MEGAPIXELS = 200    # the largest phone sensors; more is taken for a damaged or hostile header

_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")

# What decoders raise on damaged data; SyntaxError is the PNG reader's, RuntimeError the AVIF reader's.
_DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, OverflowError, RuntimeError,
    struct.error, zlib.error,
)

# Pillow keeps the upper byte of 16-bit colour. Read in the other byte order, the same file gives the lower one.
_OTHER_BYTE = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}


def decode_rgb(data: bytes, shown: str) -> tuple[np.ndarray, bool]:
    """Return ``(H, W, 3)`` uint8 RGB and whether the file has one grey channel; ``shown`` is how errors call it.

    The EXIF orientation is applied. Grey is repeated three times, palettes and CMYK are converted without colour
    profiles, transparency is dropped (the colours below it stay as stored, they are not blended with a background),
    16 bits become 8 by ``round(value / 257)``, and of several frames the first is taken.

    Raises:
        UserError: no image, damaged or cut short, above 200 megapixels, or 32 bits per channel.
    """
    try:
        with _up_to_max_megapixels():
            image = Image.open(io.BytesIO(data))
            lower = _lower_bytes(image, data)
            return _to_rgb(ImageOps.exif_transpose(image), lower, shown), image.mode in _GREY_MODES
    except UserError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError(
            f"image {shown} must have at most {MAX_MEGAPIXELS} megapixels, got more; reduce it or cut it into parts"
        ) from None
    except UnidentifiedImageError:
        raise UserError(
            f"file {shown} must be an image, got something else; remove it or convert it to PNG"
        ) from None
    except _DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"image {shown} must be complete and undamaged, got a decoding error ({reason}); replace or remove it"
        ) from None


def _to_rgb(image: Image.Image, lower: Image.Image | None, shown: str) -> np.ndarray:
    """``(H, W, 3)`` uint8 of an image in any of Pillow's modes."""
    if lower is not None:
        upper = np.asarray(image.convert("RGB"), np.uint32)
        return _to_8_bits(upper * 256 + np.asarray(lower.convert("RGB")))
    if image.mode == "F" or (image.mode == "I" and not 0 <= image.getextrema()[0] <= image.getextrema()[1] < 65536):
        raise UserError(f"image {shown} must have 1, 8 or 16 bits per channel, got 32; convert it to 16-bit PNG")
    if image.mode.startswith("I"):
        return np.repeat(_to_8_bits(np.asarray(image).astype(np.uint32))[..., None], 3, axis=2)
    if image.mode in ("P", "PA", "RGBa"):
        image = image.convert("RGBA")
    elif image.mode == "La":
        image = image.convert("LA")
    return np.array(image.convert("RGB"))


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    """``round(value / 257)``: 0 stays 0, 65535 becomes 255, and an 8-bit image widened to 16 bits comes back."""
    return ((values + 128) // 257).astype(np.uint8)


def _lower_bytes(image: Image.Image, data: bytes) -> Image.Image | None:
    """The lower bytes of 16-bit RGB or RGBA, oriented; None for everything else. ``image`` must not be loaded yet."""
    tiles = [_other_byte_tile(tile) for tile in image.tile]
    if not tiles or None in tiles:
        return None
    lower = Image.open(io.BytesIO(data))
    lower.tile = tiles
    return ImageOps.exif_transpose(lower)


def _other_byte_tile(tile: tuple) -> tuple | None:
    """Pillow's instruction for one block of pixels with the byte order exchanged, or None if it is not 16-bit RGB."""
    codec, extents, offset, args = tile
    raw_mode, *rest = (args,) if isinstance(args, str) else args if isinstance(args, tuple) and args else ("",)
    colours, _, byte_order = str(raw_mode).partition(";")
    if not colours.startswith("RGB") or byte_order not in _OTHER_BYTE:
        return None
    exchanged = f"{colours};{_OTHER_BYTE[byte_order]}"
    return type(tile)(codec, extents, offset, exchanged if isinstance(args, str) else (exchanged, *rest))


@contextmanager
def _up_to_max_megapixels() -> Iterator[None]:
    """Raise Pillow's guard against decompression bombs to our limit, and make it an error, for the time of a block."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_MEGAPIXELS * 1_000_000
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
