"""Results that papers report for their networks, with their sources.

The values are transcribed from the papers and their repositories. Figures read off a plot, recalled from memory, or
measured by others with a released checkpoint are not included.

Sources count multiply-accumulates differently, so every figure carries its rule, and figures of different rules never
share an axis. The rules:

* ``convolution``: one multiply-accumulate per weight and output pixel of every convolution;
* ``convolution, deconvolution per output pixel``: the same, with a deconvolution counted as if it ran at the
  output size (FSRCNN in the table of the CARN paper);
* ``parameters x 57600`` and ``parameters x 921600``: the number of parameters times the pixels of a 320x180 input
  or a 1280x720 output (the table of the s-LWSR paper);
* ``not stated``: a figure that follows none of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MACS_RULES = (
    "convolution",
    "convolution, deconvolution per output pixel",
    "parameters x 57600",
    "parameters x 921600",
    "not stated",
)
# What a PSNR is of; the last where the source does not say. By their words in ``published.csv``.
ON_Y, ON_GREY, ON_RGB, NOT_SAID = "PSNR on Y", "PSNR on grey", "PSNR on RGB", "PSNR"
METRICS = {"PSNR_Y_dB": ON_Y, "PSNR_gray_dB": ON_GREY, "PSNR_RGB_dB": ON_RGB, "PSNR_dB": NOT_SAID}
COUNTED = "counted from its code"  # in the note of a row whose size its source does not print


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """The result that one source reports for one network on one dataset.

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


Figure = float | tuple[float, float]  # PSNR in dB, or with SSIM


@dataclass(frozen=True, slots=True)
class Size:
    """A network's size as printed in a source, as in ``PublishedResult``; the default output is 1280x720."""

    params: int | None = None
    macs: int | None = None
    macs_rule: str | None = None
    macs_output: tuple[int, int] | None = (1280, 720)


def reported(
    network: str,
    task: str,
    source: str,
    figures: Mapping[str, Figure] | Mapping[tuple[str, str], Figure],
    size: Size | None = None,
    scale: int = 1,
    metric: str = ON_Y,
    is_own: bool = True,
    is_self_ensemble: bool = False,
    note: str = "",
) -> tuple[PublishedResult, ...]:
    """The results that one source reports for one network.

    ``figures`` map a dataset, or a dataset and noise level, to the PSNR in dB, or to PSNR and SSIM.
    """
    size = size or Size()
    results = []
    for where, figure in figures.items():
        dataset, level = (where, "") if isinstance(where, str) else where
        psnr_db, ssim = figure if isinstance(figure, tuple) else (figure, None)
        results.append(
            PublishedResult(
                network=network,
                task=task,
                scale=scale,
                dataset=dataset,
                source=source,
                level=level,
                metric=metric,
                psnr_db=psnr_db,
                ssim=ssim,
                params=size.params,
                macs=size.macs,
                macs_rule=size.macs_rule,
                macs_output=size.macs_output if size.macs else None,
                is_own=is_own,
                is_self_ensemble=is_self_ensemble,
                note=note,
            )
        )
    return tuple(results)
