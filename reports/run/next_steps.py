"""What can be done with a run once it has ended, as commands to type and as Python to paste."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from evaluators.compression.compression import INT8, UNCOMPRESSED
from reports.run.advice import recommended
from reports.run.network_cards import weights_name
from reports.run.quantities import cost_objectives
from search.pareto import front
from search.records import RunResult, TrialRecord
from search.storage.runs_here import RUNS

LONGER = 3  # a run that goes on gets this many times its time
_TIME = re.compile(r"(?P<number>[0-9.]+)(?P<unit>[a-z]*)")

PYTHON = """\
import search

run = search.load({folder})
network = run.network({trial})
"""
ON_A_PHOTOGRAPH = """\

import numpy as np
from PIL import Image
from evaluators.quality import restore

photograph = np.asarray(Image.open("photograph.png").convert("RGB"))
Image.fromarray(restore(network, photograph, run.settings.rules)).save("restored.png")
"""
COLOUR_TASKS = ("denoise", "deblur")  # of which a network of three channels takes a photograph as it is


@dataclass(frozen=True, slots=True)
class Step:
    """``purpose`` in words, and what to type for it."""

    purpose: str
    text: str


def next_steps(run: RunResult, folder: Path) -> tuple[Step, ...]:
    """To look closer, to go on, to choose under other limits, on another phone and beside another run, and to bring the
    network to take to a phone."""
    word = shlex.quote(run_argument(folder))
    steps = [
        Step("Look closer: the table in the terminal, and this page again", f"python -m search report {word}"),
        *([Step("Go on: the same run for longer, its networks trained further", longer(run))] if run.command else []),
        Step(
            "The same front on other phones (python -m latency_tables list)",
            f"python -m search recost {word} --device pixel4-a76,a03s-a53",
        ),
        Step(
            "The front beside that of another run of the same task and data (python -m search list)",
            f"python -m search compare {word} OTHER-RUN",
        ),
    ]
    trial = _to_take(run)
    if trial is not None:
        which = f"trial {trial.trial}" if not trial.is_fixed else trial.source
        where = folder / weights_name(trial)
        steps += [
            Step(
                "How sure the front is: its networks trained again with three seeds, means, spreads and ties",
                f"python -m search confirm {word}",
            ),
            Step(
                "Choose under other limits, in any quantity and on any phone",
                f"python -m search pick {word} --budget {_limit_of(run, trial)}",
            ),
            Step(
                f"Bring {which} to a phone: train it to the end on your photographs; export it, or the folder that "
                "this writes; restore a picture",
                "\n".join(to_the_phone(run, trial, folder).values()),
            ),
            *(
                [Step(f"Make {which} smaller first: pruned, fine-tuned, in int8", smaller(trial, folder))]
                if trial.compression == UNCOMPRESSED
                else []
            ),
            Step(f"The weights of {which} are {where}; in Python", python(run, trial, folder)),
        ]
    return tuple(steps)


def to_the_phone(run: RunResult, trial: TrialRecord, folder: Path) -> dict[str, str]:
    """The command lines that train ``trial`` to the end, export it, and restore a picture with it, by command."""
    name = run_argument(folder)
    word = shlex.quote(name)
    model = shlex.quote(f"{name}#{trial.trial}")
    task = run.settings.task
    pictures = "frames restored" if task == "raw-denoise" else "photo.png restored.png"
    more = " --mask holes.png" * (task == "inpaint")
    return {
        "train": f"python -m search train {word} {trial.trial} --steps 50k --data photos",
        "export": f"python -m search export {word} {trial.trial} {_form(trial)} --out phone",
        "restore": f"python -m search restore {pictures} --model {model}{more}",
    }


def smaller(trial: TrialRecord, folder: Path) -> str:
    """The command line that compresses ``trial``."""
    word = shlex.quote(run_argument(folder))
    return f"python -m search compress {word} {trial.trial} --prune 0.5 --int8 --steps 20k --data photos --out small"


def _form(trial: TrialRecord) -> str:
    """An int8 design is exported for an engine that computes in int8."""
    return "--format litert --dtype int8" if trial.compression.dtype == INT8 else "--format onnx,litert"


def _limit_of(run: RunResult, trial: TrialRecord) -> str:
    """A limit that ``trial`` just keeps: its first cost, rounded up to two digits."""
    meant = cost_objectives(run.settings)[0]
    value = meant.of(trial.costs)
    known = {"": 1} if meant.table else {unit: size for unit, size in meant.units.items() if not unit.endswith("ib")}
    smallest = min(known.items(), key=lambda pair: pair[1])
    unit, size = max(
        ((unit, size) for unit, size in known.items() if size <= value), key=lambda p: p[1], default=smallest
    )
    digit = 10.0 ** (math.floor(math.log10(value / size)) - 1)
    return meant.limit_text(math.ceil(value / size / digit - 1e-9) * digit, unit)


def _to_take(run: RunResult) -> TrialRecord | None:
    """The recommended network, or where there is none, the first front member."""
    return recommended(run) or next(iter(front(run)), None)


def run_argument(folder: Path) -> str:
    """What the command line calls the run in ``folder``: its name below ``runs/``, or its path."""
    folder = Path(folder)
    return folder.name if folder.parent == RUNS else str(folder)


def longer(run: RunResult) -> str:
    """The command of the run with ``LONGER`` times its time, or its number of trials where that ended it."""
    try:
        words = shlex.split(run.command)
    except ValueError:  # a record of another hand
        return f"{run.command} --time 30m"
    for option in ("--time", "--trials"):
        for index, word in enumerate(words):
            name, equals, value = word.partition("=")
            if name == option and equals:
                return shlex.join([*words[:index], f"{option}={_more(value)}", *words[index + 1 :]])
            if name == option and index + 1 < len(words):
                return shlex.join([*words[: index + 1], _more(words[index + 1]), *words[index + 2 :]])
    return shlex.join([*words, "--time", "30m"])


def python(run: RunResult, trial: TrialRecord, folder: Path) -> str:
    """Lines that build the network of ``trial`` with its weights and, where that is all it takes, run it."""
    text = PYTHON.format(folder=repr(str(folder)), trial=trial.trial)
    shape = trial.architecture.shape
    is_plain = run.settings.task == "sr" or (run.settings.task in COLOUR_TASKS and shape.in_channels == 3)
    return text + ON_A_PHOTOGRAPH if is_plain and shape.specialists == 1 else text


def _more(value: str) -> str:
    match = _TIME.fullmatch(value)
    return value if match is None else f"{float(match['number']) * LONGER:g}{match['unit']}"
