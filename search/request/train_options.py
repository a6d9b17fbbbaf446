"""The options of ``train``: one list, for the command line and for Python. Does not import torch."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence

from evaluators.training.plan import MUON, OPTIMIZERS
from search.request.options import PRECISION_HELP, Option, task_options
from space.errors import UserError
from space.tasks import TASKS

NETWORK, HOW, DATA, FILES = "the network", "how long and how to train", "data", "results"
DEFAULT_TIME = "30m"


def patch_options(group: str) -> tuple[Option, ...]:
    """What a step is made of, of every command that trains one network."""
    return (
        Option("batch", group, "patches of a step (default: the task's)", "N"),
        Option("patch", group, "side of a patch in pixels of the network's input (default: twice the search's)", "PX"),
        Option("rate", group, "highest learning rate, from which it falls to zero (default: the task's)", "RATE"),
        Option("optimizer", group, f"one of {', '.join(OPTIMIZERS)} (default: {MUON})", "NAME"),
    )


def teacher_options(name: str, group: str) -> tuple[Option, ...]:
    """Of a teacher, which the option ``name`` names."""
    known = "RUN#TRIAL, a model folder, a published network"
    return (
        Option(name, group, f"a trained network that also teaches it: {known}", "NAME"),
        Option("teacher-weights", group, "of a published network that teaches", "FILE"),
        Option("distil-weight", group, "of the teacher against the target, 0 to 100 (default: 1)", "W"),
    )


TRAIN_OPTIONS: tuple[Option, ...] = (
    Option("weights", NETWORK, "to start from: of a published network, or of MODULE:FACTORY", "FILE"),
    Option("task", NETWORK, f"of MODULE:FACTORY, which does not say it: one of {', '.join(TASKS)}"),
    *task_options("upscaling factor (default: the network's)"),
    Option("steps", HOW, f"training steps, such as 2000, 50k or 1M (default: --time {DEFAULT_TIME})", "N"),
    Option("time", HOW, "such as 30m: as many steps as fit, by the time of a step that is measured first"),
    *patch_options(HOW),
    *teacher_options("teacher", HOW),
    Option("distil", HOW, "what is compared with the teacher's: output (default) or features", "WHAT"),
    Option("spectrum-weight", HOW, "of the L1 of spectra, such as SMFANet's 0.05 (default: none)", "W"),
    Option("seed", HOW, "of random weights and of patches (default: 0)", "N", default="0"),
    Option("device", HOW, "cpu, cuda or cuda:N (default: cuda where present)"),
    Option("precision", HOW, PRECISION_HELP, "FORMAT", default="auto"),
    Option("data", DATA, "images, or pairs of images, to train on (default: embedded photographs)", "FOLDER[@LIST]"),
    Option("val-data", DATA, "held-out images to follow training on (default: embedded photographs)", "FOLDER[@LIST]"),
    Option("validate-every", DATA, "steps between two looks at them (default: a twentieth of all)", "N"),
    Option("test", DATA, "folders below --data-root to measure on at the end, such as Set5/HR,Set14/HR", "NAME[,NAME]"),
    Option("data-root", DATA, "folder that those of --test lie in", "FOLDER"),
    Option("out", FILES, "the model folder (default: runs/train-NETWORK)", "FOLDER"),
)
FLAGS: dict[str, tuple[str, str]] = {
    "from-scratch": (NETWORK, "start from random weights, whatever weights there are"),
    "tensorboard": (FILES, "also write event files for TensorBoard, which litefront[tensorboard] installs"),
    "overwrite": (FILES, "begin again where the folder holds another training, or one that is finished"),
}
"""Options without a value: their group and help."""


def train_texts(options: Mapping[str, object]) -> dict[str, str]:
    """The text of every option that is given or has a default, by its Python name; flags are left out.

    Raises:
        UserError: an option is unknown.
    """
    return texts_of("train", TRAIN_OPTIONS, FLAGS, options)


def texts_of(
    command: str, listed: Sequence[Option], flags: Collection[str], options: Mapping[str, object]
) -> dict[str, str]:
    """As ``train_texts``, of a ``command`` whose options are ``listed``."""
    known = {option.key: option for option in listed}
    for name in options.keys() - known.keys() - {flag.replace("-", "_") for flag in flags}:
        near = "".join(f"; nearest: {each}" for each in difflib.get_close_matches(name, known, n=1))
        raise UserError(f"an option of {command} must be one of {', '.join(known)}, got {name!r}{near}")
    texts = {name: option.text(options.get(name)) for name, option in known.items()}
    return {name: text for name, text in texts.items() if text is not None}
