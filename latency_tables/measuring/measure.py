"""From a session with a device to a latency table of it."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.differential import baseline_key, differential_figures, differential_models
from latency_tables.measuring.engines.model_format import ModelFormat
from latency_tables.measuring.plan import Plan
from latency_tables.measuring.raw_timings import Figure, RawTimings
from latency_tables.measuring.rounds import Models, Protocol, Rounds
from latency_tables.measuring.targets.session import Device, Session
from latency_tables.tables.estimate import estimate
from latency_tables.tables.rows import SHAPE, Row, shape_cells
from latency_tables.tables.table import LatencyTable, write_table
from space.checkout import commit
from space.errors import UserError
from space.files import write_csv_atomically


@dataclass(frozen=True)
class Names:
    """What the table calls the device: given by the user, or as the device describes itself."""

    device: str | None = None
    soc: str | None = None
    core: str | None = None


@dataclass(frozen=True)
class Check:
    """A shape that is not in the table: its predicted and its measured cost, and the error of the measurement."""

    operator: EngineOperator
    measured_ms: float
    predicted_ms: float
    noise: float

    @property
    def error(self) -> float:
        return self.predicted_ms / self.measured_ms - 1


@dataclass(frozen=True)
class Measured:
    """The result of ``measure``."""

    table: LatencyTable
    checks: tuple[Check, ...]
    failures: Mapping[str, str]


@dataclass(frozen=True)
class Harness:
    """A device that is ready: an open session, the engine's model format, and how to time on it."""

    session: Session
    engine: ModelFormat
    protocol: Protocol
    differential: bool = False  # by chains, for engines whose operators cost more alone than in a network

    def time(
        self,
        models: Models,
        reference: EngineOperator,
        timings: RawTimings,
        progress: Callable[[int], Callable[[str], None]],
    ) -> dict[str, Figure]:
        """Time ``models`` into ``timings``, with ``reference`` between them, and close it; the figures by key."""
        write_reference = partial(self.engine.write, (reference,))
        rounds = Rounds(self.session, models, write_reference, self.protocol, timings)
        try:
            rounds.run(progress(rounds.total()))
        finally:
            timings.close()
        return timings.figures()


def measure(
    harness: Harness,
    plan: Plan,
    about: Mapping[str, Any],
    out: Path,
    names: Names | None = None,
    progress: Callable[[int], Callable[[str], None]] = lambda total: lambda key: None,
) -> Measured:
    """Time the plan's operators and write the table ``out`` with its provenance and its check of interpolation.

    ``about`` says what is measured (task, scale, input). ``progress(total)`` gives a function to be called once per
    timing. What was timed before, with the same ``out``, is not timed again.

    Raises:
        UserError: ``out`` belongs to another device or question, or nothing could be measured.
        ConnectionLostError: the device is gone; the same command continues later.
    """
    device = harness.session.describe()
    about = {**about, "engine": harness.engine.name, "differential": harness.differential}
    operators, reference = (*plan.grid, *plan.check), reference_of(plan, harness.engine)
    timings = RawTimings.open(out.with_suffix(".timings.jsonl"), device, about)
    figures = harness.time(_operator_models(harness, operators), reference, timings, progress)
    if harness.differential:
        figures = differential_figures(operators, figures)
    missing = {operator_key(op): "no figure" for op in plan.grid if operator_key(op) not in figures}
    failures = {**missing, **timings.failures}
    shapes = {op: _row_of(figures[operator_key(op)]) for op in plan.grid if operator_key(op) in figures}
    if not shapes:
        raise UserError(f"no operator could be measured; the first failed with: {next(iter(failures.values()))}")
    table = _table(harness, device, names or Names(), shapes, out)
    checks = tuple(_checks(table, plan, figures))
    failed = {str(operator_of(key)): reason for key, reason in failures.items() if not key.startswith("chain")}
    table = replace(table, provenance=_provenance(harness, device, timings, checks, failed, about))
    write_table(out, table)
    _write_checks(out.with_suffix(".check.csv"), checks)
    return Measured(table, checks, failed)


def _operator_models(harness: Harness, operators: tuple[EngineOperator, ...]) -> Models:
    models: dict[str, Callable[[], bytes]] = {
        operator_key(op): partial(harness.engine.write, (op,)) for op in operators
    }
    if harness.differential:
        models |= differential_models(harness.engine, operators)
    return models


