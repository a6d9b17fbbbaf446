"""What a finished training leaves: a model folder with its curve, its record and its page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from evaluators.costs import Costs
from evaluators.data import load_pairs
from evaluators.quality import restore
from evaluators.quantities import exact_cost_texts
from evaluators.tasks import Pair, TaskRules
from evaluators.training.weights import load_weights
from latency_tables.tables.estimate import MissingOperatorError
from latency_tables.tables.table import LatencyTable, load_table, table_names
from reports.run.pictures import Strip, make_strips
from reports.training.page import TrainedNetwork, training_html
from search.experiments.curve import CURVE_FILE, read_points
from search.experiments.train_folder import SETTINGS_FILE
from search.experiments.trainables import Trainable, built, known_costs
from search.experiments.training import RECORD_FILE, START_FILE, WEIGHTS_FILE, SetResult, TrainingRecord
from search.experiments.training_data import DATA_FOLDER
from search.models.folder import write_model
from search.models.model import Model
from space.folders import whole_folder
from space.specialists import network_at

PAGE_FILE = "report.html"
EVENT_FILES = "events.out.tfevents.*"
MOST_PICTURES = 6
BEFORE, AFTER = "before", "after training"


def write_trained(folder: Path, record: TrainingRecord, start: Model, starts_from: str) -> None:
    """Turn ``folder``, in which a training is finished, into a model folder; it is the one or the other at any time.

    ``start`` is what was trained, before.
    """
    model = _trained(folder, record, start)
    points = read_points(folder / CURVE_FILE)
    costs, tables = _costs(record.training.architecture, record.input_size)
    strips = _strips(folder, record, model.network, costs)
    page = training_html(TrainedNetwork(record, points, starts_from, costs, tables, strips, _next_steps(folder)))
    files: dict[str, Path | bytes] = {name: folder / name for name in (CURVE_FILE, RECORD_FILE, SETTINGS_FILE)}
    files[PAGE_FILE] = page.encode()
    files |= {path.name: path for path in sorted(folder.glob(EVENT_FILES))}
    with whole_folder(folder) as new:
        write_model(new, model, files, overwrite=True)


def _trained(folder: Path, record: TrainingRecord, start: Model) -> Model:
    training = record.training
    network = built(training.architecture, training.seed)
    load_weights(folder / WEIGHTS_FILE, network)
    kept = {name: start.facts[name] for name in ("published", "licence", "input", "source") if name in start.facts}
    facts: dict[str, Any] = {
        **kept,
        "training": {
            "from": start.name if training.start else "random weights",
            "steps": training.steps,
            "seed": training.seed,
            "plan": training.plan.to_dict(),
            **({} if training.loss.is_own else {"added loss": training.loss.said}),
            "environment": record.environment,
        },
        "data": {
            "training": _without_spec(record.train_data, training.train[0]),
            "validation": _without_spec(record.validation.data, training.validation) if record.validation else "",
        },
        "metrics": [_metrics(record.rules, result) for result in _results(record)],
    }
    architecture = None if start.architecture is None else start.architecture
    return Model(folder.resolve().name, network.eval(), record.rules, architecture, True, facts)


def _without_spec(described: str, spec: str) -> str:
    """What data are, without how the command named them."""
    return described.removeprefix(f"{spec}: ")


def _results(record: TrainingRecord) -> list[SetResult]:
    return [*([record.validation] if record.validation else []), *record.results.values()]


def _metrics(rules: TaskRules, result: SetResult) -> dict[str, Any]:
    figures = {"psnr_db": result.psnr_db, "ssim": result.ssim, "others_db": result.others_db}
    return {"data": result.data, "metric": rules.measure.metric_name, **figures}


def _costs(network: Trainable, size: tuple[int, int]) -> tuple[Costs | None, tuple[LatencyTable, ...]]:
    """With milliseconds on every shipped fp32 table, where they know all of its operators."""
    tables = tuple(table for table in map(load_table, table_names()) if table.dtype == "fp32")
    try:
        found = known_costs(network, size, tables)
    except MissingOperatorError:
        found = None
    if found is not None:
        return found, tables
    return known_costs(network, size), ()


def _strips(folder: Path, record: TrainingRecord, network: nn.Module, costs: Costs | None) -> tuple[Strip, ...]:
    """Baseline, classical methods, the network before and after, and the truth, of some validation pictures."""
    rules, training = record.rules, record.training
    files = sorted((folder / DATA_FOLDER).glob("validation-*.npz"))
    if not files:
        return ()
    pairs = load_pairs(files[-1])[:MOST_PICTURES]
    if training.architecture.shape.specialists > 1:
        pairs = tuple(pair for pair in pairs if not math.isnan(pair.level))
    if not pairs:
        return ()
    methods = {rules.measure.baseline_name: rules.measure.baseline, **rules.measure.classical_baselines}
    restored = {label: [method(pair.degraded) for pair in pairs] for label, method in methods.items()}
    if training.start:
        before = built(training.architecture, training.seed)
        load_weights(folder / START_FILE, before)
        restored[BEFORE] = _outputs(before.eval(), pairs, rules)
    restored[AFTER] = _outputs(network, pairs, rules)
    notes = {AFTER: " · ".join(exact_cost_texts(costs))} if costs else {}
    return make_strips(pairs, restored, rules, notes)


def _outputs(network: nn.Module, pairs: Sequence[Pair], rules: TaskRules) -> list[np.ndarray]:
    return [restore(network_at(network, pair.level), pair.degraded, rules) for pair in pairs]


def _next_steps(folder: Path) -> dict[str, str]:
    return {
        "A file for a phone's engine": f"python -m search export {folder} --format onnx,litert --out phone/",
        "Your own photographs": f"python -m search restore photo.jpg out.png --model {folder}",
        "In Python": f'import search\n\nnetwork = search.load_model("{folder}")  # float32 (N, C, H, W) in [0, 1]',
    }
