"""What papers report for their networks, one value per row, with its source.

The table, ``published.csv``, is transcribed from the papers and their repositories. Figures read off a plot,
remembered, or measured by others with a released checkpoint are not in it.

Sources count multiply-accumulates differently, so a figure never travels without its rule, and figures of
different rules never share an axis. What the rules mean:

* ``convolution``: one multiply-accumulate per weight and output pixel of every convolution;
* ``convolution, deconvolution per output pixel``: the same, with a deconvolution counted as if it ran at the
  output size (FSRCNN in the table of the CARN paper);
* ``parameters x 57600`` and ``parameters x 921600``: the number of parameters times the pixels of a 320x180 input
  or a 1280x720 output (the table of the s-LWSR paper);
* ``not stated``: a figure that follows none of these.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

MACS_RULES = (
    "convolution",
    "convolution, deconvolution per output pixel",
    "parameters x 57600",
    "parameters x 921600",
    "not stated",
)
# By the word of the table: what a PSNR is of. "PSNR" is where the source does not say.
METRICS = {"PSNR_Y_dB": "PSNR on Y", "PSNR_gray_dB": "PSNR on grey", "PSNR_RGB_dB": "PSNR on RGB", "PSNR_dB": "PSNR"}
SSIM = ("SSIM_Y", "SSIM")
COUNTED = "counted from its code"  # in the note of a row whose size its source does not print


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """What one source reports for one network on one dataset.

    ``psnr_db`` is ``metric``, one of the values of ``METRICS``, for the network as its authors trained it; ``ssim`` is
    of the same channels. ``params`` is rounded as the source prints it. ``level`` is the noise of denoising: its
    standard deviation of 255, "real" for noise of a camera; empty for other tasks.
    """

    network: str
    task: str
    scale: int
    dataset: str
    source: str  # "Li et al., arXiv 1909.10774, Table II"
    level: str = ""
    metric: str | None = None
    psnr_db: float | None = None
    ssim: float | None = None
    params: int | None = None  # None: the source does not say
    macs: int | None = None  # counted by ``macs_rule`` for an output of ``macs_output`` pixels
    macs_rule: str | None = None  # one of MACS_RULES
    macs_output: tuple[int, int] | None = None  # width, height
    is_own: bool = False  # reported by the network's own authors
    is_self_ensemble: bool = False  # mean over eight flipped and turned inputs: 8 times the work
    note: str = ""

    def __post_init__(self) -> None:
        if self.params is not None and self.params <= 0:
            raise ValueError(f"params must be positive, got {self.params}")
        if (self.macs is None) != (self.macs_rule is None):
            raise ValueError(f"macs and macs_rule must be given together, got {self.macs} and {self.macs_rule!r}")
        if self.macs_rule is not None and self.macs_rule not in MACS_RULES:
            raise ValueError(f"macs_rule must be one of {MACS_RULES}, got {self.macs_rule!r}")


def published_results(task: str, scale: int | None = None, dataset: str | None = None) -> tuple[PublishedResult, ...]:
    """Every published result of ``task``, in the order of the table; of one scale or dataset if it is given.

    One network may appear several times, once per source: see ``one_per_network``.
    """
    return tuple(
        result
        for result in _table()
        if result.task == task and scale in (None, result.scale) and dataset in (None, result.dataset)
    )


def one_per_network(results: Iterable[PublishedResult]) -> tuple[PublishedResult, ...]:
    """One result per network, scale, level and dataset: its own authors' if they report one, else the first quoted."""
    chosen: dict[tuple[str, int, str, str], PublishedResult] = {}
    for result in results:
        key = (result.network, result.scale, result.level, result.dataset)
        if key not in chosen or (result.is_own and not chosen[key].is_own):
            chosen[key] = result
    return tuple(chosen.values())


@cache
def _table() -> tuple[PublishedResult, ...]:
    """The rows of ``published.csv``, with the metrics of one network, dataset and source joined."""
    joined: dict[tuple[str, ...], dict[str, str]] = {}
    with files("space.papers").joinpath("published.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            key = tuple(row[name] for name in ("network", "task", "scale", "level", "dataset", "source", "note"))
            joined.setdefault(key, row)[row["metric"]] = row["value"]
    return tuple(_result(row) for row in joined.values())


def _result(row: dict[str, str]) -> PublishedResult:
    metric = next((word for word in METRICS if word in row), None)
    ssim = next((row[word] for word in SSIM if word in row), None)
    width_height = tuple(int(pixels) for pixels in row["multi_adds_output"].split("x") if pixels)
    return PublishedResult(
        network=row["network"],
        task=row["task"],
        scale=int(row["scale"]),
        dataset=row["dataset"],
        source=row["source"],
        level=row["level"],
        metric=METRICS[metric] if metric else None,
        psnr_db=float(row[metric]) if metric else None,
        ssim=float(ssim) if ssim else None,
        params=int(row["params"]) if row["params"] else None,
        macs=int(row["multi_adds"]) if row["multi_adds"] else None,
        macs_rule=row["multi_adds_rule"] or None,
        macs_output=width_height or None,
        is_own=row["origin"] == "own",
        is_self_ensemble=row["self_ensemble"] == "yes",
        note=row["note"],
    )
