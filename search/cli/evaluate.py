"""``evaluate``: PSNR and SSIM of a paper's network with given weights, on a folder of images."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from evaluators import data
from evaluators.evaluate import baseline, evaluate
from evaluators.tasks import RULES
from evaluators.training.weights import check_same_tensors, read_state_dict
from space.build import build
from space.command_line import parse_count
from space.papers import paper
from space.papers.published_weights import load_published
from space.tasks import TASKS


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="PSNR and SSIM of a paper's network with given weights")
    parser.add_argument("name", metavar="NAME", help="such as s-lwsr32 (see: python -m search list)")
    parser.add_argument(
        "--weights",
        type=Path,
        required=True,
        help="state dict with the authors' keys, or with ours (.pt, .pth, .safetensors)",
    )
    parser.add_argument("--data", type=Path, help="folder of images (default: embedded validation photographs)")
    parser.add_argument("--scale", help="upscaling factor (default: the paper's)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    entry = paper(options.name)
    scale = parse_count("--scale", options.scale, 1) if options.scale else entry.architecture.shape.scale
    TASKS[entry.task].shape(scale)
    state_dict = read_state_dict(options.weights)
    network = build(entry.at_scale(scale))
    if set(state_dict) == set(network.state_dict()):
        check_same_tensors(state_dict, network.state_dict(), options.weights)
        network.load_state_dict(state_dict)
        network.eval()
    else:
        network = load_published(entry.name, state_dict, scale)
    images = data.validation_images(options.data, patch_px=8, scale=scale)
    pairs = data.validation_pairs(images, entry.task, scale)
    quality, reference = evaluate(network, pairs, entry.task, scale), baseline(pairs, entry.task, scale)
    rules = RULES[entry.task]
    if options.json:
        print(
            json.dumps(
                {
                    "name": entry.name,
                    "scale": scale,
                    "psnr_db": quality.psnr_db,
                    "ssim": quality.ssim,
                    "baseline_psnr_db": reference.psnr_db,
                    "baseline_ssim": reference.ssim,
                    "psnr_db_by_image": quality.psnr_db_by_image,
                    "data": data.describe(options.data, images),
                }
            )
        )
        return 0
    console = Console()
    console.print(
        f"{entry.title} x{scale} on {data.describe(options.data, images)}: {rules.metric_name} "
        f"{quality.psnr_db:.3f} dB, SSIM {quality.ssim:.4f}; {rules.baseline_name} {reference.psnr_db:.3f} dB, "
        f"{reference.ssim:.4f}",
        highlight=False,
    )
    for name, psnr_db in quality.psnr_db_by_image.items():
        console.print(f"  {name} {psnr_db:.3f}", highlight=False)
    return 0
