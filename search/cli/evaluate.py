"""``evaluate``: PSNR and SSIM of a published network with given weights, on a folder of images."""

from __future__ import annotations

import argparse
import json

from evaluators import data
from evaluators.costs import network_costs
from evaluators.images.pair_folders import NamedPair
from evaluators.quality import SELF_ENSEMBLE, baseline, classical_baselines, evaluate
from evaluators.tasks import TaskRules, rules_from_text
from latency_tables.cli.console import Console
from search.cli.weights_file import network_from_file, origin
from search.experiments.data_specs import spec_anywhere
from search.experiments.network_specs import channels_of, entry_of
from search.request.values import check_needed, task_values
from space.command_line import parse_count
from space.errors import UserError
from space.tasks import TASKS
from space.zoo import ZOO, PublishedNetwork


def execute(options: argparse.Namespace) -> int:
    entry = entry_of(options.name)
    scale = parse_count("--scale", options.scale, 1) if options.scale else None
    _rules(entry, scale or entry.architecture.shape.scale, options)
    if options.self_ensemble and entry.task != "sr":
        raise UserError(f"--self-ensemble is for networks of sr, got {entry.name} of {entry.task}; leave it out")
    loaded = network_from_file(options.name, options.weights, scale)
    network, scale = loaded.network, loaded.scale
    rules = _rules(entry, scale, options)
    spec = spec_anywhere(options.data)
    images = spec.pictures(rules, validates=True)
    is_given = isinstance(images[0], NamedPair)
    rules = rules.of_pairs(training=is_given, validation=is_given)
    check_needed(vars(options), rules)
    pairs = data.validation_pairs(images, rules)
    quality = evaluate(network, pairs, rules, self_ensemble=options.self_ensemble)
    reference, classical = baseline(pairs, rules), classical_baselines(pairs, rules)
    runs = SELF_ENSEMBLE if options.self_ensemble else 1
    size = TASKS[entry.task].input_sizes[scale]
    macs = runs * network_costs(network, size, rules.shape.in_channels).macs
    measured_on = spec.describe(images, rules, validates=True)
    if options.json:
        print(
            json.dumps(
                {
                    "name": options.name,
                    "built": loaded.name,
                    "weights": origin(loaded),
                    "scale": scale,
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
    console.print(f"weights: {origin(loaded)}", highlight=False, markup=False)
    title = ZOO[loaded.name].title if loaded.name in ZOO else options.name
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


def _rules(entry: PublishedNetwork, scale: int, options: argparse.Namespace) -> TaskRules:
    """The paper's task with the given options; the channels are those that the network has."""
    fitting = channels_of(entry)
    values = task_values(vars(options))
    if values["channels"] is None:
        values["channels"] = fitting
    rules = rules_from_text(entry.task, scale, values)
    if rules.channels != fitting:
        raise UserError(
            f"--channels of {entry.name} must be {fitting or 'among its task'}, got {rules.channels}; "
            "choose another network"
        )
    return rules
