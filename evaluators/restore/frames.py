"""RAW frames in, RAW frames out: a folder with ``frames.csv`` becomes another one, with a picture of each frame.

A restored frame is again a headerless file that ``frames.csv`` describes: RGGB, 16 bits, black 0 and white 65535, cut
to what the network saw. Beside it lies ``NAME.png``, the frame finished to sRGB, one pixel for each 2x2 of the sensor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import nn

from evaluators.images.bayer import unpack
from evaluators.images.bayer_frames import COLUMNS, FILE, Frame
from evaluators.restore.restorer import Restorer
from evaluators.restore.tile_plan import Box
from evaluators.restore.tiles import Restored, Run, restored_tiles, torch_run
from evaluators.restore.writing import Header, writing
from evaluators.tasks import TaskRules
from space.files import write_atomically, write_csv_atomically
from space.specialists import network_at

WHITE = 65535


def restore_frame(
    frame: Frame,
    network: nn.Module,
    rules: TaskRules,
    restorer: Restorer,
    folder: Path,
    progress: Callable[[int], None] = lambda pixels: None,
) -> tuple[Restored, tuple[object, ...]]:
    """Restore ``frame`` into ``folder``; returns what it took, and its row of ``frames.csv``.

    Raises:
        UserError: it lacks what the network needs, or the memory is too little.
    """
    begun, network_s = time.perf_counter(), 0.0
    pair = rules.show.frame_pair(frame)
    image = rules.degrade.network_input(pair.degraded)
    height, width = image.shape[:2]
    plan = restorer.planner.plan(
        (width, height), restorer.memory_bytes - 6 * image.nbytes, restorer.settings.tiled_anyway
    )
    run: Run = restorer.run if restorer.engine is not None else torch_run(network_at(network, pair.level))
    if plan.extended != (0, 0):
        image = np.pad(image, ((0, plan.extended[1]), (0, plan.extended[0]), (0, 0)), mode="edge")
    values = np.empty((*image.shape[:2], 4), np.float32)

    def network_input(box: Box) -> np.ndarray:
        return image[box.top : box.bottom, box.left : box.right]

    for tile, part, seconds in restored_tiles(run, network_input, plan):
        core, inner = tile.core, tile.core.within(tile.window)
        values[core.top : core.bottom, core.left : core.right] = part[
            inner.top : inner.bottom, inner.left : inner.right
        ]
        network_s += seconds
        progress((core.bottom - core.top) * (core.right - core.left))
    output = rules.measure.output(values[:height, :width], pair.degraded)
    sensor = np.round(unpack(output) * WHITE).astype("<u2")
    picture = rules.show.picture(output, pair)
    path = folder / frame.name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, sensor.tobytes())
    with writing(path.with_suffix(".png"), Header((width, height), 3, 8)) as writer:
        writer.rows(picture)
    row = (frame.name, 2 * width, 2 * height, "RGGB", 16, 0, WHITE, frame.camera.red, frame.camera.blue)
    return Restored(plan, network_s, time.perf_counter() - begun), row


def write_description(folder: Path, rows: list[tuple[object, ...]]) -> None:
    """``frames.csv`` of the restored frames."""
    write_csv_atomically(folder / FILE, [COLUMNS, *rows])
