"""Options of ``export``."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = (
    "Files of a network for the engines of phones. Each is run in its engine on pictures and compared with torch; one "
    "that computes something else is not left behind."
)
EXAMPLES = (
    ("python -m search export runs/mine 12 --format onnx,litert --out phone", "a trial of a run, into a model folder"),
    ("python -m search export smfanet --weights smfanet.pth --format onnx --input dynamic --out phone", "for any size"),
    ("python -m search export phone --format litert --dtype fp16,int8 --out phone", "more files of the same network"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="RUN#TRIAL, RUN#TRIAL@RUNG, a model folder, a weights file, a published network, FILE.pt2 or "
        "MODULE:FACTORY",
    )
    parser.add_argument("trial", nargs="?", metavar="TRIAL", help="number of a trial, where MODEL is a run")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="of a published network or MODULE:FACTORY")
    parser.add_argument("--scale", metavar="N", help="upscaling factor of a published network (default: the paper's)")
    parser.add_argument(
        "--format", required=True, metavar="NAME[,NAME]", help="among pt2, onnx, litert, ncnn, mnn, executorch"
    )
    parser.add_argument("--dtype", default="fp32", metavar="NAME[,NAME]", help="fp32, fp16, int8 (default: fp32)")
    parser.add_argument(
        "--input",
        metavar="WxH|dynamic",
        help="size of the picture that a file takes, or any, where the format can (default: that of the task)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="a model folder, new or of this network"
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER[@LIST]",
        help="pictures that the files are checked on (default: embedded validation photographs)",
    )
    parser.add_argument(
        "--calibration",
        metavar="FOLDER[@LIST]",
        help="pictures from which int8 takes its ranges (default: embedded training photographs)",
    )
    parser.add_argument(
        "--device", metavar="TABLE", help="latency table whose prediction stands beside the milliseconds measured here"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is in FOLDER")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
