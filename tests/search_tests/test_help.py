"""What the command line says of itself: help without waiting, examples that parse, words that exist."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import latency_tables.cli
import search.cli
from search.experiments.ablations import ABLATIONS
from search.experiments.protocols import PROTOCOLS
from search.proposers import PROPOSERS
from search.request.options import option_help
from space.command_line import INTERNAL_ERROR, VERSION_UNKNOWN, installed_version, join_values, parser_for, starting
from space.logs import LOGGER
from space.tasks import OPTIONS, TASKS

ROOT = Path(__file__).parents[2]
DOORS = {"search": search.cli, "latency_tables": latency_tables.cli}
COMMANDS = [(door, command.name) for door, module in DOORS.items() for command in module.COMMANDS]
HEAVY = ("torch", "optuna", "numpy", "pandas", "matplotlib", "plotly", "rich", "nni")


def help_of(door: str, command: str, capsys: pytest.CaptureFixture) -> str:
    with pytest.raises(SystemExit) as leaving:
        DOORS[door].main([command, "--help"])
    assert leaving.value.code == 0
    return capsys.readouterr().out


def in_python(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_help_and_version_load_nothing_heavy() -> None:
    """Half a second at most: what a command needs to work is loaded after its options are read."""
    code = (
        "import sys; from search.cli import main, COMMANDS\n"
        "for words in ['--version'], ['--help'], *([command.name, '--help'] for command in COMMANDS):\n"
        "    try: main(words)\n"
        "    except SystemExit as leaving: assert leaving.code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert in_python(code).splitlines()[-1] == "[]"


def test_exports_of_space_are_lazy_and_survive_the_modules_of_the_same_name() -> None:
    code = (
        "import sys, space\n"
        "assert 'torch' not in sys.modules and 'ZOO' in dir(space)\n"
        "import space.architecture, space.build\n"
        "from space import *\n"
        "print(all(map(callable, (build, architecture, load_published))), 's-lwsr16' in ZOO)"
    )
    assert in_python(code) == "True True\n"


def test_exports_of_space_cannot_be_replaced_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import space

    with pytest.raises(AttributeError, match=r"space\.build is space\.build\.build; set it there"):
        space.build = print


@pytest.mark.parametrize(("door", "command"), COMMANDS)
def test_every_command_has_help(door: str, command: str, capsys: pytest.CaptureFixture) -> None:
    text = help_of(door, command, capsys)
    assert text.startswith(f"usage: python -m {door} {command}")


@pytest.mark.parametrize("command", [command.name for command in search.cli.COMMANDS])
def test_examples_parse(command: str, capsys: pytest.CaptureFixture) -> None:
    examples = import_module(f"search.cli.options.{command}").EXAMPLES
    text = help_of("search", command, capsys)
    assert examples
    for line, meaning in examples:
        assert line in text
        assert meaning in text
        start, *arguments = line.removeprefix("python -m ").split()
        assert start == "search"
        arguments = join_values(arguments)
        parsed = parser_for("python -m search", "", search.cli.COMMANDS, arguments).parse_args(arguments)
        assert parsed.command == command


def test_help_of_run_is_grouped_with_three_examples(capsys: pytest.CaptureFixture) -> None:
    text = help_of("search", "run", capsys)
    headings = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "options",
        "what to search for",
        "options of the tasks",
        "how long",
        "how to search and train",
        "data and results",
        "examples",
    ]
    assert text.count("  python -m search run ") == 3


@pytest.mark.parametrize(
    ("command", "option", "words"),
    [("run", "--sampler", PROPOSERS), ("reproduce", "--protocol", PROTOCOLS), ("ablation", "NAME", ABLATIONS)],
)
def test_help_lists_the_words_there_are(command: str, option: str, words, capsys: pytest.CaptureFixture) -> None:
    text = " ".join(help_of("search", command, capsys).split())
    assert f"one of {', '.join(words)}" in text.split(f"{option} ")[-1]


def test_help_says_which_task_has_an_option() -> None:
    assert option_help("masks") == "inpaint: irregular, rectangles or both (default)"
    assert option_help("sigma").startswith("denoise: the noise's standard deviation")
    assert "; deblur: " in option_help("sigma")
    assert all(option_help(name) for name in OPTIONS)
    assert {name for task in TASKS.values() for name in task.options} == set(OPTIONS)


def test_help_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    text = help_of("search", "run", capsys)
    usage, *rest = text.split("examples:")[0].splitlines()
    assert usage == "usage: python -m search run --task TASK --budget LIMIT[,LIMIT] [options]"
    assert max(map(len, rest)) <= 50


@pytest.mark.parametrize("installed", [True, False])
def test_version(installed: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from importlib.metadata import PackageNotFoundError

    def version(name: str) -> str:
        if not installed:
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr("space.command_line.version", version)
    assert installed_version() == ("1.2.3" if installed else VERSION_UNKNOWN)
    with pytest.raises(SystemExit) as leaving:
        search.cli.main(["--version"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out.startswith(f"litefront {installed_version()}")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("term", "shown"), [("xterm", True), ("dumb", False)])
def test_a_terminal_is_told_at_once(term: str, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", term)
    with starting():
        assert terminal.getvalue().startswith("starting") is shown
    assert terminal.getvalue().endswith("\r") is shown


def test_a_pipe_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with starting():
        pass
    assert pipe.getvalue() == ""


def test_a_folder_called_search_hides_the_module_but_not_the_program(tmp_path: Path) -> None:
    """``python -m search`` looks in the working directory first; the installed ``litefront`` does not."""
    (tmp_path / "work" / "search").mkdir(parents=True)
    (tmp_path / "work" / "search" / "__init__.py").write_text("raise ImportError('not ours')\n")
    script = tmp_path / "bin" / "litefront"
    script.parent.mkdir()
    script.write_text("import sys; from search.__main__ import main\nif __name__ == '__main__': sys.exit(main())\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def status(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path / "work", env=environment, capture_output=True, text=True
        )

    assert "not ours" in status("-m", "search", "--version").stderr
    assert status(str(script), "--version").stdout.startswith("litefront ")
    run = ["run", "--task", "sr", "--scale", "2", "--budget", "20k-params", "--rungs", "1", "--trials", "1"]
    run += ["--workers", "1"]
    done = status(str(script), *run)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "work" / "runs" / "sr-x2-20k-params" / "report.html").is_file()


@pytest.mark.parametrize("words", [(), ("--verbose",)])
def test_verbose_shows_the_log_and_the_traceback_of_an_internal_error(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def execute(options: object) -> int:
        LOGGER.info("reading")
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("search.cli.report.execute", execute)
    assert search.cli.main(["report", "x", *words]) == INTERNAL_ERROR
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: internal error: ZeroDivisionError: ours")
    assert ("Traceback" in error) is bool(words)
    assert ("INFO" in error and "reading" in error) is bool(words)
