"""What a finished compression leaves: a model folder whose facts say what each stage cost and brought."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evaluators.compression.int8 import quantized
from evaluators.quality import Quality, evaluate
from evaluators.tasks import Pair
from search.experiments.compress_folder import FINE_TUNING, INT8, SETTINGS_FILE, Begun
from search.experiments.compress_request import CompressRequest
from search.experiments.compress_results import GIVEN, INT8_TUNED, PRUNED, ROUNDED, TUNED, StageResult, stage_costs
from search.experiments.curve import CURVE_FILE
from search.experiments.data_specs import spec_anywhere
from search.experiments.int8_ranges import Int8Ranges, finite
from search.experiments.training import RECORD_FILE, TrainingRecord
from search.experiments.training_steps import stopping
from search.models.about import metrics_row
from search.models.costs import input_of
from search.models.folder import read_model, write_model
from search.models.model import Model
from search.models.pictures import Calibration, pairs_made
from search.workers.resumable import asking
from space.architecture import Architecture
from space.folders import whole_folder

FACTS = "compressed"
KEPT = ("published", "licence", "input", "source")  # of the parent's facts


@dataclass(frozen=True, eq=False)
class _Stage:
    """A network to be measured, and what it took."""

    name: str
    network: nn.Module
    architecture: Architecture
    is_int8: bool = False
    record: TrainingRecord | None = None


@dataclass(frozen=True, eq=False)
class _Measured:
    """Every stage, and the quality of what is stored: in float and, where it is for int8, in int8 as simulated."""

    results: tuple[StageResult, ...]
    in_float: Quality
    in_int8: Quality | None


class Stages:
    """The networks of the stages that are done, in order; held-out pictures are read at once.

    Raises:
        UserError: the held-out pictures cannot be used.
    """

    def __init__(self, request: CompressRequest) -> None:
        spec = spec_anywhere(request.base.validation)
        found = spec.pictures(request.rules, validates=True)
        self.rules, self.pairs = pairs_made(request.rules, found)
        assert request.parent.architecture is not None
        self.described = spec.describe(found, request.rules, validates=True)
        self.done = [_Stage(GIVEN, request.parent.network, request.parent.architecture)]
        self.pruning: dict[str, Any] = {}
        self.ranges: Int8Ranges | None = None
        self.calibration = Calibration()
        self.last = request.parent.network  # as it is stored

    @property
    def architecture(self) -> Architecture:
        return self.done[-1].architecture

    @property
    def records(self) -> list[TrainingRecord]:
        return [stage.record for stage in self.done if stage.record is not None]

    def begun(self, begun: Begun, network: nn.Module) -> None:
        if begun.pruning:
            self.pruning = dict(begun.pruning)
            self.done.append(_Stage(PRUNED, network, begun.architecture))
        self.last = network

    def fine_tuned(self, network: nn.Module, record: TrainingRecord) -> None:
        self.done.append(_Stage(TUNED, network, self.architecture, record=record))
        self.last = network

    def rounded(self, int8: nn.Module, ranges: Int8Ranges, calibration: Calibration) -> None:
        """In int8 with the weights that it has; ``calibration`` gave the ranges."""
        self.ranges, self.calibration = ranges, calibration
        self.done.append(_Stage(ROUNDED, int8, self.architecture, is_int8=True))

    def trained_for_int8(self, network: nn.Module, record: TrainingRecord) -> None:
        """``network`` is in its deploy form; its ranges are measured again, as an export will."""
        assert self.ranges is not None
        images = [torch.from_numpy(image) for image in self.calibration.images]
        int8 = quantized(network, images, self.ranges.float_layers)
        self.done.append(_Stage(INT8_TUNED, int8, self.architecture, True, record))
        self.last = network

    def quality(self, network: nn.Module, device: str, go_on: Callable[[], None]) -> Quality:
        """On the held-out pictures; ``go_on`` is asked before each of them."""
        pairs: list[Pair] = list(self.pairs)
        return evaluate(copy.deepcopy(network).to(device).eval(), asking(pairs, go_on), self.rules, device)


def write_compressed(request: CompressRequest, stages: Stages, ends: Callable[[], bool]) -> tuple[StageResult, ...]:
    """Measure every stage, and turn the folder of the compression into a model folder.

    Raises:
        ToldToStop: ``ends()`` while pictures are measured.
    """
    folder, measured = request.folder, _measured(request, stages, ends)
    model = _model(request, stages, measured)
    files: dict[str, Path | bytes] = {SETTINGS_FILE: folder / SETTINGS_FILE}
    for name in (FINE_TUNING, INT8):
        kept = ((CURVE_FILE, f"{name}.csv"), (RECORD_FILE, f"{name}.json"))
        files |= {new: folder / name / old for old, new in kept if (folder / name / old).is_file()}
    with whole_folder(folder) as new:
        write_model(new, model, files, overwrite=True)
    return measured.results


def results_in(folder: Path) -> tuple[StageResult, ...]:
    """The stages of the compression that made the model folder ``folder``."""
    return tuple(map(StageResult.from_dict, read_model(folder).facts[FACTS]["stages"]))


def _measured(request: CompressRequest, stages: Stages, ends: Callable[[], bool]) -> _Measured:
    device, go_on, size = request.session.precision.device, stopping(ends), input_of(request.parent)[1]
    layers = stages.ranges.float_layers if stages.ranges is not None else ()
    results, found = [], dict[str, Quality]()
    for stage in stages.done:
        costs = stage_costs(stage.architecture, size, request.table, stage.is_int8, layers)
        quality = found[stage.name] = stages.quality(stage.network, device, go_on)
        steps, train_s = (stage.record.training.steps, stage.record.train_s) if stage.record is not None else (0, 0.0)
        results.append(StageResult(stage.name, stage.is_int8, costs, quality.psnr_db, quality.ssim, steps, train_s))
    last = stages.done[-1]
    if last.name == INT8_TUNED:
        in_float = stages.quality(stages.last, device, go_on)
    else:
        in_float = next(found[name] for name in (TUNED, PRUNED, GIVEN) if name in found)
    return _Measured(tuple(results), in_float, found[last.name] if last.is_int8 else None)


def _model(request: CompressRequest, stages: Stages, measured: _Measured) -> Model:
    parent, records = request.parent, stages.records
    rules = records[-1].rules if records else request.rules
    own_data = str((parent.facts.get("data") or {}).get("training", ""))
    facts: dict[str, Any] = {
        **{name: parent.facts[name] for name in KEPT if name in parent.facts},
        "training": _training(request, records),
        "data": {
            "training": records[-1].train_data.removeprefix(f"{request.base.train[0]}: ") if records else own_data,
            "validation": stages.described,
        },
        "metrics": [metrics_row(stages.rules, stages.described, measured.in_float)],
        FACTS: _compressed(request, stages, measured),
    }
    if measured.in_int8 is not None:
        described = f"{stages.described}, in int8 as simulated"
        facts["metrics"].append(metrics_row(stages.rules, described, measured.in_int8))
    network = stages.last.eval()
    return Model(request.folder.resolve().name, network, rules, stages.architecture, True, facts)


def _training(request: CompressRequest, records: Sequence[TrainingRecord]) -> dict[str, Any]:
    facts: dict[str, Any] = {"from": request.parent.name, "steps": sum(record.training.steps for record in records)}
    if not records:
        return facts
    first = records[0].training
    loss = {} if first.loss.is_own else {"added loss": first.loss.said}
    return {**facts, "seed": first.seed, "plan": first.plan.to_dict(), **loss, "environment": records[-1].environment}


def _compressed(request: CompressRequest, stages: Stages, measured: _Measured) -> dict[str, Any]:
    """``Model.facts["compressed"]``: JSON values, from which the card is written."""
    parent, ranges, size = request.parent, stages.ranges, input_of(request.parent)[1]
    assert parent.architecture is not None
    trained = parent.facts.get("training")
    facts: dict[str, Any] = {
        "parent": {
            "name": parent.name,
            "key": parent.architecture.key,
            "weights": request.base.start,
            **({"training": trained} if trained else {}),
        },
        "input_size": list(size),
        "table": {"name": request.table.name, "caption": request.table.caption} if request.table else None,
        "pruning": stages.pruning or None,
        "teacher": request.base.loss.said or None,
        "int8": None,
        "stages": [result.to_dict() for result in measured.results],
    }
    if ranges is not None and measured.in_int8 is not None:
        facts["int8"] = {
            "calibration": stages.calibration.described,
            "pictures": len(stages.calibration.images),
            "float_layers": list(ranges.float_layers),
            "psnr_float_db": measured.in_float.psnr_db,
            "psnr_int8_db": measured.in_int8.psnr_db,
            "sensitivity": [
                {"layer": each.layer, "psnr_db": finite(each.psnr_to_float_db)} for each in ranges.sensitivity
            ],
        }
    return facts
