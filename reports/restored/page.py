"""The page of restored pictures: one file that works without a network, with a slider for each picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from reports.page_environment import page_environment
from space.files import write_atomically

LARGEST_PX = 1600
JPEG_QUALITY = 90


@dataclass(frozen=True, eq=False)
class Shown:
    """``before`` and ``after`` are uint8 RGB `(h, w, 3)`; the first is enlarged to the second's size."""

    name: str
    caption: str
    before: np.ndarray
    after: np.ndarray


def write_page(path: Path, title: str, summary: str, pictures: Sequence[Shown]) -> Path:
    """Write the page to ``path``, whose folder exists; returns it."""
    page = (
        page_environment("reports.restored")
        .get_template("page.html.jinja")
        .render(title=title, summary=summary, pictures=[_drawn(each) for each in pictures], largest_px=LARGEST_PX)
    )
    write_atomically(path, page.encode("utf-8", "replace"))
    return path


def _drawn(shown: Shown) -> dict[str, object]:
    height, width = shown.after.shape[:2]
    factor = min(1.0, LARGEST_PX / max(width, height))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return {
        "name": shown.name,
        "caption": shown.caption,
        "width": size[0],
        "height": size[1],
        "before": _data_url(shown.before, size),
        "after": _data_url(shown.after, size),
    }


def _data_url(pixels: np.ndarray, size: tuple[int, int]) -> str:
    """A JPEG of ``size``; a smaller picture is enlarged by its nearest pixels, so that these can be seen."""
    image = Image.fromarray(pixels)
    enlarges = size[0] > image.width
    image = image.resize(size, Image.Resampling.NEAREST if enlarges else Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
