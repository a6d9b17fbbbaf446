"""From timings to a table: resumed, never mixed, corrected for drift, not stopped by an operator that fails."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.measure import Harness, measure, operator_key, operator_of, reference_of
from latency_tables.measuring.plan import Plan
from latency_tables.measuring.raw_timings import RawTimings, figure, own_ms
from latency_tables.measuring.targets.session import ConnectionLostError, Device
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import load_table
from space.errors import UserError
from tests.latency_tests.fake_device import ABOUT, FAKE, PLAN, FakeSession, conv, cost_ms, harness, relu


def test_a_table_of_what_was_measured(tmp_path: Path) -> None:
    out = tmp_path / "board.csv"
    measured = measure(harness(FakeSession()), PLAN, ABOUT, out)
    table = load_table(str(out))
    assert {op: row.latency_ms for op, row in table.shapes.items()} == {
        op: pytest.approx(cost_ms(op), rel=1e-5) for op in PLAN.grid
    }
    assert table.caption == "board, Cortex-A53 core 0, 1 thread, fp32, Fake 1"
    assert {row.origin for row in table.shapes.values()} == {"measured"}
    (check,) = measured.checks
    assert check.operator == relu(12)
    assert abs(check.error) < 1e-3
    provenance = table.provenance
    assert provenance["device"]["cpu"] == "Cortex-A53"
    assert provenance["state"] == {"governor": "performance"}
    assert provenance["clock_mhz"]["median"] == 1400
    assert provenance["measured"]["input"] == "32x18"
    assert not provenance["failed"]
    assert (tmp_path / "board.check.csv").read_text().count("\n") == 2


def test_rounds_are_interleaved(tmp_path: Path) -> None:
    session = FakeSession()
    measure(harness(session), PLAN, ABOUT, tmp_path / "board.csv")
    operators = [name for name in session.timed if name != "reference"]
    rounds = [operators[start : start + 7] for start in (0, 7, 14)]
    assert all(Counter(each) == Counter(rounds[0]) for each in rounds)
    assert rounds[0] != rounds[1] != rounds[2]


def test_the_same_command_continues(tmp_path: Path) -> None:
    out = tmp_path / "board.csv"
    first, second = FakeSession(dies_after=9), FakeSession()
    with pytest.raises(ConnectionLostError, match="unplugged"):
        measure(harness(first), PLAN, ABOUT, out)
    assert not out.exists()
    with (tmp_path / "board.timings.jsonl").open("a") as file:
        file.write('{"key": "torn')  # a kill in the middle of a line
    measure(harness(second), PLAN, ABOUT, out)
    operators = Counter(name for name in first.timed + second.timed if name != "reference")
    assert set(operators.values()) == {3}
    third = FakeSession()
    again = measure(harness(third), PLAN, ABOUT, out)
    assert not third.timed
    assert again.table.shapes.keys() == set(PLAN.grid)


@pytest.mark.parametrize(
    ("changes", "about", "message"),
    [
        ({"hostname": "other board"}, ABOUT, "of one device with one engine, got hostname 'board' before and 'other"),
        ({"engine_version": "2"}, ABOUT, "engine_version '1' before and '2' now"),
        ({"threads": 2}, ABOUT, "threads 1 before and 2 now"),
        ({"cores": [1]}, ABOUT, r"cores \[0\] before and \[1\] now"),
        ({}, {**ABOUT, "input": "64x36"}, "one measurement, got input '32x18' before and '64x36' now"),
    ],
)
def test_two_devices_are_not_mixed(tmp_path: Path, changes: dict, about: dict, message: str) -> None:
    out = tmp_path / "board.csv"
    with pytest.raises(ConnectionLostError):
        measure(harness(FakeSession(dies_after=4)), PLAN, ABOUT, out)
    session = FakeSession()
    session.identity |= changes
    with pytest.raises(UserError, match=message):
        measure(harness(session), PLAN, about, out)
    assert not session.timed


def test_two_measurements_do_not_write_one_file(tmp_path: Path) -> None:
    device = Device({"threads": 1})
    held = RawTimings.open(tmp_path / "a.jsonl", device, ABOUT)
    with pytest.raises(UserError, match="is being written by another measurement"):
        RawTimings.open(tmp_path / "a.jsonl", device, ABOUT)
    held.close()
    RawTimings.open(tmp_path / "a.jsonl", device, ABOUT).close()


def test_another_file_is_not_taken_for_timings(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("network,latency\nx,1\n")
    with pytest.raises(UserError, match="must hold the timings of an earlier run"):
        RawTimings.open(tmp_path / "a.jsonl", Device({"threads": 1}), ABOUT)


def test_an_operator_that_fails_is_written_as_failed(tmp_path: Path) -> None:
    session = FakeSession(crashes_on=lambda op: op == relu(16))
    measured = measure(harness(session), PLAN, ABOUT, tmp_path / "board.csv")
    assert measured.table.shapes.keys() == set(PLAN.grid) - {relu(16)}
    reason = "the engine died on it (exit status -11; it said nothing)"
    assert measured.failures == {"activation relu 16 channels at 32x18": reason}
    assert load_table(str(tmp_path / "board.csv")).provenance["failed"] == measured.failures
    assert session.timed.count(operator_key(relu(16))) == 1


def refusing(refused: Callable[[EngineOperator], bool]) -> Harness:
    """An engine that has no model of those that are ``refused``."""

    def write(operators: Sequence[EngineOperator]) -> bytes:
        for op in operators:
            if refused(op):
                raise UserError(f"no model can be written for {op}: refused")
        return FAKE.write(operators)

    return replace(harness(FakeSession()), engine=replace(FAKE, write=write))


def test_an_operator_without_a_model_is_written_as_failed_even_if_it_is_the_middling_one(tmp_path: Path) -> None:
    """A batch of matrix products of ZenoSR, which was to be the reference, ended the command."""
    middling = reference_of(PLAN, FAKE)
    measured = measure(refusing(lambda op: op == middling), PLAN, ABOUT, tmp_path / "board.csv")
    assert measured.table.shapes.keys() == set(PLAN.grid) - {middling}
    assert measured.failures == {str(middling): f"no model can be written for {middling}: refused"}


def test_no_operator_with_a_model_is_a_mistake(tmp_path: Path) -> None:
    message = "no operator could be measured; the first failed with: no model can be written for conv 3x3 .*: refused"
    with pytest.raises(UserError, match=message):
        measure(refusing(lambda op: True), PLAN, ABOUT, tmp_path / "board.csv")
    assert not list(tmp_path.iterdir())


def test_nothing_measured_is_a_mistake(tmp_path: Path) -> None:
    session = FakeSession(crashes_on=lambda op: op != reference_of(PLAN, FAKE))
    plan = Plan((relu(8), relu(16)), ())
    with pytest.raises(UserError, match="reference operator must run on the device"):
        measure(harness(session), plan, ABOUT, tmp_path / "board.csv")


def test_a_slower_round_is_corrected_by_the_reference(tmp_path: Path) -> None:
    # The last of four rounds, each of a reference and seven operators, is on a hot, 20 % slower device.
    session = FakeSession(pace=lambda count: 1.2 if count > 24 else 1.0)
    measured = measure(harness(session, rounds=4, most_rounds=4), PLAN, ABOUT, tmp_path / "board.csv")
    drift = measured.table.provenance["drift"].values()
    assert list(drift) == pytest.approx([0, 0, 0, 0.2])
    for op, row in measured.table.shapes.items():
        assert row.latency_ms == pytest.approx(cost_ms(op))
        assert row.relative_error == 0.005  # the rounds agree once they are corrected


def test_noisy_rows_get_more_rounds(tmp_path: Path) -> None:
    quiet, noisy = FakeSession(), FakeSession(noise=0.5)
    for name, session in (("quiet", quiet), ("noisy", noisy)):
        measure(harness(session, rounds=2, most_rounds=6, repeats=1), PLAN, ABOUT, tmp_path / f"{name}.csv")
    count = Counter(quiet.timed)
    del count["reference"]
    assert set(count.values()) == {2}
    assert len(noisy.timed) > len(quiet.timed)


def test_chains_leave_the_boundary_out(tmp_path: Path) -> None:
    session = FakeSession(boundary_ns=5.0)
    measured = measure(harness(session, differential=True), PLAN, ABOUT, tmp_path / "board.csv")
    alone = measure(harness(FakeSession(boundary_ns=5.0)), PLAN, ABOUT, tmp_path / "alone.csv")
    for op in PLAN.grid:
        assert measured.table.shapes[op].latency_ms == pytest.approx(cost_ms(op), rel=0.02)
        elements = op.read_elements + op.written_elements
        assert alone.table.shapes[op].latency_ms == pytest.approx(cost_ms(op) + elements * 5e-6, rel=1e-4)
    assert estimate(measured.table, (conv(8, 8),)).origin == "measured"


def test_keys_name_operators() -> None:
    for op in PLAN.grid:
        assert operator_of(operator_key(op)) == op
        assert json.loads(operator_key(op))["kind"] == op.kind


def test_figures_and_their_errors() -> None:
    assert figure([2.0, 2.0, 2.0]).ms == 2.0
    assert figure([2.0, 2.0, 2.0]).relative_error == 0.005
    assert figure([2.0]).relative_error == 0.1
    assert figure([1.0, 1.1, 0.9, 1.0, 9.0]).ms == 1.0  # one spoilt round does not move it
    generator = np.random.default_rng(0)
    inside = [
        abs(found.ms - 1) <= found.relative_error
        for found in (figure(generator.normal(1, 0.05, 15)) for _ in range(500))
    ]
    assert 0.8 < np.mean(inside) < 0.96  # a 90 % interval, from few rounds


def test_interruptions_do_not_count_on_one_thread() -> None:
    assert own_ms((10.0, 14.0), (9.99, 10.1), 1) == (9.99, 10.1)
    assert own_ms((10.0, 14.0), (19.0, 20.0), 2) == (10.0, 14.0)
    assert own_ms((10.0,), (), 1) == (10.0,)
