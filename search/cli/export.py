"""``export``: files of a network for the engines of phones, each checked in its engine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from latency_tables.cli.console import Console
from search.api.exporting import export_job
from search.models.export_request import left_out
from search.models.exporting import ExportedFile, Job, export_model
from search.models.named import model_named
from space.command_line import parse_count
from space.specialists import networks_of
from space.terminal import print_error

SPEC = "{}#{}"
HEADINGS = ("file", "MB", "largest\nerror", "dB", "drift", "PSNR", "torch's", "ms", "pred.", "")


def execute(options: argparse.Namespace) -> int:
    name = SPEC.format(options.model, options.trial) if options.trial is not None else options.model
    scale = parse_count("--scale", options.scale, 1) if options.scale is not None else None
    formats, dtypes = _listed(options.format), _listed(options.dtype)
    model = model_named(name, options.weights, scale)
    job = export_job(
        model,
        options.out,
        formats,
        dtypes,
        options.input,
        options.data,
        options.calibration,
        options.device,
        options.overwrite,
    )
    console = Console(stderr=options.json)
    for line in _understood(job, left_out(formats, dtypes)):
        console.print(line)
    count = len(job.names())
    with console.status("") as status:
        files = export_model(job, lambda line: status.update(f"{line} ({count} files)"))
    if options.json:
        print(json.dumps({"folder": str(options.out), "files": [asdict(each) for each in files]}))
    else:
        console.print(_table(job, files))
    for each in files:
        if each.failure:
            print_error(f"{each.name} is not there: {each.failure}")
    return 1 if any(each.failure for each in files) else 0


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _understood(job: Job, missing: Sequence[str]) -> list[str]:
    forms = ", ".join(f"{form.name} {dtype}" for form, dtype in job.forms)
    lines = [f"{job.model.name} as {forms} for {job.input.in_words}, into {job.folder}"]
    if not job.model.has_weights:
        lines.append("its weights are as they are initialised: no training or file gave any")
    if missing:
        lines.append(f"left out, for the format does not have it: {', '.join(missing)}")
    if job.calibration is not None and job.calibration.folder is None:
        lines.append("int8 takes its ranges from the embedded training photographs; --calibration FOLDER gives others")
    return lines


def _table(job: Job, files: Sequence[ExportedFile]) -> Table:
    parts = len(networks_of(job.model.network))
    table = Table(
        pad_edge=False,
        caption="Error (image of 0 to 1), dB and drift (levels of 255): against torch's output. ms: one thread, here.",
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("", "file") else "right")
    for index, each in enumerate(files):
        part = f" {index // len(job.forms) + 1}/{parts}" if parts > 1 else ""
        table.add_row(f"{each.format} {each.dtype}{part}", *_row(each))
    return table


def _row(file: ExportedFile) -> tuple[str, ...]:
    figures = file.figures
    if not figures:
        return (*["–"] * (len(HEADINGS) - 2), "refused")
    similarity, predicted = figures["psnr_to_torch_db"], figures.get("predicted")
    return (
        f"{figures['bytes'] / 1e6:.2f}" if "bytes" in figures else "–",
        f"{figures['largest_error']:.0e}",
        "equal" if similarity is None else f"{similarity:.1f}",
        f"{max(figures['colour_drift_levels'], key=abs):+.2f}",
        f"{figures['psnr_db']:.2f}" if "psnr_db" in figures else "–",
        f"{figures['torch_psnr_db']:.2f}" if "psnr_db" in figures else "–",
        f"{figures['ms']:.3g}",
        f"{predicted['ms']:.3g}" if predicted else "–",
        "outside" if file.failure else "",
    )
