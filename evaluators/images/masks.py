"""Masks of holes: rectangles and strokes of a thick pen, drawn until they cover the requested share of the image."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

KINDS = ("irregular", "rectangles")
STROKE_PX = (4, 12)  # width of the pen
STROKE_LENGTH_PX = (8, 40)
BENDS = (1, 5)  # straight parts of one stroke
SIDE_PX = (8, 32)  # of a rectangle
ATTEMPTS = 200


def random_mask(
    generator: np.random.Generator, height: int, width: int, kind: str, share: tuple[float, float]
) -> np.ndarray:
    """A mask `(height, width)`, True in the holes, which cover a share of the image within ``share``.

    A share is drawn uniformly from that range, and shapes are added until it is reached; a shape that would exceed the
    range is undone. If no further shape fits, the share stays just below.
    """
    goal = generator.uniform(*share) * height * width
    most = share[1] * height * width
    mask = np.zeros((height, width), bool)
    for _ in range(ATTEMPTS):
        if mask.sum() >= goal:
            break
        image = Image.fromarray(mask.view(np.uint8))
        _rectangle(image, generator) if kind == "rectangles" else _stroke(image, generator)
        drawn = np.asarray(image).astype(bool)
        if drawn.sum() <= most:
            mask = drawn
    return mask


def _rectangle(image: Image.Image, generator: np.random.Generator) -> None:
    sides = [min(int(generator.integers(SIDE_PX[0], SIDE_PX[1] + 1)), side // 2) for side in image.size]
    left, top = (int(generator.integers(-w // 2, whole - w // 2)) for w, whole in zip(sides, image.size, strict=True))
    ImageDraw.Draw(image).rectangle((left, top, left + sides[0] - 1, top + sides[1] - 1), fill=1)


def _stroke(image: Image.Image, generator: np.random.Generator) -> None:
    pen = int(generator.integers(STROKE_PX[0], STROKE_PX[1] + 1))
    x, y = (float(generator.uniform(0, side)) for side in image.size)
    angle = generator.uniform(0, 2 * np.pi)
    points = [(x, y)]
    for _ in range(int(generator.integers(BENDS[0], BENDS[1] + 1))):
        angle += generator.uniform(-1.2, 1.2)
        length = generator.uniform(*STROKE_LENGTH_PX)
        x, y = x + length * np.cos(angle), y + length * np.sin(angle)
        points.append((x, y))
    draw = ImageDraw.Draw(image)
    draw.line(points, fill=1, width=pen, joint="curve")
    for x, y in (points[0], points[-1]):
        draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=1)
