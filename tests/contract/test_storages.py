"""The same story told to every storage: a run is made, asked, told, opened again, and is as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from search.candidates.next_trial import next_trial
from search.candidates.screening import Screen
from search.records import RungResult, RunSettings, Status, TrialRecord
from search.request.budget import parse_budget
from search.storage import URL_FILE, checked_url, is_run, open_storage, url_of
from search.storage.journal import JOURNAL
from search.storage.run_files import read_run
from search.storage.study import Study
from space import TASKS
from space.errors import UserError
from tests.search_tests.conftest import settings

STORAGES: dict[str, Callable[[Path], str | None]] = {
    "the folder's journal": lambda folder: None,
    "a journal elsewhere": lambda folder: f"journal://{folder}/elsewhere.log",
    "a plain path": lambda folder: str(folder / "plain.log"),
    "sqlite": lambda folder: f"sqlite:///{folder}/runs.db",
    "sqlite in memory": lambda folder: f"sqlite:///file:{folder.name}?mode=memory&cache=shared&uri=true",
}
BUDGET = parse_budget("100m-params")  # that every proposal fits


@pytest.fixture(params=STORAGES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    asked = STORAGES[request.param](tmp_path)
    return asked if asked is None or "memory" in asked else checked_url("--storage", asked)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def result(psnr_db: float, rung: int = 0) -> RungResult:
    return RungResult(rung, (100, 200)[rung], psnr_db, 0.8, 1.0, 0.1, {"a": psnr_db}, 1)


def begun(folder: Path, url: str | None, **changes: object) -> tuple[Study, list[TrialRecord]]:
    """A run with three trials that were asked for, of which nothing is known yet."""
    study = Study.create(folder, settings(budget=BUDGET.text, rungs=(100, 200)), url)
    records = [next_trial(study, TASKS["sr"], BUDGET) for _ in range(3)]
    assert None not in records
    return study, [record for record in records if record is not None]


def test_what_was_told_is_there_when_it_is_opened_again(folder: Path, url: str | None) -> None:
    study, (first, second, third) = begun(folder, url)
    study.add_result(first.trial, result(30.0))
    study.add_result(first.trial, result(30.5, rung=1))  # after the trial is closed in Optuna
    study.add_result(second.trial, result(29.0))
    study.fail(second.trial, "diverged on its second rung")
    study.fail(third.trial, "diverged")
    study.note("elapsed_s", 12.5)
    again = Study.open(folder, owned=False, url=url)
    assert again is not None
    assert again.records == study.records
    assert again.settings == study.settings
    assert again.noted("elapsed_s") == 12.5
    assert [again.records[each.trial].status for each in (first, second, third)] == [
        Status.TRAINED,
        Status.FAILED,
        Status.FAILED,
    ]
    assert len(again.records[first.trial].rungs) == 2


def test_a_folder_says_itself_where_its_trials_are(folder: Path, url: str | None) -> None:
    assert not is_run(folder)
    study, _ = begun(folder, url)
    assert is_run(folder)
    assert (folder / JOURNAL).exists() is (url is None)
    assert (folder / URL_FILE).exists() is (url is not None)
    again = Study.open(folder, owned=False)
    assert again is not None
    assert again.records == study.records
    assert read_run(folder).settings == study.settings


def test_what_was_interrupted_is_trained_and_what_was_not_begun_is_closed(folder: Path, url: str | None) -> None:
    study, records = begun(folder, url)
    number = study.ask(Screen(TASKS["sr"], study.settings, BUDGET)).number  # and killed before anything was chosen
    again = Study.open(folder, owned=True, url=url)
    assert again is not None
    assert again.trials()[number].state == optuna.trial.TrialState.FAIL
    again.add_result(records[0].trial, result(31.0))
    assert again.records[records[0].trial].status == Status.TRAINED
    assert again.records[records[1].trial].status == Status.RUNNING


def test_optuna_has_the_constraints_and_the_values_of_the_first_rung(folder: Path, url: str | None) -> None:
    study, (first, *_) = begun(folder, url)
    study.add_result(first.trial, result(30.0))
    stored = next(trial for trial in study.trials() if trial.number == first.trial)
    assert stored.constraints == {"params": first.costs.params - 100_000_000}
    assert stored.values == [30.0, float(first.costs.macs)]
    assert stored.user_attrs["psnr@100"] == 30.0


def test_a_folder_without_a_run_opens_as_none(folder: Path, url: str | None) -> None:
    assert Study.open(folder, owned=False, url=url) is None
    assert not any(folder.iterdir())


def test_a_run_stays_in_its_storage(folder: Path, url: str | None) -> None:
    begun(folder, url)
    with pytest.raises(UserError, match="was made with --storage"):
        Study.open(folder, owned=False, url=f"sqlite:///{folder}/another.db")


def test_a_folder_that_is_renamed_finds_its_trials(folder: Path, url: str | None) -> None:
    study, _ = begun(folder, url)
    moved = folder.rename(folder.parent / "another-name")
    assert read_run(moved).trials == tuple(record for _, record in sorted(study.records.items()))


def test_runs_in_one_database_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    for name, seed in (("a", 0), ("b", 1)):
        (tmp_path / name).mkdir()
        Study.create(tmp_path / name, settings(seed=seed), url)
    seeds: list[RunSettings] = [read_run(tmp_path / name).settings for name in "ab"]
    assert [each.seed for each in seeds] == [0, 1]
    assert {each.study_name for each in open_storage(url).get_all_studies()} == {"a", "b"}


@pytest.mark.parametrize("asked", ["sqlite:///runs.db", "runs.log"])
def test_a_url_means_the_same_in_every_folder(asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path) in checked_url("--storage", asked)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("postgresql://me:secret@host/runs", "must not hold a password"),
        ("sqlite//runs://x", "must be a storage's URL"),
        ("nosuch://host/runs", "must be one that can be opened"),
        ("sqlite:////no/such/folder/runs.db", "must be one that can be opened"),
    ],
)
def test_what_is_no_storage_is_one_line(asked: str, part: str) -> None:
    with pytest.raises(UserError, match=part) as error:
        open_storage(checked_url("--storage", asked))
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_torn_line_is_cut_off_a_journal_and_nothing_else(folder: Path) -> None:
    study, _ = begun(folder, None)
    with open(folder / JOURNAL, "ab") as file:
        file.write(b'{"op_code":5,"trial_')
    assert url_of(folder) == f"journal://{folder / JOURNAL}"
    again = Study.open(folder, owned=True)
    assert again is not None
    assert again.records == study.records
    assert (folder / JOURNAL).read_bytes().endswith(b"}\n")
