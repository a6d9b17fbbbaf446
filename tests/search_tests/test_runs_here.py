"""``list``'s line of a run: what it was asked for and how it stands, whatever lies in its folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from search.cli import main
from search.cli.catalogue import size_text
from search.durations import duration_text
from search.storage.journal import JOURNAL
from search.storage.lock import own
from search.storage.runs_here import glance
from search.storage.study import Study
from tests.search_tests.conftest import settings


def test_a_run_is_interrupted_running_or_finished(tmp_path: Path) -> None:
    study = Study.create(tmp_path, settings())
    study.note("sessions", ["one"])
    seen = glance(tmp_path)
    assert (seen.created, seen.task, seen.budget) == ("2026-01-01T00:00:00+00:00", "sr ×4", "200k-params")
    assert seen.state == "interrupted"
    with own(tmp_path):
        assert glance(tmp_path).state == "running"
    study.note("done", {"time_s": None, "trials": 3})
    assert glance(tmp_path).state == "finished"
    study.note("sessions", ["one", "another"])
    assert glance(tmp_path).state == "interrupted"
    assert glance(tmp_path).size_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())


SETTINGS = '{"op_code":2,"worker_id":"w","study_id":0,"user_attr":{"settings":%s}}\n'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"rubbish\n",
        b"\xff\xfe\n",
        b'{"op_code":0}\n',
        (SETTINGS % "[1]").encode(),
        (SETTINGS % "{}").encode(),
        (SETTINGS % '{"task":"tasks","x":1}').encode(),
        (SETTINGS % "{}").encode()[:-9],
        (SETTINGS % json.dumps({**settings().to_dict(), "task": "flying"})).encode(),
        (SETTINGS % json.dumps({**settings().to_dict(), "options": {"sigma": 3}})).encode(),
        (SETTINGS % json.dumps({**settings().to_dict(), "tables": 7})).encode(),
    ],
)
def test_a_damaged_run_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    (tmp_path / JOURNAL).write_bytes(content)
    assert glance(tmp_path).state == "damaged: its settings cannot be read"


def test_a_folder_in_place_of_the_journal_is_damage_too(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).mkdir()
    assert glance(tmp_path).state == "damaged: Is a directory"
    assert glance(tmp_path / "nowhere").state == "damaged: No such file or directory"


def test_list_says_how_every_run_stands(tmp_path: Path, monkeypatch, capsys) -> None:
    for name in ("first", "[b]odd"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        Study.create(tmp_path / "runs" / name, settings())
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / JOURNAL).write_text("rubbish\n")
    monkeypatch.chdir(tmp_path)
    assert main(["list"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("run ")]
    assert lines[0].startswith(f"run {Path('runs', '[b]odd')}: sr ×4, 200k-params, 2026-01-01T")
    assert lines[1].startswith(f"run {Path('runs', 'broken')}: damaged: its settings cannot be read")
    assert main(["list", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["state"].partition(":")[0] for run in runs] == ["interrupted", "damaged", "interrupted"]
    assert os.fspath(runs[2]["folder"]) == os.path.join("runs", "first")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.2 s"),
        (9.94, "9.9 s"),
        (40, "40 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (150, "2 min 30 s"),
        (600, "10 min"),
        (3599.6, "1 h"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "25 h"),
    ],
)
def test_durations_are_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (9_960, "10 kB"),
        (999_600, "1.0 MB"),
        (3_400_000, "3.4 MB"),
        (120_000_000, "120 MB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes_are_words(size: int, text: str) -> None:
    assert size_text(size) == text
