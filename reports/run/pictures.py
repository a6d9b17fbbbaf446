"""Strips of crops that show what the decibels look like: input, methods without a network, the networks, the truth."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from evaluators.tasks import Pair, TaskRules
from space.files import write_atomically

WINDOW_PX = 96
WHOLE_PX = 1024
ZOOM = 3
VISIBLE = 4  # levels of 255 in any channel
FONT_PX, LINE_PX, GAP_PX = 15, 20, 12


@dataclass(frozen=True, slots=True)
class Crop:
    """One picture of a strip, `(H, W, 3)` uint8, and what stands under it.

    ``sub_label`` are its figures, ``costs`` the network's, which the page says once. ``whole`` is the whole picture,
    reduced to ``WHOLE_PX`` where it is larger.
    """

    label: str
    sub_label: str
    pixels: np.ndarray
    costs: str = ""
    whole: np.ndarray | None = None
    is_baseline: bool = False


@dataclass(frozen=True, slots=True)
class Strip:
    """The same window of one picture, in several restorations.

    ``window`` is its left and top, width and height in the whole picture, as shares of its sides.
    """

    name: str
    crops: tuple[Crop, ...]
    window: tuple[float, float, float, float] | None = None


def make_strips(
    pairs: Sequence[Pair],
    restored: Mapping[str, Sequence[np.ndarray]],
    rules: TaskRules,
    notes: Mapping[str, str] | None = None,
    window_px: int = WINDOW_PX,
) -> tuple[Strip, ...]:
    """One strip per picture, at the window where the best network gains most on the baseline.

    Args:
        restored: by label, in the order in which to show them, one output (``TaskRules``) per picture. The first
            is the task's baseline.
        notes: by label, the network's costs.

    Raises:
        ValueError: nothing is restored, or a restored picture is not of the target's size.
    """
    if not restored:
        raise ValueError("restored must have the baseline, to show a gain over it, got nothing")
    return tuple(
        _strip(pair, {label: outputs[index] for label, outputs in restored.items()}, rules, notes or {}, window_px)
        for index, pair in enumerate(pairs)
    )


def make_frame_strips(
    names: Sequence[str],
    pictures: Mapping[str, Sequence[np.ndarray]],
    notes: Mapping[str, str] | None = None,
    window_px: int = WINDOW_PX,
) -> tuple[Strip, ...]:
    """One strip per picture that has no truth, at the window in which the networks changed most pixels visibly.

    Pixels and not squared differences are counted: else the window is one of edges, where little of the noise is seen.

    Args:
        names: of the pictures.
        pictures: by label, one uint8 RGB `(H, W, 3)` per name; the first label is the input.
        notes: by label, the network's costs.
    """
    strips = []
    for index, name in enumerate(names):
        images = {label: given[index] for label, given in pictures.items()}
        first, *restored = images.values()
        size = min(window_px, *(side - 2 for side in first.shape[:2]))
        changed = sum(np.abs(image.astype(int) - first).max(axis=2) >= VISIBLE for image in restored)
        top, left = _window(changed, size, 1)
        rows, columns = slice(top, top + size), slice(left, left + size)
        crops = (
            Crop(label, "", image[rows, columns], (notes or {}).get(label, ""), reduced(image), image is first)
            for label, image in images.items()
        )
        strips.append(Strip(name, tuple(crops), _shares(top, left, size, first.shape)))
    return tuple(strips)


def best_window(
    truth: np.ndarray, baseline: np.ndarray, best: np.ndarray, size_px: int, step_px: int
) -> tuple[int, int]:
    """Top and left of the window in which ``best`` has removed most of the baseline's squared error.

    Windows start at multiples of ``step_px`` and keep that distance from the edges, which are not evaluated.
    """
    return _window(_squared_error(baseline, truth) - _squared_error(best, truth), size_px, step_px)


def _window(gain: np.ndarray, size_px: int, step_px: int) -> tuple[int, int]:
    """Top and left of the window with the largest sum of ``gain`` `(H, W)`; as in ``best_window``."""
    gain = gain[step_px:-step_px, step_px:-step_px]
    total = np.pad(gain.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[size_px:, size_px:] - total[:-size_px, size_px:] - total[size_px:, :-size_px]
    sums = (sums + total[:-size_px, :-size_px])[::step_px, ::step_px]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top + 1) * step_px, int(left + 1) * step_px


def write_strips_png(strips: Sequence[Strip], folder: Path) -> tuple[Path, ...]:
    """One PNG per strip, ``strip-NAME.png``, magnified by whole pixels, with its labels.

    NAME is the picture's, without the ending of its file unless another picture differs by nothing else.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    stems = [os.path.splitext(strip.name)[0] for strip in strips]
    paths = []
    for strip, stem in zip(strips, stems, strict=True):
        name = re.sub(r"[^\w.-]+", "_", stem if stems.count(stem) == 1 else strip.name)
        paths.append(Path(folder) / f"strip-{name}.png")
        write_atomically(paths[-1], _png(np.asarray(_drawn(strip))))
    return tuple(paths)


