"""Options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from space.tasks import OPTIONS, TASKS

EMBEDDED = "embedded"  # the data word of the photographs that come with the program
RUN_HELP = "a run's folder, or its name in runs/"
PRECISION_HELP = "arithmetic of training: auto (the fastest here), fp32 or bf16 (default: auto)"
FRAMES_HELP = "raw-denoise: folder of real Bayer frames and their frames.csv, for pictures on the page"


def add_task_options(parser: argparse.ArgumentParser, scale_help: str) -> None:
    """The options that say what a task restores; each belongs to some tasks only."""
    group = parser.add_argument_group("options of the tasks")
    group.add_argument("--scale", metavar="N", help=f"sr: {scale_help}")
    channels = "; ".join(
        f"{task.name}: {', '.join(task.channels)}" for task in TASKS.values() if len(task.channels) > 1
    )
    group.add_argument("--channels", metavar="WORD", help=f"what a network sees. {channels}")
    for name in OPTIONS:
        group.add_argument(f"--{name}", metavar="VALUE", help=option_help(name))


def option_help(name: str) -> str:
    """What the option means, for each of the tasks that have it."""
    return "; ".join(f"{task.name}: {task.options[name]}" for task in TASKS.values() if name in task.options)


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Of the commands that train a list of networks: how long, where, and on what."""
    group = parser.add_argument_group("training")
    group.add_argument("--time", help="such as 20m; the same command continues (default: no limit)")
    group.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where present)")
    group.add_argument("--precision", default="auto", metavar="WORD", help=PRECISION_HELP)
    group.add_argument("--side-by-side", metavar="N", help="trainings at a time (default: one per core, or 4 on a GPU)")
    group.add_argument("--data", type=Path, metavar="FOLDER", help="folder that the named data folders lie in")
