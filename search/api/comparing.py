"""Runs beside each other: ``search.compare``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from reports.run.compare_page import compared_frame, write_compared
from reports.run.compare_plot import comparison_figure
from reports.run.comparing import ComparedFronts, compare_fronts
from reports.run.next_steps import run_argument
from search.api.run import Run, load
from space.errors import UserError


@dataclass(frozen=True)
class Comparison:
    """The fronts of several runs (``compare``), ``over`` each of the costs that all of them were asked to save.

    >>> import search, shutil
    >>> _ = shutil.copytree("runs/example", "runs/compared", dirs_exist_ok=True)
    >>> compared = search.compare("runs/example", "runs/compared")
    >>> [front.name for front in compared.over[0].fronts]
    ['example', 'compared']
    """

    over: tuple[ComparedFronts, ...]

    @property
    def table(self) -> pd.DataFrame:
        """The rows of ``compare.csv``: every member of every front, cheapest first, and what dominates it.

        >>> import search, shutil
        >>> _ = shutil.copytree("runs/example", "runs/compared", dirs_exist_ok=True)
        >>> sorted(set(search.compare("runs/example", "runs/compared").table["run"]))
        ['compared', 'example']
        """
        return compared_frame(self.over)

    def plot(self) -> Figure:
        """The fronts, as a Matplotlib figure; save it with ``savefig``.

        >>> import search, shutil
        >>> _ = shutil.copytree("runs/example", "runs/compared", dirs_exist_ok=True)
        >>> search.compare("runs/example", "runs/compared").plot().savefig("compared.png")
        """
        return comparison_figure(self.over)

    def write(self, folder: Path | str) -> Path:
        """Write ``compare.html``, ``.csv``, ``.json``, ``.png`` and ``.svg`` into ``folder``; return the page's path.

        >>> import search, shutil
        >>> _ = shutil.copytree("runs/example", "runs/compared", dirs_exist_ok=True)
        >>> search.compare("runs/example", "runs/compared").write("side-by-side").name
        'compare.html'
        """
        return write_compared(self.over, Path(folder))


def compare(*runs: Run | Path | str) -> Comparison:
    """The fronts of two runs or more with their hypervolumes, and how much of each the others dominate.

    They must share task and options, data, metric and a number of training steps: the fronts are compared after the
    most steps that all of them have a rung for. Budgets, seeds and samplers may differ.

    >>> import search, shutil
    >>> _ = shutil.copytree("runs/example", "runs/compared", dirs_exist_ok=True)
    >>> (compared,) = search.compare("runs/example", "runs/compared").over
    >>> [round(front.share, 3) for front in compared.fronts]
    [1.0, 1.0]

    Raises:
        UserError: they cannot be compared; names everything that differs.
    """
    loaded = [run if isinstance(run, Run) else load(run) for run in runs]
    return Comparison(compare_fronts(dict(zip(_names(loaded), (run.result for run in loaded), strict=True))))


def _names(runs: Sequence[Run]) -> list[str]:
    """What each is called: its folder's name, or its path where two are called alike."""
    places = [run.folder.resolve() for run in runs]
    for place, run in zip(places, runs, strict=True):
        if places.count(place) > 1:
            raise UserError(f"runs to compare must be different ones, got {run_argument(run.folder)} twice")
    names = [run.result.name for run in runs]
    return [name if names.count(name) == 1 else str(run.folder) for name, run in zip(names, runs, strict=True)]
