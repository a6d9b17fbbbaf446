"""Images of 16 bits per channel out of Pillow, which keeps only the upper byte of most of them."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFile

# Read in the other byte order, the same file gives the lower byte.
_OTHER_BYTE = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
Upright = Callable[[Image.Image], Image.Image]


def rounded(values: np.ndarray) -> np.ndarray:
    """uint8 of 16 bits, ``round(value / 257)``: 0 stays 0, 65535 becomes 255, and a widened 8-bit image comes back."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def values_of_grey_alpha(image: ImageFile.ImageFile, upright: Upright) -> np.ndarray:
    """`(H, W)` 16-bit grey of a PNG of grey and transparency that is not loaded yet.

    Its pixels have four bytes, of which the first two are the grey: they are read as if they were RGBA.
    """
    image.tile = [tile._replace(args="RGBA") for tile in image.tile]
    pairs = np.asarray(upright(image), np.uint32)
    return pairs[..., 0] * 256 + pairs[..., 1]


def lower_bytes(
    image: ImageFile.ImageFile, again: Callable[[], ImageFile.ImageFile], upright: Upright
) -> Image.Image | None:
    """The lower bytes of 16-bit RGB or RGBA; None for everything else. ``image`` must not be loaded yet.

    ``again`` opens the same file again.
    """
    exchanged = [_of_other_byte(tile.args) for tile in image.tile]
    if not exchanged or None in exchanged:
        return None
    lower = again()
    lower.tile = [tile._replace(args=args) for tile, args in zip(image.tile, exchanged, strict=True)]
    return upright(lower)


def _of_other_byte(args: tuple[Any, ...] | str | None) -> tuple[Any, ...] | str | None:
    """What Pillow tells a decoder of pixels, with the byte order exchanged; None if they are not 16-bit RGB."""
    raw_mode, *rest = (args,) if isinstance(args, str) else args if isinstance(args, tuple) and args else ("",)
    colours, _, byte_order = str(raw_mode).partition(";")
    if not colours.startswith("RGB") or byte_order not in _OTHER_BYTE:
        return None
    exchanged = f"{colours};{_OTHER_BYTE[byte_order]}"
    return exchanged if isinstance(args, str) else (exchanged, *rest)
