"""Values of options that are read before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import search
from search.request import values as option_values
from search.request.options import RUN_OPTIONS
from search.request.values import parse_processes, parse_time, written_folder
from space.command_line import parse_count, parse_size
from space.errors import UserError
from space.tasks import OPTIONS


@pytest.mark.parametrize(("given", "always", "runs"), [("1", 1, 1), ("3", 1, 3), ("4", 4, 4), ("100000", 1, 3)])
def test_processes_are_bounded_by_the_cores_and_it_is_said(
    given: str, always: int, runs: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(option_values, "available_cores", lambda: 3)
    assert parse_processes("--workers", given, always) == runs
    said = capsys.readouterr().err
    bounded = f"note: --workers {given} is more than this machine carries; {runs} run, for 3 cores\n"
    assert said == (bounded if int(given) > runs else "")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", " ", "9" * 5000, "1e3", str(2**60), "½", "٣x"])
def test_a_count_is_a_whole_number_within_reason(text: str) -> None:
    with pytest.raises(UserError, match="--trials must be a whole number of at "):
        parse_count("--trials", text, 1)


@pytest.mark.parametrize("text", ["x", "1x1", "320x", "320x180x3", "9" * 99 + "x9", "٣٢٠x١٨٠", "1e3x1e3", "320 x 180"])
def test_a_size_is_pixels(text: str) -> None:
    with pytest.raises(UserError, match="must be WIDTHxHEIGHT"):
        parse_size("--input", text)


@pytest.mark.parametrize("text", ["0", "-1m", "9" * 400 + "h", "1e400", "nan", "5d", "1..5m", "", "٣m", "20000h"])
def test_a_time_is_positive_and_ends(text: str) -> None:
    with pytest.raises(UserError, match="--time must be"):
        parse_time(text)


def test_a_folder_that_is_written_has_a_name_in_utf8() -> None:
    """Before anything trains: safetensors would refuse the name at the first checkpoint."""
    assert written_folder("--run-dir", Path("größe [b]$x^_{")) == Path("größe [b]$x^_{")
    with pytest.raises(UserError, match=r"--run-dir must be a name in UTF-8, got 'a\\udcff'"):
        written_folder("--run-dir", Path("a\udcff"))


def test_the_page_of_options_has_every_option_of_run() -> None:
    page = (Path(search.__file__).parent / "OPTIONS.md").read_text("utf-8")
    own = [option.name for option in RUN_OPTIONS if option.name not in OPTIONS]
    assert [name for name in own if f"`--{name}`" not in page] == []
