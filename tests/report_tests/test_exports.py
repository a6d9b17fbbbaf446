"""The table of exports, and the column that a run's page reads from it."""

import csv
import json
import sys
from pathlib import Path

import pytest

from evaluators.export import FORMATS
from reports.networks import export, export_figures
from reports.networks.export_cases import KNOB, PUBLISHED, RANDOM, cases
from reports.networks.export_operators import by_operator, operator_tables
from reports.networks.export_tables import KNOBS_FILE, NETWORKS_FILE, PAGE, by_knob
from reports.networks.export_tally import Tally
from reports.run import exports
from space import TASKS, ZOO, SearchSpace
from space.search_space import BACKBONE, first

SPACE = SearchSpace(TASKS["sr"], TASKS["sr"].shape(4))


def test_every_value_of_every_knob_is_tried() -> None:
    tried = {
        (case.knobs[BACKBONE], *choice) for case in cases(0) if case.group == KNOB for choice in case.knobs.items()
    }
    for task in TASKS.values():
        for channels in task.channels:
            space = SearchSpace(task, task.shape(task.default_scale, channels))
            for name in task.backbones:
                for parameter in space.of(name):
                    for value in parameter.values:
                        names = (name,) if isinstance(value, str) else TASKS_BACKBONES
                        assert any((each, parameter.key, value) in tried for each in names), (
                            name,
                            parameter.key,
                            value,
                        )


TASKS_BACKBONES = tuple(dict.fromkeys(name for task in TASKS.values() for name in task.backbones))


def test_published_and_random_networks_of_every_task_are_tried() -> None:
    found = tuple(cases(3))
    assert {case.name for case in found if case.group == PUBLISHED} == set(ZOO)
    assert [case.name for case in found if case.group == RANDOM] == [f"{name}-{n}" for n in range(3) for name in TASKS]
    assert len({case.name for case in found}) == len(found)
    assert [case.arch for case in cases(3)] == [case.arch for case in found]


