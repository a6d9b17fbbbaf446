"""Whatever goes wrong in a command is one line with a status; the traceback of an error of ours is in a log."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from space.command_line import INTERNAL_ERROR, run_command
from space.errors import UserError
from space.logs import LOG_FILE, LOGGER, VERBOSE, log_to
from space.os_errors import os_error_line
from tests.commands import command


@pytest.fixture
def told(capsys, monkeypatch, tmp_path: Path):
    """Status and the text on standard error of a command that does ``work``."""
    monkeypatch.delenv(VERBOSE, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def run(work) -> tuple[int, str]:
        commands = [command(lambda options: work(), "work")]
        status = run_command("prog", "a program", commands, ["work"], "; nothing is lost")
        return status, capsys.readouterr().err

    return run


def raising(error: BaseException):
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("number", "status", "part"),
    [
        (errno.ENOSPC, 1, "free some space; nothing is lost"),
        (errno.EDQUOT, 1, "free some space; nothing is lost"),
        (errno.EROFS, 1, "read-only"),
        (errno.EIO, 1, "cannot be read or written"),
        (errno.EMFILE, 1, "ulimit -n"),
        (errno.EAGAIN, 1, "ulimit -u"),
        (errno.EACCES, 2, "check its permissions"),
        (errno.ENOENT, 2, "check the name"),
        (errno.EISDIR, 2, "it is a folder"),
        (errno.ENOTDIR, 2, "is a file"),
        (errno.ENAMETOOLONG, 2, "a shorter name"),
        (errno.ELOOP, 2, "in a circle"),
    ],
)
def test_an_os_error_is_one_line_with_its_remedy(told, number: int, status: int, part: str) -> None:
    got, text = told(raising(OSError(number, os.strerror(number), "some/file")))
    assert got == status
    assert text.startswith(f"error: {os.strerror(number)}: some/file; ")
    assert text.count("\n") == 1
    assert part in text


def test_errors_without_a_text_or_a_number_are_named(told) -> None:
    assert told(raising(OSError())) == (2, "error: OSError\n")
    assert told(raising(OSError("cannot identify image file\nx"))) == (2, "error: cannot identify image file\n")
    assert told(raising(UserError("must be 1, got 2"))) == (2, "error: must be 1, got 2\n")
    assert told(raising(MemoryError()))[0] == 1
    assert told(raising(KeyboardInterrupt())) == (130, "")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/dev/shm/torch_1_2"),
        RuntimeError("unable to write to file </torch_11_12>: shared memory: No space left on device (28)"),
    ],
)
def test_shared_memory_is_named_as_such(told, error: Exception) -> None:
    status, text = told(raising(error))
    assert status == 1
    assert "enlarge /dev/shm" in text
    assert text.count("\n") == 1


def test_names_with_line_ends_stay_on_one_line() -> None:
    assert "\n" not in os_error_line(OSError(errno.ENOENT, "No such file", "a\nb"))


@pytest.mark.parametrize("text", ["", "first\nsecond"])
def test_an_error_of_ours_is_one_line_and_leaves_its_traceback(told, tmp_path: Path, text: str) -> None:
    status, line = told(raising(ZeroDivisionError(text)))
    assert status == INTERNAL_ERROR
    assert line.startswith(f"error: internal error: ZeroDivisionError{': first' if text else ''}; the traceback is in ")
    assert line.count("\n") == 1
    log = Path(line.strip().rpartition(" ")[2])
    assert log.parent == tmp_path
    assert "Traceback" in log.read_text()


def test_in_a_run_the_traceback_is_in_its_log(told, tmp_path: Path) -> None:
    def work() -> int:
        with log_to(tmp_path / LOG_FILE):
            LOGGER.info("begun")
        raise ZeroDivisionError

    assert str(tmp_path / LOG_FILE) in told(work)[1]
    text = (tmp_path / LOG_FILE).read_text()
    assert text.index("begun") < text.index("ZeroDivisionError")
    assert str(tmp_path / LOG_FILE) not in told(raising(ZeroDivisionError()))[1]  # another command's log


def test_a_log_that_cannot_be_written_harms_nobody(tmp_path: Path, capsys) -> None:
    with log_to(tmp_path / "gone" / LOG_FILE):
        LOGGER.error("lost")
    assert capsys.readouterr() == ("", "")


def test_verbose_shows_the_traceback(told, monkeypatch) -> None:
    monkeypatch.setenv(VERBOSE, "1")
    status, text = told(raising(ZeroDivisionError()))
    assert status == INTERNAL_ERROR
    assert "Traceback" in text
    assert text.splitlines()[-1].startswith("error: internal error: ZeroDivisionError")
    assert told(raising(UserError("must be 1, got 2"))) == (2, "error: must be 1, got 2\n")
