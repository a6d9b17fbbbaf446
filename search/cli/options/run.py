"""Options of ``run``."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluators.quantities import PREFIX, QUANTITIES
from search.cli.options.shared import FRAMES_HELP, PRECISION_HELP, add_task_options
from space.tasks import TASKS

DEFAULT_TIME = "10m"
# A parameter budget says what may be stored; what is left open, and costs time on a phone, is the work per image. A
# budget in milliseconds says what counts, and the front is then over those.
DEFAULT_OBJECTIVE = "psnr,macs"
WORDS = ", ".join((*QUANTITIES, f"{PREFIX}TABLE"))
DESCRIPTION = (
    "Search networks for a task under a budget. The same command continues a run that was stopped; a longer --time "
    "goes on from a finished one."
)
EXAMPLES = (
    ("python -m search run --task sr --budget 200k-params", "the default: 10 minutes, PSNR against work"),
    (
        "python -m search run --task sr --scale 2 --budget 60ms@pixel4-a76 --input 160x120 --time 30m",
        "milliseconds on a phone's core",
    ),
    (
        "python -m search run --task denoise --sigma 0-50 --budget 100k-params,10g-macs --train-data photos/",
        "two limits, your own pictures",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    wanted = parser.add_argument_group("what to search for")
    wanted.add_argument("--task", required=True, help=f"one of {', '.join(TASKS)}")
    wanted.add_argument(
        "--budget",
        required=True,
        metavar="LIMIT[,LIMIT]",
        help=f"at most so much of {WORDS}, such as 200k-params, 11g-macs,128mb-memory or 1300ms@pixel4-a76",
    )
    wanted.add_argument(
        "--objective",
        metavar="WORDS",
        help=f"psnr and any of {WORDS} (default: {DEFAULT_OBJECTIVE}, or psnr and {PREFIX}TABLE of every table in the "
        "budget)",
    )
    wanted.add_argument(
        "--input",
        metavar="WIDTHxHEIGHT",
        help="network input that costs are given for (default: the task's, see: python -m search list); of RAW frames "
        "in packed pixels",
    )
    wanted.add_argument("--latency", metavar="TABLE[,TABLE]", help="latency tables to give milliseconds on besides")
    add_task_options(parser, "upscaling factor (default: 4)")

    limits = parser.add_argument_group("how long")
    limits.add_argument("--time", help=f"such as 90s, 10m, 2h (default: {DEFAULT_TIME}, or none with --trials)")
    limits.add_argument("--trials", metavar="N", help="stop after so many searched networks within the budget")
    limits.add_argument(
        "--rungs",
        metavar="STEPS",
        help="training steps of each rung, such as 100,300,1000 (default: fitted to the time)",
    )

    how = parser.add_argument_group("how to search and train")
    how.add_argument(
        "--networks",
        metavar="NAME[,NAME]",
        help="published networks (see: python -m search list) to train beside those that run with every search",
    )
    how.add_argument("--sampler", default="tpe", help="one of tpe, nsga2, nsga3, gp, random (default: tpe)")
    how.add_argument("--seed", default="0", help="of proposals, weights and patches (default: 0)")
    how.add_argument(
        "--specialists",
        metavar="N",
        help="the most networks that may share a range of noise levels, chosen by a picture's known level (default: 4; "
        "1: one network for all)",
    )
    how.add_argument("--workers", metavar="N", help="training processes, at most one per core (default: one per core)")
    how.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where present)")
    how.add_argument("--precision", default="auto", metavar="WORD", help=PRECISION_HELP)

    files = parser.add_argument_group("data and results")
    files.add_argument("--train-data", type=Path, metavar="FOLDER", help="images (default: embedded photographs)")
    files.add_argument("--val-data", type=Path, metavar="FOLDER", help="images (default: embedded photographs)")
    files.add_argument("--frames", type=Path, metavar="FOLDER", help=FRAMES_HELP)
    files.add_argument(
        "--run-dir", type=Path, metavar="FOLDER", help="where the run is kept (default: runs/TASK-OPTIONS-BUDGET)"
    )
    files.add_argument("--json", action="store_true", help="print the front as JSON at the end")
