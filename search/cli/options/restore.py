"""Options of ``restore``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import add_listed
from search.request.options import task_options

DESCRIPTION = "Restore a picture, or all pictures of a folder, with a network; in tiles that equal the whole picture."
EXAMPLES = (
    ("python -m search restore photo.jpg large.png --model runs/mine#6", "a network of a run"),
    (
        "python -m search restore photos/ restored/ --model phone/ --workers 2 --page",
        "a folder, with a page to compare",
    ),
    ("python -m search restore photo.jpg large.png --model phone/ --engine litert", "the exported file in its engine"),
    (
        "python -m search restore noisy.tif clean.tif --model ffdnet-color --weights ffdnet.pth --sigma 25",
        "16 bits stay",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="INPUT", help="a picture, a folder of them, or of RAW frames")
    parser.add_argument(
        "output", type=Path, metavar="OUTPUT", help=".png, .tif, .jpg or .webp, as the suffix says; or a folder"
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        help="RUN#TRIAL, a model folder, a weights file, a published network, FILE.pt2 or MODULE:FACTORY",
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="of a published network or MODULE:FACTORY")
    parser.add_argument("--mask", type=Path, metavar="FILE|FOLDER", help="inpaint: white in the holes")
    parser.add_argument(
        "--memory", default="1gb", metavar="SIZE", help="what the program may take in all, such as 800mb (default: 1gb)"
    )
    parser.add_argument(
        "--tiled-anyway", action="store_true", help="cut into tiles although the network needs the whole picture"
    )
    parser.add_argument("--workers", metavar="N", default="1", help="pictures at a time (default: 1)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    parser.add_argument("--quality", metavar="1-100", default="95", help="of JPEG and WebP files (default: 95)")
    parser.add_argument(
        "--engine",
        default="torch",
        metavar="NAME",
        help="torch (default), or litert, onnx, ncnn, mnn, executorch, pt2: the model folder's exported file",
    )
    parser.add_argument("--reference", type=Path, metavar="FOLDER", help="clean pictures of the same names: PSNR, SSIM")
    parser.add_argument("--page", action="store_true", help="write a page that compares before and after")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_listed(parser, task_options("upscaling factor of a published network"))
