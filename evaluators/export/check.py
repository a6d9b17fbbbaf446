"""A file run in its engine on pictures, against torch and against the truth."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from evaluators.export.formats import EngineNetwork
from evaluators.export.pictures import fitted, network_image, plain_photographs
from evaluators.quality import measure
from evaluators.tasks import Pair, TaskRules

RUNS, LONGEST_S = 7, 5.0  # timed runs, fewer where they take longer together


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture of a check: the network's input `(1, C, h, w)`, torch's output for it, and the pair it is of."""

    image: np.ndarray
    expected: np.ndarray
    pair: Pair | None


def shots(
    network: nn.Module,
    in_channels: int,
    size: tuple[int, int] | None,
    multiple: int,
    pairs: Sequence[Pair],
    rules: TaskRules | None,
) -> tuple[Shot, ...]:
    """What torch makes of the pictures: run once, and compared with any number of files.

    Args:
        network: as it was trained, on the CPU in eval mode: not the form that is exported.
        size: (width, height) of the input; None for the pictures' own.
        pairs: of the task; without ``rules``, photographs take their place, and there is no truth.
    """
    images: list[tuple[np.ndarray, Pair | None]]
    if rules is None:
        images = [(image, None) for image in plain_photographs(in_channels, size, multiple)]
    else:
        cut = [fitted(pair, size, multiple) for pair in pairs]
        images = [(network_image(rules.degrade.network_input(pair.degraded)), pair) for pair in cut]
    with torch.inference_mode():
        return tuple(Shot(image, network(torch.from_numpy(image)).numpy(), pair) for image, pair in images)


def check(engine: EngineNetwork, taken: Sequence[Shot], rules: TaskRules | None) -> dict[str, Any]:
    """Figures of a file, as JSON values.

    ``largest_error``: absolute, on the scale on which an image is 0 to 1. ``psnr_to_torch_db``: peak 1; None if equal
    in every bit. ``colour_drift_levels``: mean difference of each channel, times 255. ``psnr_db``, ``ssim`` and
    ``torch_psnr_db``, ``torch_ssim``: against the truth, by the task's rules, on the pictures as they were cut.
    ``ms``: median of a run here, with ``ms_runs`` and the ``ms_input`` (width, height). ``partitions`` and
    ``left_out``: where the engine tells.
    """
    outputs = [engine.run(shot.image) for shot in taken]
    figures = compared(taken, outputs) | _against_truth(taken, outputs, rules)
    ms, runs = _milliseconds(lambda: engine.run(taken[0].image))
    height, width = taken[0].image.shape[2:]
    figures |= {"ms": ms, "ms_runs": runs, "ms_input": [width, height]}
    told = engine.partitions()
    if told is not None:
        figures["partitions"], figures["left_out"] = told[0], list(told[1])
    return figures


def compared(taken: Sequence[Shot], outputs: Sequence[np.ndarray]) -> dict[str, Any]:
    """The first figures of ``check``: an engine's ``outputs`` against torch's.

    Raises:
        ValueError: an output has another shape.
    """
    for shot, output in zip(taken, outputs, strict=True):
        if output.shape != shot.expected.shape:
            raise ValueError(f"the file's output must be {shot.expected.shape}, got {output.shape}")
    differences = [output.astype(np.float64) - shot.expected for shot, output in zip(taken, outputs, strict=True)]
    squares = float(np.mean([np.mean(each**2) for each in differences]))
    drift = np.mean([each.mean((0, 2, 3)) for each in differences], axis=0) * 255
    return {
        "pictures": len(taken),
        "largest_error": float(max(np.abs(each).max() for each in differences)),
        "psnr_to_torch_db": None if squares == 0 else -10 * math.log10(squares),
        "colour_drift_levels": [float(each) for each in drift],
    }


def _against_truth(taken: Sequence[Shot], outputs: Sequence[np.ndarray], rules: TaskRules | None) -> dict[str, Any]:
    if rules is None:
        return {}
    pairs = [shot.pair for shot in taken if shot.pair is not None]
    by_pair = {id(pair): index for index, pair in enumerate(pairs)}

    def quality_of(values: Sequence[np.ndarray]) -> tuple[float, float]:
        def output(pair: Pair) -> np.ndarray:
            return rules.measure.output(values[by_pair[id(pair)]][0].transpose(1, 2, 0), pair.degraded)

        quality = measure(output, pairs, rules)
        return quality.psnr_db, quality.ssim

    psnr_db, ssim = quality_of(outputs)
    torch_psnr_db, torch_ssim = quality_of([shot.expected for shot in taken])
    return {
        "metric": rules.measure.metric_rule,
        "psnr_db": psnr_db,
        "ssim": ssim,
        "torch_psnr_db": torch_psnr_db,
        "torch_ssim": torch_ssim,
    }


def _milliseconds(run: Callable[[], object]) -> tuple[float, int]:
    """Median of some runs after a first one, and how many."""
    run()
    times: list[float] = []
    while len(times) < RUNS and (sum(times) < LONGEST_S or not times):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times), len(times)
