"""``evaluate``: PSNR and SSIM of a trained network on a folder of images."""

from __future__ import annotations

import argparse
import json

from evaluators import data
from evaluators.images.pair_folders import NamedPair
from evaluators.quality import SELF_ENSEMBLE, baseline, classical_baselines, evaluate
from evaluators.tasks.rules import TRAINING
from latency_tables.cli.console import Console
from search.experiments.data_specs import spec_anywhere
from search.models.costs import input_of, model_costs
from search.models.named import model_named
from search.request.values import check_needed, task_values
from space.command_line import parse_count
from space.errors import UserError
from space.zoo import ZOO


def execute(options: argparse.Namespace) -> int:
    scale = parse_count("--scale", options.scale, 1) if options.scale else None
    model = model_named(options.name, options.weights, scale, task_values(vars(options)))
    if not model.has_weights:
        raise UserError(f"--weights must be given with {options.name}, which is measured with them; got none")
    if model.rules is None:
        raise UserError(
            f"a network that is measured must say its task, got {options.name!r}, which does not; name a trial, a "
            "model folder, a weights file or a published network"
        )
    network, rules = model.network, model.rules
    if options.self_ensemble and rules.task != "sr":
        raise UserError(f"--self-ensemble is for networks of sr, got {model.name} of {rules.task}; leave it out")
    spec = spec_anywhere(options.data)
    images = spec.pictures(rules, validates=True)
    is_given = isinstance(images[0], NamedPair)
    trained_on_pairs = TRAINING in rules.given if "training" in model.facts else is_given
    rules = rules.of_pairs(training=trained_on_pairs, validation=is_given)
    check_needed(vars(options), rules)
    pairs = data.validation_pairs(images, rules)
    quality = evaluate(network, pairs, rules, self_ensemble=options.self_ensemble)
    reference, classical = baseline(pairs, rules), classical_baselines(pairs, rules)
    runs = SELF_ENSEMBLE if options.self_ensemble else 1
    _, size = input_of(model)
    macs = runs * model_costs(model, size).macs
    measured_on = spec.describe(images, rules, validates=True)
    if options.json:
        print(
            json.dumps(
                {
                    "name": options.name,
                    "built": model.name,
                    "weights": model.facts.get("weights", ""),
                    "scale": rules.scale,
                    "psnr_db": quality.psnr_db,
                    "ssim": quality.ssim,
                    "baseline_psnr_db": reference.psnr_db,
                    "baseline_ssim": reference.ssim,
                    "classical_baselines": {
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
    console.print(f"weights: {model.facts.get('weights', model.name)}", highlight=False, markup=False)
    title = ZOO[model.name].title if model.name in ZOO else options.name
    console.print(
        f"{title}, {rules.title}, on {measured_on}: {rules.measure.metric_name} "
        f"{quality.psnr_db:.3f} dB, SSIM {quality.ssim:.4f}; {rules.measure.baseline_name} {reference.psnr_db:.3f} dB, "
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
