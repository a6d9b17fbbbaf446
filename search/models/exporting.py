"""A model exported: every format in every number format, each file checked in its engine, put into a model folder."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from evaluators.export import INT8, Exportable, ExportError, Format
from evaluators.export.check import Shot, shots
from evaluators.export.deploy import export_form
from evaluators.export.files import OutsideToleranceError, write_checked
from evaluators.tasks import Pair, TaskRules
from latency_tables.lowering.fusion import network_operators
from latency_tables.tables.estimate import explain
from latency_tables.tables.table import LatencyTable
from search.experiments.data_specs import DataSpec
from search.models.export_folder import publish, unpublished
from search.models.export_request import Input
from search.models.model import Model, float_layers
from search.models.pictures import calibration_of, pairs_of
from space.specialists import networks_of

SPECIALISTS_FILE = "specialists.json"


@dataclass(frozen=True)
class ExportedFile:
    """One file that was asked for.

    Attributes:
        name: in the folder; of several that belong together, the first.
        figures: ``evaluators.export.check.check``, and what is said of the file; empty where it could not be run.
        failure: why it is not there; empty if it is.
    """

    name: str
    format: str
    dtype: str
    figures: dict[str, Any] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Job:
    """What ``export_model`` does; every part of it has been checked.

    Attributes:
        forms: each format with a number format.
        pictures: that the files are checked on; its folder is None for the embedded photographs.
        calibration: of int8; None if there is none.
        table: whose prediction stands beside the measured milliseconds.
    """

    model: Model
    forms: tuple[tuple[Format, str], ...]
    input: Input
    folder: Path
    pictures: DataSpec
    calibration: DataSpec | None = None
    table: LatencyTable | None = None
    overwrite: bool = False

    def names(self) -> tuple[str, ...]:
        """Of the files, of several that belong together the first."""
        return tuple(f"{stem}{form.suffix}" for _, _, form, _, stem in self.each())

    def each(self) -> Iterator[tuple[int, nn.Module, Format, str, str]]:
        """Every file: the place of its network among the specialists, the network, format, number format and stem."""
        networks = networks_of(self.model.network)
        for index, network in enumerate(networks):
            part = f"-part{index + 1}of{len(networks)}" if len(networks) > 1 else ""
            for form, dtype in self.forms:
                yield index, network, form, dtype, f"model{part}-{form.name}-{dtype}-{self.input.text}"


Told = Callable[[str], None]


def export_model(job: Job, tell: Told) -> tuple[ExportedFile, ...]:
    """Write, check and publish every file of ``job``; those that fail are left out, and say why.

    Raises:
        UserError: the pictures cannot be used.
    """
    model = job.model
    rules, pairs = pairs_of(model.rules, job.pictures, validates=True)
    has_int8 = any(dtype == INT8 for _, dtype in job.forms)
    calibration = calibration_of(model.rules, job.calibration, job.input.size).images if has_int8 else ()
    done: list[ExportedFile] = []
    with unpublished(job.folder) as temporary:
        paths: list[Path] = []
        taken: dict[int, tuple[nn.Module, tuple[Shot, ...], dict[str, Any]]] = {}
        for index, network, form, dtype, stem in job.each():
            tell(f"{form.name} {dtype}: {stem}{form.suffix}")
            if index not in taken:
                taken = {
                    index: _prepared(job, network, _of_level(pairs, index, len(networks_of(model.network))), rules)
                }
            rewritten, pictures, predicted = taken[index]
            what = Exportable(
                rewritten,
                job.input.channels,
                job.input.size,
                job.input.dynamic,
                job.input.multiple,
                dtype,
                calibration if dtype == INT8 else (),
                float_layers(model) if dtype == INT8 else (),
            )
            name = f"{stem}{form.suffix}"
            try:
                written = write_checked(form, what, pictures, rules, temporary, stem)
            except OutsideToleranceError as error:
                done.append(ExportedFile(name, form.name, dtype, error.figures, str(error)))
            except ExportError as error:
                done.append(ExportedFile(name, form.name, dtype, failure=str(error)))
            else:
                figures = written.figures | (predicted if job.table and job.table.dtype == dtype else {})
                paths += written.paths
                done.append(ExportedFile(name, form.name, dtype, figures))
        passed = {each.name: each.figures for each in done if not each.failure}
        if passed:
            if parts := _specialists(job, passed):
                paths.append(temporary / SPECIALISTS_FILE)
                paths[-1].write_text(parts, "utf-8")
            publish(job.folder, model, paths, passed, job.overwrite)
    return tuple(done)


def _specialists(job: Job, passed: Mapping[str, Any]) -> str:
    """The small manifest of a model of several networks: which file is for which part of the noise levels' range."""
    count = len(networks_of(job.model.network))
    if count == 1:
        return ""
    parts: list[dict[str, Any]] = [
        {"from": index / count, "to": (index + 1) / count, "files": []} for index in range(count)
    ]
    for index, _, form, _, stem in job.each():
        if f"{stem}{form.suffix}" in passed:
            parts[index]["files"].append(f"{stem}{form.suffix}")
    return json.dumps({"level": "position in the range of noise levels, from 0 to 1", "parts": parts}, indent=1) + "\n"


def _prepared(
    job: Job, network: nn.Module, pairs: Sequence[Pair], rules: TaskRules | None
) -> tuple[nn.Module, tuple[Shot, ...], dict[str, Any]]:
    """The network as it is exported, what torch makes of the pictures, and the table's prediction."""
    wanted = job.input
    taken = shots(network, wanted.channels, wanted.fixed_size, wanted.multiple, pairs, rules)
    predicted: dict[str, Any] = {}
    if job.table is not None:
        height, width = taken[0].image.shape[2:]
        figure = explain(job.table, network_operators(network, wanted.channels, (width, height))).latency
        predicted = {"predicted": {"table": job.table.name, "caption": job.table.caption, **figure.to_dict()}}
    return export_form(network, wanted.fixed_size), taken, predicted


def _of_level(pairs: Sequence[Pair], index: int, count: int) -> Sequence[Pair]:
    """Those of the ``index``-th specialist's noise levels; all of them where none is."""
    own = [pair for pair in pairs if not math.isnan(pair.level) and min(int(pair.level * count), count - 1) == index]
    return own if own and count > 1 else pairs