def operator_key(op: EngineOperator) -> str:
    """The key of an operator in the timings."""
    return baseline_key(op)


def operator_of(key: str) -> EngineOperator:
    """The inverse of ``operator_key``."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(key).items()
    }
    return EngineOperator(**values)


def reference_of(plan: Plan, engine: ModelFormat) -> EngineOperator:
    """The operator that is timed again and again: of those that a model can be written for, one of middling work.

    Raises:
        UserError: none can be written; the message says why the first cannot.
    """
    left, reasons = list(plan.grid), []
    while left:
        reference = middling_convolution(left) or left[len(left) // 2]
        try:
            engine.write((reference,))
        except UserError as error:
            reasons.append(str(error))
            left.remove(reference)
        else:
            return reference
    raise UserError(f"no operator could be measured; the first failed with: {reasons[0]}")


def middling_convolution(operators: Iterable[EngineOperator]) -> EngineOperator | None:
    """The one with the median work of all that multiply; None if none does."""
    convolutions = sorted((op for op in operators if op.macs), key=lambda op: op.macs)
    return convolutions[len(convolutions) // 2] if convolutions else None


def _row_of(figure: Figure) -> Row:
    return Row(figure.ms, "measured", figure.relative_error, f"median of {figure.rounds} rounds")


def _write_checks(path: Path, checks: tuple[Check, ...]) -> None:
    """One line per shape off the grid."""
    rows: list[tuple[object, ...]] = [(*SHAPE, "measured_ms", "predicted_ms", "error", "noise")]
    for check in checks:
        figures = (check.measured_ms, check.predicted_ms, check.error, check.noise)
        rows.append((*shape_cells(check.operator).values(), *(f"{value:.5g}" for value in figures)))
    write_csv_atomically(path, rows)


def _checks(table: LatencyTable, plan: Plan, figures: Mapping[str, Figure]) -> list[Check]:
    found = []
    for op in plan.check:
        figure = figures.get(operator_key(op))
        if figure is not None:
            found.append(Check(op, figure.ms, estimate(table, (op,)).ms, figure.relative_error))
    return found


def _table(
    harness: Harness, device: Device, names: Names, shapes: Mapping[EngineOperator, Row], out: Path
) -> LatencyTable:
    identity = device.identity
    cores = ", ".join(map(str, identity.get("cores") or ())) or "any"
    cpu = str(identity.get("cpu") or identity.get("machine") or "unknown CPU")
    return LatencyTable(
        out.stem,
        names.device or str(identity.get("device") or identity.get("hostname") or "unknown device"),
        names.soc or str(identity.get("soc") or cpu),
        names.core or f"{cpu} core {cores}",
        harness.protocol.threads,
        "fp32",
        harness.engine.title,
        str(identity.get("engine_version") or "unknown"),
        shapes,
        {},
        np.zeros((0, 0)),
    )


def _provenance(
    harness: Harness,
    device: Device,
    timings: RawTimings,
    checks: tuple[Check, ...],
    failed: Mapping[str, str],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "repository": "measured by this project's harness",
        "commit": commit(),
        "licence": "yours: measured on your device",
        "conversion": "median over rounds of each round's median run; on one thread, time in which something else had "
        "the core does not count",
        "command": "python -m latency_tables " + shlex.join(sys.argv[1:]),
        "measured": dict(about),
        "device": dict(device.identity),
        "state": dict(device.state),
        "begun": timings.header.get("begun"),
        "ended": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(timings.seconds),
        "drift": {str(number): round(value, 4) for number, value in timings.drift().items()},
        "interrupted_runs": round(float(np.mean(timings.interrupted)), 3) if timings.interrupted else 0.0,
        "clock_mhz": _range(timings.clocks_mhz),
        "temperature_c": _range(timings.temperatures_c),
        "check": summary(checks),
        "failed": dict(failed),
    }


def summary(checks: tuple[Check, ...]) -> dict[str, float | int]:
    """Interpolation against noise, in medians and worst cases over the shapes that are not in the table."""
    if not checks:
        return {"shapes": 0}
    errors = [abs(check.error) for check in checks]
    return {
        "shapes": len(checks),
        "median_error": round(median(errors), 4),
        "worst_error": round(max(errors), 4),
        "median_noise": round(median(check.noise for check in checks), 4),
    }


def _range(values: list[float]) -> dict[str, float] | None:
    return {"least": min(values), "median": median(values), "most": max(values)} if values else None
