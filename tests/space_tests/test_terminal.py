"""Text on its way to a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from space import terminal
from space.command_line import Command, Parser, run_command
from space.search_space import SearchSpace
from tests.commands import command

ROOT = Path(__file__).parents[2]
HOSTILE = "\x1b[2Ja\x00b\x07\x9b31m\u202egnp.exe\u2028\ud800\r\n"


def test_control_characters_become_escapes() -> None:
    shown = terminal.escape_controls(HOSTILE)
    assert shown == r"\x1b[2Ja\x00b\x07\x9b31m\u202egnp.exe\u2028\ud800\r\n"
    assert terminal.escape_controls("a\nb\tc", keep="\n") == "a\nb\\tc"
    assert terminal.escape_controls("Größe 3×3 日本") == "Größe 3×3 日本"


def test_a_message_is_one_bounded_line_that_keeps_its_end() -> None:
    text = terminal.message(f"--input must be x, got {'9' * 100_000}\n  for example 320x180")
    assert len(text) <= terminal.LONGEST_MESSAGE
    assert text.startswith("--input must be x, got 999")
    assert text.endswith("for example 320x180")


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("ascii", b"sigma 25 +- 3 x - cafe \\udcff"), ("latin-1", b"sigma 25 \xb1 3 \xd7 - caf\xe9 \\udcff")],
)
def test_streams_write_what_their_encoding_lacks(
    encoding: str, written: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding=encoding))
    terminal.prepare_streams()
    print("σ 25 ± 3 × – café \udcff", end="", flush=True)
    assert buffer.getvalue() == written


class _Broken(io.StringIO):
    def flush(self) -> None:
        raise BrokenPipeError


def test_a_reader_that_is_gone_is_no_error() -> None:
    assert not terminal.flush_or_drop([_Broken()])
    assert terminal.flush_or_drop([io.StringIO()])


def _command_that_raises(error: BaseException) -> Command:
    def execute(options: object) -> int:
        raise error

    return command(execute)


def test_a_broken_pipe_ends_a_command_without_words(capfd: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert run_command("p", "d", [_command_that_raises(BrokenPipeError())], ["go"]) == 1
    assert capfd.readouterr().err == ""


def test_an_argument_with_nul_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("p", "d", [_command_that_raises(BrokenPipeError())], ["go", "a\0b"]) == 2
    assert capsys.readouterr().err == "error: an argument must be text, got one with a NUL character\n"


def test_argparse_errors_are_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="p")
    parser.add_argument("--count", choices=["1"])
    for arguments in (["--count", HOSTILE], [HOSTILE], ["x" * 100_000]):
        with pytest.raises(SystemExit):
            parser.parse_args(arguments)
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert error.rstrip("\n").isprintable()
        assert len(error) < terminal.LONGEST_MESSAGE + 10


COMMANDS = [
    ("latency_tables", "show", "pixel4-a76"),
    ("latency_tables", "predict", "pixel4-a76", "s-lwsr16"),
    ("search", "cost", "s-lwsr16"),
    ("search", "list"),
]


@pytest.mark.parametrize("columns", ["80", "50", "20"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_in_plain_encodings(
    words: tuple[str, ...], encoding: str, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, *arguments = words
    monkeypatch.setattr(SearchSpace, "count", lambda _: 10**9)  # half a minute of counting
    buffer = io.BytesIO()
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding=encoding))
    assert import_module(f"{program}.cli").main(arguments) == 0
    shown = buffer.getvalue().decode(encoding)
    assert max(map(len, shown.splitlines())) <= max(int(columns), 120 if "list" in arguments else 0)
    assert "\x1b" not in shown


def test_a_posix_machine_reads_and_writes(tmp_path: Path) -> None:
    """One program for all, since each start takes seconds: no UTF-8 mode, an ASCII locale, and a closed pipe."""
    (tmp_path / "all.py").write_text(
        "import json, io, os, sys\n"
        "from latency_tables.cli import main\n"
        "assert sys.stdout.encoding.lower() in ('ascii', 'us-ascii', 'ansi_x3.4-1968'), sys.stdout.encoding\n"
        "assert main(['show', 'pixel4-a76']) == 0\n"
        "assert main(['show', 'pixel4-a76', '--json']) == 0\n"
        "assert main(['predict', 'pixel4-a76', 's-lwsr16\\u2013\\udcff']) == 2\n"
        "reader, writer = os.pipe()\n"
        "os.close(reader)\n"
        "os.dup2(writer, 1)\n"
        "assert main(['show', 'pixel4-a76', '--json']) in (0, 1)\n",
        "utf-8",
    )
    names = ("PYTHONIOENCODING", "LC_ALL", "LANG", "PYTHONUTF8", "COLUMNS", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    posix = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, tmp_path / "all.py"], env={**kept, **posix}, capture_output=True)
    lines = done.stderr.decode("ascii").splitlines()
    assert [line for line in lines if "Traceback" in line or "Exception" in line] == [], lines
    assert b"Google Pixel 4" in done.stdout
    assert len(lines) == 1
    assert lines[0].startswith("error: unknown network 's-lwsr16-")
    assert done.returncode == 0
