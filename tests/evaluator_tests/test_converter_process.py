"""A converter that is a program: what becomes of its errors, its signals and its time."""

import sys
from pathlib import Path

import pytest

from evaluators.export import ExportError
from evaluators.export.converter_process import run_converter


def run(code: str, folder: Path, limit_s: float = 60) -> str:
    return run_converter("the converter", [sys.executable, "-c", code], folder, limit_s)


def test_what_it_prints_comes_back_and_its_files_stay_in_the_folder(tmp_path: Path, capfd) -> None:
    assert run("print('said'); open('written', 'w').close()", tmp_path) == "said\n"
    assert [path.name for path in tmp_path.iterdir()] == ["written"]
    assert capfd.readouterr() == ("", "")


def test_an_error_is_the_line_that_says_most(tmp_path: Path) -> None:
    code = "print('op Foo failed'); print('bye'); raise SystemExit(3)"
    with pytest.raises(ExportError, match=r"^the converter ended with status 3: op Foo failed$"):
        run(code, tmp_path)


def test_silence_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^the converter ended with status 1, saying nothing$"):
        run("raise SystemExit(1)", tmp_path)


def test_a_signal_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^the converter was ended by SIGSEGV"):
        run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", tmp_path)


def test_it_does_not_hang(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^the converter did not finish within 0\.5 s$"):
        run("import time; time.sleep(60)", tmp_path, limit_s=0.5)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^the converter could not be started: No such file"):
        run_converter("the converter", ["no-such-program"], tmp_path)
