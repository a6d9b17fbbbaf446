"""Every published result: of the networks of the zoo, and of networks that are not built and only drawn.

Those are the rows of ``published.csv``, one value per row. Apart from them: what authors' weights gave here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from space.zoo import ZOO
from space.zoo.measured_result import MeasuredResult
from space.zoo.published_result import METRICS, PublishedResult

SSIM = ("SSIM_Y", "SSIM")  # columns of the table


def published_results(task: str, scale: int | None = None, dataset: str | None = None) -> tuple[PublishedResult, ...]:
    """Every published result of ``task``, the zoo's first; of one scale or dataset if it is given.

    One network may appear several times, once per source: see ``one_per_network``.
    """
    return tuple(
        result
        for result in _all()
        if result.task == task and scale in (None, result.scale) and dataset in (None, result.dataset)
    )


def measured_results(task: str, scale: int | None = None, dataset: str | None = None) -> tuple[MeasuredResult, ...]:
    """What the released weights of networks of ``task`` gave here; of one scale or dataset if it is given."""
    return tuple(
        result
        for network in ZOO.values()
        for result in network.measured
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
def _all() -> tuple[PublishedResult, ...]:
    return (*(result for network in ZOO.values() for result in network.results), *_not_built())


def _not_built() -> tuple[PublishedResult, ...]:
    """The rows of ``published.csv``, with the metrics of one network, dataset and source joined."""
    joined: dict[tuple[str, ...], dict[str, str]] = {}
    table = files("space.zoo").joinpath("published.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(io.StringIO(table)):
        key = tuple(row[name] for name in ("network", "task", "scale", "level", "dataset", "source", "note"))
        joined.setdefault(key, row)[row["metric"]] = row["value"]
    return tuple(_result(row) for row in joined.values())


def _result(row: dict[str, str]) -> PublishedResult:
    metric = next((word for word in METRICS if word in row), None)
    ssim = next((row[word] for word in SSIM if word in row), None)
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
        macs_output=_width_height(row["multi_adds_output"]),
        is_own=row["origin"] == "own",
        is_self_ensemble=row["self_ensemble"] == "yes",
        note=row["note"],
    )


def _width_height(text: str) -> tuple[int, int] | None:
    """``1280x720``, or nothing."""
    if not text:
        return None
    width, height = map(int, text.split("x"))
    return width, height
