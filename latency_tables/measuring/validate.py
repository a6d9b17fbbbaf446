"""How well a table predicts: random networks of the space, run whole on the device, against its operators' sum."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from latency_tables.lowering.fusion import architecture_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.measure import Harness, middling_convolution, operator_key
from latency_tables.measuring.raw_timings import RawTimings
from latency_tables.tables.estimate import Explanation, Latency, MissingOperatorError, explain
from latency_tables.tables.relatives import Z90
from latency_tables.tables.table import LatencyTable
from space.architecture import Architecture
from space.errors import UserError
from space.files import write_csv_atomically
from space.search_space import SearchSpace
from space.tasks import Task

SEED = 1_000_003  # of the networks; the plan of a table is drawn from other seeds
LONGEST_MS = 20_000.0  # of a run; a target that is asked for more does not answer in time
LEAST_SHARE = 0.02  # of a kind in the mean network, to be given a bias of its own


@dataclass(frozen=True)
class Point:
    """One network: predicted with its 90 % band, measured, and measured again if asked (else NaN)."""

    key: str
    arch: Architecture
    explained: Explanation
    measured_ms: float
    noise: float
    again_ms: float

    @property
    def error(self) -> float:
        """Relative: positive where the prediction is too slow."""
        return self.predicted.ms / self.measured_ms - 1

    @property
    def predicted(self) -> Latency:
        return self.explained.latency


@dataclass(frozen=True)
class Agreement:
    """Errors are shares of the measured latency."""

    networks: int
    mape: float
    bias: float
    within_5: float
    within_10: float
    spearman: float
    in_band: float
    kind_bias: dict[str, float]


def draw_networks(task: Task, scale: int, count: int, seed: int = SEED) -> tuple[Architecture, ...]:
    """Different random architectures."""
    generator, space = np.random.default_rng(seed), SearchSpace(task, task.shape(scale))
    drawn: dict[str, Architecture] = {}
    while len(drawn) < count:
        arch = space.decode(space.random(generator))
        drawn[arch.key] = arch
    return tuple(drawn.values())


def predictions(
    table: LatencyTable, networks: Sequence[Architecture], input_size: tuple[int, int]
) -> dict[str, Explanation]:
    """The prediction of ``table`` for each network, by key; made before any of them is timed.

    Raises:
        MissingOperatorError: the table cannot price all of them; the message names the operators.
    """
    found: dict[str, Explanation] = {}
    reasons: list[str] = []
    for arch in networks:
        try:
            found[arch.key] = explain(table, architecture_operators(arch, input_size))
        except MissingOperatorError as error:
            reasons.append(str(error))
    if reasons:
        raise MissingOperatorError(
            f"table {table.name} must price every network to be validated, got {len(reasons)} of {len(networks)} that "
            f"it cannot; of the first: {reasons[0]}"
        )
    return found


def validate(
    harness: Harness,
    table: LatencyTable,
    networks: Sequence[Architecture],
    twice: int,
    input_size: tuple[int, int],
    about: Mapping[str, Any],
    out: Path,
    progress: Callable[[int], Callable[[str], None]] = lambda n: lambda key: None,
) -> tuple[Point, ...]:
    """Time ``networks`` whole, the first ``twice`` of them a second time under another name, and write ``out``.

    Those that are predicted to take longer than ``LONGEST_MS`` are left out.

    Raises:
        UserError: all networks would take longer; or the device, core set, threads or engine is not the table's, or an
            earlier run's.
        ConnectionLostError: the device is gone; the same command continues later.
    """
    predicted = predictions(table, networks, input_size)
    networks = [arch for arch in networks if predicted[arch.key].latency.ms <= LONGEST_MS]
    if not networks:
        raise UserError(f"a network to be validated must take at most {LONGEST_MS / 1e3:g} s, got none on {table.name}")
    device = harness.session.describe()
    require_same(table, device.identity)
    operators = {arch.key: architecture_operators(arch, input_size) for arch in networks}
    models = {key: partial(harness.engine.write, listed) for key, listed in operators.items()}
    models |= {f"again {arch.key}": models[arch.key] for arch in networks[:twice]}
    about = {**about, "engine": harness.engine.name}
    timings = RawTimings.open(out / "timings.jsonl", device, about, operator_key(_reference(table)))
    figures = harness.time(models, timings, progress)
    points = []
    for arch in networks:
        if arch.key in figures:
            again = figures.get(f"again {arch.key}")
            measured = figures[arch.key]
            points.append(
                Point(
                    arch.key,
                    arch,
                    predicted[arch.key],
                    measured.ms,
                    measured.relative_error,
                    again.ms if again else float("nan"),
                )
            )
    if not points:
        raise UserError(f"no network ran; the first failed with: {next(iter(timings.failures.values()))}")
    return tuple(points)


def agreement(points: Sequence[Point]) -> Agreement:
    """Predicted against measured."""
    errors = np.array([point.error for point in points])
    predicted = [point.predicted.ms for point in points]
    measured = [point.measured_ms for point in points]
    inside = [point.predicted.low <= point.measured_ms <= point.predicted.high for point in points]
    return Agreement(
        len(points),
        float(np.abs(errors).mean()),
        float(errors.mean()),
        float((np.abs(errors) <= 0.05).mean()),
        float((np.abs(errors) <= 0.10).mean()),
        float(spearmanr(predicted, measured).statistic) if len(points) > 2 else float("nan"),
        float(np.mean(inside)),
        kind_bias(points),
    )


def kind_bias(points: Sequence[Point]) -> dict[str, float]:
    """How much each kind of operator is over-predicted, as a share of its own cost.

    Least squares of the networks' errors on their shares per kind, shrunk slightly towards zero so that kinds that
    always come together share what they cause.
    """
    shares = [{kind: ms / point.predicted.ms for kind, ms in point.explained.by_kind.items()} for point in points]
    means = {kind: float(np.mean([row.get(kind, 0.0) for row in shares])) for row in shares for kind in row}
    kinds = [kind for kind, mean in sorted(means.items(), key=lambda item: -item[1]) if mean >= LEAST_SHARE]
    matrix = np.array([[row.get(kind, 0.0) for kind in kinds] for row in shares])
    # measured = sum of share * (1 - bias) of the predicted, so 1 - measured / predicted = sum of share * bias
    target = np.array([1 - point.measured_ms / point.predicted.ms for point in points])
    ridge = 1e-3 * len(points) * np.eye(len(kinds))
    biases = np.linalg.solve(matrix.T @ matrix + ridge, matrix.T @ target)
    return dict(zip(kinds, map(float, biases), strict=True))


def residual_of(points: Sequence[Point]) -> float:
    """Relative standard deviation of whole networks about their prediction, such that 90 % lie within their band."""
    return float(np.quantile(np.abs(np.log([point.measured_ms / point.predicted.ms for point in points])), 0.9) / Z90)


def noise_between(points: Sequence[Point]) -> np.ndarray:
    """Relative difference of the two measurements, of those networks that were measured twice."""
    pairs = [(point.measured_ms, point.again_ms) for point in points if np.isfinite(point.again_ms)]
    return np.array([again / first - 1 for first, again in pairs])


def write_points(path: Path, points: Sequence[Point]) -> None:
    """One line per network."""
    header = (
        "network",
        "predicted_ms",
        "low_ms",
        "high_ms",
        "measured_ms",
        "error",
        "noise",
        "again_ms",
        "origin",
        "architecture",
    )
    rows: list[tuple[str, ...]] = [header]
    for point in points:
        predicted = point.predicted
        numbers = (
            predicted.ms,
            predicted.low,
            predicted.high,
            point.measured_ms,
            point.error,
            point.noise,
            point.again_ms,
        )
        cells = ("" if np.isnan(value) else f"{value:.6g}" for value in numbers)
        rows.append((point.key, *cells, predicted.origin, json.dumps(point.arch.to_dict())))
    write_csv_atomically(path, rows)


def _reference(table: LatencyTable) -> EngineOperator:
    reference = middling_convolution(table.shapes)
    if reference is None:
        raise UserError(f"table {table.name} must have measured convolutions to be validated by the harness, got none")
    return reference


def require_same(table: LatencyTable, identity: Mapping[str, Any]) -> None:
    """Check that the table is of this device; a table not made by the harness does not say enough to tell."""
    own = table.provenance.get("device")
    if not own:
        raise UserError(f"table {table.name} must be one that measure made on this device, got {table.caption}")
    different = [name for name in {**own, **identity} if own.get(name) != identity.get(name)]
    if different:
        said = ", ".join(f"{name} {own.get(name)!r} there and {identity.get(name)!r} here" for name in different)
        raise UserError(f"table {table.name} must be of the same device, cores, threads and engine, got {said}")
