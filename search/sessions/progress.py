"""Progress of a search: a live panel in a terminal or a notebook, one line per event elsewhere."""

from __future__ import annotations

import io
import time
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evaluators.quantities import Shown, cost_texts, exact_quantities, milliseconds_on
from search.pareto import losses_at_rung, non_dominated_ranks
from search.records import RunSettings, TrialRecord
from search.workers.messages import Progress
from space.terminal import escape_controls

SHOWN = 6  # of the best points so far
BAR_CHARACTERS, JOB_BAR_CHARACTERS = 40, 12
PARTS = 4  # of the training of shared weights; each is told of in a log
NOTEBOOK_COLUMNS, NOTEBOOK_EVERY_S = 110, 1.0
NOTEBOOK_HTML = '<pre style="line-height: normal">{code}</pre>'


class Listener(Protocol):
    """Whoever shows the search to a person. ``number`` is of a job that trains the weights that a family's networks
    share: it is of no trial, and is what ``progressed`` tells of it by."""

    def said(self, line: str) -> None: ...
    def known(self, records: Collection[TrialRecord]) -> None: ...
    def started(self, record: TrialRecord, steps: int) -> None: ...
    def progressed(self, progress: Progress) -> None: ...
    def measured(self, record: TrialRecord) -> None: ...
    def failed(self, record: TrialRecord) -> None: ...
    def sharing_began(self, number: int, family: str, designs: int, steps: int) -> None: ...
    def sharing_ended(self, number: int, line: str) -> None: ...
    def tick(self, time_left_s: float | None) -> None: ...


class NoProgress(AbstractContextManager["NoProgress"]):
    """Nothing, for programs."""

    def said(self, line: str) -> None: ...
    def known(self, records: Collection[TrialRecord]) -> None: ...
    def started(self, record: TrialRecord, steps: int) -> None: ...
    def progressed(self, progress: Progress) -> None: ...
    def measured(self, record: TrialRecord) -> None: ...
    def failed(self, record: TrialRecord) -> None: ...
    def sharing_began(self, number: int, family: str, designs: int, steps: int) -> None: ...
    def sharing_ended(self, number: int, line: str) -> None: ...
    def tick(self, time_left_s: float | None) -> None: ...
    def __exit__(self, *_: object) -> None: ...


class PlainProgress(AbstractContextManager["PlainProgress"]):
    """One line per event, for logs and pipes."""

    def __init__(self, console: Console, settings: RunSettings) -> None:
        self._console, self._settings = console, settings
        self._sharing: dict[int, tuple[str, int]] = {}  # family, and the parts of its training that are told of
        self._time_left_s: float | None = None

    def said(self, line: str) -> None:
        self._line(line)

    def known(self, records: Collection[TrialRecord]) -> None:
        if records:
            self._line(f"continuing a run of {len(records)} measured networks")

    def started(self, record: TrialRecord, steps: int) -> None:
        inherits = record.family is not None and not record.rungs
        what = "measuring" if record.follows or inherits else "training"
        self._line(f"{what} {_name(record)} to {steps:,} steps ({_costs(record)})")

    def progressed(self, progress: Progress) -> None:
        """The training of shared weights takes minutes to a quarter of an hour: a line at each part of it."""
        family, told = self._sharing.get(progress.number, ("", PARTS))
        part = PARTS * progress.step // progress.steps
        if told < part < PARTS:
            self._sharing[progress.number] = (family, part)
            self._line(f"  step {progress.step:,} of {progress.steps:,} of the weights of {family} networks")

    def sharing_began(self, number: int, family: str, designs: int, steps: int) -> None:
        self._sharing[number] = (family, 0)
        self._line(f"training the weights of {family} networks on {designs} designs to {steps:,} steps")

    def sharing_ended(self, number: int, line: str) -> None:
        self._sharing.pop(number, None)
        self._line(line)

    def measured(self, record: TrialRecord) -> None:
        result = record.rungs[-1]
        self._line(
            f"measured {_name(record)} at {result.steps:,} steps: {result.psnr_db:.2f} dB "
            f"({result.train_s:.1f} s training, {result.eval_s:.1f} s measuring)"
        )

    def failed(self, record: TrialRecord) -> None:
        self._line(f"failed   {_name(record)}: {record.reason}")

    def tick(self, time_left_s: float | None) -> None:
        self._time_left_s = time_left_s

    def __exit__(self, *_: object) -> None:
        return None

    def _line(self, text: str) -> None:
        left = "" if self._time_left_s is None else f"  [{_clock(self._time_left_s)} left]"
        self._console.print(text + left, highlight=False, markup=False, soft_wrap=True)


@dataclass
class _Job:
    """What a worker does, as the panel shows it."""

    name: str
    steps: int
    costs: str
    progress: Progress | None = None


