"""``train``: one network to the end, from its weights, into a model folder with a page."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict

from evaluators.images.names import escaped_name
from latency_tables.cli.console import Console
from search.api.searching import StoppedError
from search.api.training import Trained, TrainingFailedError, spec_of, train_for
from search.experiments.train_request import train_request
from search.experiments.training import SetResult, TrainingRecord
from search.request.train_options import FLAGS, TRAIN_OPTIONS


def execute(options: argparse.Namespace) -> int:
    console = Console(stderr=True) if options.json else Console()
    command = escaped_name("python -m search " + shlex.join(sys.argv[1:]))
    given = {option.key: getattr(options, option.key) for option in TRAIN_OPTIONS}
    given |= {key: getattr(options, key) for key in (flag.replace("-", "_") for flag in FLAGS)}
    request = train_request(command, spec_of(options.model, options.trial), **given)
    try:
        trained = train_for(request, console, owns_process=True)
    except (StoppedError, TrainingFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if trained.record is None:
        return 130
    if options.json:
        print(json.dumps(_figures(trained, trained.record)))
        return 0
    for name, result in _results(trained.record).items():
        console.print(_line(name, result, trained.record), soft_wrap=True)
    console.print(f"page: {trained.page}", soft_wrap=True)
    return 0


def _results(record: TrainingRecord) -> dict[str, SetResult]:
    validation = {"validation": record.validation} if record.validation else {}
    return {**validation, **record.results}


def _line(name: str, result: SetResult, record: TrainingRecord) -> str:
    measure = record.rules.measure
    start = "" if result.start_psnr_db is None else f"start {result.start_psnr_db:.3f} dB, {result.start_ssim:.4f}; "
    classical = "".join(f"; {method} {db:.3f} dB" for method, db in result.classical_db.items())
    return (
        f"{name}: {measure.metric_name} {result.psnr_db:.3f} dB, SSIM {result.ssim:.4f}; {start}"
        f"{measure.baseline_name} {result.baseline_psnr_db:.3f} dB, {result.baseline_ssim:.4f}{classical}"
    )


def _figures(trained: Trained, record: TrainingRecord) -> dict[str, object]:
    return {
        "folder": str(trained.folder),
        "page": str(trained.page),
        "network": record.training.name,
        "steps": record.training.steps,
        "train_s": record.train_s,
        "params": record.params,
        "macs": record.macs,
        "metric": record.rules.measure.metric_rule,
        "results": {name: asdict(result) for name, result in _results(record).items()},
    }