def test_the_command_continues_and_writes_its_tables(tmp_path: Path, monkeypatch, capsys) -> None:
    few = tuple(case for case in cases(0) if case.name in ("ecbsr-m4c8", "espcn"))
    monkeypatch.setattr(export, "cases", lambda count: few)
    arguments = ["export", str(tmp_path), "--format", "pt2", "--random", "0"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--minutes", "0"])
    export.main()
    assert not (tmp_path / "pt2.jsonl").exists()
    monkeypatch.setattr(sys, "argv", arguments)
    export.main()
    lines = (tmp_path / "pt2.jsonl").read_text().splitlines()
    assert [json.loads(line)["case"] for line in lines] == [case.name for case in few]
    (tmp_path / "pt2.jsonl").write_text(lines[0] + "\n" + lines[1][:20])  # killed while writing
    capsys.readouterr()
    export.main()
    assert capsys.readouterr().out.count("\n") == 1

    with (tmp_path / NETWORKS_FILE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["network"] for row in rows] == [case.name for case in few]
    assert all(float(row["largest_error"]) < 1e-5 and not row["failure"] for row in rows)
    page = (tmp_path / PAGE).read_text()
    assert "| espcn | sr | exact (" in page
    assert "## Failures: 0" in page
    assert (tmp_path / KNOBS_FILE).is_file()


def test_what_failed_is_tried_again_last(tmp_path: Path) -> None:
    few = tuple(case for case in cases(0) if case.name in ("ecbsr-m4c8", "espcn", "fsrcnn"))
    lines = [result(few[0].name, failure="no kernel"), result(few[1].name)]
    (tmp_path / "pt2.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    waiting = export.remaining(few, [FORMATS["pt2"]], tmp_path)
    assert [case.name for case, _ in waiting] == [few[2].name, few[0].name]


def result(case: str, error: float = 0.0, failure: str = "") -> dict:
    return {"case": case, "largest_error": error, "failure": failure, "versions": {}}


def test_networks_are_counted_by_what_they_have_in_common() -> None:
    first, second = [case for case in cases(0) if case.group == KNOB][:2]
    assert first.knobs[BACKBONE] == second.knobs[BACKBONE]
    results = {"onnx": {first.name: result(first.name, 1e-7), second.name: result(second.name, failure="no kernel")}}
    tally = by_knob(results, (first, second))[BACKBONE, first.knobs[BACKBONE]]["onnx"]
    assert (tally.cell, tally.failures) == ("1 exact, 1 fail", [f"{second.name}: no kernel"])
    within = Tally()
    within.add(result("a", 1e-4))
    assert within.cell == "1 within"


def test_networks_are_counted_by_operator() -> None:
    found = {case.name: case for case in cases(0)}
    espcn, fsrcnn = found["espcn"], found["fsrcnn"]
    results = {"onnx": {"espcn": result("espcn", 1e-7), "fsrcnn": result("fsrcnn", failure="no kernel")}}
    tallies = by_operator(results, (espcn, fsrcnn))
    assert tallies["pixel_shuffle"]["onnx"].cell == "1 exact"
    assert tallies["transposed convolution 9x9, stride 4"]["onnx"].cell == "1 fail"
    assert tallies["convolution 3x3"]["onnx"].cell == "1 exact, 1 fail"
    lines = "\n".join(operator_tables({"onnx": {}, **results}, (espcn, fsrcnn), ["onnx"]))
    assert "| convolution 5x5 | 1 exact, 1 fail |" in lines


@pytest.mark.parametrize("form", ["onnx"])
def test_the_figures_of_whole_exports(form: str, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(export_figures, "FORMATS", {form: FORMATS[form]})
    monkeypatch.setattr(sys, "argv", ["figures", str(tmp_path), "espcn", "--input", "32x24"])
    export_figures.main()
    kept = (tmp_path / export_figures.RECORDS).read_text()
    (record,) = json.loads(kept).values()
    assert [file["dtype"] for file in record["files"]] == ["fp32", "fp16", "int8"]
    with (tmp_path / export_figures.TABLE).open(newline="") as file:
        assert [float(row["psnr_to_torch_db"]) > 20 for row in csv.DictReader(file)] == [True] * 3
    page = (tmp_path / export_figures.PAGE).read_text()
    assert "| onnx | fp32 | 1 of 1 |" in page
    export_figures.main()
    assert (tmp_path / export_figures.RECORDS).read_text() == kept
    monkeypatch.setattr(export_figures, "exported", lambda name, size: record | {"seconds": 7})
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--again"])
    export_figures.main()
    assert json.loads((tmp_path / export_figures.RECORDS).read_text())["espcn"]["seconds"] == 7
    for file in record["files"]:
        file["psnr_to_torch_db"] = None  # of a file that gives the same values
    lines = "\n".join(export_figures.page(tmp_path, {"espcn": record}, "32x24"))
    assert "| equal | equal |" in lines


@pytest.fixture
def table(tmp_path: Path, monkeypatch) -> Path:
    """Of two formats; one of them refuses MalleConvs."""
    values = SPACE.fill(first)
    path = tmp_path / "knobs.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("format", "knob", "value", "is_number", "exact", "within", "failed", "first_failure"))
        for name in ("onnx", "ncnn"):
            for knob, value in values.items():
                fails = name == "ncnn" and knob == "malle"
                writer.writerow((name, knob, value, not isinstance(value, str), 1 - fails, 0, fails, ""))
    monkeypatch.setattr(exports, "KNOBS", path)
    exports._taken.cache_clear()
    yield path
    exports._taken.cache_clear()


def test_formats_of_a_network(table: Path) -> None:
    values = SPACE.fill(first)
    assert exports.exports_of(SPACE.decode(values)) == ("onnx",)
    assert exports.exports_of(SPACE.decode({**values, "width": 32})) == ("onnx",)
    assert exports.exports_of(SPACE.decode({**values, "input_skip": "bicubic"})) == ()
    assert exports.exports_of(ZOO["smfanet"].architecture) == ()


def test_without_the_table_nothing_is_said(table: Path) -> None:
    table.unlink()
    assert exports.exports_of(SPACE.decode(SPACE.fill(first))) == ()