class _Panel(AbstractContextManager["_Panel"]):
    """Jobs in work, counts, best points so far, time left; whoever shows it asks for ``draw()``."""

    def __init__(self, console: Console, settings: RunSettings) -> None:
        self._console, self._settings = console, settings
        self._jobs: dict[int, _Job] = {}
        self._records: dict[int, TrialRecord] = {}
        self._failed: list[str] = []
        self._time_left_s: float | None = None
        self._longest_left_s = 0.0
        self._begun = time.monotonic()

    def said(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False)

    def known(self, records: Collection[TrialRecord]) -> None:
        self._records.update({record.trial: record for record in records})

    def started(self, record: TrialRecord, steps: int) -> None:
        self._jobs[record.trial] = _Job(_name(record), steps, _costs(record))

    def progressed(self, progress: Progress) -> None:
        if progress.number in self._jobs:
            self._jobs[progress.number].progress = progress

    def sharing_began(self, number: int, family: str, designs: int, steps: int) -> None:
        self._jobs[number] = _Job(f"weights of {family} networks", steps, f"{designs} designs")

    def sharing_ended(self, number: int, line: str) -> None:
        self._jobs.pop(number, None)
        self.said(line)

    def measured(self, record: TrialRecord) -> None:
        self._jobs.pop(record.trial, None)
        self._records[record.trial] = record

    def failed(self, record: TrialRecord) -> None:
        self._jobs.pop(record.trial, None)
        self._failed.append(escape_controls(f"{_name(record)}: {record.reason}"))

    def tick(self, time_left_s: float | None) -> None:
        self._time_left_s = time_left_s
        self._longest_left_s = max(self._longest_left_s, time_left_s or 0.0)

    def draw(self) -> Group:
        left = (
            f"{_clock(self._time_left_s)} left"
            if self._time_left_s is not None
            else f"{_clock(time.monotonic() - self._begun)} so far"
        )
        head = Text(
            f"{left}; {len(self._records)} networks measured" + (f", {len(self._failed)} failed" * bool(self._failed))
        )
        jobs = Table.grid(padding=(0, 2))
        for job in list(self._jobs.values()):
            done, progress = f"to {job.steps:,} steps", job.progress
            if progress is not None:
                done = f"step {progress.step:,} of {job.steps:,}, loss {progress.loss:.4f}"
            bar = ProgressBar(total=job.steps, completed=progress.step if progress else 0, width=JOB_BAR_CHARACTERS)
            jobs.add_row("training", Text(job.name), bar, done, job.costs)
        best = [self._best()] if self._records else []
        return Group(head, *self._bar(), jobs, *best, *map(Text, self._failed[-2:]))

    def _bar(self) -> list[ProgressBar]:
        """How much of this session's time is used up; none where there is no limit of time."""
        if self._time_left_s is None or not self._longest_left_s:
            return []
        used_s = self._longest_left_s - max(0.0, self._time_left_s)
        return [ProgressBar(total=self._longest_left_s, completed=used_s, width=BAR_CHARACTERS)]

    def _best(self) -> Table:
        """The front of the highest rung that anything has reached yet."""
        rung = max(record.rungs[-1].rung for record in self._records.values())
        found = [(record, record.at_rung(rung)) for record in self._records.values()]
        results = {record.trial: result for record, result in found if result is not None}
        there = [record for record, result in found if result is not None]
        ranks = non_dominated_ranks(losses_at_rung(there, rung, self._settings.objectives))
        best = sorted(
            (r for r, rank in zip(there, ranks, strict=True) if rank == 0), key=lambda r: -results[r.trial].psnr_db
        )
        times = (milliseconds_on(use.name) for use in self._settings.tables)
        quantities = (*exact_quantities(Shown.TABLES), *times)
        table = Table(
            "best so far",
            "PSNR dB",
            *(each.unit for each in quantities),
            title_justify="left",
            pad_edge=False,
            box=SIMPLE_HEAD,
            title=f"after {results[there[0].trial].steps:,} steps",
        )
        for record in best[:SHOWN]:
            table.add_row(
                _name(record),
                f"{results[record.trial].psnr_db:.2f}",
                *(each.number(each.of(record.costs)) for each in quantities),
            )
        return table


class LiveProgress(_Panel):
    """The panel in a terminal, redrawn in place."""

    def __init__(self, console: Console, settings: RunSettings) -> None:
        super().__init__(console, settings)
        self._live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self.draw)

    def __enter__(self) -> LiveProgress:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)


class NotebookProgress(_Panel):
    """The panel under a notebook's cell, redrawn in place; rich's own would need ipywidgets."""

    def __enter__(self) -> NotebookProgress:
        from IPython.display import HTML, display

        self._html, self._shown_at = HTML, time.monotonic()
        self._cell = display(HTML(""), display_id=True)
        return self

    def tick(self, time_left_s: float | None) -> None:
        super().tick(time_left_s)
        if time.monotonic() - self._shown_at >= NOTEBOOK_EVERY_S:
            self._shown_at = time.monotonic()
            self._cell.update(self._html(_as_html(self.draw())))

    def __exit__(self, *_: object) -> None:
        self._cell.update(self._html(""))


def _as_html(panel: RenderableType) -> str:
    """``panel`` as a notebook shows text, with its colours."""
    console = Console(file=io.StringIO(), record=True, width=NOTEBOOK_COLUMNS, force_jupyter=False)
    console.print(panel)
    return console.export_html(inline_styles=True, code_format=NOTEBOOK_HTML)


def progress_for(console: Console | None, settings: RunSettings) -> NoProgress | PlainProgress | _Panel:
    """The panel in a terminal and a notebook, lines elsewhere and where a terminal cannot move its cursor
    (``TERM=dumb``); nothing without a console."""
    if console is None:
        return NoProgress()
    if console.is_jupyter:
        return NotebookProgress(console, settings)
    can_redraw = console.is_terminal and not console.is_dumb_terminal
    return LiveProgress(console, settings) if can_redraw else PlainProgress(console, settings)


def _name(record: TrialRecord) -> str:
    made_of = "" if record.descent is None else f" ({record.compression.words}, of #{record.parent})"
    return f"trial {record.trial}" + (f" {record.source}" if record.is_fixed else "") + made_of


def _costs(record: TrialRecord) -> str:
    return ", ".join(cost_texts(record.costs, Shown.TABLES))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
