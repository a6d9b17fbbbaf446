"""What int8 does to one network: quality, colour, milliseconds and bytes, simulated and in LiteRT's own file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.compression.int8 import Int8Network, most_sensitive, quantized
from evaluators.compression.int8.costs import int8_costs
from evaluators.costs import Costs, architecture_costs
from evaluators.data import pools_of, training_images, training_pool, validation_images, validation_pairs
from evaluators.export import FORMATS, FP32, INT8, Exportable, ExportError
from evaluators.export.check import Shot, check, compared, shots
from evaluators.export.deploy import export_form, multiple_of
from evaluators.export.formats import EngineNetwork
from evaluators.export.pictures import fitted, network_image
from evaluators.quality import evaluate
from evaluators.tasks import Pair, TaskRules
from evaluators.training.precision import choose_precision
from evaluators.training.trainer import Trainer
from latency_tables.tables.table import load_table
from search.models.model import Model
from space.architecture import Architecture
from space.errors import UserError
from space.tasks import TASKS

TABLE = "pixel4-a76"
KEPT = (1, 2, 4)  # numbers of layers in float
CALIBRATED = 16  # pictures, as an export takes
RANKED_ON = 2  # of them, by which layers are ranked: a pass over them a layer
STEPS, WARMUP_STEPS = 200, 20
RATES = (1e-4, 5e-4)  # a twentieth and a quarter of the training's own
LEVELS = 255


@dataclass(frozen=True)
class Subject:
    """A network that is measured; ``network`` is one, not several specialists. ``size`` (width, height) is the file's
    input; ``calibration`` `(1, C, height, width)`; ``pairs`` are whole pictures whose sides the network divides."""

    network: nn.Module
    rules: TaskRules
    architecture: Architecture
    size: tuple[int, int]
    calibration: tuple[np.ndarray, ...]
    pairs: tuple[Pair, ...]

    @property
    def images(self) -> list[Tensor]:
        return [torch.from_numpy(each) for each in self.calibration]

    def quality(self, network: nn.Module) -> float:
        """PSNR on the whole pictures."""
        return evaluate(network, self.pairs, self.rules).psnr_db


def subject(model: Model, size: tuple[int, int]) -> Subject:
    """``model`` with the embedded photographs.

    Raises:
        UserError: it has no task or is several networks, or cannot divide ``size``.
    """
    if model.rules is None or model.architecture is None:
        raise UserError(f"int8 is measured on the pictures of a task, got {model.name} without one; name another")
    if model.architecture.shape.specialists > 1:
        raise UserError(f"int8 is measured of one network, got the specialists of {model.name}; name another")
    multiple = multiple_of(model.network)
    if any(side % multiple for side in size):
        raise UserError(f"the input must have sides that are multiples of {multiple} for {model.name}, got {size}")
    rules = model.rules
    trained = validation_pairs(training_images(None, rules), rules)
    chosen = trained[:: -(-len(trained) // CALIBRATED)]
    calibration = tuple(network_image(rules.degrade.network_input(fitted(each, size, 1).degraded)) for each in chosen)
    pairs = validation_pairs(validation_images(None, rules), rules)
    whole = tuple(fitted(pair, None, multiple) for pair in pairs)
    return Subject(model.network, rules, model.architecture, size, calibration, whole)


class _Simulated(EngineNetwork):
    """The simulation where an engine is expected."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.size = network, None

    def run(self, image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            output: Tensor = self.network(torch.from_numpy(image))
        return output.numpy()


def measured(model: Model, size: tuple[int, int], fine_tunes: bool) -> dict[str, Any]:
    """All figures of ``model`` as JSON values; ``fine_tunes``: those of quantization-aware training too."""
    about = subject(model, size)
    int8 = quantized(about.network, about.images)
    assert isinstance(int8, Int8Network)
    record: dict[str, Any] = {
        "task": about.rules.title,
        "metric": about.rules.measure.metric_rule,
        "params": sum(parameter.numel() for parameter in about.network.parameters()),
        "psnr_db": {"float": about.quality(about.network), "int8": about.quality(int8)},
        "drift_levels": _drift(about, int8),
        "kept_in_float": _kept_in_float(about, int8),
        "costs": _costs(about),
        "crops": _in_files(about, int8),
    }
    if fine_tunes:
        record["fine_tuned"] = [fine_tuned(about, rate) for rate in RATES]
    return record


def _drift(about: Subject, int8: nn.Module) -> list[float]:
    """Of each channel, int8's mean less float's over the whole pictures, in levels of 255."""
    shifts = []
    for pair in about.pairs:
        image = torch.from_numpy(network_image(about.rules.degrade.network_input(pair.degraded)))
        with torch.inference_mode():
            shifts.append((int8(image) - about.network(image)).mean((0, 2, 3)) * LEVELS)
    return [float(each) for each in torch.stack(shifts).mean(0)]


def _kept_in_float(about: Subject, int8: Int8Network) -> list[dict[str, Any]]:
    """The quality with the most sensitive layers in float, and what these cost; they are ranked once."""
    layers = most_sensitive(int8, max(KEPT), about.images[:RANKED_ON])
    found = []
    for count in KEPT:
        costs = _int8_costs(about, layers[:count])
        found.append(
            {
                "layers": list(layers[:count]),
                "psnr_db": about.quality(int8.with_float(layers[:count])),
                "ms": costs.latency[TABLE].ms,
                "weight_bytes": costs.weight_bytes,
            }
        )
    return found


def _costs(about: Subject) -> dict[str, Any]:
    exact = architecture_costs(about.architecture, _stated_size(about), [load_table(TABLE)])
    found: dict[str, Any] = {"input": list(_stated_size(about))}
    for name, costs in (("float", exact), ("int8", _int8_costs(about, ()))):
        latency = costs.latency[TABLE]
        found[name] = {
            "ms": latency.ms,
            "ms_low": latency.low,
            "ms_high": latency.high,
            "weight_bytes": costs.weight_bytes,
            "peak_activation_bytes": costs.peak_activation_bytes,
        }
    return found


def _stated_size(about: Subject) -> tuple[int, int]:
    return TASKS[about.rules.task].input_sizes[about.rules.scale]


def _int8_costs(about: Subject, float_layers: Sequence[str]) -> Costs:
    return int8_costs(about.architecture, _stated_size(about), [load_table(TABLE)], float_layers)


def _in_files(about: Subject, int8: nn.Module) -> dict[str, Any]:
    """Simulation and LiteRT's files on the middle of every picture, against torch and the truth."""
    channels = about.architecture.shape.in_channels
    taken = shots(about.network, channels, about.size, 1, about.pairs, about.rules)
    found: dict[str, Any] = {"size": list(about.size), "simulated": check(_Simulated(int8), taken, about.rules)}
    form = FORMATS["litert"]
    rewritten = export_form(about.network, about.size)
    with TemporaryDirectory() as folder:
        for dtype in (FP32, INT8):
            what = Exportable(rewritten, channels, about.size, dtype=dtype, calibration=about.calibration)
            path = Path(folder, f"{dtype}{form.suffix}")
            try:
                form.write(what, path)
                engine = form.open(path)
            except ExportError as error:
                found[dtype] = {"failure": str(error)}
                continue
            found[dtype] = check(engine, taken, about.rules) | {"bytes": path.stat().st_size}
            if dtype == INT8:
                found["simulated_to_file_db"] = _to_file_db(int8, engine, taken)
    return found


def _to_file_db(int8: nn.Module, engine: EngineNetwork, taken: Sequence[Shot]) -> float | None:
    """PSNR (peak 1) of the simulation to the file's output; None where they are equal in every bit."""
    of_file = [replace(shot, expected=engine.run(shot.image)) for shot in taken]
    simulated = _Simulated(int8)
    found: float | None = compared(of_file, [simulated.run(shot.image) for shot in taken])["psnr_to_torch_db"]
    return found


def fine_tuned(about: Subject, rate: float, steps: int = STEPS) -> dict[str, Any]:
    """After ``steps`` steps of quantization-aware training, whose ranges are then measured anew: the quality in int8,
    and of the same weights in float."""
    int8 = quantized(about.network, about.images)
    assert isinstance(int8, Int8Network)
    pool = training_pool(training_images(None, about.rules), about.rules)
    plan = replace(
        about.rules.degrade.plan, learning_rate=rate, warmup_steps=min(WARMUP_STEPS, steps), decay_steps=steps
    )
    pools = pools_of(pool, about.rules, 1)
    trainer = Trainer(int8, pools, plan, choose_precision("cpu", "fp32"), 0, about.rules.measure.loss)
    trainer.train_to(steps)
    trained = trainer.averaged_network()
    assert isinstance(trained, Int8Network)
    again = trained.recalibrated(about.images).eval()
    return {
        "rate": rate,
        "steps": steps,
        "psnr_db": {"float": about.quality(trained.network), "int8": about.quality(again)},
    }
