"""What the released weights of published networks give when this project measures them, with their sources.

Only for networks whose authors print no figure for the dataset: nobody else has printed these, so they are no
``PublishedResult`` and ``published_results`` never returns them. ``python -m reports.networks.released_weights``
measured them (``reports/published/released-weights``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from space.zoo.published_result import ON_Y


@dataclass(frozen=True, slots=True)
class MeasuredResult:
    """What one released weights file gives on one dataset, measured here in fp32 by the rule of published tables.

    ``psnr_db`` is ``metric``, rounded to the two digits of published figures. ``params`` are those of the file.
    """

    network: str
    task: str
    scale: int
    dataset: str
    file: str  # as ``reports/published/released-weights`` lists it
    source: str  # repository and commit of the file
    psnr_db: float
    params: int
    metric: str = ON_Y

    def __post_init__(self) -> None:
        if self.params <= 0:
            raise ValueError(f"params must be positive, got {self.params}")


def measured(
    network: str, file: str, source: str, figures: Mapping[str, float], params: int, task: str = "sr", scale: int = 4
) -> tuple[MeasuredResult, ...]:
    """The results of the weights file ``file`` of ``network``; ``figures`` map a dataset to the PSNR in dB."""
    return tuple(
        MeasuredResult(network, task, scale, dataset, file, source, psnr_db, params)
        for dataset, psnr_db in figures.items()
    )
