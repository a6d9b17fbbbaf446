"""Compressed trials of a run: which there are, what they begin with, what they may take, and that a kill loses none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import search
from evaluators.compression.compression import INT8, Compression
from evaluators.compression.int8 import Int8Network
from evaluators.costs import architecture_costs
from evaluators.quality import evaluate
from reports.run.compressed import compressed_time, compression_steps
from search.dashboard_view import dashboard_view
from search.models.trials import trained_network
from search.records import Descent, Status, TrialRecord
from search.request.request import request_from_options
from search.sessions import session as session_module
from search.storage.artifacts import measured_weights_name, pruned_weights_name
from search.storage.study import Study
from search.workers.jobs import RungJob
from search.workers.pruning import PruneJob
from space.errors import UserError
from tests.in_process_workers import InProcessWorkers
from tests.search_tests.compressing_workers import CompressingWorkers
from tests.search_tests.conftest import Killed, search_by_formula

STEPS = ("prune", "int8", "distil")


def run_compressed(folder: Path, run_loop, workers: CompressingWorkers | None = None, trials: int = 6, **changes):
    return run_loop(folder, trials, workers or CompressingWorkers(), compress=STEPS, **changes)


def children(study: Study, how: str) -> list[TrialRecord]:
    return [each for each in study.records.values() if each.descent and each.descent.how == how]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, CompressingWorkers]:
    """A study with compressed trials, and the workers that did its jobs."""
    workers = CompressingWorkers()
    study, _ = search_by_formula(tmp_path_factory.mktemp("searched"), 6, workers, compress=STEPS)
    return study, workers


def test_promoted_candidates_get_children(searched: tuple[Study, CompressingWorkers]) -> None:
    study, workers = searched
    records = study.records
    pruned, in_int8 = children(study, "prune"), children(study, "int8")
    assert pruned
    assert in_int8
    for child in (*pruned, *in_int8):
        parent = records[child.parent]
        assert parent.at_rung(child.rungs[0].rung) is not None
        assert child.rungs[0].rung >= 1
    assert all(child.costs.params < records[child.parent].costs.params for child in pruned if child.rungs)
    assert all(child.architecture == records[child.parent].architecture for child in in_int8)
    # It has had as many steps in all as every other network of its rung, half of them as its parent.
    job = next(job for job in workers.done if isinstance(job, RungJob) and job.number == pruned[0].trial)
    assert job.begun_at == study.settings.rungs[job.rung - 1]
    assert job.start == pruned_weights_name(pruned[0].parent, pruned[0].compression.pruned)
    measured = [job for job in workers.done if isinstance(job, RungJob) and records[job.number].follows]
    assert all(job.begun_at == job.steps and job.compression.dtype == INT8 for job in measured)
    assert all(job.start.endswith(f"-rung-{job.rung}.safetensors") for job in measured)


def test_the_taught_have_a_better_and_dearer_teacher(searched: tuple[Study, CompressingWorkers]) -> None:
    study, workers = searched
    taught = [each for each in children(study, "distil") if each.rungs]
    assert taught
    for child in taught:
        teacher, parent = study.records[child.descent.teacher], study.records[child.parent]
        rung = child.descent.rung
        assert teacher.costs.macs > parent.costs.macs
        assert teacher.at_rung(rung).psnr_db > parent.at_rung(rung).psnr_db
        job = next(job for job in workers.done if isinstance(job, RungJob) and job.number == child.trial)
        assert job.teacher == (teacher.architecture, measured_weights_name(teacher.trial, rung))
        assert job.start == measured_weights_name(child.parent, rung - 1)


def test_int8_follows_its_parent_up(searched: tuple[Study, CompressingWorkers]) -> None:
    records = searched[0].records
    climbed = [each for each in children(searched[0], "int8") if len(each.rungs) > 1]
    assert climbed
    assert all(each.rungs[-1].rung <= records[each.parent].rungs[-1].rung for each in climbed)


def test_the_papers_networks_get_their_int8_form_and_no_other(searched: tuple[Study, CompressingWorkers]) -> None:
    study = searched[0]
    papers = {each.trial for each in study.records.values() if each.is_fixed}
    made_of = {each.descent.how for each in study.records.values() if each.parent in papers}
    assert made_of <= {"int8"}


def test_children_do_not_count_as_searched_networks(searched: tuple[Study, CompressingWorkers]) -> None:
    trials = searched[0].records.values()
    assert len([each for each in trials if not each.is_fixed and each.descent is None and each.rungs]) == 6


def test_they_take_no_more_than_their_share(tmp_path: Path, run_loop) -> None:
    def share(folder: str, **changes) -> float:
        (tmp_path / folder).mkdir()
        study, _ = run_compressed(tmp_path / folder, run_loop, **changes)
        seconds = {each.trial: sum(r.train_s + r.eval_s for r in each.rungs) for each in study.records.values()}
        own = sum(seconds[each.trial] for each in study.records.values() if each.descent)
        return own / sum(seconds.values())

    little = share("little", compress_share=0.1)
    assert 0 < little <= 0.1
    assert little < share("much", compress_share=0.6)


def test_no_children_without_the_option(tmp_path: Path, run_loop) -> None:
    study, _ = run_loop(tmp_path)
    assert not any(each.descent for each in study.records.values())


def test_what_cannot_be_pruned_is_not_tried_again(tmp_path: Path, run_loop) -> None:
    workers = CompressingWorkers()
    workers.prunes = False
    study, _ = run_compressed(tmp_path, run_loop, workers)
    tried = [(job.parent, job.ratio) for job in workers.done if isinstance(job, PruneJob)]
    assert tried
    assert len(set(tried)) == len(tried)
    assert {each.status for each in children(study, "prune")} == {Status.FAILED}
    again, _ = run_compressed(tmp_path, run_loop, trials=9)
    assert not {(each.parent, each.compression.pruned) for each in children(again, "prune") if each.rungs} & set(tried)


@pytest.mark.parametrize("die_after", [22, 37])
def test_a_kill_loses_no_child(die_after: int, tmp_path: Path, run_loop) -> None:
    with pytest.raises(Killed):
        run_compressed(tmp_path, run_loop, CompressingWorkers(die_after=die_after))
    before = Study.open(tmp_path, owned=False)
    assert before is not None
    study, _ = run_compressed(tmp_path, run_loop)
    for number, record in before.records.items():
        assert study.records[number].as_design == record.as_design
        assert study.records[number].descent == record.descent
        assert study.records[number].rungs[: len(record.rungs)] == record.rungs
    made = [(each.parent, each.descent.how, each.compression) for each in study.records.values() if each.descent]
    assert len(set(made)) == len(made)


def test_a_record_is_read_as_it_was_written() -> None:
    arch = search.model_named("espcn").architecture
    record = TrialRecord(3, "search", Status.RUNNING, arch, {}, architecture_costs(arch, (32, 32)))
    child = replace(record, compression=Compression(0.5, INT8, ("a",), "#4"), descent=Descent(1, "prune", 2, 200, 4))
    assert TrialRecord.from_dict(child.to_dict()) == child
    old = {name: value for name, value in record.to_dict().items() if name not in ("compression", "descent")}
    assert TrialRecord.from_dict(old) == record


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name in "abc":
        small = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        small.resize((96, 96), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def compressed_run(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> search.Run:
    """A real one: trained, pruned, taught and quantized."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module, "ProcessWorkers", InProcessWorkers)
        return search.run(
            task="sr",
            budget="12k-params",
            compress="prune,int8,distil",
            compress_share=0.9,
            trials=3,
            rungs="2,4",
            input="64x36",
            workers=1,
            device="cpu",
            precision="fp32",
            train_data=pictures,
            val_data=pictures,
            run_dir=folder,
            progress=False,
        )


