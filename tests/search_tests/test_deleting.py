"""``delete``: a run's own files, after asking; nothing else, and nothing half."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest

import search
from search.cli import main
from search.storage import URL_FILE, is_run, open_storage
from search.storage import deleting as module
from search.storage.deleting import delete_run
from search.storage.journal import JOURNAL
from search.storage.lock import OWNER, own
from search.storage.runs_here import known_runs
from search.storage.study import Study
from space.errors import UserError
from tests.search_tests.conftest import settings


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run as a search leaves it, in ``runs/`` of the working folder."""
    monkeypatch.chdir(tmp_path)
    folder = Path("runs", "mine")
    folder.mkdir(parents=True)
    Study.create(folder, settings())
    for name in (
        "checkpoints/trial-0-rung-0.safetensors",
        "weights/trial-0.safetensors",
        "recost/front-a.csv",
        "confirm/a/record.json",
    ):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(b"12345")
    for name in (
        OWNER,
        "log.txt",
        "confirm.csv",
        "front.csv",
        "front.json",
        "pareto.png",
        "pareto.svg",
        "strip-a.png",
        "report.html",
    ):
        (folder / name).write_bytes(b"1")
    return folder


class Answers(io.StringIO):
    def isatty(self) -> bool:
        return True


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", Answers(text))


@pytest.mark.parametrize("text", ["y\n", "YES\n"])
def test_it_asks_and_says_what_is_lost(run: Path, text: str, monkeypatch, capsys) -> None:
    answer(monkeypatch, text)
    assert main(["delete", "mine"]) == 0
    assert list(Path("runs").iterdir()) == []
    shown = " ".join(capsys.readouterr().out.split())
    lost = rf"{run}: 0 trials \(0 trained\), interrupted, weights of 1 network, (\d+ B) "
    assert re.search(lost + rf"Delete {run}\? It cannot be undone. \[y/N\] deleted {run}, \1 freed", shown)


@pytest.mark.parametrize("text", ["n\n", "\n", ""])
def test_no_is_no(run: Path, text: str, monkeypatch, capsys) -> None:
    answer(monkeypatch, text)
    before = sorted(run.rglob("*"))
    assert main(["delete", str(run)]) == 1
    assert sorted(run.rglob("*")) == before
    assert capsys.readouterr().out.endswith("nothing was deleted\n")


def test_yes_does_not_ask(run: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["delete", "mine", "--yes"]) == 0
    assert not run.exists()


def test_without_a_terminal_it_must_be_confirmed(run: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["delete", "mine"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("got no terminal to ask in; to delete without: python -m search delete mine --yes")
    assert is_run(run)


def test_what_is_no_run_is_left_alone(run: Path, capsys) -> None:
    Path("runs", "photos").mkdir()
    for name in ("photos", "runs", "nowhere", "."):
        assert main(["delete", name, "--yes"]) == 2
        assert capsys.readouterr().err.splitlines()[0].startswith(f"error: {name!r} must be a run's folder or its name")
    assert sorted(path.name for path in Path("runs").iterdir()) == ["mine", "photos"]
    with pytest.raises(UserError, match="must be a run's folder, got something else"):
        delete_run(Path("runs", "photos"))


def test_a_running_run_is_refused(run: Path, capsys) -> None:
    with own(run):
        assert main(["delete", "mine", "--yes"]) == 2
        assert "is being written by another command" in capsys.readouterr().err
    assert (run / JOURNAL).exists()


def test_a_damaged_run_can_be_deleted(run: Path, capsys) -> None:
    (run / JOURNAL).write_text("rubbish\n")
    assert main(["delete", "mine", "--yes"]) == 0
    assert "trials that cannot be read" in capsys.readouterr().out
    assert not run.exists()


def test_what_the_run_did_not_write_stays(run: Path, capsys) -> None:
    (run / "phone").mkdir()
    for name in ("notes.txt", "phone/model.onnx", "front-old.csv"):
        (run / name).write_text("mine")
    assert main(["delete", "mine", "--yes"]) == 0
    assert sorted(str(path.relative_to(run)) for path in run.rglob("*")) == [
        "front-old.csv",
        "notes.txt",
        "phone",
        "phone/model.onnx",
    ]
    assert not is_run(run)
    shown = capsys.readouterr().out
    assert "not the run's own, so left there: front-old.csv, notes.txt, phone" in shown
    assert f"left in {run}: front-old.csv, notes.txt, phone" in shown
    assert [path.name for path in Path("runs").iterdir()] == ["mine"]


def test_links_are_not_followed(run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "photo.png").write_text("mine")
    shutil.rmtree(run / "weights")
    (run / "weights").symlink_to(outside)
    (run / "checkpoints" / "elsewhere").symlink_to(outside)
    (run / "report.html").unlink()
    (run / "report.html").symlink_to(outside / "photo.png")
    assert search.delete("mine").kept == ()
    assert not run.exists()
    assert (outside / "photo.png").read_text() == "mine"


def test_a_link_to_a_run_is_refused(run: Path, capsys) -> None:
    Path("runs", "link").symlink_to(run.resolve())
    assert main(["delete", "link", "--yes"]) == 2
    assert "must be a run's own folder, got a link to" in capsys.readouterr().err
    assert is_run(run)


@pytest.mark.parametrize("others", [(), ("notes.txt",)])
def test_a_kill_leaves_nothing_that_looks_like_a_run(run: Path, others: tuple[str, ...], monkeypatch) -> None:
    """The first thing that is gone is what makes it a run, however few moves were made."""
    for name in others:
        (run / name).write_text("mine")
    moves = []
    rename = Path.rename

    def killed_after_the_first(path: Path, target: Path) -> Path:
        if moves:
            raise KeyboardInterrupt
        moves.append(path)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed_after_the_first)
    monkeypatch.setattr(module.shutil, "rmtree", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        delete_run(run)
    assert known_runs() == []
    assert not is_run(run)
    assert all((run / name).read_text() == "mine" for name in others)


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_study_kept_elsewhere_is_deleted_there_and_others_stay(tmp_path: Path, kind: str) -> None:
    url = {"sqlite": f"sqlite:///{tmp_path}/all.db", "journal": f"journal://{tmp_path}/all.log"}[kind]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Study.create(tmp_path / name, settings(), url)
    assert (tmp_path / "one" / URL_FILE).exists()
    delete_run(tmp_path / "one")
    assert not (tmp_path / "one").exists()
    assert [study.study_name for study in open_storage(url).get_all_studies()] == ["two"]
    assert search.load(tmp_path / "two").trials == ()


def test_a_storage_that_cannot_be_reached_leaves_all_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    Study.create(folder, settings(), f"sqlite:///{tmp_path}/all.db")
    (folder / URL_FILE).write_text(f"sqlite:///{tmp_path}/gone/all.db\nrun\n")
    with pytest.raises(UserError, match="must be one that can be opened"):
        delete_run(folder)
    assert is_run(folder)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["run"]
