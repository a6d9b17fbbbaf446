"""The strips as part of the page: windows without loss, whole pictures as small as the page's size allows."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from html import escape
from itertools import accumulate

import numpy as np
from PIL import Image

from reports.run.pictures import Crop, Strip

PICTURES_BYTES = 1_900_000  # of all pictures together; in base64, with all else, the page stays below 3 MB
QUALITIES = (90, 80, 70, 55)  # of WebP, for whole pictures; the first at which they fit


def gallery_html(*groups: Sequence[Strip]) -> tuple[str, ...]:
    """For each group of strips its figures, styled by ``page.css`` and enlarged by ``page.js``.

    Whole pictures of the first strips only, where not all of them fit.
    """
    windows = [[_window(crop) for crop in strip.crops] for group in groups for strip in group]
    room = PICTURES_BYTES - sum(len(data) for strip in windows for data in strip)
    wholes = _wholes([strip for group in groups for strip in group], room)
    drawn = iter(zip(windows, wholes, strict=True))
    return tuple("\n".join(_strip_html(strip, *next(drawn)) for strip in group) for group in groups)


def _wholes(strips: Sequence[Strip], room: int) -> list[list[bytes]]:
    """The whole pictures of every strip; none of a strip for which there is no room."""
    for quality in QUALITIES:
        found = [list(_encoded(strip, quality)) for strip in strips]
        sizes = list(accumulate(sum(map(len, strip)) for strip in found))
        if not sizes or sizes[-1] <= room:
            return found
    return [strip if size <= room else [] for strip, size in zip(found, sizes, strict=True)]


def _encoded(strip: Strip, quality: int) -> Iterator[bytes]:
    if all(crop.whole is not None for crop in strip.crops):
        for crop in strip.crops:
            yield _webp(crop.whole, quality=quality)


def _window(crop: Crop) -> bytes:
    return _webp(crop.pixels, lossless=True)


def _webp(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="WEBP", **options)
    return buffer.getvalue()


def _strip_html(strip: Strip, windows: Sequence[bytes], wholes: Sequence[bytes]) -> str:
    name = escape(strip.name)
    place = " ".join(f"{100 * share:.2f}" for share in strip.window) if strip.window and wholes else ""
    figures = (
        _figure_html(crop, window, wholes[index] if wholes else b"")
        for index, (crop, window) in enumerate(zip(strip.crops, windows, strict=True))
    )
    return (
        f'<section class="strip" data-name="{name}" data-window="{place}"><h3>{name}</h3>'
        f'<div class="crops">{"".join(figures)}</div></section>'
    )


def _figure_html(crop: Crop, window: bytes, whole: bytes) -> str:
    label = escape(crop.label)
    lines = [f"<b>{label}</b>", *(escape(line) for line in crop.sub_label.split("\n") if line)]
    is_baseline = ' data-is="baseline"' if crop.is_baseline else ""
    full = f' data-whole="{_address(whole)}"' if whole else ""
    return (
        f'<figure><button type="button" class="crop" data-label="{label}"{is_baseline}{full} '
        f'aria-label="enlarge {label}"><img alt="{label}" src="{_address(window)}"></button>'
        f"<figcaption>{'<br>'.join(lines)}</figcaption></figure>"
    )


def _address(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