def test_a_real_run_has_them_on_its_front(compressed_run: search.Run) -> None:
    run = compressed_run.result
    assert run.settings.objectives == ("psnr", "ms@pixel4-a76")  # int8 is free in MACs
    how = {each.descent.how for each in run.trials if each.descent and each.rungs}
    assert {"prune", "int8"} <= how
    frame = compressed_run.table
    assert {"parent", "dtype", "pruned", "taught_by"} <= set(frame.columns)
    steps = compression_steps(run)
    assert {step.child.parent == step.parent.trial for step in steps} == {True}
    assert all(after < before for step in steps if step.child.follows for _, before, after in step.costs)
    assert "of the time" in compressed_time(run)
    page = (compressed_run.folder / "report.html").read_text()
    assert "What compression cost and brought" in page
    assert "int8 of #" in page


def test_int8_is_measured_as_it_says(compressed_run: search.Run, pictures: Path) -> None:
    from evaluators import data

    run, folder = compressed_run.result, compressed_run.folder
    child = next(each for each in run.trials if each.follows and each.rungs)
    network = trained_network(child, folder, child.rungs[-1].rung)
    assert isinstance(network, Int8Network)
    rules = run.settings.rules
    pairs = data.validation_pairs(data.validation_images(pictures, rules), rules)
    again = evaluate(network, pairs, rules)
    assert again.psnr_db == pytest.approx(child.rungs[-1].psnr_db, abs=1e-3)
    model = compressed_run.model(child)
    assert model.facts["compression"]["dtype"] == "int8"
    assert model.facts["compression"]["parent"].endswith(f"#{child.parent}")


