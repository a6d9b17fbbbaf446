"""``evaluate``: PSNR and SSIM of a paper's network with given weights, on a folder of images."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from evaluators import data
from evaluators.cost import network_costs
from evaluators.evaluate import SELF_ENSEMBLE, baseline, evaluate, yardsticks
from evaluators.tasks import TaskRules, rules_from_words
from evaluators.training.weights import check_same_tensors, read_metadata, read_state_dict
from latency_tables.cli.console import Console
from search.cli.parser import add_task_options, task_words
from search.trainings.network_words import channels_of, entry_of, named_architecture
from space.architecture import Architecture
from space.build import build
from space.command_line import parse_count
from space.errors import UserError
from space.papers import Paper
from space.papers.published_weights import load_published
from space.tasks import TASKS


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="PSNR and SSIM of a paper's network with given weights")
    parser.add_argument("name", metavar="NAME", help="such as s-lwsr32 or s-lwsr16+skip (see: python -m search list)")
    parser.add_argument(
        "--weights",
        type=Path,
        required=True,
        help="state dict with the authors' keys, or with ours (.pt, .pth, .safetensors)",
    )
    parser.add_argument("--data", type=Path, help="folder of images (default: embedded validation photographs)")
    parser.add_argument("--scale", help="upscaling factor (default: the paper's)")
    add_task_options(parser)
    parser.add_argument(
        "--self-ensemble", action="store_true", help="sr: mean over 8 flips and turns of the input, at 8 times the cost"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    entry = entry_of(options.name)
    scale = parse_count("--scale", options.scale, 1) if options.scale else entry.architecture.shape.scale
    rules = _rules(entry, scale, options)
    if options.self_ensemble and entry.task != "sr":
        raise UserError(f"--self-ensemble is for networks of sr, got {entry.name} of {entry.task}; leave it out")
    state_dict = read_state_dict(options.weights)
    arch = named_architecture(options.name, scale)
    _check_architecture(options.weights, arch, options.name)
    network = build(arch)
    if options.name != entry.name or set(state_dict) == set(network.state_dict()):
        check_same_tensors(state_dict, network.state_dict(), options.weights)
        network.load_state_dict(state_dict)
        network.eval()
    else:
        network = load_published(entry.name, state_dict, scale)
    images = data.validation_images(options.data, rules)
    pairs = data.validation_pairs(images, rules)
    quality = evaluate(network, pairs, rules, self_ensemble=options.self_ensemble)
    reference, classical = baseline(pairs, rules), yardsticks(pairs, rules)
    runs = SELF_ENSEMBLE if options.self_ensemble else 1
    size = TASKS[entry.task].input_sizes[scale]
    macs = runs * network_costs(network, size, rules.shape.in_channels).macs
    measured_on = data.describe(options.data, images, rules, validates=True)
    if options.json:
        print(
            json.dumps(
                {
                    "name": options.name,
                    "scale": scale,
                    "psnr_db": quality.psnr_db,
                    "ssim": quality.ssim,
                    "baseline_psnr_db": reference.psnr_db,
                    "baseline_ssim": reference.ssim,
                    "yardsticks": {
                        name: {"psnr_db": figures.psnr_db, "ssim": figures.ssim} for name, figures in classical.items()
                    },
                    "psnr_db_by_image": quality.psnr_db_by_image,
                    "others_db": quality.others_db,
                    "task": rules.title,
                    "runs_per_image": runs,
                    "macs": macs,
                    "input": f"{size[0]}x{size[1]}",
                    "data": measured_on,
                }
            )
        )
        return 0
    console = Console()
    title = entry.title if options.name == entry.name else options.name
    console.print(
        f"{title}, {rules.title}, on {measured_on}: {rules.metric_name} "
        f"{quality.psnr_db:.3f} dB, SSIM {quality.ssim:.4f}; {rules.baseline_name} {reference.psnr_db:.3f} dB, "
        f"{reference.ssim:.4f}"
        + "".join(f"; {name} {figures.psnr_db:.3f} dB, {figures.ssim:.4f}" for name, figures in classical.items()),
        highlight=False,
    )
    ensemble = f" ({SELF_ENSEMBLE} runs of the network per picture)" if options.self_ensemble else ""
    console.print(f"{macs / 1e9:.2f} G MACs at an input of {size[0]}x{size[1]}{ensemble}", highlight=False)
    for name, value in quality.others_db.items():
        console.print(f"{name}: {value:.3f} dB", highlight=False)
    for name, psnr_db in quality.psnr_db_by_image.items():
        console.print(f"  {name} {psnr_db:.3f}", highlight=False)
    return 0


def _check_architecture(path: Path, arch: Architecture, word: str) -> None:
    """Refuse weights that were trained in another network, also one of the same tensors: with our skip, without it."""
    about = read_metadata(path)
    if about.get("architecture", arch.key) != arch.key:
        raise UserError(
            f"weights {path} must be of {word}, got those of {about.get('network', 'another network')} "
            f"({about['architecture']}, not {arch.key}); give that network's name and scale"
        )


def _rules(entry: Paper, scale: int, options: argparse.Namespace) -> TaskRules:
    """The paper's task with the given options; the channels are those that the network has."""
    fitting = channels_of(entry)
    words = task_words(options)
    if words["channels"] is None:
        words["channels"] = fitting
    rules = rules_from_words(entry.task, scale, words)
    if rules.channels != fitting:
        raise UserError(
            f"--channels of {entry.name} must be {fitting or 'among its task'}, got {rules.channels}; "
            "choose another network"
        )
    return rules
