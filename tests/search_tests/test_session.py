"""A session: what is checked before a folder is touched, and what a run's folder may hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from search.records import RunSettings
from search.request.request import Request, request_from_options
from search.sessions import session as session_module
from search.sessions.continuing import check_new, check_same
from search.sessions.session import check_and_read
from search.storage.journal import JOURNAL
from search.storage.study import Study
from space.errors import UserError
from tests.search_tests.conftest import settings


@pytest.fixture(autouse=True)
def _any_budget_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "search.sessions.session.check_possible", lambda *what: None
    )  # seconds, and not what is asked here


def request(folder: Path, **changes: object) -> Request:
    options = {"task": "sr", "budget": "60k-params", "trials": 2, "workers": 1, "device": "cpu", "precision": "fp32"}
    return request_from_options(**{**options, "run_dir": folder, **changes})


def test_checking_touches_nothing(tmp_path: Path) -> None:
    session = check_and_read(request(tmp_path / "run"))
    assert session.existing is None
    assert not (tmp_path / "run").exists()
    assert session.settings.train_data == "embedded photographs, 169 images, 90bf80ee6f7c"
    assert session.settings.specialists == 1
    assert session.settings.overlap == ""
    assert len(session.data.val) > 0


def test_a_request_that_cannot_work_reads_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(asked: Request) -> None:
        raise AssertionError("data were read")

    monkeypatch.setattr(session_module, "read_data", refuse)
    (tmp_path / JOURNAL).write_bytes(b"no journal\n{}\n")
    with pytest.raises(UserError, match="damaged at line 1"):
        check_and_read(request(tmp_path))


@pytest.mark.parametrize(
    ("done", "asked", "is_finished"),
    [
        ({"time_s": None, "trials": 2}, {"trials": 2}, True),
        ({"time_s": None, "trials": 2}, {"trials": 1}, True),
        ({"time_s": None, "trials": 2}, {"trials": 3}, False),
        ({"time_s": 60, "trials": None}, {"trials": None, "time": "60s"}, True),
        ({"time_s": 60, "trials": None}, {"trials": None, "time": "61s"}, False),
    ],
)
def test_a_run_is_finished_if_it_has_all_that_is_asked(
    tmp_path: Path, done: dict[str, object], asked: dict[str, object], is_finished: bool
) -> None:
    study = Study.create(tmp_path, settings())
    study.note("done", done)
    session = check_and_read(request(tmp_path / "other", **asked))
    assert replace(session, existing=study).is_finished is is_finished


def test_a_new_run_wants_a_folder_of_its_own(tmp_path: Path) -> None:
    check_new(tmp_path)
    check_new(tmp_path / "nothing")
    for name in (JOURNAL, "log.txt", "owner.lock"):
        (tmp_path / name).touch()
    check_new(tmp_path)  # ended before its first result
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match="must be empty or hold a run"):
        check_new(tmp_path)
    with pytest.raises(UserError, match="must be a folder, got the file"):
        check_new(tmp_path / "thesis.tex")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"task": "denoise"}, "task sr, got denoise"),
        ({"scale": 2}, "scale 4, got 2"),
        ({"budget": "9k-params"}, "budget 200k-params, got 9k-params"),
        ({"objectives": ("psnr", "params")}, "objectives psnr,macs, got psnr,params"),
        ({"seed": 7}, "seed 0, got 7"),
        ({"sampler": "gp"}, "sampler tpe, got gp"),
        ({"train_data": "others"}, "train data none, got others"),
        ({"options": {"channels": "y"}}, "made with none, got channels y"),
    ],
)
def test_another_run_is_not_continued(changes: dict[str, object], part: str) -> None:
    with pytest.raises(UserError, match=part):
        check_same(settings(), replace(settings(), **changes), Path("run"))


def test_a_run_goes_on_with_more_workers_and_another_ladder() -> None:
    made: RunSettings = settings()
    check_same(made, replace(made, workers=8, rungs=(5,), created="later"), Path("run"))
