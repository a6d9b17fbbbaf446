"""Camera-shake blur: the mean image along a random path of shifts and rotations.

A turn about the optical axis moves the corners and leaves the centre, so that blur varies over the picture (Whyte et
al. 2010, "Non-uniform deblurring for shaken images"); without turns the blur is uniform. The path is a random walk with
inertia and now and then an impulse, as in Boracchi and Foi 2012 ("Modeling the performance of image
restoration from motion blur"), with constants of our own. Light adds up linearly, so the mean is taken of intensities
with the usual gamma of 2.2 undone, as the GoPro set was made (Nah et al. 2017, section 3).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional as F

POSES = 16  # of a path; up to this many pixels of length no gaps show
INERTIA, DRIFT, IMPULSE, IMPULSE_SHARE = 0.7, 0.3, 2.0, 0.1  # of the walk's velocity; its length is set afterwards
GAMMA = 2.2


def camera_path(generator: np.random.Generator, extent_px: float, turns: bool, reach_px: float) -> np.ndarray:
    """A path `(POSES, 3)`: shifts right and down in pixels, and turns in radians, each with mean zero.

    Args:
        extent_px: largest distance of two of the path's shifts; with turns, of the corner's whole movement about half
            comes from each.
        reach_px: distance from the centre to a corner.
    """
    shifts = _walk(generator, 2)
    shifts *= extent_px / _extent(shifts)
    angles = np.zeros((POSES, 1))
    if turns:
        angles = _walk(generator, 1)
        angles *= extent_px / reach_px / _extent(angles)
        shifts *= generator.uniform(0.3, 0.7)
    return np.concatenate([shifts, angles], axis=1)


def margin(path: np.ndarray, height: int, width: int) -> int:
    """Pixels at each edge of a picture in which something from outside of it would be seen along ``path``."""
    right, down, angle = path.T
    most = 0.0
    for x, y in ((width / 2, height / 2), (width / 2, -height / 2)):  # the other two corners move alike
        for sign in (-1, 1):
            moved_x = sign * (np.cos(angle) * x - np.sin(angle) * y - x) + right
            moved_y = sign * (np.sin(angle) * x + np.cos(angle) * y - y) + down
            most = max(most, float(np.abs(moved_x).max()), float(np.abs(moved_y).max()))
    return math.ceil(most)


def shake(pixels: np.ndarray, path: np.ndarray, margin_px: int) -> np.ndarray:
    """uint8 `(H, W, 3)` seen along ``path``, without ``margin_px`` at each edge, float32 in 0..255."""
    height, width = pixels.shape[:2]
    light = torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div(255).pow(GAMMA)
    rows = torch.arange(margin_px, height - margin_px, dtype=torch.float32) - (height - 1) / 2
    columns = torch.arange(margin_px, width - margin_px, dtype=torch.float32) - (width - 1) / 2
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    total = torch.zeros(1, 3, *y.shape)
    for right, down, angle in path.tolist():
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        seen_x, seen_y = cos * x - sin * y + right, sin * x + cos * y + down
        grid = torch.stack([seen_x * 2 / (width - 1), seen_y * 2 / (height - 1)], dim=-1)[None]
        total += F.grid_sample(light, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return (total / len(path)).pow(1 / GAMMA).mul(255)[0].permute(1, 2, 0).numpy()


def _walk(generator: np.random.Generator, axes: int) -> np.ndarray:
    """A smooth random walk `(POSES, axes)` with mean zero."""
    velocity, place, places = generator.standard_normal(axes), np.zeros(axes), []
    for _ in range(POSES):
        push = IMPULSE if generator.random() < IMPULSE_SHARE else DRIFT
        velocity = INERTIA * velocity + push * generator.standard_normal(axes)
        place = place + velocity
        places.append(place)
    walk = np.array(places)
    return walk - walk.mean(axis=0)


def _extent(walk: np.ndarray) -> float:
    """Largest distance of two points."""
    return float(np.linalg.norm(walk[:, None] - walk[None], axis=2).max())
