"""A run in Python: its front, its trials, its networks with their weights, and its reports."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from torch import nn

from evaluators import data
from reports.run.front import front_frame
from reports.run.notebook import run_html
from reports.run.pareto_plot import pareto_figure
from reports.run.picking import NOTHING_YET, Pick, pick
from reports.run.recost import Recosted, recost, write_recost
from search.api.outputs import write_outputs
from search.models.model import Model
from search.models.trials import trial_model
from search.pareto import front
from search.records import RunResult, RunSettings, TrialRecord
from search.request.tables import tables_of
from search.storage.lock import is_owned
from search.storage.run_files import read_run
from search.storage.runs_here import run_folder
from space.errors import UserError

__all__ = ["Pick", "RecostedRun", "Run", "load"]


def load(folder: Path | str) -> Run:
    """Load the run in ``folder``, a path or a name below ``runs/``, in its current state.

    The state of a running search is a snapshot; load it again to update.

    >>> import search
    >>> run = search.load("runs/example")
    >>> run.settings.task, run.settings.budget
    ('sr', '4k-params')

    Raises:
        UserError: there is no run in ``folder``, or it cannot be read.
    """
    found = run_folder(folder)
    return Run(found, read_run(found))


class Run:
    """A snapshot of a run, returned by ``search.run`` and ``search.load``.

    A notebook displays its results. Trials are ``TrialRecord``: ``trial`` (the number), ``source``, ``status``,
    ``architecture``, ``costs``, ``rungs`` (the quality after each rung of training).

    >>> import search
    >>> search.load("runs/example")
    <Run example: 1 network trained, ... on the front, finished>
    """

    def __init__(self, folder: Path, result: RunResult) -> None:
        self.folder = folder
        self.result = result

    @property
    def settings(self) -> RunSettings:
        """The request, and the environment that it ran in.

        >>> import search
        >>> search.load("runs/example").settings.objectives
        ('psnr', 'macs')
        """
        return self.result.settings

    @property
    def state(self) -> str:
        """``running``, ``finished``, or ``interrupted``: the same call of ``search.run`` then continues it.

        >>> import search
        >>> search.load("runs/example").state
        'finished'
        """
        if is_owned(self.folder):
            return "running"
        return "finished" if self.result.is_finished else "interrupted"

    @property
    def table(self) -> pd.DataFrame:
        """The rows of ``front.csv``: the front and the fixed trials of published networks, cheapest first.

        >>> import search
        >>> run = search.load("runs/example")
        >>> {"trial", "source", "on_front", "params", "macs", "psnr_db"} <= set(run.table.columns)
        True
        """
        return front_frame(self.result)

    @property
    def front(self) -> pd.DataFrame:
        """The rows of ``table`` that are on the front, cheapest first.

        >>> import search
        >>> front = search.load("runs/example").front
        >>> (front["params"] <= 4000).all() and front["macs"].is_monotonic_increasing
        True
        """
        table = self.table
        return table[table["on_front"]].reset_index(drop=True)

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """All candidates by number, including those over the budget and those that failed.

        >>> import search
        >>> trials = search.load("runs/example").trials
        >>> all(trial.costs.params <= 4000 for trial in trials if trial.status == "trained")
        True
        """
        return self.result.trials

    @property
    def trained(self) -> tuple[TrialRecord, ...]:
        """The trials that have a quality result.

        >>> import search
        >>> [len(trial.rungs) for trial in search.load("runs/example").trained]
        [1]
        """
        return tuple(trial for trial in self.trials if trial.rungs)

    @property
    def page(self) -> Path:
        """The path to which ``search.run`` and ``report`` write the page.

        >>> import search
        >>> search.load("runs/example").page.name
        'report.html'
        """
        return self.folder / "report.html"

    def best(self, budget: str | None = None) -> TrialRecord:
        """The trial with the highest PSNR within ``budget`` among those that reached the front's rung.

        Args:
            budget: limits, written as for ``search.run``, with any latency table; the run's own if None. Nothing is
                trained.

        Raises:
            UserError: no network fits the budget.

        >>> import search
        >>> run = search.load("runs/example")
        >>> run.best("3k-params").costs.params <= 3000
        True
        """
        return self.pick(budget).trial

    def pick(self, budget: str | None = None, prefer: str = "psnr") -> Pick:
        """The network to take within ``budget``, and what lies beside it: the next cheaper and the next better one, the
        best of the run, and those that noise does not tell apart from it.

        Args:
            budget: limits, written as for ``search.run``, with any latency table; the run's own if None. Nothing is
                trained.
            prefer: ``psnr``: the highest PSNR. ``latency``: the cheapest of those whose PSNR is within the seed noise
                (0.045 dB) of the highest, by the first limit in milliseconds, else the first limit.

        Raises:
            UserError: no network fits the budget; names the nearest.

        >>> import search
        >>> picked = search.load("runs/example").pick("900m-macs,900ms@pixel4-a76", prefer="latency")
        >>> picked.trial.costs.latency["pixel4-a76"].ms <= 900, picked.quantity.unit
        (True, 'ms on pixel4-a76')
        >>> 0 <= picked.highest.gain_db < 0.045  # what it gives up
        True
        """
        return pick(self.result, budget, prefer)

    def network(self, trial: TrialRecord | int) -> nn.Module:
        """The network of ``trial`` in eval mode, with the averaged weights that were measured for ``front``.

        Maps `(N, in, H, W)` to `(N, out, scale*H, scale*W)`, float32 in [0, 1]. If several networks share the range of
        noise levels, a ``space.specialists.Specialists`` with all of them. Of an int8 trial it is the network in float
        with those weights, as ``export`` quantizes it; the page's pictures are of int8.

        Raises:
            UserError: the trial does not exist or has no weights.

        >>> import search, torch
        >>> run = search.load("runs/example")
        >>> network = run.network(run.best())
        >>> network(torch.rand(1, 3, 24, 32)).shape
        torch.Size([1, 3, 96, 128])
        """
        return self.model(trial).network

    def model(self, trial: TrialRecord | int, rung: int | None = None) -> Model:
        """The network of ``trial`` with its weights, its task and what is known of it (``search.write_model``).

        Args:
            rung: of training, by the number on the page, from 1; if None, the one that ``front`` is made of or, where
                the trial has not reached it, its highest.

        Raises:
            UserError: the trial or rung does not exist or has no weights.

        >>> import search
        >>> run = search.load("runs/example")
        >>> model = run.model(run.best())
        >>> model.rules.task, model.facts["training"]["steps"]
        ('sr', 2)
        """
        number = trial if isinstance(trial, int) else trial.trial
        return trial_model(self.result, self.folder, number, None if rung is None else rung - 1)

    def plot(self) -> Figure:
        """The front with the published networks, as a Matplotlib figure; save it with ``savefig``.

        >>> import search
        >>> search.load("runs/example").plot().savefig("front.png")
        """
        return pareto_figure(self.result)

    def report(self, frames: Path | str | None = None) -> Path:
        """Write ``weights/``, ``front.csv``, ``front.json``, figure, pictures and page; return the page's path.

        Args:
            frames: a folder of real Bayer frames to show on the page of a raw-denoise run.

        Raises:
            UserError: nothing has been measured yet.

        >>> import search
        >>> search.load("runs/example").report().name
        'report.html'
        """
        if not self.trained:
            raise UserError(NOTHING_YET.format(self.result.name))
        shown = data.frame_pairs(Path(frames), self.settings.rules) if frames else ()
        return write_outputs(self.result, self.folder, frames=shown)

    def recost(self, table: str, input_size: tuple[int, int] | None = None) -> RecostedRun:
        """The front of the run's networks by PSNR and milliseconds on another phone; nothing is trained.

        Args:
            table: a latency table, by name or path.
            input_size: (width, height) of the network's input in pixels; the run's if None.

        >>> import search
        >>> again = search.load("runs/example").recost("a03s-a53")
        >>> again.front["ms@a03s-a53"].is_monotonic_increasing
        True
        """
        (use,) = tables_of("--device", (table,))
        return RecostedRun(self, recost(self.result, use, input_size or self.settings.input_size))

    def __repr__(self) -> str:
        name, members = self.result.name, len(front(self.result))
        networks = f"{len(self.trained)} network{'s'[: len(self.trained) != 1]}"
        return f"<Run {name}: {networks} trained, {members} on the front, {self.state}>"

    def _repr_html_(self) -> str:
        return run_html(self.result)


class RecostedRun(Run):
    """A run on another phone (``Run.recost``): the same networks and quality, with milliseconds on that phone.

    ``refused`` maps trained networks that the latency table cannot price to the reason.
    """

    def __init__(self, original: Run, recosted: Recosted) -> None:
        super().__init__(original.folder, recosted.run)
        self.original, self.recosted = original, recosted

    @property
    def refused(self) -> tuple[tuple[TrialRecord, str], ...]:
        return self.recosted.refused

    @property
    def page(self) -> Path:
        return self.folder / "recost" / f"report-{self.recosted.use.name}.html"

    def report(self, frames: Path | str | None = None) -> Path:
        """Write table, figure and page into ``recost/`` in the run's folder; return the page's path.

        Raises:
            UserError: ``frames`` are given; only the run's own page shows them.
        """
        if frames is not None:
            raise UserError(f"frames are shown by the run's own page alone, got {str(frames)!r}; leave them out")
        write_recost(self.original.result, [self.recosted], self.page.parent)
        return self.page
