"""A model as files for the engines of phones, from a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from evaluators.export import FORMATS, FP32, INT8
from latency_tables.tables.table import load_table
from search.experiments.data_specs import spec_anywhere
from search.models.export_folder import check_free
from search.models.export_request import wanted_formats, wanted_input
from search.models.exporting import ExportedFile, Job, export_model
from search.models.model import Model, float_layers
from search.models.named import model_named
from space.errors import UserError

ONNX = "onnx"


def export(
    model: Model | str,
    out: Path | str,
    formats: Sequence[str] = (ONNX,),
    dtypes: Sequence[str] = (FP32,),
    input_size: str | None = None,
    *,
    data: Path | str | None = None,
    calibration: Path | str | None = None,
    table: str | None = None,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[ExportedFile, ...]:
    """Export ``model`` into the model folder ``out``: a file for every format and number format, each checked.

    A file is opened in its engine and run on pictures, against torch and against the truth; the figures stand in
    ``check.json``. A file that computes something else, or that its converter refuses, is not left behind, and the
    result says why (``failure``). The folder is written whole or stays as it was.

    >>> import search
    >>> files = search.export("espcn", "example-espcn", formats=["pt2"], input_size="48x32", overwrite=True)
    >>> files[0].name, files[0].failure
    ('model-pt2-fp32-48x32.pt2', '')

    Args:
        model: or a name, as ``model_named`` takes it: ``"runs/mine#12"``, a model folder, a published network.
        out: a new folder, or the model folder of the same network, to which files are added.
        formats: keys of ``evaluators.export.FORMATS``.
        dtypes: ``"fp32"``, ``"fp16"``, ``"int8"``; a format without one is exported in the others.
        input_size: ``"320x180"``, or ``"dynamic"`` for files that take any size (default: the size of the task).
        data: pictures to check on, a folder as of ``evaluate`` (default: the embedded photographs).
        calibration: pictures from which int8 takes its ranges (default: the embedded training photographs).
        table: a latency table whose prediction stands beside the milliseconds measured here.
        overwrite: replace what is in ``out``.
        tell: called with a line at every step.

    Raises:
        UserError: an option is unknown or does not fit, an engine is not installed, or ``out`` is taken.
    """
    job = export_job(model, Path(out), formats, dtypes, input_size, data, calibration, table, overwrite)
    return export_model(job, tell)


def export_job(
    model: Model | str,
    out: Path,
    formats: Sequence[str],
    dtypes: Sequence[str],
    input_size: str | None,
    data: Path | str | None = None,
    calibration: Path | str | None = None,
    table: str | None = None,
    overwrite: bool = False,
) -> Job:
    """What ``export`` is to do, checked; nothing has been written. Arguments and errors are those of ``export``."""
    forms = wanted_formats(formats, dtypes)
    loaded = load_table(table) if table is not None else None
    model = model_named(model) if isinstance(model, str) else model
    if model.rules is None and data is not None:
        raise UserError(f"--data is for networks of a task, got {data} for {model.name}; leave it out")
    has_int8 = any(dtype == INT8 for _, dtype in forms)
    if calibration is not None and not has_int8:
        raise UserError(f"--calibration is for --dtype int8, got {calibration}; leave it out")
    if has_int8 and model.rules is None:
        raise UserError(
            f"--dtype int8 needs pictures of the network's task, got {model.name} without a task; leave int8 out"
        )
    kept = len(float_layers(model))
    unable = [form.name for form, dtype in forms if dtype == INT8 and not form.has_float_layers] if kept else []
    if unable:
        able = ", ".join(name for name, form in FORMATS.items() if form.has_float_layers)
        raise UserError(
            f"--dtype int8 of {model.name}, with {kept} layer{'s' * (kept > 1)} in float, is for --format {able}, got "
            f"{unable[0]}; leave it out"
        )
    job = Job(
        model,
        forms,
        wanted_input(model, input_size, [form for form, _ in forms]),
        out,
        spec_anywhere(None if data is None else str(data)),
        spec_anywhere(None if calibration is None else str(calibration)) if has_int8 else None,
        loaded,
        overwrite,
    )
    check_free(out, model, job.names(), overwrite)
    return job