def _strip(
    pair: Pair, outputs: Mapping[str, np.ndarray], rules: TaskRules, notes: Mapping[str, str], window_px: int
) -> Strip:
    truth = rules.show.picture(pair.target, pair)
    images = {label: rules.show.picture(output, pair) for label, output in outputs.items()}
    scale = rules.scale
    for label, image in images.items():
        if image.shape != truth.shape:
            raise ValueError(f"{label} of {pair.name} must have the shape {truth.shape}, got {image.shape}")
    names = [label for label in images if label not in rules.measure.classical_baselines]
    best = min(names, key=lambda label: float(_squared_error(images[label], truth).sum()))
    size = min(window_px, truth.shape[0] - 2 * scale, truth.shape[1] - 2 * scale) // scale * scale
    top, left = best_window(truth, images[names[0]], images[best], size, scale)
    rows, columns = slice(top, top + size), slice(left, left + size)
    crops = []
    if rules.show.shows_input:
        given = rules.show.input_picture(pair)
        crops.append(Crop("input", rules.show.input_note, given[rows, columns], whole=reduced(given)))
    for label, image in images.items():
        measured = rules.show.picture_db(outputs[label], pair)
        figures = ", ".join(f"{value:.2f} dB {where}" for where, value in measured.items())
        window = rules.show.window_db(image[rows, columns], truth[rows, columns])
        of_input = rules.show.input_note if label == names[0] and not rules.show.shows_input else ""
        note = "no network" if label in rules.measure.classical_baselines else of_input
        lines = [f"{window:.2f} dB here, {figures}", note]
        words = "\n".join(line for line in lines if line)
        costs = notes.get(label, "")
        crops.append(Crop(label, words, image[rows, columns], costs, reduced(image), label == names[0]))
    crops.append(Crop("original", "", truth[rows, columns], whole=reduced(truth)))
    return Strip(pair.name, tuple(crops), _shares(top, left, size, truth.shape))


def reduced(image: np.ndarray) -> np.ndarray:
    """``image`` with its longer side at most ``WHOLE_PX``."""
    height, width = image.shape[:2]
    if max(height, width) <= WHOLE_PX:
        return image
    scale = WHOLE_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _shares(top: int, left: int, size: int, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    return left / shape[1], top / shape[0], size / shape[1], size / shape[0]


def _squared_error(image: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """`(H, W)`, summed over the channels."""
    return np.square(image.astype(np.float64) - truth).sum(axis=2)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _drawn(strip: Strip) -> Image.Image:
    """The strip as one image, labels under the crops."""
    font = ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), FONT_PX)
    height, width = (side * ZOOM for side in strip.crops[0].pixels.shape[:2])
    texts = [
        _wrapped("\n".join(filter(None, (crop.label, crop.sub_label, crop.costs))), font, width) for crop in strip.crops
    ]
    column = width + GAP_PX
    size = column * len(strip.crops) + GAP_PX, height + GAP_PX * 2 + LINE_PX * max(map(len, texts))
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for place, (crop, lines) in enumerate(zip(strip.crops, texts, strict=True)):
        left = GAP_PX + place * column
        page.paste(Image.fromarray(crop.pixels).resize((width, height), Image.Resampling.NEAREST), (left, GAP_PX))
        for number, line in enumerate(lines):
            below = height + GAP_PX + 4 + number * LINE_PX
            draw.text((left, below), line, fill="#555555" if number else "black", font=font)
    return page


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width_px: int) -> list[str]:
    """``text`` in lines no wider than ``width_px``, as far as its words allow."""
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            if line and font.getlength(f"{line} {word}") > width_px:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        lines.append(line)
    return lines
