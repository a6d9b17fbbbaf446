"""``compress``: one network made smaller, into a model folder that ``export`` takes."""

from __future__ import annotations

import argparse
import json
import shlex
import sys

from rich.box import SIMPLE_HEAD
from rich.table import Table

from evaluators.images.names import escaped_name
from evaluators.quantities import QUANTITIES, ms_text
from latency_tables.cli.console import Console
from search.api.compressing import Compressed, compress_for
from search.api.searching import StoppedError
from search.api.training import TrainingFailedError, spec_of
from search.experiments.compress_request import CompressRequest, compress_request
from search.experiments.compress_results import StageResult
from search.models.folder import read_model
from search.request.compress_options import COMPRESS_OPTIONS, FLAGS

HEADINGS = ("stage", "params", "MACs", "weights", "PSNR", "SSIM", "steps", "s")


def execute(options: argparse.Namespace) -> int:
    console = Console(stderr=True) if options.json else Console()
    command = escaped_name("python -m search " + shlex.join(sys.argv[1:]))
    given = {option.key: getattr(options, option.key) for option in COMPRESS_OPTIONS}
    given |= {key: getattr(options, key) for key in (flag.replace("-", "_") for flag in FLAGS)}
    request = compress_request(command, spec_of(options.model, options.trial), **given)
    try:
        compressed = compress_for(request, console, owns_process=True)
    except (StoppedError, TrainingFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not compressed.is_finished:
        return 130
    if options.json:
        print(json.dumps(_figures(compressed)))
        return 0
    console.print(_table(request, compressed.stages))
    console.print(f"model folder: {compressed.folder}, with its card", soft_wrap=True)
    console.print(f"next: {_next(request)}", soft_wrap=True, highlight=False)
    return 0


def _table(request: CompressRequest, stages: tuple[StageResult, ...]) -> Table:
    rules, named = request.rules, request.table
    ms = f", ms on {named.name} (int8: {named.name}-int8)" if named is not None and request.is_int8 else ""
    ms = ms or (f", ms on {named.name}" if named is not None else "")
    caption = f"{rules.measure.metric_name} in dB on held-out pictures, int8 as simulated{ms}. s: of training."
    table = Table(pad_edge=False, caption=caption, box=SIMPLE_HEAD)
    for heading in (*HEADINGS[:4], *(["ms"] if named is not None else []), *HEADINGS[4:]):
        is_name = heading == HEADINGS[0]
        table.add_column(heading, justify="left" if is_name else "right", no_wrap=is_name)
    for stage in stages:
        costs = stage.costs
        table.add_row(
            stage.name,
            f"{costs.params:,}",
            QUANTITIES["macs"].number(costs.macs),
            QUANTITIES["weights"].number(costs.weight_bytes),
            *([ms_text(costs.latency[named.name].ms)] if named is not None else []),
            f"{stage.psnr_db:.3f}",
            f"{stage.ssim:.4f}",
            f"{stage.steps:,}" if stage.steps else "",
            f"{stage.train_s:.0f}" if stage.steps else "",
        )
    return table


def _next(request: CompressRequest) -> str:
    words = ["python -m search export", shlex.quote(str(request.folder)), "--format litert"]
    if request.is_int8:
        words.append("--dtype int8")
        if request.calibration.folder is not None:
            words += ["--calibration", shlex.quote(request.calibration.text)]
    return " ".join([*words, "--out phone/"])


def _figures(compressed: Compressed) -> dict[str, object]:
    facts = read_model(compressed.folder).facts
    return {"folder": str(compressed.folder), "compressed": facts["compressed"], "metrics": facts["metrics"]}
