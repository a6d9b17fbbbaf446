"""Validation: whole networks against the sum of their operators, on a device that is a formula."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latency_tables.cli.validate import record
from latency_tables.lowering.fusion import architecture_operators
from latency_tables.measuring.measure import measure
from latency_tables.measuring.plan import bare, plan_of
from latency_tables.measuring.plots import Mark, _kind, figure, scatter
from latency_tables.measuring.targets.session import ConnectionLostError
from latency_tables.measuring.validate import (
    Point,
    agreement,
    draw_networks,
    kind_bias,
    noise_between,
    validate,
    write_points,
)
from latency_tables.tables.estimate import estimate, explain
from latency_tables.tables.table import LatencyTable, load_table, write_table
from space.build import architecture_from_dict
from space.errors import UserError
from space.tasks import TASKS
from tests.latency_tests.fake_device import FakeSession, harness

SIZE = (32, 18)
ABOUT = {"task": "sr", "scale": 4, "input": "32x18"}
NETWORKS = draw_networks(TASKS["sr"], 4, 12)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> LatencyTable:
    """Of all operators of the networks, so that sums are exact."""
    used = Counter(bare(op) for arch in NETWORKS for op in architecture_operators(arch, SIZE))
    out = tmp_path_factory.mktemp("table") / "board.csv"
    measure(harness(FakeSession()), plan_of(used, np.random.default_rng(0)), ABOUT, out)
    return load_table(str(out))


def run(table: LatencyTable, out: Path, session: FakeSession | None = None, twice: int = 0) -> tuple[Point, ...]:
    return validate(harness(session or FakeSession()), table, NETWORKS, twice, SIZE, ABOUT, out)


def test_networks_are_drawn_apart_and_again_the_same() -> None:
    assert len({arch.key for arch in NETWORKS}) == 12
    assert draw_networks(TASKS["sr"], 4, 12) == NETWORKS


def test_a_device_that_adds_up_is_predicted(table: LatencyTable, tmp_path: Path) -> None:
    points = run(table, tmp_path, twice=3)
    found = agreement(points)
    assert found.networks == 12
    assert found.mape < 0.02  # what interpolation of byte movers costs
    assert found.within_5 == found.within_10 == found.in_band == 1
    assert found.spearman > 0.99
    assert len(noise_between(points)) == 3
    assert np.abs(noise_between(points)).max() < 1e-9


def test_it_goes_on_with_the_reference_that_it_was_begun_with(table: LatencyTable, tmp_path: Path) -> None:
    """Another one, of a table that has grown, would look like drift."""
    with pytest.raises(ConnectionLostError):
        run(table, tmp_path, FakeSession(dies_after=10))
    begun = json.loads((tmp_path / "timings.jsonl").read_text().splitlines()[0])["reference"]
    dearest = max((op for op in table.shapes if op.macs), key=lambda op: op.macs)
    copies = (replace(dearest, height=dearest.height + more) for more in range(1, 400))
    grown = replace(table, shapes={**table.shapes, **dict.fromkeys(copies, table.shapes[dearest])})
    session = FakeSession()
    points = run(grown, tmp_path, session)
    assert [point.measured_ms for point in points] == [point.measured_ms for point in run(table, tmp_path / "whole")]
    lines = [json.loads(line) for line in (tmp_path / "timings.jsonl").read_text().splitlines()]
    assert lines[0]["reference"] == begun
    assert begun != json.loads(run_header(grown, tmp_path / "new"))["reference"]


def run_header(table: LatencyTable, out: Path) -> str:
    run(table, out)
    return (out / "timings.jsonl").read_text().splitlines()[0]


def test_a_network_that_would_not_end_in_time_is_left_out(
    table: LatencyTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = sorted(run(table, tmp_path / "all"), key=lambda point: point.predicted.ms)
    monkeypatch.setattr("latency_tables.measuring.validate.LONGEST_MS", every[8].predicted.ms)
    session = FakeSession()
    points = run(table, tmp_path / "some", session)
    assert {point.key for point in points} == {point.key for point in every[:9]}
    assert not {point.key for point in every[9:]} & set(session.timed)
    monkeypatch.setattr("latency_tables.measuring.validate.LONGEST_MS", 0.0)
    with pytest.raises(UserError, match="a network to be validated must take at most 0 s, got none on board"):
        run(table, tmp_path / "none")


def test_it_continues_and_refuses_another_device(table: LatencyTable, tmp_path: Path) -> None:
    first, second = FakeSession(dies_after=10), FakeSession()
    with pytest.raises(ConnectionLostError):
        run(table, tmp_path, first)
    assert len(run(table, tmp_path, second)) == 12
    timed = Counter(name for name in first.timed + second.timed if name != "reference")
    assert set(timed.values()) == {3}
    other = FakeSession()
    other.identity["engine_version"] = "2"
    with pytest.raises(UserError, match="engine_version '1' there and '2' here"):
        run(table, tmp_path / "other", other)
    with pytest.raises(UserError, match="must be one that measure made on this device"):
        run(replace(table, provenance={}), tmp_path / "other")


def test_a_network_that_crashes_is_left_out(table: LatencyTable, tmp_path: Path) -> None:
    session = FakeSession(crashes_on=lambda op: op.kind == "grouped_conv")
    crashing = [
        arch.key for arch in NETWORKS if any(op.kind == "grouped_conv" for op in architecture_operators(arch, SIZE))
    ]
    assert 0 < len(crashing) < 12
    points = run(table, tmp_path, session)
    assert {point.key for point in points} == {arch.key for arch in NETWORKS} - set(crashing)


def test_the_bias_is_put_on_the_kind_that_has_it(table: LatencyTable) -> None:
    points = []
    for arch in NETWORKS:
        predicted = explain(table, architecture_operators(arch, SIZE))
        real = predicted.latency.ms - 0.25 * predicted.by_kind.get("conv 3x3", 0.0)
        points.append(Point(arch.key, arch, predicted, real, 0.01, float("nan")))
    bias = kind_bias(points)
    assert bias["conv 3x3"] == pytest.approx(0.25, abs=0.03)
    assert abs(bias["conv 1x1"]) < 0.05
    found = agreement(points)
    assert found.bias == pytest.approx(np.mean([each.predicted.ms / each.measured_ms - 1 for each in points]))
    assert found.bias > 0
    assert found.within_5 < 1
    assert not noise_between(points).size


def test_files_for_people(table: LatencyTable, tmp_path: Path) -> None:
    points = run(table, tmp_path, twice=1)
    write_points(tmp_path / "networks.csv", points)
    with (tmp_path / "networks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert float(rows[0]["measured_ms"]) == pytest.approx(points[0].measured_ms, rel=1e-5)
    assert rows[0]["again_ms"]
    assert not rows[1]["again_ms"]
    assert architecture_from_dict(json.loads(rows[0]["architecture"])) == points[0].arch
    scatter(tmp_path / "scatter.png", points, table.caption)
    assert (tmp_path / "scatter.png").read_bytes().startswith(b"\x89PNG")


def test_every_upsampler_has_a_mark_of_its_own() -> None:
    upsamplers = {arch.ends.upsampler.kind for arch in draw_networks(TASKS["sr"], 4, 60)}
    marks = [
        Mark(_kind(arch.to_dict()), 1.0 + place, 2.0) for place, arch in enumerate(draw_networks(TASKS["sr"], 4, 60))
    ]
    assert {mark.kind for mark in marks} == upsamplers
    assert len(upsamplers) == 8
    found = {"networks": 60, "mape": 0.0, "within_10": 1.0, "spearman": 1.0}
    (axes,) = figure(marks, "", found).axes
    drawn = {(*each.get_facecolor()[0], each.get_paths()[0].vertices.tobytes()) for each in axes.collections[1:]}
    assert len(drawn) == len(upsamplers)


def test_what_validation_found_becomes_the_width_of_the_bands(table: LatencyTable, tmp_path: Path) -> None:
    points = []
    for index, arch in enumerate(NETWORKS):
        predicted = explain(table, architecture_operators(arch, SIZE))
        points.append(
            Point(arch.key, arch, predicted, predicted.latency.ms * (1.1 if index % 2 else 0.9), 0.01, float("nan"))
        )
    path = tmp_path / "board.csv"
    write_table(path, table)
    before = load_table(str(path))
    record(path, before, points, {"networks": len(points)})
    after = load_table(str(path))
    assert after.provenance["validated"] == {"networks": len(points)}
    assert after.provenance["residual"] == pytest.approx(np.log(1 / 0.9) / 1.645, rel=0.01)
    assert after.fingerprint != before.fingerprint
    figure = estimate(after, architecture_operators(NETWORKS[0], SIZE))
    assert figure.high / figure.ms == pytest.approx(1.1, abs=0.02)
    with pytest.raises(UserError, match="--record"):
        record(Path("pixel4-a76"), before, points, {})
