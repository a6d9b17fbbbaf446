"""The options of a run: one list, for the command line and for Python.

Does not import torch, so that ``--help`` is fast. ``search.request.request`` reads the values.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evaluators.quantities import PREFIX, QUANTITIES
from search.proposers import DEFAULT, PROPOSERS
from space.errors import UserError
from space.tasks import OPTIONS, TASKS

DEFAULT_TIME = "10m"
# A parameter budget says what may be stored; what is left open, and costs time on a phone, is the work per image. A
# budget in milliseconds says what counts, and the front is then over those.
DEFAULT_OBJECTIVE = "psnr,macs"
INT8_DEVICE = "pixel4-a76"  # whose milliseconds are the objective where int8 is asked for, and nothing says another
INT8_SAVES = ("memory", "weights")  # besides milliseconds
COSTS = ", ".join((*QUANTITIES, f"{PREFIX}TABLE"))
PRECISION_HELP = "arithmetic of training: auto (the fastest here), fp32 or bf16 (default: auto)"
FRAMES_HELP = "raw-denoise: folder of real Bayer frames and their frames.csv, for pictures on the page"
# Groups of options, as ``--help`` shows them.
WANTED, TASK, LIMITS = "what to search for", "options of the tasks", "how long"
HOW, FILES = "how to search and train", "data and results"


@dataclass(frozen=True, slots=True)
class Option:
    """One option, ``--NAME`` on the command line and ``NAME`` (with underscores) in Python.

    A Python list stands for its values with ``joint`` between them.
    """

    name: str
    group: str
    help: str
    metavar: str | None = None
    default: str | None = None
    required: bool = False
    joint: str = ","

    @property
    def key(self) -> str:
        """Its name in Python."""
        return self.name.replace("-", "_")

    def text(self, value: object) -> str | None:
        """``value`` (a number, a path, a list, ...) as text for a command line."""
        if value is None:
            return self.default
        if isinstance(value, Iterable) and not isinstance(value, str):
            return self.joint.join(str(self.text(each)) for each in value)
        return str(value)


def task_options(scale_help: str) -> tuple[Option, ...]:
    """The options that say what a task restores; each belongs to some tasks only."""
    channels = "; ".join(
        f"{task.name}: {', '.join(task.channels)}" for task in TASKS.values() if len(task.channels) > 1
    )
    return (
        Option("scale", TASK, f"sr: {scale_help}", "N"),
        Option("channels", TASK, f"what a network sees. {channels}", "CHANNELS"),
        *(Option(name, TASK, option_help(name), "VALUE", joint="-") for name in OPTIONS),
    )


def option_help(name: str) -> str:
    """The help of an option, for each task that has it."""
    return "; ".join(f"{task.name}: {task.options[name]}" for task in TASKS.values() if name in task.options)


RUN_OPTIONS: tuple[Option, ...] = (
    Option("task", WANTED, f"one of {', '.join(TASKS)}", required=True),
    Option(
        "budget",
        WANTED,
        f"at most so much of {COSTS}, such as 200k-params, 11g-macs,128mb-memory or 1300ms@pixel4-a76",
        "LIMIT[,LIMIT]",
        required=True,
    ),
    Option(
        "objective",
        WANTED,
        f"psnr and any of {COSTS} (default: {DEFAULT_OBJECTIVE}, or psnr and {PREFIX}TABLE of every table in the "
        "budget)",
        "NAME,NAME",
    ),
    Option(
        "input",
        WANTED,
        "network input that costs are given for (default: the task's, see: python -m search list); of RAW frames in "
        "packed pixels",
        "WIDTHxHEIGHT",
        joint="x",
    ),
    Option("latency", WANTED, "latency tables to give milliseconds on besides", "TABLE[,TABLE]"),
    *task_options("upscaling factor (default: 4)"),
    Option("time", LIMITS, f"such as 90s, 10m, 2h (default: {DEFAULT_TIME}, or none with --trials)"),
    Option("trials", LIMITS, "stop after so many searched networks within the budget", "N"),
    Option("rungs", LIMITS, "training steps of each rung, such as 100,300,1000 (default: fitted to the time)", "STEPS"),
    Option(
        "networks",
        HOW,
        "published networks (see: python -m search list) to train beside those that run with every search",
        "NAME[,NAME]",
    ),
    Option(
        "compress",
        HOW,
        "compressed variants of promoted candidates, with shared weights of those trained on alone: among prune, int8 "
        f"and distil; int8 needs an objective that it lowers (default then: psnr,{PREFIX}{INT8_DEVICE})",
        "STEP[,STEP]",
    ),
    Option(
        "compress-share",
        HOW,
        "of the time, at most, that compressed variants may take (default: 0.3)",
        "SHARE",
        default="0.3",
    ),
    Option(
        "evaluator",
        HOW,
        "alone: every candidate is trained from random weights; shared: families of networks share weights that are "
        "trained once, and candidates are measured with what they inherit (default: auto, shared for sr with --time of "
        "5m or more and without --trials and --rungs, else alone)",
        "HOW",
        default="auto",
    ),
    Option(
        "sampler", HOW, f"one of {', '.join(PROPOSERS)} (default: {DEFAULT}; a run that is continued keeps its own)"
    ),
    Option("seed", HOW, "of proposals, weights and patches (default: 0)", default="0"),
    Option(
        "specialists",
        HOW,
        "the most networks that may share a range of noise levels, chosen by a picture's known level (default: 4; 1: "
        "one network for all)",
        "N",
    ),
    Option("workers", HOW, "training processes, at most one per core (default: one per core)", "N"),
    Option("device", HOW, "cpu, cuda or cuda:N (default: cuda where present)"),
    Option("precision", HOW, PRECISION_HELP, "FORMAT", default="auto"),
    Option("train-data", FILES, "images (default: embedded photographs)", "FOLDER"),
    Option("val-data", FILES, "images (default: embedded photographs)", "FOLDER"),
    Option("frames", FILES, FRAMES_HELP, "FOLDER"),
    Option("run-dir", FILES, "where the run is kept (default: runs/TASK-OPTIONS-BUDGET)", "FOLDER"),
    Option(
        "storage",
        FILES,
        "where its trials are kept: sqlite:///FILE, postgresql://USER@HOST/DATABASE or another storage of Optuna's; "
        "weights and pages stay in the folder, and one command at a time works on a run (default: a journal in the "
        "folder)",
        "URL",
    ),
)


def option_texts(options: Mapping[str, object]) -> dict[str, str]:
    """The text of every option that is given or has a default, by its Python name (``train_data``).

    Raises:
        UserError: an option is unknown, or a required one is missing.
    """
    known = {option.key: option for option in RUN_OPTIONS}
    for name in options.keys() - known.keys():
        near = "".join(f"; nearest: {each}" for each in difflib.get_close_matches(name, known, n=1))
        raise UserError(f"an option of a run must be one of {', '.join(known)}, got {name!r}{near}")
    texts = {}
    for name, option in known.items():
        text = option.text(options.get(name))
        if text is not None:
            texts[name] = text
        elif option.required:
            raise UserError(f"{name} must be given, got nothing; {option.help}")
    return texts
