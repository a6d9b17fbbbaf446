"""Everything a finished run leaves for people and for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.run.front import write_front
from reports.run.html import write_report
from reports.run.pareto_plot import write_pareto
from reports.run.pictures import Strip, write_strips_png
from search.records import RunResult
from space.zoo.published_result import PublishedResult


def write_all(
    run: RunResult,
    folder: Path,
    strips: Sequence[Strip] = (),
    published: tuple[PublishedResult, ...] | None = None,
    frame_strips: Sequence[Strip] = (),
) -> Path:
    """Write ``front.csv``, ``front.json``, ``pareto.png``, ``pareto.svg``, one ``strip-NAME.png`` per strip and
    ``report.html``; return the path of the page.

    Args:
        strips: crops of validation pictures (``reports.run.pictures.make_strips``); restoring is the caller's work.
        published: results to show instead of the shipped table.
        frame_strips: crops of pictures that have no truth (``reports.run.pictures.make_frame_strips``).
    """
    write_front(run, folder)
    write_pareto(run, folder, published)
    write_strips_png((*strips, *frame_strips), folder)
    return write_report(run, folder, strips, published, frame_strips=frame_strips)
