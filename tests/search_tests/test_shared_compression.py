"""Compressed trials of a run with shared weights: of what they are made, what they take, and that they change nothing
of what is searched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import pytest

import search
from reports.run.compressed import compressed_time
from search.candidates.compressed import root_of
from search.candidates.screening import Screen
from search.models.about import About
from search.records import TrialRecord
from search.request.request import request_from_options
from search.sessions import session as session_module
from search.sharing import planning
from search.sharing.generation import Generation
from search.sharing.planning import FINAL_SHARE, compressed_share, kept_share
from search.storage import shared_notes
from search.storage.artifacts import LocalArtifacts, measured_weights_name, pruned_weights_name
from search.storage.note_names import PRUNED_S
from search.storage.study import Study
from search.workers.jobs import RungJob
from search.workers.pruning import PruneJob
from space import TASKS
from space.weights import read_stored
from tests.in_process_workers import InProcessWorkers
from tests.search_tests.compressing_workers import CompressingWorkers
from tests.search_tests.conftest import Killed, settings
from tests.search_tests.sharing_workers import SharingWorkers
from tests.search_tests.sharing_workers import search as search_shared

STEPS = "prune,int8,distil"
RUNGS = (100, 150, 200)
MANY = {"budget": "60k-params", "compress_share": 0.6}  # networks that differ enough to teach one another


@dataclass
class Workers(SharingWorkers, CompressingWorkers):
    """Those that share weights do what they know; the others the rest."""


def compressed(
    folder: Path, workers: Workers | None = None, compress: str = STEPS, **more: object
) -> tuple[Study, Workers]:
    workers = workers or Workers()
    study, _ = search_shared(folder, workers=workers, compress=compress, **more)
    return study, workers


def children(study: Study) -> list[TrialRecord]:
    return [each for each in study.records.values() if each.descent]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Workers]:
    return compressed(tmp_path_factory.mktemp("shared"), **MANY)


def test_variants_come_of_finalists_alone(searched: tuple[Study, Workers]) -> None:
    study, workers = searched
    measured = [each for each in children(study) if each.rungs]
    assert {each.descent.how for each in measured if each.descent} == {"prune", "int8", "distil"}
    inherited_only = [each.trial for each in study.records.values() if each.family is not None and len(each.rungs) == 1]
    assert inherited_only
    for child in children(study):
        assert child.descent is not None
        assert child.descent.rung >= 1
        assert child.family is None
        assert child.parent not in inherited_only
    first_child = min(each.trial for each in children(study))
    assert all(each.trial < first_child for each in study.records.values() if not each.descent)
    assert not [job for job in workers.done if isinstance(job, PruneJob) and job.parent in inherited_only]


def test_a_variant_has_its_parents_weights_steps_and_rate(searched: tuple[Study, Workers]) -> None:
    study, workers = searched
    made = {each.trial: each for each in children(study)}
    jobs = [job for job in workers.done if isinstance(job, RungJob) and job.number in made]
    assert jobs
    for job in jobs:
        child = made[job.number]
        parent = study.records[child.descent.parent]
        assert not job.inherits
        assert job.shared_steps == RUNGS[0]
        result = parent.at_rung(job.rung)
        assert result is not None
        assert (job.steps, job.rung) == (result.steps, result.rung)
        if child.follows:
            assert (job.start, job.begun_at) == (measured_weights_name(parent.trial, job.rung), job.steps)
        else:
            assert job.begun_at == RUNGS[child.descent.rung - 1]
    pruned = next(job for job in jobs if made[job.number].descent.how == "prune")
    assert pruned.start == pruned_weights_name(made[pruned.number].parent, made[pruned.number].compression.pruned)
    taught = next(job for job in jobs if made[job.number].descent.how == "distil")
    descent = made[taught.number].descent
    assert taught.start == measured_weights_name(descent.parent, descent.rung - 1)
    assert taught.teacher is not None
    again = next(each for each in made.values() if study.records[each.parent].descent)  # int8 of one that was pruned
    assert root_of(again, study.records).family is not None


def test_they_climb_after_their_parents(searched: tuple[Study, Workers]) -> None:
    records = searched[0].records
    climbed = [each for each in children(searched[0]) if not each.follows and len(each.rungs) > 1]
    assert climbed
    assert all(records[each.parent].at_rung(each.rungs[-1].rung) for each in climbed)


def test_published_networks_get_their_int8_form_on_the_same_rungs(tmp_path: Path) -> None:
    study, _ = compressed(tmp_path, budget="200k-params", trials=1, compress_share=0.6)
    papers = {each.trial for each in study.records.values() if each.is_fixed}
    made = [each for each in children(study) if each.parent in papers]
    assert {each.parent for each in made} == papers
    assert {each.descent.how for each in made} == {"int8"}
    assert {result.rung for each in made for result in each.rungs} == {1, 2}


def test_they_change_nothing_of_what_is_searched(tmp_path: Path) -> None:
    """Nor which candidates are trained on."""

    def found(folder: str, **more: object) -> list[tuple[int, str, int | None, list[int]]]:
        (tmp_path / folder).mkdir()
        study, _ = search_shared(tmp_path / folder, workers=Workers(), **more)
        others = [each for each in study.records.values() if not each.descent]
        return [(r.trial, r.architecture.key, r.family, [each.steps for each in r.rungs]) for r in others]

    assert found("with", compress="prune,distil", compress_share=0.9) == found("without")


def test_they_count_as_no_candidates(searched: tuple[Study, Workers]) -> None:
    study = searched[0]
    states = {trial.number: trial.state for trial in study.trials()}
    measured = [each for each in children(study) if each.rungs]
    assert {states[each.trial] for each in measured} == {optuna.trial.TrialState.PRUNED}  # not told
    assert sum(each.family is not None for each in study.records.values()) == 12
    request = request_from_options(task="sr", budget="60k-params", input=(64, 36))
    screen = Screen(TASKS["sr"], study.settings, request.budget)
    with_them = Generation(study, screen, LocalArtifacts(Path())).shares()
    before = dict(study.records)
    try:
        study.records = {number: each for number, each in before.items() if not each.descent}
        assert Generation(study, screen, LocalArtifacts(Path())).shares() == with_them
    finally:
        study.records = before


def test_a_longer_run_proposes_as_many_candidates_as_are_asked_for(tmp_path: Path) -> None:
    compressed(tmp_path, trials=8)
    study, _ = compressed(tmp_path, trials=12)
    assert sum(each.family is not None and each.status == "trained" for each in study.records.values()) == 12
    made = {str(each.trial) for each in children(study)}
    assert made
    assert not [r for r in study.records.values() if r.family is not None and (r.reason or "").split(" ")[-1] in made]


@pytest.mark.parametrize("compress_share", [0.05, 0.2, 0.5])
def test_they_take_no_more_than_their_share(compress_share: float, tmp_path: Path) -> None:
    """Of all training and measuring, that of shared weights among it."""
    study, _ = compressed(tmp_path, compress_share=compress_share)
    seconds = {each.trial: sum(r.train_s + r.eval_s for r in each.rungs) for each in study.records.values()}
    own = sum(seconds[each.trial] for each in children(study)) + study.noted(PRUNED_S, 0.0)
    whole = sum(seconds.values()) + study.noted(PRUNED_S, 0.0)
    whole += sum(each.train_s for each in shared_notes.shared_weights(study))
    assert 0 < own <= compress_share * whole


def test_without_a_rung_above_the_inherited_one_there_are_none(tmp_path: Path) -> None:
    study, _ = compressed(tmp_path, rungs=(100,))
    assert not children(study)


def journal(study: Study) -> list[tuple[object, ...]]:
    return [
        (r.trial, r.architecture.key, r.compression, r.descent, r.status, r.family, [each.steps for each in r.rungs])
        for r in study.records.values()
    ]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7, 0.95])
def test_a_kill_at_any_point_leaves_a_run_that_goes_on(
    share: float, tmp_path: Path, searched: tuple[Study, Workers]
) -> None:
    with pytest.raises(Killed):
        compressed(tmp_path, workers=Workers(die_after=round(share * len(searched[1].done))), **MANY)
    study, _ = compressed(tmp_path, **MANY)
    assert sorted(journal(study), key=str) == sorted(journal(searched[0]), key=str)


@pytest.mark.parametrize(
    ("compress", "most", "expected"),
    [
        ((), 0.3, 0.0),
        (("int8",), 0.3, 0.0),  # only measured
        (("prune",), 0.3, FINAL_SHARE),
        (("prune", "int8"), 0.1, 0.1),
        (("prune", "distil"), 0.3, 0.3),
        (("prune", "distil"), 0.9, 3 * FINAL_SHARE),
    ],
)
def test_time_is_kept_for_them_and_for_finals(compress: tuple[str, ...], most: float, expected: float) -> None:
    made = replace(settings(), compress=compress, compress_share=most)
    assert compressed_share(made) == pytest.approx(expected)
    assert kept_share(made) - expected == pytest.approx((1 - expected) * FINAL_SHARE)  # as in a run of what is left


def test_a_plan_leaves_time_for_them(tmp_path: Path) -> None:
    def planned(folder: str, **more: object) -> dict[str, object]:
        (tmp_path / folder).mkdir()
        study, _ = search_shared(tmp_path / folder, trials=1, time_s=600, workers=Workers(), **more)
        return study.noted(planning.NOTE)

    with_them, without = planned("with", compress="prune"), planned("without")
    assert with_them["families"] <= without["families"]
    assert with_them["rungs"] < without["rungs"]


@pytest.fixture(scope="module")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> search.Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module, "ProcessWorkers", InProcessWorkers)
        return search.run(
            task="sr", budget="12k-params", evaluator="shared", compress=STEPS, compress_share=0.9, trials=3,
            rungs="2,4", input="64x36", workers=1, device="cpu", precision="fp32", progress=False,
            run_dir=tmp_path_factory.mktemp("runs") / "small",
        )  # fmt: skip


@pytest.mark.long
def test_a_real_run_has_them_on_its_page(real_run: search.Run) -> None:
    run = real_run.result
    measured = [each for each in run.trials if each.descent and each.rungs]
    assert {"prune", "int8"} <= {each.descent.how for each in measured}
    assert all([result.steps for result in each.rungs] == [4] for each in measured)
    page = real_run.page.read_text("utf-8")
    assert "What compression cost and brought" in page
    assert "int8 of #" in page
    assert compressed_time(run) in page


@pytest.mark.long
def test_their_weights_say_what_was_shared(real_run: search.Run) -> None:
    run, folder = real_run.result, real_run.folder
    child = next(each for each in run.trials if each.descent and each.descent.how == "prune" and each.rungs)
    stored = About.read(read_stored(folder / measured_weights_name(child.trial, 1)).metadata, "here")
    assert stored is not None
    for facts in (stored.facts, real_run.model(child).facts):
        assert (facts["training"]["steps"], facts["training"]["shared_steps"]) == (4, 2)


def test_in_a_later_generation_variants_come_of_what_was_trained_on_in_it(tmp_path: Path) -> None:
    options = {"budget": "60k-params", "compress": "prune,int8", "compress_share": 0.5, "trials": 6}
    first, _ = compressed(tmp_path, time_s=1_200, **options)
    made = {each.trial for each in children(first)}
    assert made
    study, workers = compressed(tmp_path, time_s=2_400, **options)
    later = [each for each in children(study) if each.trial not in made and each.rungs]
    assert {each.descent.how for each in later if each.descent} == {"prune", "int8"}
    for child in later:
        root = root_of(child, study.records)
        assert root.first_rung == 2
        assert [result.rung for result in child.rungs] == [3]
    for number in made:
        assert study.records[number].rungs == first.records[number].rungs
    designs = {each.as_design for each in children(first) if each.rungs}
    assert designs & {each.as_design for each in later}  # made again: what it had before is compared with nothing now
    alone = [j for j in workers.done if isinstance(j, RungJob) and study.records[j.number].descent and j.shared_steps]
    assert {job.shared_steps for job in alone} == {study.settings.rungs[2]}
