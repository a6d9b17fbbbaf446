"""A run in Optuna's dashboard: names, short attributes, final figures; and the command with a stub in its place."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import optuna
import pytest

from search.cli import main
from search.dashboard_view import dashboard_view
from search.storage.journal import JOURNAL, journal_storage
from search.storage.run_files import read_run, result_of
from search.storage.study import Study

LONGEST = 80  # characters of an attribute that a dashboard shows in a table


@pytest.fixture
def run(tmp_path: Path, run_loop) -> Path:
    study, _ = run_loop(trials=9, budget="60k-params", rungs=(100, 200))
    study.note("baseline", {"psnr_db": 28.0})
    return tmp_path


def test_the_stored_study_has_names_and_short_attributes(run: Path) -> None:
    study = optuna.load_study(study_name="litefront", storage=journal_storage(run / JOURNAL))
    assert study.metric_names == ["PSNR dB, first rung", "macs"]
    records = Study.open(run, owned=False).records
    for trial in study.trials:
        if trial.state.name == "WAITING":
            continue
        shown, record = trial.user_attrs, records[trial.number]
        assert {"source", "key", "params", "macs"} <= shown.keys()
        assert shown["key"] == record.architecture.key
        assert ("psnr@100" in shown) == bool(record.rungs)
        assert all(len(json.dumps(value)) < LONGEST for value in shown.values())
    assert not any("/" in name for name in study.user_attrs)  # later rungs are not among what a person reads


def test_the_view_has_a_study_per_rung_with_its_own_figures(run: Path, tmp_path: Path) -> None:
    (run / "strip-a.png").write_bytes(b"picture")
    study, kept = Study.open(run, owned=False), tmp_path / "artifacts"
    kept.mkdir()
    result = result_of(study, run)
    before = (run / JOURNAL).read_bytes()
    view = dashboard_view(study, result, run, kept)
    assert (run / JOURNAL).read_bytes() == before
    names = [found.study_name for found in view.get_all_studies()]
    assert sorted(names) == [f"{run.name}, after {steps} steps" for steps in (100, 200)]
    for rung, steps in enumerate((100, 200)):
        shown = optuna.load_study(study_name=f"{run.name}, after {steps} steps", storage=view)
        assert shown.metric_names == [f"PSNR dB after {steps} steps", "macs"]
        complete = [trial for trial in shown.trials if trial.state.name == "COMPLETE"]
        assert {t.user_attrs["trial"] for t in complete} == {t.trial for t in result.trials if t.at_rung(rung)}
        for trial in complete:
            record = study.records[trial.user_attrs["trial"]]
            assert trial.values == [record.at_rung(rung).psnr_db, record.costs.macs]
            assert trial.user_attrs.get("psnr@200") == (
                round(record.rungs[1].psnr_db, 3) if len(record.rungs) > 1 else None
            )
            metas = optuna.artifacts.get_all_artifact_meta(trial, storage=view)
            architecture = next(meta for meta in metas if meta.filename.startswith("architecture"))
            assert json.loads((kept / architecture.artifact_id).read_text())["backbone"] == record.architecture.backbone
    first = optuna.load_study(study_name=f"{run.name}, after 100 steps", storage=view)
    pruned = [trial for trial in first.trials if trial.state.name == "PRUNED"]
    assert {t.user_attrs["status"] for t in pruned} <= {"over-budget", "duplicate"}
    stored = study.trials()
    assert all(t.constraints == stored[t.user_attrs["trial"]].constraints for t in first.trials)
    pictures = [
        meta.filename
        for found in names
        for trial in optuna.load_study(study_name=found, storage=view).trials
        for meta in optuna.artifacts.get_all_artifact_meta(trial, storage=view)
        if meta.filename.endswith(".png")
    ]
    assert pictures
    assert set(pictures) == {"strip-a.png"}


def test_the_command_serves_the_view_and_leaves_nothing(run: Path, monkeypatch, capsys) -> None:
    served = {}

    def run_server(view, host, port, artifact_store):
        served.update(port=port, studies=len(view.get_all_studies()), folder=Path(artifact_store._base_path))
        assert served["folder"].is_dir()

    monkeypatch.setitem(sys.modules, "optuna_dashboard", types.SimpleNamespace(run_server=run_server))
    assert main(["dashboard", str(run), "--port", "9001"]) == 0
    assert (served["port"], served["studies"]) == (9001, 2)
    assert not served["folder"].exists()
    assert "http://localhost:9001" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["RUN"], "error: dashboard needs optuna-dashboard; pip install 'litefront[dashboard]'"),
        (["RUN", "--port", "70000"], "--port must be at most 65535, got 70000"),
        (["RUN", "--port", "x"], "--port must be a whole number"),
        (["nowhere"], "'nowhere' must be a run's folder"),
    ],
)
def test_mistakes_are_one_line(run: Path, monkeypatch, capsys, words: list[str], said: str) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)  # not installed
    assert main(["dashboard", *(str(run) if word == "RUN" else word for word in words)]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert len(shown.splitlines()) == 1


def test_a_run_without_trials_has_an_empty_view(tmp_path: Path) -> None:
    from tests.search_tests.conftest import settings

    Study.create(tmp_path, settings())
    (tmp_path / "kept").mkdir()
    view = dashboard_view(Study.open(tmp_path, owned=False), read_run(tmp_path), tmp_path, tmp_path / "kept")
    assert view.get_all_studies() == []
