"""A training as a person sees it go on: its curve in a file, in a line, in a panel and in lines."""

from __future__ import annotations

import io
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from latency_tables.cli.console import Console
from search.experiments import course
from search.experiments.course import Course, CourseLines, CoursePanel, course_for
from search.experiments.curve import CURVE_FILE, ROWS, Curve, Point, read_points, rows_every
from search.sessions.sparkline import BLOCKS, PLAIN_BLOCKS, blocks_for, sparkline
from search.storage.artifacts import LocalArtifacts
from search.workers.messages import Progress
from tests.search_tests.short_trainings import training

# The file.


def curve_of(*steps: int) -> Curve:
    curve = Curve()
    for step in steps:
        curve.add_loss(0.5 / step)
        curve.add_point(step, 1e-3, 2.0 * step)
    return curve


def test_a_point_has_the_mean_loss_since_the_one_before() -> None:
    curve = Curve()
    for loss in (1.0, 2.0, 6.0):
        curve.add_loss(loss)
    curve.add_point(3, 1e-3, 1.0)
    curve.add_point(3, 1e-3, 1.5, psnr_db=30.0)
    curve.add_loss(4.0)
    curve.add_point(4, 1e-3, 2.0)
    assert [(point.step, point.loss, point.psnr_db) for point in curve.points] == [(3, 3.0, 30.0), (4, 4.0, None)]
    assert curve.is_validated(3)
    assert not curve.is_validated(4)


def test_a_curve_is_cut_where_its_training_continues(tmp_path: Path) -> None:
    artifacts = LocalArtifacts(tmp_path)
    curve = curve_of(1, 2, 3, 4)
    curve.write(artifacts)
    assert read_points(tmp_path / CURVE_FILE) == tuple(curve.points)
    assert Curve.read(artifacts, 2, (0.0, 0)).points == curve.points[:2]
    between = Curve.read(artifacts, 3, (7.0, 2))
    assert (between.points, between.loss_sum, between.losses) == (curve.points[:3], 0.0, 0)
    after = Curve.read(artifacts, 5, (7.0, 2))
    assert (after.loss_sum, after.losses) == (7.0, 2)


@pytest.mark.parametrize("text", ["", "step\n", "rubbish", "step,loss\n1,2\n", "\0"])
def test_a_damaged_curve_is_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / CURVE_FILE).write_text(text)
    assert read_points(tmp_path / CURVE_FILE) == ()


def test_a_damaged_row_ends_a_curve(tmp_path: Path) -> None:
    curve_of(1, 2, 3).write(LocalArtifacts(tmp_path))
    lines = (tmp_path / CURVE_FILE).read_text().splitlines()
    (tmp_path / CURVE_FILE).write_text("\n".join([*lines[:3], "3,0.1"]))
    assert [point.step for point in read_points(tmp_path / CURVE_FILE)] == [1, 2]


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (ROWS, 1), (ROWS + 1, 1), (50_000, 125), (1_000_000, 2_500)])
def test_long_trainings_have_no_more_points(steps: int, every: int) -> None:
    assert rows_every(steps) == every


# The line.


def test_a_sparkline_goes_from_the_lowest_to_the_highest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == BLOCKS
    assert sparkline([7, 0], 8, PLAIN_BLOCKS) == "#_"
    assert sparkline(list(range(100)), 10)[0] == BLOCKS[0]
    assert len(sparkline(list(range(100)), 10)) == 10


@pytest.mark.parametrize(
    ("values", "shown"),
    [([], ""), ([3.0], "▅"), ([3.0, 3.0], "▅▅"), ([math.nan], " "), ([1.0, math.nan, 2.0], "▁ █"), ([0, 0, 9], "▁▁█")],
)
def test_a_sparkline_of_little(values: list[float], shown: str) -> None:
    assert sparkline(values, 10) == shown


def test_a_terminal_without_blocks_gets_others() -> None:
    assert blocks_for("utf-8") == BLOCKS
    assert blocks_for("ascii") == blocks_for(None) == blocks_for("no-such-code") == PLAIN_BLOCKS


# Panel and lines.


def progress(step: int, loss: float = 0.1, psnr_db: float | None = None) -> Progress:
    return Progress(0, step, 100, loss, psnr_db)


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time that is shown next."""
    now = [0.0]
    monkeypatch.setattr(course, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def told(shown: Course, clock: list[float]) -> None:
    what = training()
    shown.started(what, 1, 1)
    shown.progressed(what, progress(0, math.nan, 20.0))
    for step in range(1, 51):
        clock[0] = float(step)
        shown.progressed(what, progress(step, 1 / step))
    shown.progressed(what, progress(50, 0.02, 24.5))


def test_lines_have_every_validation_and_the_time_left(clock: list[float]) -> None:
    console = Console(file=io.StringIO(), width=100)
    shown = course_for(console, (), "PSNR on Y")
    assert isinstance(shown, CourseLines)
    told(shown, clock)
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "training ecbsr-m4c8 to 8 steps"
    assert lines[1] == "  step 0 of 100, PSNR on Y 20.00 dB (the best so far)"
    assert lines[2].startswith("  step 31 of 100, loss 0.")
    assert lines[2].endswith(", 1 min 9 s left")
    assert lines[3].endswith("PSNR on Y 24.50 dB (the best so far), 50 s left")
    assert len(lines) == 4


def test_the_panel_has_both_curves_also_of_sessions_before(clock: list[float]) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=30, _environ={"TERM": "xterm"})
    earlier = [Point(1, 2.0, 1e-3, 18.0, 1.0), Point(2, 1.0, 1e-3, None, 2.0)]
    shown = course_for(console, earlier, "PSNR on Y")
    assert isinstance(shown, CoursePanel)
    assert "reading data" in drawn(shown)
    told(shown, clock)
    lines = drawn(shown).splitlines()
    assert lines[0] == "  step 50 of 100, 50 s left"
    assert lines[2].strip().startswith("loss")
    assert lines[3].strip().startswith("PSNR on Y")
    assert lines[3].split()[3:] == ["▁▃█", "24.50", "dB,", "the", "best", "so", "far"]
    shown.progressed(training(), progress(60, 0.02, 23.0))
    assert "23.00 dB, best 24.50 at 50" in drawn(shown)


@pytest.mark.parametrize("width", [20, 40, 80])
def test_the_panel_fits_a_narrow_terminal(clock: list[float], width: int) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=30, _environ={"TERM": "xterm"})
    shown = CoursePanel(console, (), "PSNR on Y")
    told(shown, clock)
    assert all(len(line) <= width for line in drawn(shown, width).splitlines())


def drawn(shown: CoursePanel, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(shown.draw())
    return console.file.getvalue()


def test_a_dumb_terminal_gets_lines_and_no_console_nothing() -> None:
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(course_for(dumb, (), "PSNR"), CourseLines)
    silent = course_for(None, (), "PSNR")
    told(silent, [0.0])
    assert type(silent) is Course
