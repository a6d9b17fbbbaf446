"""Command lines that nobody means: every command with hostile and half-right values of its own options.

Options are read off the parsers, so that a new one is tried by being added. What would train, or ask a device, ends
where it begins; everything before that is real.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import latency_tables.cli
import latency_tables.cli.measuring
import search.cli
from search.api import searching
from search.cli import ablation, benchmark, queue, reproduce
from space.command_line import parser_for
from space.errors import UserError
from space.search_space import SearchSpace
from space.tasks import OPTIONS, TASKS
from space.terminal import LONGEST_MESSAGE
from space.zoo import ZOO

PROGRAMS = {"search": search.cli, "latency_tables": latency_tables.cli}
CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # Unicode categories
STATUSES = {0, 1, 2, 130}
BEGUN = "here the work would begin"
SHORT, LONG = 100, 2400

HOSTILE = (
    "",
    " ",
    "-",
    "--",
    "---",
    "-1",
    "0",
    "00",
    "1",
    "2",
    "4",
    "1e400",
    "1e307g-macs",
    "1e-400k-params",
    "nan",
    "inf",
    "-inf",
    "9" * 400,
    "9" * 5000,
    "1" + "0" * 20,
    "a" * 20_000,
    "[bold]x[/bold]",
    "a[/b]",
    "[train].png",
    "[red",
    "\x1b[2J",
    "\x1b]0;x\x07",
    "a\nb",
    "a\r",
    "\t",
    "\u202egnp",
    "\u2028",
    "\udcff",
    "\ud800",
    "a\0b",
    "\ufeff1",
    "..",
    "/",
    "/proc/self/mem",
    "/dev/null",
    "/dev/full",
    "nowhere/at/all",
    "x" * 300 + ".csv",
    "٣",
    "½",
    "𝟜",
    "%s%n",
    "{0}",
    "{settings}",
    "$(id)",
    "`id`",
    "; ls",
    ",",
    ",,",
    "a,,b",
    "@",
    "@@",
    "a@b@c",
    ":",
    "::",
    "x:y",
    "x:",
    ":y",
    "os:getcwd",
    "torch.nn:Identity",
    "torch.nn:Conv2d",
    "sys:exit",
    "json.tool:main",
    "json.none:none",
    ".pt2",
    "empty.pt2",
    "folder.pt2",
    "binary.pt2",
    "text.csv",
    "binary.bin",
    "folder",
    "dangling",
    "320x180",
    "8x8",
    "1x1",
    "99999x99999",
    "8192x8",
    "x",
    "320X180",
    "3,1",
    "cpu",
    "CPU",
    "cuda",
    "cuda:99",
    "cuda:-1",
    "mps",
    "meta",
    "pixel4-a76",
    "s-lwsr16",
    "S-LWSR16",
    "sr",
    "SR",
    "denoise",
    "true",
    "None",
    "null",
    "--help",
    "-h",
    "--json",
    "200k-params",
    "1ms@pixel4-a76",
    "10m",
    "1h",
    "100,200",
    "psnr,macs",
    "é",
    "日本",
    "😀",
    "a" * 255,
    "." * 500,
    "'",
    '"',
    "\\",
    "*",
    "?",
    "~",
    "~root",
    "file:///etc",
    "http://x",
    "ssh://x",
    "ssh://-x",
    "adb:x",
    "adb:;ls",
    "local",
    "litert",
    "mnn",
)

# What a person might mean, by option; other options take their values from HOSTILE alone.
MEANT: dict[str, Sequence[str]] = {
    "task": tuple(TASKS),
    "budget": (
        "200k-params",
        "4k-params",
        "11g-macs,128mb-memory",
        "1300ms@pixel4-a76",
        "0.5mb-weights",
        "1s@a03s-a53",
        "200k-params,200k-params",
        "1e307g-macs",
        "1e18-params",
        "0k-params",
        "ms",
        "1300ms",
        "1300ms@",
        "5k-",
    ),
    "objective": ("psnr,macs", "psnr,params,memory", "psnr,ms@pixel4-a76", "psnr", "macs", "psnr,psnr", "psnr,ms@x"),
    "latency": ("pixel4-a76", "pixel4-a76,pixel4-a55", "pixel4-a76,pixel4-a76", "pixel9"),
    "device": ("cpu", "pixel4-a76", "all", "cuda:0", "pixel4-a76,s10-m4"),
    "input": ("320x180", "64x64", "64x64,32x32", "1x1"),
    "channels": ("y", "colour", "grey", "3", "3,1", "4096", "0", "noise-map"),
    "scale": ("2", "3", "4", "1", "7"),
    "sampler": ("tpe", "random", "nsga2", "gp", "grid"),
    "networks": ("s-lwsr16", "fsrcnn", "fsrcnn,espcn", "dncnn", "nothing"),
    "time": ("10m", "1h", "0s", "20000h", "1e3", "5"),
    "rungs": ("100,300", "3,2", "1", "0,1", "1e3"),
    "name": ("s-lwsr16", "fsrcnn", "dncnn", "torch.nn:Identity", "empty.pt2", "s-lwsr61"),
    "names": ("s-lwsr16", "fsrcnn", "nothing"),
    "network": ("s-lwsr16", "fsrcnn", "torch.nn:Identity", "binary.pt2"),
    "table": ("pixel4-a76", "s10-m4", "pixel9", "text.csv", "folder"),
    "tables": ("pixel4-a76", "pixel9"),
    "run": ("folder", "nothing", "text.csv"),
    "file": ("text.csv", "binary.bin", "folder", "nowhere"),
    "timings": ("text.csv", "binary.bin", "folder"),
    "engine": ("litert", "mnn", "ncnn"),
    "target": ("local", "ssh://board", "adb:PIXEL4", "ssh://board:99999"),
    "protocol": ("short", "long", "nothing"),
    "weights": ("binary.bin", "text.csv", "folder", "nowhere.pth"),
    "sigma": ("25", "0-50", "-5", "1000"),
    "train_data": ("folder", "nowhere", "text.csv"),
    "val_data": ("folder", "text.csv"),
    "data": ("folder", "nowhere", "folder@text.csv"),
    "frames": ("folder", "text.csv"),
    "train": ("embedded", "folder", "nothing"),
    "test": ("embedded", "folder@text.csv", "nothing"),
    "steps": ("2", "1000"),
    "cores": ("0", "4,5", "4,,5", "99999999999"),
}
PLAIN = ("1", "2", "5", "out.csv", "new")  # of options that take a number or a path
MEANT_NAMES = sorted(ZOO)


class Reached(UserError):
    """All options were read; from here on it would take minutes."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with odd files to run in; nothing trains, and no device is asked."""

    def begins(*_: object, **__: object) -> object:
        raise Reached(BEGUN)

    folder = tmp_path_factory.mktemp("hostile")
    (folder / "folder").mkdir()
    (folder / "folder.pt2").mkdir()
    (folder / "dangling").symlink_to("nothing")
    (folder / "empty.pt2").touch()
    for name in ("binary.bin", "binary.pt2"):
        (folder / name).write_bytes(bytes(range(256)) * 64)
    (folder / "text.csv").write_text("network,input\n\x1b[2J,[/b]\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(searching, "check_and_read", begins)
        patch.setattr(SearchSpace, "count", lambda _: 10**9)  # half a minute of counting
        for module in (reproduce, queue, ablation):
            patch.setattr(module, "run_session", begins)
        patch.setattr(benchmark, "opened", begins)  # draws designs for a minute, and then trains
        patch.setattr(latency_tables.cli.measuring, "open_session", begins)
        yield folder


def parsers() -> dict[tuple[str, str], argparse.ArgumentParser]:
    """The parser of every command, by program and command."""
    found = {}
    for program, package in PROGRAMS.items():
        for command in package.COMMANDS:
            whole = parser_for(program, "", package.COMMANDS, [command.name])
            (choices,) = (action for action in whole._actions if isinstance(action, argparse._SubParsersAction))
            found[program, command.name] = choices.choices[command.name]
    return found


def command_line(parser: argparse.ArgumentParser, draw: random.Random) -> list[str]:
    """Required options and positional arguments mostly, some others, each with a value that may be meant."""
    words: list[str] = []
    hostility = draw.choice((0.05, 0.15, 0.5))  # with many odd values a line ends at the first one
    for action in parser._actions:
        if action.dest == "verbose":  # which is for seeing tracebacks
            continue
        if isinstance(action, argparse._HelpAction):
            chance = 0.01
        elif not action.option_strings or action.required:
            chance = 0.93
        else:
            chance = 0.2
        if draw.random() > chance:
            continue
        if action.nargs == 0:
            words.append(action.option_strings[0])
            continue
        count = draw.randint(1, 3) if action.nargs == "*" else 1
        values = [value_of(action.dest, hostility, draw) for _ in range(count)]
        if not action.option_strings:
            words += values
        elif draw.random() < 0.5:
            words.append(f"{action.option_strings[0]}={values[0]}")
        else:
            words += [action.option_strings[0], values[0]]
    if draw.random() < 0.1:
        words.insert(draw.randint(0, len(words)), draw.choice(HOSTILE))
    return words


def value_of(name: str, hostility: float, draw: random.Random) -> str:
    meant = MEANT.get(name, PLAIN)
    if draw.random() > hostility:
        named = name in ("name", "names", "network", "networks") and draw.random() < 0.3
        return draw.choice(MEANT_NAMES if named else meant)
    value = draw.choice(HOSTILE)
    return draw.choice((value, value, value, value + draw.choice(meant), draw.choice(meant) + value))


def drawn(seed: int, count: int) -> Iterator[tuple[str, list[str]]]:
    """Command lines of all commands in turn, each as (program, arguments)."""
    draw, known = random.Random(seed), parsers()
    for index in range(count):
        program, command = list(known)[index % len(known)]
        words = [command, *command_line(known[program, command], draw)]
        if command == "fit":  # its default is the folder of shipped tables
            words = [word for word in words if not word.startswith("--to")] + ["--to", "nowhere/at/all"]
        yield program, words


def refused(program: str, words: list[str]) -> str | None:
    """What is wrong with how ``program`` answers; None where it answers as it should."""
    buffers = [io.BytesIO(), io.BytesIO()]
    out, err = (io.TextIOWrapper(buffer, "utf-8", write_through=True) for buffer in buffers)
    before = sys.argv
    sys.argv = [program, *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = PROGRAMS[program].main(words)
    except SystemExit as stop:
        status = stop.code or 0
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        sys.argv = before
    shown, errors = (buffer.getvalue().decode("utf-8") for buffer in buffers)
    lines = errors.splitlines()
    if status not in STATUSES:
        return f"status {status}"
    if "Traceback" in shown + errors:
        return "traceback"
    if status == 1 and sum(line.startswith("error: ") for line in lines) > 1:
        return f"more than one error line: {errors[:300]!r}"
    if status == 2 and sum(line.startswith("error: ") for line in lines) != 1:
        return f"not one error line: {errors[:300]!r}"
    if any(not line.startswith(("error: ", "note: ", "Warning", " ")) for line in lines if status == 2):
        return f"more than error lines: {errors[:300]!r}"
    if any(len(line) > LONGEST_MESSAGE + 10 for line in lines):
        return f"a message of {max(map(len, lines))} characters"
    odd = {each for each in shown + errors if each != "\n" and unicodedata.category(each) in CONTROL}
    return f"control characters {odd}" if odd else None


def faults(seed: int, count: int, without: str = "") -> list[str]:
    found = []
    for program, words in drawn(seed, count):
        if words[0] == without:
            continue
        fault = refused(program, words)
        if fault is not None:
            found.append(f"{program} {[word if len(word) < 200 else word[:200] + '…' for word in words]}: {fault}")
    return found


def test_a_hundred_command_lines(stopped: Path) -> None:
    """Without ``list``, which has no options to be wrong and traces sixty networks."""
    assert faults(seed=1, count=SHORT, without="list") == []


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_thousands_of_command_lines(stopped: Path) -> None:
    assert faults(seed=11, count=LONG) == []


def test_every_command_is_tried_with_all_its_options() -> None:
    """In the long sample; the short one is its kind, not its reach."""
    tried: dict[tuple[str, str], set[str]] = {}
    for program, words in drawn(11, LONG):
        tried.setdefault((program, words[0]), set()).update(word.partition("=")[0] for word in words)
    for key, parser in parsers().items():
        options = {action.option_strings[0] for action in parser._actions if action.option_strings}
        options -= {"-h", "--to", "--verbose"}
        assert options <= tried[key], key


def test_the_options_of_tasks_are_among_them() -> None:
    options = {action.dest for action in parsers()["search", "run"]._actions}
    assert set(OPTIONS) <= options
