"""One network made ready to restore any number of pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from evaluators.restore.conversion import Conversion, level_of
from evaluators.restore.engine_tiles import EngineRun
from evaluators.restore.memory import taken_bytes
from evaluators.restore.pictures import Picture, read_picture
from evaluators.restore.plan import Planner
from evaluators.restore.tile_plan import TilePlan
from evaluators.restore.tiles import Progress, Restored, Run, header_of, plan_for, restore_picture, torch_run
from evaluators.restore.writing import QUALITY, check_header
from evaluators.tasks import TaskRules
from space.errors import UserError
from space.specialists import network_at, networks_of

LATER_BYTES = 64_000_000
"""What torch takes once it runs: machine code of oneDNN, weights in its layouts, buffers (measured 30 to 60 MB)."""

USED = 0.8
"""Of what is left, the share that is planned: the C library's heap has holes after tiles and rows of several sizes. A
photograph of 12 megapixels through a narrow network of ×4, in 84 tiles, took 9 % more than was planned without it."""


@dataclass(frozen=True)
class Settings:
    """How pictures are restored.

    Attributes:
        memory_bytes: of the whole process, less ``held_bytes``.
        workers: pictures that are restored at a time, which share the memory.
        sigma: of the pictures' noise, of 255, where the network is told it.
        tiled_anyway: cut pictures for networks that need the whole one.
        quality: of JPEG and WebP files, 1 to 100.
        held_bytes: what a program held before, which does not count.
    """

    memory_bytes: int
    workers: int = 1
    sigma: float | None = None
    tiled_anyway: bool = False
    quality: int = QUALITY
    held_bytes: int = 0


class Restorer:
    """A network with its halo, and what stands between it and picture files."""

    def __init__(
        self,
        network: nn.Module,
        rules: TaskRules | None,
        channels: tuple[int, int],
        settings: Settings,
        engine: EngineRun | None = None,
    ) -> None:
        """
        Args:
            channels: of the network's input and output.
            engine: an exported file of it, which runs instead of torch.

        Raises:
            UserError: the network needs a sigma and there is none, or takes none and there is one.
        """
        _check_sigma(rules, channels, network, settings.sigma)
        chosen = network_at(network, level_of(network, rules, settings.sigma))
        self.settings, self.rules = settings, rules
        reach = 2 if rules is not None and rules.task == "sr" else 0
        self.planner = Planner(chosen, channels[0], reach)
        self.conversion = Conversion(rules, *channels, self.planner.halo.scale, settings.sigma)
        self.engine = engine
        self.run: Run = torch_run(chosen) if engine is None else engine
        self.memory_bytes = _left(settings)

    def plan(self, picture: Picture, output: Path) -> TilePlan:
        """Raises: UserError: the memory is too little, or the output's format cannot hold the picture."""
        header = header_of(picture, self.conversion, self.settings.quality)
        check_header(output, header)
        if self.engine is not None and self.engine.size is not None:
            return self.engine.plan(self.planner, picture.size)
        return plan_for(self.planner, picture, header, output, self.memory_bytes, self.settings.tiled_anyway)

    def restore_file(
        self, path: Path, output: Path, mask_path: Path | None = None, progress: Progress = lambda pixels: None
    ) -> Restored:
        """Restore the picture file ``path`` into ``output``.

        Raises:
            UserError: a file cannot be used, or the memory is too little.
        """
        begun = time.perf_counter()
        picture = read_picture(path, self.memory_bytes)
        mask = None if mask_path is None else read_mask(mask_path, self.memory_bytes)
        self.conversion.check(picture, mask)
        restored = restore_picture(
            picture,
            mask,
            self.run,
            self.conversion,
            self.plan(picture, output),
            output,
            self.settings.quality,
            progress,
        )
        return Restored(restored.plan, restored.network_s, time.perf_counter() - begun)


def _left(settings: Settings) -> int:
    """Of the memory, what each picture may take: its pixels, the network's values, and what is held of the output."""
    taken = max(0, taken_bytes() - settings.held_bytes) + LATER_BYTES
    if settings.memory_bytes <= taken:
        raise UserError(
            f"--memory must be more than the {taken / 1e6:,.0f} MB that the program itself takes, got "
            f"{settings.memory_bytes / 1e6:,.0f} MB; raise it"
        )
    return int((settings.memory_bytes - taken) * USED) // settings.workers


def read_mask(path: Path, memory_bytes: int) -> np.ndarray:
    """`(H, W)`, True in the holes: where a picture is lighter than middle grey."""
    picture = read_picture(path, memory_bytes)
    mask: np.ndarray = picture.pixels.max(axis=2) > picture.peak // 2
    return mask


def _check_sigma(rules: TaskRules | None, channels: tuple[int, int], network: nn.Module, sigma: float | None) -> None:
    is_told = rules is not None and rules.task == "denoise" and channels[0] > channels[1]
    shares = len(networks_of(network)) > 1
    if is_told and sigma is None:
        raise UserError(
            "--sigma must be the noise's standard deviation, of 255, for a network with a noise map, got none"
        )
    if sigma is not None and not (is_told or shares):
        raise UserError(f"--sigma is for networks that are told the noise, got {sigma:g}; leave it out")
