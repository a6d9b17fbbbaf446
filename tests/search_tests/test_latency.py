"""Milliseconds in a search: budgets and objectives by a latency table, refusals, other phones, and older runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import optuna
import pytest
from PIL import Image
from scipy.stats import spearmanr

import search.candidates.screening
from evaluators.costs import Costs, architecture_costs
from evaluators.quantities import latency_key
from latency_tables.tables import estimate
from latency_tables.tables.table import load_table
from search.cli import main
from search.cli import run as run_command
from search.cli.options.run import add_options
from search.pareto import front
from search.request.tables import load_used, tables_of
from search.sessions.session import Session, check_and_read
from search.storage.journal import JOURNAL, journal_storage
from search.storage.run_files import read_run
from search.storage.study import Study
from space import UserError
from space.command_line import Parser
from tests.search_tests.made_records import as_result
from tests.small_table import write_small_table

WORD = "ms@board-x1"


@pytest.fixture
def tables(tmp_path: Path):
    (tmp_path / "tables").mkdir()
    return tables_of("--budget", [str(write_small_table(tmp_path / "tables"))])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_a_search_by_milliseconds(folder: Path, run_loop, tables) -> None:
    study, _ = run_loop(folder, trials=30, budget="60k-params,12ms@board-x1", objectives=("psnr", WORD), tables=tables)
    trained = [record for record in study.records.values() if record.status == "trained"]
    assert len(trained) == 30
    assert all(record.cost(WORD) <= 12 for record in trained)
    slow = [record for record in study.records.values() if "ms on board-x1 > 12ms@board-x1" in (record.reason or "")]
    assert slow
    stored = optuna.load_study(study_name="litefront", storage=journal_storage(folder / JOURNAL)).trials
    assert all(stored[record.trial].constraints[WORD] == record.cost(WORD) - 12 > 0 for record in slow)
    assert all(stored[record.trial].values[1] == record.cost(WORD) for record in trained)
    assert Study.open(folder, owned=True).records == study.records
    members = front(as_result(study))
    assert [member.cost(WORD) for member in members] == sorted(member.cost(WORD) for member in members)


def test_several_tables_as_objectives(folder: Path, run_loop, tables, tmp_path: Path) -> None:
    both = tables_of("--budget", [tables[0].source, str(write_small_table(tmp_path, "board-y2", 2.0, 4.0))])
    study, _ = run_loop(
        folder, trials=4, rungs=(100,), budget="60k-params", objectives=("psnr", WORD, "ms@board-y2"), tables=both
    )
    assert all(set(record.costs.latency) == {"board-x1", "board-y2"} for record in study.records.values())


def test_a_network_that_the_table_cannot_price_fails_with_its_reason(
    folder: Path, run_loop, tables, monkeypatch
) -> None:
    price = search.candidates.screening.design_costs

    def refusing(arch, compression, size, tables=()):
        if tables and arch.ends.upsampler.kind != "dense-two-step":
            raise estimate.MissingOperatorError("table board-x1 has no figure for gather 16 channels at 320x180")
        return price(arch, compression, size, tables)

    monkeypatch.setattr(search.candidates.screening, "design_costs", refusing)
    study, workers = run_loop(folder, trials=24, rungs=(100,), objectives=("psnr", WORD), tables=tables)
    refused = [record for record in study.records.values() if record.status == "failed"]
    assert refused
    assert all("no figure for gather" in record.reason and not record.costs.latency for record in refused)
    assert not {record.trial for record in refused} & {job.number for job in workers.done}
    assert Study.open(folder, owned=True).records == study.records


def test_a_fixed_trial_that_cannot_be_priced_is_listed_and_not_trained(
    folder: Path, run_loop, tables, monkeypatch
) -> None:
    price = search.candidates.screening.design_costs

    def refusing(arch, compression, size, tables=()):
        if tables and arch.ends.input_skip == "bicubic":
            raise estimate.MissingOperatorError("table board-x1 has no figure for resize bicubic")
        return price(arch, compression, size, tables)

    monkeypatch.setattr(search.candidates.screening, "design_costs", refusing)
    study, _ = run_loop(folder, trials=2, rungs=(100,), objectives=("psnr", WORD), tables=tables)
    by_source = {record.source: record for record in study.records.values() if record.is_fixed}
    assert by_source["s-lwsr16"].status == "trained"
    assert by_source["s-lwsr16+skip"].status == "failed"
    assert "resize bicubic" in by_source["s-lwsr16+skip"].reason
    again, _ = run_loop(folder, trials=3, rungs=(100,))
    assert sum(record.source == "s-lwsr16+skip" for record in again.records.values()) == 1


def test_a_table_that_changed_stops_the_search(folder: Path, run_loop, tables) -> None:
    run_loop(folder, trials=1, rungs=(100,), budget="60k-params", objectives=("psnr", WORD), tables=tables)
    write_small_table(Path(tables[0].source).parent, scale=3.0)
    load_used.cache_clear()
    with pytest.raises(ValueError, match="board-x1 must be the one that the run used"):
        run_loop(folder, trials=2, rungs=(100,))


def finished_run(folder: Path, run_loop, trials: int = 12) -> bytes:
    study, _ = run_loop(folder, trials=trials, budget="60k-params")
    study.note("baseline", {"psnr_db": 28.0})
    return (folder / JOURNAL).read_bytes()


def test_recost_draws_the_front_for_other_phones(folder: Path, run_loop, tables, tmp_path: Path, capsys) -> None:
    before = finished_run(folder, run_loop)
    slow = write_small_table(tmp_path, "board-y2", 2.0, 6.0, device="Board Y")
    command = ["recost", str(folder), "--device", f"{tables[0].source},{slow}"]
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    run = read_run(folder)
    trained = sum(bool(trial.rungs) for trial in run.trials)
    assert answer["input"] == "64x36"
    for name in ("board-x1", "board-y2"):
        assert answer["tables"][name]["networks"] == trained
        assert answer["tables"][name]["refused"] == []
        rows = list(csv.DictReader((folder / "recost" / f"front-{name}.csv").open()))
        members = [int(row["trial"]) for row in rows if row["on_front"] == "True"]
        assert members == [member["trial"] for member in answer["tables"][name]["front"]]
        for row, member in zip(rows, answer["tables"][name]["front"], strict=True):
            assert float(row[f"ms@{name}"]) == member["ms"]
            assert float(row[f"ms_low@{name}"]) < member["ms"] < float(row[f"ms_high@{name}"])
    kinds = ("front-{}.csv", "front-{}.json", "pareto-{}.png", "pareto-{}.svg", "report-{}.html")
    assert {path.name for path in (folder / "recost").iterdir()} == {
        "recost.json",
        *(kind.format(name) for kind in kinds for name in ("board-x1", "board-y2")),
    }
    ranks = {tuple(entry["between"]): entry["rank_correlation"] for entry in answer["spearman"]}
    assert set(ranks) == {("the run's macs", "board-x1"), ("the run's macs", "board-y2"), ("board-x1", "board-y2")}
    macs = [trial.costs.macs for trial in run.trials if trial.rungs]
    price = {
        name: [
            architecture_costs(t.architecture, (64, 36), [load_table(str(path))]).of(latency_key(name))
            for t in run.trials
            if t.rungs
        ]
        for name, path in (("board-x1", tables[0].source), ("board-y2", slow))
    }
    assert ranks["the run's macs", "board-x1"] == pytest.approx(spearmanr(macs, price["board-x1"]).statistic)
    assert ranks["the run's macs", "board-y2"] == pytest.approx(spearmanr(macs, price["board-y2"]).statistic)
    assert ranks["board-x1", "board-y2"] == pytest.approx(spearmanr(price["board-x1"], price["board-y2"]).statistic)
    exclusive = {name: set(answer["tables"][name]["not_on_every_front"]) for name in ("board-x1", "board-y2")}
    fronts = {name: {m["trial"] for m in answer["tables"][name]["front"]} for name in exclusive}
    assert exclusive["board-x1"] == fronts["board-x1"] - fronts["board-y2"]
    assert (folder / JOURNAL).read_bytes() == before

    elsewhere = ["recost", str(folder), "--device", str(slow), "--input", "32x32", "--out", str(tmp_path / "elsewhere")]
    assert main(elsewhere) == 0
    out = capsys.readouterr().out
    assert "Spearman" in out
    assert "Board Y" in out
    assert "32x32" in out
    assert (tmp_path / "elsewhere" / "recost.json").exists()


def test_recost_lists_what_a_table_cannot_price(folder: Path, run_loop, tables, monkeypatch, capsys) -> None:
    import reports.run.recost

    finished_run(folder, run_loop, trials=4)
    chosen = next(trial for trial in read_run(folder).trials if trial.rungs)
    price = reports.run.recost.design_costs

    def refusing(arch, compression, size, tables=()) -> Costs:
        if arch == chosen.architecture:
            raise estimate.MissingOperatorError("table board-x1 has no figure for gather 16 channels at 64x36")
        return price(arch, compression, size, tables)

    monkeypatch.setattr(reports.run.recost, "design_costs", refusing)
    assert main(["recost", str(folder), "--device", tables[0].source]) == 0
    assert f"#{chosen.trial} search is left out: table board-x1 has no figure for gather" in capsys.readouterr().out
    refused = json.loads((folder / "recost" / "recost.json").read_text())["tables"]["board-x1"]["refused"]
    assert [entry["trial"] for entry in refused] == [chosen.trial]


def test_recost_shows_other_number_formats_with_their_name(folder: Path, run_loop, tmp_path: Path, capsys) -> None:
    finished_run(folder, run_loop, trials=3)
    table = write_small_table(tmp_path, "board-x1-int8", 0.5, dtype="int8")
    assert main(["recost", str(folder), "--device", str(table)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "1 thread, int8, Engine" in out
    assert "what int8 does to it was not measured" in out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["RUN"], "--device"),
        (["RUN", "--device", "pixel-9000"], "--device: unknown latency table 'pixel-9000'"),
        (["RUN", "--device", ""], "after @, got nothing"),
        (["RUN", "--device", "TABLE,TABLE"], "--device must name each latency table once"),
        (["RUN", "--device", "TABLE", "--input", "wide"], "got 'wide'"),
        (["RUN", "--device", "TABLE", "--out", "TABLE"], "--out must be a folder"),
        (["nowhere", "--device", "TABLE"], "'nowhere' must be a run's folder"),
        (["RUN", "--device", "missing.csv"], "missing.csv"),
    ],
)
def test_mistakes_of_recost_are_one_line(folder: Path, run_loop, tables, capsys, arguments, part: str) -> None:
    before = finished_run(folder, run_loop, trials=1)
    words = {"RUN": str(folder), "TABLE": tables[0].source, "TABLE,TABLE": f"{tables[0].source},{tables[0].source}"}
    try:
        status = main(["recost", *(words.get(argument, argument) for argument in arguments)])
    except SystemExit as leaving:
        status = leaving.code
    error = capsys.readouterr().err
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    assert part in error
    assert (folder / JOURNAL).read_bytes() == before


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (15, 15, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(pixels).save(folder / "a.png")
    return folder


def session_of(folder: Path, photos: Path, *arguments: str) -> Session:
    """What ``run`` would begin with ``arguments``."""
    parser = Parser()
    add_options(parser)
    common = ["--task", "sr", "--trials", "1", "--workers", "1", "--input", "64x36", "--run-dir", str(folder)]
    data = ["--train-data", str(photos), "--val-data", str(photos)]
    return check_and_read(run_command.request_of(parser.parse_args([*common, *data, *arguments])))


def test_a_budget_in_milliseconds_makes_them_the_objective(folder: Path, photos: Path, tables, tmp_path: Path) -> None:
    limit = f"9k-params,20ms@{tables[0].source}"
    request = session_of(folder, photos, "--budget", limit).request
    assert request.wanted.objectives == ("psnr", WORD)
    assert request.budget.text == "9k-params,20ms@board-x1"
    assert request.wanted.tables == tables
    other = write_small_table(tmp_path, "board-y2")
    request = session_of(folder, photos, "--budget", limit, "--latency", str(other)).request
    assert request.wanted.objectives == ("psnr", WORD)
    assert [use.name for use in request.wanted.tables] == ["board-x1", "board-y2"]
    request = session_of(folder, photos, "--budget", limit, "--objective", f"ms@{other},psnr,macs").request
    assert request.wanted.objectives == ("psnr", "ms@board-y2", "macs")
    assert [use.name for use in request.wanted.tables] == ["board-x1", "board-y2"]
    assert session_of(folder, photos, "--budget", "9k-params").request.wanted.objectives == ("psnr", "macs")


def test_a_run_goes_on_only_with_its_own_tables(folder: Path, photos: Path, tables) -> None:
    limit = ["--budget", f"9k-params,20ms@{tables[0].source}"]
    session = session_of(folder, photos, *limit)
    Study.create(folder, session.settings)
    assert session_of(folder, photos, *limit).existing.settings == session.settings
    more = write_small_table(folder.parent, "board-y2")
    with pytest.raises(UserError, match=r"made with latency tables board-x1, got board-x1,board-y2; .* recost"):
        session_of(folder, photos, *limit, "--latency", str(more))
    write_small_table(Path(tables[0].source).parent, scale=1.5)
    with pytest.raises(
        UserError, match=f"board-x1 must be the one that the run used, {tables[0].fingerprint}, got .*;"
    ):
        session_of(folder, photos, *limit)


def test_int8_milliseconds_are_those_of_networks_measured_in_int8(folder: Path, photos: Path, tmp_path: Path) -> None:
    table = write_small_table(tmp_path, "board-x1-int8", dtype="int8")
    for arguments in (["--budget", f"900ms@{table}"], ["--budget", "9k-params", "--objective", f"psnr,ms@{table}"]):
        assert session_of(folder, photos, *arguments).settings.dtype == "int8"
    shown = session_of(folder, photos, "--budget", "9k-params", "--latency", str(table)).request
    assert shown.wanted.objectives == ("psnr", "macs")
    assert shown.wanted.tables[0].dtype == "int8"
    assert shown.wanted.dtype == "fp32"
