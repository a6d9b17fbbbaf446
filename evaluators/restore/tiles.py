"""A picture through a network, tile by tile, and into a file row by row."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from evaluators.quality import check_finite
from evaluators.restore.conversion import Conversion
from evaluators.restore.exact import exact_network
from evaluators.restore.pictures import Picture
from evaluators.restore.plan import Planner
from evaluators.restore.tile_plan import Box, Tile, TilePlan
from evaluators.restore.writing import Header, check_header, held_bytes, writing
from space.deploy import deploy_form

Progress = Callable[[int], None]  # told how many more input pixels are done


class Run(Protocol):
    """A network as a function of `(1, C, h, w)`, float32 in [0, 1]."""

    def __call__(self, image: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Restored:
    """What restoring one picture took; ``network_s`` is the network's share of ``seconds``."""

    plan: TilePlan
    network_s: float
    seconds: float

    @property
    def ms_per_megapixel(self) -> float:
        """The network's milliseconds per million pixels of the picture, halo included."""
        width, height = self.plan.size
        return self.network_s * 1e3 / (width * height / 1e6)


def torch_run(network: nn.Module) -> Run:
    """``network``, copied into its deploy form, so that a tile's pixels are those of the whole picture."""
    run = exact_network(deploy_form(copy.deepcopy(network).eval()))

    def on_array(image: np.ndarray) -> np.ndarray:
        return run(torch.from_numpy(image)).numpy()

    return on_array


def restored_tiles(
    run: Run, network_input: Callable[[Box], np.ndarray], plan: TilePlan
) -> Iterator[tuple[Tile, np.ndarray, float]]:
    """Each tile with the network's values for its window, `(H, W, c)` float32, and the seconds that they took.

    Args:
        network_input: gives `(h, w, C)` float32 of a window.

    Raises:
        NonFiniteOutputError: a value is NaN or infinite.
    """
    for tile in plan.tiles():
        image = np.ascontiguousarray(network_input(tile.window).transpose(2, 0, 1)[None])
        begun = time.perf_counter()
        values = run(image)
        seconds = time.perf_counter() - begun
        check_finite(values)
        yield tile, values[0].transpose(1, 2, 0), seconds


def restore_tiled(run: Run, network_input: Callable[[Box], np.ndarray], plan: TilePlan) -> np.ndarray:
    """The whole result `(H, W, c)`, float32, put together from tiles; equal to that of one run unless ``plan.notes``.

    >>> import numpy as np, space
    >>> from evaluators.restore.plan import Planner
    >>> from evaluators.restore.tiles import restore_tiled, torch_run
    >>> network = space.build(space.ZOO["espcn"].architecture)
    >>> picture = np.random.default_rng(0).random((90, 120, 1), np.float32)
    >>> plan = Planner(network, in_channels=1).plan((120, 90), memory_bytes=4_000_000)
    >>> plan.count > 1
    True
    >>> restore_tiled(torch_run(network), lambda box: picture[box.top : box.bottom, box.left : box.right], plan).shape
    (360, 480, 1)
    """
    whole: np.ndarray | None = None
    for tile, values, _ in restored_tiles(run, network_input, plan):
        core, window = tile.core.scaled(plan.scale), tile.window.scaled(plan.scale)
        if whole is None:
            width, height = plan.size
            whole = np.empty((height * plan.scale, width * plan.scale, values.shape[2]), np.float32)
        inner = core.within(window)
        whole[core.top : core.bottom, core.left : core.right] = values[
            inner.top : inner.bottom, inner.left : inner.right
        ]
    assert whole is not None  # a plan has a tile
    return whole[: (plan.size[1] - plan.extended[1]) * plan.scale, : (plan.size[0] - plan.extended[0]) * plan.scale]


def header_of(picture: Picture, conversion: Conversion, quality: int) -> Header:
    """Of the restored picture's file."""
    width, height = (side * conversion.scale for side in picture.size)
    channels = picture.pixels.shape[2] + (picture.alpha is not None)
    bits = 16 if picture.pixels.dtype == np.uint16 else 8
    return Header((width, height), channels, bits, picture.icc, picture.exif, quality)


def plan_for(
    planner: Planner, picture: Picture, header: Header, path: Path, memory_bytes: int, tiled_anyway: bool
) -> TilePlan:
    """Tiles that leave room for the picture itself, and for what is not yet written of the output.

    Raises:
        UserError: the memory is too little.
    """
    held = picture.pixels.nbytes + (0 if picture.alpha is None else picture.alpha.nbytes) + held_bytes(path, header)
    row_bytes = header.size[0] * header.channels * header.bits // 8
    left = memory_bytes - held
    for rows in (512, 256, 128, 64):
        band = 3 * row_bytes * min(rows * planner.halo.scale, header.size[1])  # values, filtered and packed
        if band <= left / 2 or rows == 64:
            return planner.plan(picture.size, left - band, tiled_anyway, most_rows=rows)
    raise AssertionError("the last choice returns")


def restore_picture(
    picture: Picture,
    mask: np.ndarray | None,
    run: Run,
    conversion: Conversion,
    plan: TilePlan,
    path: Path,
    quality: int,
    progress: Progress = lambda pixels: None,
) -> Restored:
    """Restore ``picture`` into the file ``path``, which is written at once or not at all."""
    begun, network_s = time.perf_counter(), 0.0
    header = header_of(picture, conversion, quality)
    check_header(path, header)
    width, height = picture.size

    def network_input(box: Box) -> np.ndarray:
        return conversion.network_input(picture, box, mask)

    with writing(path, header) as writer:
        band: np.ndarray | None = None
        for tile, values, seconds in restored_tiles(run, network_input, plan):
            network_s += seconds
            core = Box(tile.core.top, min(tile.core.bottom, height), tile.core.left, min(tile.core.right, width))
            if core.bottom > core.top and core.right > core.left:
                pixels = conversion.pixels(values, picture, tile.window, core, mask)
                if band is None:
                    band = np.empty((len(pixels), header.size[0], header.channels), pixels.dtype)
                band[:, core.left * plan.scale : core.right * plan.scale] = pixels
            if tile.core.right >= plan.size[0] and band is not None:
                writer.rows(band)
                band = None
            progress((core.bottom - core.top) * (core.right - core.left))
    return Restored(plan, network_s, time.perf_counter() - begun)