def test_other_phones_price_each_in_its_format(compressed_run: search.Run) -> None:
    again = compressed_run.recost("a03s-a53")
    by_trial = {each.trial: each for each in again.recosted.run.trials}
    child = next(each for each in by_trial.values() if each.follows)
    own, exact = child.costs.latency["a03s-a53"].ms, by_trial[child.parent].costs.latency["a03s-a53"].ms
    assert own < exact
    picked = compressed_run.pick("900ms@a03s-a53")
    assert picked.trial.costs.latency["a03s-a53"].ms <= 900


def test_the_dashboard_shows_them(compressed_run: search.Run, tmp_path: Path) -> None:
    study = Study.open(compressed_run.folder, owned=False)
    assert study is not None
    storage = dashboard_view(study, compressed_run.result, compressed_run.folder, tmp_path)
    last = max(each.rung for trial in compressed_run.result.trials for each in trial.rungs)
    shown = next(each for each in storage.get_all_studies() if f"after {(2, 4)[last]} steps" in each.study_name)
    there = [trial for trial in compressed_run.result.trials if trial.at_rung(last) is not None]
    assert any(trial.descent for trial in there)
    assert storage.get_n_trials(shown._study_id) == len(there)


def test_a_budget_in_int8_measures_in_int8(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "ProcessWorkers", InProcessWorkers)
    run = search.run(
        task="sr", budget="12ms@pixel4-a76-int8", trials=1, rungs="1,2", input="64x36", workers=1, device="cpu",
        precision="fp32", train_data=pictures, val_data=pictures, run_dir=tmp_path / "run", progress=False,
    )  # fmt: skip
    trained = [each for each in run.result.trials if each.rungs]
    assert {each.compression.dtype for each in trained} == {"int8"}
    assert isinstance(trained_network(trained[0], run.folder, 0), Int8Network)
    assert "int8, simulated" in (run.folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compress": "prune,fp8"}, "--compress must be of prune, int8, distil, got 'fp8'"),
        ({"compress": "int8", "objective": "psnr,macs"}, "needs an objective that int8 lowers, got psnr,macs"),
        ({"compress": "int8", "budget": "80ms@pixel4-a76-int8"}, "every network is int8; leave int8 out"),
        ({"compress": "prune", "compress_share": "1.5"}, "--compress-share must be a number above 0 and below 1"),
        ({"budget": "80ms@pixel4-a76-int8,300ms@pixel4-a76"}, "tables of one number format"),
        ({"budget": "80ms@pixel4-a76-int8", "latency": "pixel4-a55"}, "--latency must name int8 tables"),
    ],
)
def test_mistakes(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        request_from_options(**{"task": "sr", "budget": "60k-params", **options})


def test_a_table_without_int8_is_a_mistake(tmp_path: Path) -> None:
    from latency_tables.tables.table import DATA

    for name in ("pixel4-a76.csv", "pixel4-a76.provenance.json"):
        (tmp_path / name.replace("pixel4-a76", "mine")).write_bytes((DATA / name).read_bytes())
    with pytest.raises(UserError, match="measured in int8, got mine, which has none"):
        request_from_options(task="sr", budget=f"300ms@{tmp_path / 'mine.csv'}", compress="int8")
