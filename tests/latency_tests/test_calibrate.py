"""Moving a table to a board by a few whole-network timings."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import pytest

from latency_tables.cli import calibrate as command
from latency_tables.fitting.calibrate import calibrate
from latency_tables.fitting.measurements import measurements
from latency_tables.fitting.networks import networks
from latency_tables.fitting.timings import COLUMNS, Timings, read_timings
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import load_table
from space.errors import UserError

BOARD = {
    "device": "Board Y",
    "soc": "Y1",
    "core": "Cortex-A75",
    "threads": "1",
    "dtype": "fp32",
    "engine": "LiteRT",
    "engine_version": "2.3.0",
}
FIVE = ("resnet18_wd2", "mobilenetv2_w1", "squeezenet_v1_1", "bagnet9", "regnetx002")


def timed(table: str, chosen: tuple[str, ...], scale: float = 1.0) -> Timings:
    """The published timings of ``chosen`` on the core set of ``table``, as if a board's."""
    measured = measurements()
    row = dict(zip(measured.networks, measured.latency_ms[measured.index(table)], strict=True))
    operators = tuple(networks()[name] for name in chosen)
    return Timings(BOARD, chosen, ("224x224",) * len(chosen), tuple(scale * row[name] for name in chosen), operators)


def write(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows(**changes: str) -> list[dict[str, str]]:
    """Five good rows; ``changes`` are of the last."""
    good = [{**BOARD, "network": name, "input": "", "latency_ms": str(10.0 + i)} for i, name in enumerate(FIVE)]
    good[-1] = {**good[-1], **changes}
    return good


def test_five_timings_of_a_scaled_core_give_the_scale() -> None:
    """Were the board the same core at half the clock, every prediction would double."""
    table = load_table("pixel4-a76")
    exact = tuple(2 * estimate(table, networks()[name]).ms for name in FIVE)
    timings = Timings(BOARD, FIVE, ("224x224",) * 5, exact, tuple(networks()[name] for name in FIVE))
    calibration = calibrate(table, timings, "board-y")
    assert (calibration.method, calibration.scale) == ("scale", pytest.approx(2, rel=1e-9))
    assert calibration.mape < 1e-6
    for name in ("vovnet27s", "mobilenet_wd4"):
        before, after = estimate(table, networks()[name]), estimate(calibration.table, networks()[name])
        assert after.ms == pytest.approx(2 * before.ms, rel=1e-3)
        assert after.origin == before.origin
    assert calibration.table.device == "Board Y"
    assert calibration.table.provenance["calibration"]["from_table"] == "pixel4-a76"


def test_ten_and_twenty_timings_predict_an_unseen_core() -> None:
    """Cortex-A53 from the table of an A76: the other networks come out better with more timings."""
    table, names = load_table("pixel4-a76"), list(networks())
    chosen = np.random.default_rng(3).permutation(names)
    others = timed("a03s-a53", tuple(chosen[40:]))

    def error(number: int) -> float:
        calibration = calibrate(table, timed("a03s-a53", tuple(chosen[:number])), "board-y")
        predicted = [estimate(calibration.table, ops).ms for ops in others.operators]
        return 100 * float(np.abs(np.array(predicted) / others.latency_ms - 1).mean())

    five, ten, twenty = error(5), error(10), error(20)
    assert twenty < ten < five
    assert twenty < 6.0  # the earlier fit's error from twenty timings


def test_refit_keeps_to_its_own_error() -> None:
    table, chosen = load_table("pixel4-a76"), tuple(list(networks())[::4])
    calibration = calibrate(table, timed("s10-a75", chosen), "board-y")
    assert calibration.method == "refit"
    spread = float(np.sqrt(np.mean(np.log1p(calibration.errors) ** 2)))
    assert calibration.table.provenance["residual"] >= round(spread, 4)
    assert 0.5 < calibration.mape < 10


def test_too_few_timings() -> None:
    with pytest.raises(UserError, match="at least 5 networks, got 4"):
        calibrate(load_table("pixel4-a76"), timed("s10-a75", FIVE[:4]), "board-y")


def test_another_dtype() -> None:
    with pytest.raises(UserError, match="must be int8, as in table pixel4-a76-int8, got 'fp32'"):
        calibrate(load_table("pixel4-a76-int8"), timed("s10-a75", FIVE), "board-y")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latency_ms": "nan"}, r"line 6: latency_ms must be a finite number above 0, got 'nan'"),
        ({"latency_ms": "-3"}, r"line 6: latency_ms must be .* got '-3'"),
        ({"latency_ms": ""}, r"line 6: latency_ms must be .* got ''"),
        ({"network": FIVE[0]}, rf"line 6: must not repeat line 2, {FIVE[0]} at 224x224"),
        ({"network": "resnet9000"}, r"line 6: unknown network 'resnet9000'"),
        ({"input": "320x180"}, r"line 6: input of the published network regnetx002 must be 224x224"),
        ({"core": "Cortex-A55"}, r"line 6: core must be 'Cortex-A75' as in the first row, got 'Cortex-A55'"),
        ({"soc": ""}, r"line 6: soc must not be empty"),
        ({"latency_ms": "1e308"}, r"line 6: latency_ms must be from 1e-06 to 1e\+09, got '1e308'"),
        ({"latency_ms": "1e-300"}, r"line 6: latency_ms must be from 1e-06 to 1e\+09, got '1e-300'"),
        ({"network": "os:getcwd"}, r"line 6: a network in a file must be .* got 'os:getcwd': MODULE:FACTORY would run"),
        ({"network": "x" * 20_000}, r"line 6: a field must have at most 10,000 characters, got 20,000"),
    ],
)
def test_bad_timings_are_refused_with_the_line(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_timings(write(tmp_path / "timings.csv", rows(**changes)))


def test_files_that_are_no_timings(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        read_timings(tmp_path / "none.csv")
    without = write(tmp_path / "without.csv", rows(), tuple(column for column in COLUMNS if column != "latency_ms"))
    with pytest.raises(UserError, match="got no latency_ms"):
        read_timings(without)
    empty = write(tmp_path / "empty.csv", [])
    with pytest.raises(UserError, match="only a header"):
        read_timings(empty)


def test_command_writes_a_table_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last row is a paper's network at its own input."""
    timings = write(tmp_path / "timings.csv", rows(network="s-lwsr16", latency_ms="900"))
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    out = tmp_path / "board-y.csv"
    options = parser.parse_args(["mi8se-a75", "--from", str(timings), "--out", str(out)])
    assert command.execute(options) == 0
    shown = capsys.readouterr().out
    assert "5 timings, one scale for every price" in shown
    assert "% mean error" in shown
    table = load_table(str(out))
    assert table.caption == "Board Y, Cortex-A75, 1 thread, fp32, LiteRT 2.3.0"
    assert estimate(table, networks()["bagnet9"]).ms > 0
    options = parser.parse_args(["mi8se-a75", "--from", str(timings), "--out", "board-y.txt"])
    with pytest.raises(UserError, match=r"got board-y\.txt"):
        command.execute(options)


@pytest.mark.parametrize("threads", ["four", "0", "1.5", "9999999"])
def test_threads_that_are_no_number_are_refused(tmp_path: Path, threads: str) -> None:
    given = [{**row, "threads": threads} for row in rows()]
    with pytest.raises(UserError, match=r"timings.csv, line 2: threads must be"):
        read_timings(write(tmp_path / "timings.csv", given))


def test_a_calibration_does_not_replace_what_it_is_made_from(tmp_path: Path) -> None:
    timings = write(tmp_path / "timings.csv", rows())
    before = timings.read_bytes()
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    options = parser.parse_args(["mi8se-a75", "--from", str(timings), "--out", str(timings)])
    with pytest.raises(UserError, match="--out must be another file than those it is made from"):
        command.execute(options)
    assert timings.read_bytes() == before


@pytest.mark.parametrize("milliseconds", ["1e-6", "1e9"])
def test_extreme_timings_give_a_table_that_can_be_read_or_one_line(tmp_path: Path, milliseconds: str) -> None:
    given = [{**row, "latency_ms": milliseconds} for row in rows()]
    timings, out = write(tmp_path / "timings.csv", given), tmp_path / "extreme.csv"
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    options = parser.parse_args(["pixel4-a76", "--from", str(timings), "--out", str(out)])
    try:
        command.execute(options)
    except UserError:
        assert not out.exists()
    else:
        assert load_table(str(out)).device == BOARD["device"]
