"""The journal after kills: torn lines, dead locks, one owner."""

import errno
import json
import os
import re
from pathlib import Path

import pytest

from search.storage.journal import JOURNAL, _WholeLinesBackend, repair
from search.storage.lock import own
from search.storage.study import Study
from space import UserError
from tests.search_tests.conftest import settings


def test_a_journal_torn_anywhere_opens_with_all_whole_lines(tmp_path: Path, run_loop) -> None:
    study, _ = run_loop(trials=4, rungs=(100,))
    whole = (tmp_path / JOURNAL).read_bytes()
    finished = len([r for r in study.records.values() if r.rungs])
    torn_folder = tmp_path / "torn"
    torn_folder.mkdir()
    seen = []
    for cut in range(len(whole) - 1, len(whole) // 2, -max(1, len(whole) // 60)):
        (torn_folder / JOURNAL).write_bytes(whole[:cut])
        reader = Study.open(torn_folder, owned=False)  # a report may read it before anyone mends it
        opened = Study.open(torn_folder, owned=True)
        assert {n for n, r in reader.records.items() if r.rungs} == {n for n, r in opened.records.items() if r.rungs}
        seen.append(len([r for r in opened.records.values() if r.rungs]))
        opened.note("written", cut)  # the next write is not glued to a torn line
        assert Study.open(torn_folder, owned=True).noted("written") == cut
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == finished


def test_a_line_that_is_no_json_at_the_end_is_cut(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL
    path.write_bytes(b'{"a":1}\n{"b":\n')
    assert repair(path) == 6
    assert path.read_bytes() == b'{"a":1}\n'


def test_damage_before_the_end_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL
    path.write_bytes(b'{"a":1}\nrubbish\n{"b":2}\n')
    with pytest.raises(UserError, match="damaged at line 2"):
        repair(path)
    assert path.read_bytes() == b'{"a":1}\nrubbish\n{"b":2}\n'


def test_a_dead_owners_write_lock_is_cleared(tmp_path: Path) -> None:
    Study.create(tmp_path, settings())
    os.symlink(tmp_path / JOURNAL, tmp_path / f"{JOURNAL}.lock")
    study = Study.open(tmp_path, owned=True)
    study.note("still", "writes")
    assert study.noted("still") == "writes"


def test_a_run_has_one_owner(tmp_path: Path) -> None:
    with own(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()}"):
        own(tmp_path)
    own(tmp_path).close()


def test_another_record_version_is_refused(tmp_path: Path) -> None:
    study = Study.create(tmp_path, settings())
    study.note("settings", {**settings().to_dict(), "version": 99})
    with pytest.raises(UserError, match="record version 2, got 99"):
        Study.open(tmp_path, owned=True)


def test_the_journal_is_optunas_own_format(tmp_path: Path, run_loop) -> None:
    import optuna

    run_loop(trials=2, rungs=(100,))
    lines = (tmp_path / JOURNAL).read_text().splitlines()
    assert all("op_code" in json.loads(line) for line in lines)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / JOURNAL)))
    study = optuna.load_study(study_name="litefront", storage=storage)
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert any(trial.state.name == "COMPLETE" for trial in study.trials)


def test_a_full_disk_leaves_whole_lines_and_every_result(tmp_path: Path, run_loop, monkeypatch) -> None:
    study, _ = run_loop(trials=2, rungs=(100,))
    before, records = (tmp_path / JOURNAL).read_bytes(), dict(study.records)

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_space)
        with pytest.raises(OSError, match="No space left"):
            run_loop(trials=4, rungs=(100,))
    assert (tmp_path / JOURNAL).read_bytes() == before
    assert Study.open(tmp_path, owned=True).records == records


@pytest.mark.parametrize("place", ["begin", "middle", "end", "last newline", "last brace"])
def test_a_changed_byte_is_refused_or_costs_nothing(tmp_path: Path, run_loop, place: str) -> None:
    study, _ = run_loop(trials=2, rungs=(100,))
    path = tmp_path / JOURNAL
    whole = path.read_bytes()
    last = {"last newline": len(whole) - 1, "last brace": len(whole) - 2}
    at = {"begin": len(whole) // 50, "middle": len(whole) // 2, "end": len(whole) - 40, **last}[place]
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    if place in last:
        assert Study.open(tmp_path, owned=True).records == study.records
        assert path.read_bytes() == whole
    else:
        for owned in (False, True):
            with pytest.raises(UserError, match="damaged at line") as error:
                Study.open(tmp_path, owned=owned)
            assert "\n" not in str(error.value)


def test_lines_without_a_checksum_are_read_as_before(tmp_path: Path, run_loop) -> None:
    study, _ = run_loop(trials=2, rungs=(100,))
    path = tmp_path / JOURNAL
    path.write_bytes(re.sub(rb',"crc":\d+\}\n', b"}\n", path.read_bytes()))
    assert b"crc" not in path.read_bytes()
    assert Study.open(tmp_path, owned=True).records == study.records


@pytest.mark.parametrize("tail", [b"\0" * 4096, b'{"op_code":5,"trial_', b"\xff\xfe", b'{"a":'])
def test_garbage_behind_the_last_line_is_cut(tmp_path: Path, run_loop, tail: bytes) -> None:
    study, _ = run_loop(trials=2, rungs=(100,))
    with open(tmp_path / JOURNAL, "ab") as file:
        file.write(tail)
    assert Study.open(tmp_path, owned=True).records == study.records


@pytest.mark.parametrize("line", [b"{}", b'{"op_code":99}', b'{"op_code":0,"study_name":"other","directions":[1]}'])
def test_another_journal_is_refused_and_not_written_to(tmp_path: Path, line: bytes) -> None:
    (tmp_path / JOURNAL).write_bytes(line + b"\n")
    with pytest.raises(UserError, match="must be that of a run, undamaged"):
        Study.open(tmp_path, owned=True)
    assert (tmp_path / JOURNAL).read_bytes() == line + b"\n"


def test_a_folder_that_cannot_be_locked_is_not_said_to_be_taken(tmp_path: Path, monkeypatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("search.storage.lock.fcntl.flock", no_locks)
    with pytest.raises(OSError, match="No locks available"):
        own(tmp_path)


def test_a_folder_that_is_moved_away_while_a_line_is_written_is_gone(tmp_path: Path, monkeypatch) -> None:
    """Optuna then says that the lock is not its own."""
    folder = tmp_path / "run"
    folder.mkdir()
    backend = _WholeLinesBackend(folder / JOURNAL)
    backend.append_logs([{"op_code": 0}])
    acquire = backend._lock.acquire

    def moved() -> bool:
        acquire()
        folder.rename(tmp_path / "elsewhere")
        return True

    monkeypatch.setattr(backend._lock, "acquire", moved)
    with pytest.raises(FileNotFoundError):
        backend.append_logs([{"op_code": 0}])
