"""Reading, checking and writing latency tables."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from latency_tables.tables.rows import COLUMNS
from latency_tables.tables.table import load_table, write_table
from space.errors import UserError
from tests.latency_tests.made_tables import CLASSES, PROVENANCE, SHAPES, table


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    write_table(path, table())
    return path


def test_what_is_written_is_read(written: Path) -> None:
    read = load_table(str(written))
    assert (read.shapes, read.classes, read.provenance) == (SHAPES, CLASSES, PROVENANCE)
    assert (read.samples == 1).all()
    assert read.samples.shape == (2, 5)
    assert read.caption == "Phone, Cortex, 1 thread, fp32, Engine 1.0"


def test_a_table_without_provenance_is_refused(written: Path) -> None:
    written.with_suffix(".provenance.json").unlink()
    with pytest.raises(UserError, match="provenance"):
        load_table(str(written))


@pytest.mark.parametrize(
    "content", ["", "[]", '{"repository": "x"}', '{"repository":"x","commit":"","licence":"y","conversion":"z"}']
)
def test_a_provenance_that_does_not_say_is_refused(written: Path, content: str) -> None:
    written.with_suffix(".provenance.json").write_text(content)
    with pytest.raises(UserError, match="commit"):
        load_table(str(written))


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"residual": "wide"}, "residual must be a number of at most 1e.*got 'wide'"),
        ({"residual": math.nan}, "residual must be a number .* got nan"),
        ({"residual": 1e308}, "residual must be a number of at most"),
        ({"residual": -0.1}, "residual must be at least 0, got -0.1"),
        ({"residual": True}, "residual must be a number"),
        ({"held_out": [1]}, "held_out must hold figures by name"),
        ({"held_out": {"lofo_mape": "small"}}, "held_out lofo_mape must be a number .* got 'small'"),
    ],
)
def test_a_provenance_without_numbers_is_refused(written: Path, figures: dict, message: str) -> None:
    path = written.with_suffix(".provenance.json")
    path.write_text(json.dumps({**PROVENANCE, **figures}))
    with pytest.raises(UserError, match=rf"^t\.provenance\.json: {message}"):
        load_table(str(written))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_table_that_a_spreadsheet_saved_is_the_same(written: Path, encoding: str) -> None:
    written.write_bytes(written.read_text().replace("\n", "\r\n").encode(encoding))
    assert load_table(str(written)).shapes == SHAPES


@pytest.mark.parametrize("cells", ["d0\nx", "kind,per,d0\n", 'conv 1x1,GMAC,"1', "conv 1x1,GMAC,1e308", "\0"])
def test_bad_bootstrap_samples_are_one_line(written: Path, cells: str) -> None:
    written.with_suffix(".draws.csv").write_text(cells)
    with pytest.raises(UserError, match=r"^t\.draws\.csv"):
        load_table(str(written))


def test_a_table_that_could_not_be_read_is_never_written(written: Path) -> None:
    """The one that was there stays as it was."""
    before = {path.name: path.read_bytes() for path in written.parent.iterdir()}
    bad = {entry: dataclasses.replace(row, latency_ms=math.inf) for entry, row in CLASSES.items()}
    for broken in (table(classes=bad), table(device=" "), table(provenance={**PROVENANCE, "residual": math.nan})):
        with pytest.raises(UserError, match=r"^t\."):
            write_table(written, broken)
        assert {path.name: path.read_bytes() for path in written.parent.iterdir()} == before
    write_table(written, table(samples=np.zeros((2, 0))))
    assert sorted(path.name for path in written.parent.iterdir()) == ["t.csv", "t.provenance.json"]


def _change(path: Path, line: int, column: str, value: str) -> None:
    lines = path.read_text().splitlines()
    cells = lines[line - 1].split(",")
    cells[COLUMNS.index(column)] = value
    lines[line - 1] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("line", "column", "value", "rule"),
    [
        (2, "latency_ms", "nan", "latency_ms must be a finite number"),
        (3, "latency_ms", "-1", "latency_ms must be a finite number"),
        (2, "latency_ms", "0", "above 0"),
        (2, "latency_ms", "", "latency_ms must be a finite number"),
        (4, "relative_error", "inf", "relative_error must be a finite number"),
        (2, "relative_error", "-0.1", "relative_error must be a finite number"),
        (3, "origin", "guessed", "origin must be one of"),
        (2, "source", "", "source must not be empty"),
        (2, "kind", "convolution", "kind must be one of"),
        (2, "kernel", "3", "kernel must be HEIGHTxWIDTH"),
        (2, "height", "0", "height must be a whole number"),
        (2, "per", "GMAC", "per of a shape must be call"),
        (4, "per", "GFLOP", "per must be one of"),
        (3, "row", "", "row must be shape or class"),
        (3, "device", "Another", "as the first row is"),
        (3, "dtype", "", "dtype must not be empty"),
        (2, "latency_ms", "1e308", "latency_ms must be at most 1e"),
        (4, "relative_error", "1e300", "relative_error must be at most"),
        (2, "threads", "four", "threads must be a whole number"),
        (2, "threads", "9" * 5000, "threads must be a whole number"),
        (2, "threads", "2000", "threads must be at most 1024"),
        (2, "device", " ", "device must not be empty"),
        (2, "height", "²", "height must be a whole number"),
        (2, "in_channels", "1" + "0" * 30, "in_channels must be a whole number"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_with_its_line(
    written: Path, line: int, column: str, value: str, rule: str
) -> None:
    _change(written, line, column, value)
    with pytest.raises(UserError, match=rule) as refused:
        load_table(str(written))
    assert f"line {line}" in str(refused.value)


def test_a_repeated_row_is_refused(written: Path) -> None:
    lines = written.read_text().splitlines()
    written.write_text("\n".join([*lines, lines[1]]) + "\n")
    with pytest.raises(UserError, match="line 6: must not repeat line 2"):
        load_table(str(written))


def test_a_missing_column_is_refused(written: Path) -> None:
    written.write_text(written.read_text().replace("relative_error", "error", 1))
    with pytest.raises(UserError, match=r"line 1: must have the columns.*got no relative_error"):
        load_table(str(written))


def test_bootstrap_samples_must_fit_their_table(written: Path) -> None:
    samples = written.with_suffix(".draws.csv")
    samples.write_text("\n".join(samples.read_text().splitlines()[:-1]))
    with pytest.raises(UserError, match="one line per class row"):
        load_table(str(written))


@pytest.mark.parametrize("name", ["no-such-table", "nowhere/t.csv", ""])
def test_an_unknown_table_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="latency table"):
        load_table(name)


def test_the_fingerprint_follows_the_content(written: Path) -> None:
    before = load_table(str(written)).fingerprint
    _change(written, 2, "latency_ms", "1.6")
    assert load_table(str(written)).fingerprint != before


def test_a_word_in_the_provenance_changes_no_prediction(written: Path) -> None:
    before = load_table(str(written)).fingerprint
    write_table(written, table(provenance={**PROVENANCE, "conversion": "said better"}))
    assert load_table(str(written)).fingerprint == before
    write_table(written, table(provenance={**PROVENANCE, "residual": 0.2}))
    assert load_table(str(written)).fingerprint != before
