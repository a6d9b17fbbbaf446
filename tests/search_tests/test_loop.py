"""The whole search with workers that answer by formula: order, ladder, constraints, kills, repeatability."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import pytest

from search.candidates.fixed_trials import fixed_trials
from search.candidates.initial_points import initial_points, narrow_first
from search.candidates.initial_trials import enqueue_initial
from search.candidates.screening import Screen
from search.loop import Limits, SearchLoop
from search.pareto import front, front_rung
from search.proposers import PROPOSERS
from search.request.budget import parse_budget
from search.request.request import request_from_options
from search.sessions.deadline import Deadline
from search.sessions.step_timing import TIMED_NETWORKS, TimingFailedError, step_seconds, timed
from search.storage.journal import JOURNAL, journal_storage
from search.storage.study import Study
from search.workers.jobs import Timed
from search.workers.messages import Failed, MachineTrouble
from space import TASKS, ZOO
from space.blocks import block_knobs
from tests.search_tests.conftest import FormulaWorkers, Killed, SilentListener, settings
from tests.search_tests.made_records import as_result

FIXED = [
    "s-lwsr16",
    "s-lwsr16+skip",
    "s-lwsr16-no-pool",
    "s-lwsr16-no-pool+skip",
    "s-lwsr16-pool-11",
    "s-lwsr16-pool-11+skip",
]


def test_papers_run_first_as_published_and_with_skip_and_reach_the_last_rung(run_loop) -> None:
    study, workers = run_loop(trials=3)
    fixed = [record for _, record in sorted(study.records.items()) if record.is_fixed]
    assert [record.source for record in fixed] == FIXED
    assert all(len(record.rungs) == 3 for record in fixed)
    first_jobs = [job.number for job in workers.done[: 3 * len(FIXED)]]
    assert set(first_jobs) == {record.trial for record in fixed}


def test_fixed_trials_carry_their_knobs_as_parameters(tmp_path: Path, run_loop) -> None:
    run_loop(trials=1, rungs=(100,))
    study = optuna.load_study(study_name="litefront", storage=journal_storage(tmp_path / JOURNAL))
    by_source = {trial.user_attrs["source"]: trial for trial in study.trials if "source" in trial.user_attrs}
    assert by_source["s-lwsr16"].params["width"] == 16
    assert by_source["s-lwsr16"].params["input_skip"] == "none"
    assert by_source["s-lwsr16+skip"].params["input_skip"] == "bicubic"


def test_budget_breakers_are_pruned_with_their_constraint_and_never_trained(tmp_path: Path, run_loop) -> None:
    study, workers = run_loop(trials=30, budget="60k-params", rungs=(100,))
    over = [record for record in study.records.values() if record.status == "over-budget"]
    assert over
    assert not {record.trial for record in over} & {job.number for job in workers.done}
    stored = optuna.load_study(study_name="litefront", storage=journal_storage(tmp_path / JOURNAL)).trials
    for record in over:
        assert stored[record.trial].state == optuna.trial.TrialState.PRUNED
        assert stored[record.trial].constraints["params"] == record.costs.params - 60_000 > 0
        assert "60k-params" in record.reason
    trained = [record for record in study.records.values() if record.status == "trained"]
    assert len(trained) == 30
    assert all(stored[record.trial].constraints["params"] <= 0 for record in trained)


def test_no_network_is_trained_twice(run_loop) -> None:
    study, workers = run_loop(trials=25, budget="4k-params", rungs=(100,))
    keys = Counter(study.records[job.number].architecture.key for job in workers.done)
    assert max(keys.values()) == 1


def test_the_ladder_continues_one_rung_at_a_time_from_one_checkpoint(run_loop) -> None:
    study, workers = run_loop(trials=12, budget="60k-params")
    for record in study.records.values():
        jobs = [job for job in workers.done if job.number == record.trial]
        assert [job.rung for job in jobs] == list(range(len(jobs)))
        assert len({job.checkpoint for job in jobs}) <= 1
        assert len({job.seed for job in jobs}) <= 1
    reached = Counter(len(record.rungs) for record in study.records.values() if record.rungs)
    assert reached[3] >= 1
    assert reached[1] >= 1


def test_the_front_compares_one_rung_only(run_loop) -> None:
    study, _ = run_loop(trials=14)
    run = as_result(study)
    rung = front_rung(run)
    assert all(member.at_rung(rung) is not None for member in front(run))


def test_a_failed_trial_is_recorded_and_the_search_goes_on(tmp_path: Path, run_loop) -> None:
    study, workers = run_loop(trials=4, rungs=(100,), workers=FormulaWorkers(broken=frozenset({7})))
    broken = workers.done[7].number
    assert study.records[broken].status == "failed"
    assert "not finite" in study.records[broken].reason
    again = Study.open(tmp_path, owned=True)
    assert again.records[broken] == study.records[broken]
    assert sum(record.status == "trained" for record in again.records.values()) == len(FIXED) + 3


@pytest.mark.parametrize("name", sorted(PROPOSERS))
def test_every_sampler_finds_networks_within_the_budget(run_loop, name: str) -> None:
    study, _ = run_loop(trials=14 if name == "gp" else 24, budget="60k-params,2g-macs", rungs=(100,), sampler=name)
    trained = [record for record in study.records.values() if record.status == "trained"]
    assert len(trained) >= 14
    assert all(record.costs.params <= 60_000 and record.costs.macs <= 2e9 for record in trained)


def test_three_objectives(run_loop) -> None:
    study, _ = run_loop(trials=10, rungs=(100,), objectives=("psnr", "macs", "memory"))
    assert len(front(as_result(study))) >= 2


def proposals(study: Study) -> list[str]:
    return [record.architecture.key for _, record in sorted(study.records.items())]


def test_a_seed_gives_the_same_proposals(tmp_path: Path, run_loop) -> None:
    runs = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / name).mkdir()
        runs.append(proposals(run_loop(tmp_path / name, trials=16, seed=seed, budget="60k-params")[0]))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_kills_lose_nothing_double_nothing_and_change_nothing(tmp_path: Path, run_loop) -> None:
    (tmp_path / "whole").mkdir()
    whole, _ = run_loop(tmp_path / "whole", trials=10, budget="60k-params")
    folder, finished = tmp_path / "killed", 0
    folder.mkdir()
    for _ in range(40):
        try:
            study, _ = run_loop(folder, trials=10, budget="60k-params", workers=FormulaWorkers(die_after=2))
            break
        except Killed:
            study = Study.open(folder, owned=False)
            now = sum(len(record.rungs) for record in study.records.values())
            assert now >= finished
            finished = now
    assert {n: len(r.rungs) for n, r in study.records.items()} == {n: len(r.rungs) for n, r in whole.records.items()}
    assert proposals(study) == proposals(whole)
    sources = [record.source for record in study.records.values() if record.is_fixed]
    assert len(sources) == len(set(sources))


def test_more_trials_continue_a_finished_run(tmp_path: Path, run_loop) -> None:
    first, _ = run_loop(trials=3, rungs=(100,), budget="60k-params")
    known = dict(first.records)
    second, workers = run_loop(trials=6, budget="60k-params")
    assert all(second.records[number] == record for number, record in known.items())
    assert sum(record.status == "trained" for record in second.records.values()) == 6
    assert not {job.number for job in workers.done} & set(known)


def test_a_longer_ladder_lifts_the_fixed_trials_too(tmp_path: Path, run_loop) -> None:
    run_loop(trials=2, rungs=(100,))
    study = Study.open(tmp_path, owned=True)
    study.extend((100, 200))
    study, _ = run_loop(trials=2)
    assert all(len(record.rungs) == 2 for record in study.records.values() if record.is_fixed)


def test_a_search_starts_from_neighbours_of_the_widest_paper(run_loop) -> None:
    study, _ = run_loop(trials=8, rungs=(100,))
    origin = next(record for record in study.records.values() if record.source == "s-lwsr16+skip")
    first = [record for _, record in sorted(study.records.items()) if not record.is_fixed][:8]
    turned = []
    for record in first:
        names = {name for name in {*record.knobs, *origin.knobs} if record.knobs.get(name) != origin.knobs.get(name)}
        # The expansion and place of inverted blocks come and go with their ratio, a block's own knobs with the block;
        # the form of a MalleConv comes with it.
        dependent = {"inverted_expansion", "inverted_at"} if "inverted_ratio" in names else set()
        if "block" in names:
            dependent |= {knob.name for knob in block_knobs()[1:]} | {
                "inverted_ratio",
                "inverted_expansion",
                "inverted_at",
            }
        turned.append(names - dependent - ({"malle_kernel", "malle_pool"} if "malle" in names else set()))
        assert record.status in ("trained", "duplicate")
    assert all(len(names) == 1 for names in turned)
    assert {"upsampler"} in turned
    assert {"width"} in turned


def test_a_budget_below_every_paper_starts_at_random(run_loop) -> None:
    study, _ = run_loop(trials=5, budget="60k-params", rungs=(100,))
    assert not any(record.is_fixed for record in study.records.values())
    assert len({record.architecture.key for record in study.records.values() if record.rungs}) == 5


def test_steps_are_timed_once_and_written_down(tmp_path: Path) -> None:
    study, workers = Study.create(tmp_path, settings()), FormulaWorkers()
    budget = parse_budget("200k-params")
    known = step_seconds(study, workers, TASKS["sr"], budget, lambda: False)
    assert known == pytest.approx((0.1 + 0.2 + 0.3 + 0.4 + 0.5 + 0.6, 0.9))  # six fixed, median of five others
    assert step_seconds(Study.open(tmp_path, owned=True), workers, TASKS["sr"], budget, lambda: False) == known
    assert len(workers.done) == 1


def test_an_interrupted_timing_is_not_written_down(tmp_path: Path) -> None:
    study = Study.create(tmp_path, settings())
    budget = parse_budget("200k-params")
    assert step_seconds(study, FormulaWorkers(), TASKS["sr"], budget, lambda: True) == (0.0, 0.0)
    assert study.noted("step_seconds") is None


class TimingWorkers(FormulaWorkers):
    """Answers ``answer`` to whatever is asked."""

    answer: object = None

    def poll(self, timeout_s: float) -> list:
        self.done.append(self.jobs.pop(0))
        return [self.answer]


def test_networks_that_cannot_be_timed_count_as_typical(tmp_path: Path) -> None:
    study, workers = Study.create(tmp_path, settings()), TimingWorkers()
    step_s = (0.1, None, 0.3, None, 0.5, 0.6, 1.0, None, 2.0, 3.0, 4.0)  # six fixed ones, five others
    workers.answer = Timed(-1, step_s, "RuntimeError: too large", "trace")
    known = step_seconds(study, workers, TASKS["sr"], parse_budget("200k-params"), lambda: False)
    assert known == pytest.approx((0.1 + 2.5 + 0.3 + 2.5 + 0.5 + 0.6, 2.5))


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (
            Timed(-1, (None, None), "AttributeError: gone", "trace"),
            "none of 2 networks could be trained: AttributeError",
        ),
        (Failed(-1, "the training process died 2 times (SIGKILL; out of memory?)"), "died 2 times"),
        (MachineTrouble(-1, "No space left on device"), "No space left"),
    ],
)
def test_timing_that_fails_is_not_written_down(tmp_path: Path, answer: object, part: str) -> None:
    study, workers = Study.create(tmp_path, settings()), TimingWorkers()
    workers.answer = answer
    with pytest.raises(TimingFailedError, match=re.escape(part)):
        step_seconds(study, workers, TASKS["sr"], parse_budget("200k-params"), lambda: False)
    assert study.noted("step_seconds") is None


def loop_until(study: Study, folder: Path, left_s: float, trials: int) -> FormulaWorkers:
    workers, budget = FormulaWorkers(), parse_budget(study.settings.budget)
    enqueue_initial(study, TASKS["sr"], budget)
    limits = Limits(Deadline(left_s), trials)
    SearchLoop(study, TASKS["sr"], budget, workers, limits, SilentListener(), lambda: False).run()
    return workers


def test_no_job_is_begun_when_the_time_is_over(tmp_path: Path) -> None:
    study = Study.create(tmp_path, settings())
    assert loop_until(study, tmp_path, -1, 5).done == []


def test_time_that_is_left_lifts_more_networks(tmp_path: Path) -> None:
    study = Study.create(tmp_path, settings(budget="60k-params"))
    loop_until(study, tmp_path, 1e6, 9)
    assert [len(record.rungs) for record in study.records.values() if record.rungs] == [3] * 9


def test_a_step_takes_as_long_as_steps_do_on_average(tmp_path: Path) -> None:
    """The ladder adds times up: few dear networks take more of a run than many cheap ones."""
    study, workers = Study.create(tmp_path, settings()), TimingWorkers()
    workers.answer = Timed(-1, (*[0.1] * len(FIXED), 1.0, 1.0, 1.0, 1.0, 6.0))
    known = step_seconds(study, workers, TASKS["sr"], parse_budget("200k-params"), lambda: False)
    assert known == pytest.approx((0.1 * len(FIXED), 2.0))


@dataclass
class SlowerBesideOthers(FormulaWorkers):
    """A step takes as many tenths of a second as jobs are in work."""

    def poll(self, timeout_s: float) -> list:
        beside = len(self.jobs)
        job = self.jobs.pop()
        self.done.append(job)
        return [Timed(job.number, (0.1 * beside,) * len(job.architectures))]


def test_steps_are_timed_on_all_workers_at_once(tmp_path: Path) -> None:
    """On cores that share a memory a training is slower beside another one, and a run trains on all of them."""
    workers = SlowerBesideOthers(count=3)
    known = timed(workers, [ZOO["espcn"].architecture] * 2, lambda: False)
    assert known == pytest.approx([0.2, 0.2])  # the mean of 0.3, 0.2 and 0.1
    assert len({job.number for job in workers.done}) == 3


@pytest.mark.parametrize("task", ["sr", "denoise", "deblur"])
def test_what_is_timed_is_what_the_search_starts_from(tmp_path: Path, task: str) -> None:
    """Spread over its costs: random networks, of dear parts, would make a run's ladder too short."""
    request = request_from_options(task=task, budget="200k-params")
    study = Study.create(tmp_path, replace(settings(), **vars(request.wanted)))
    workers = FormulaWorkers()
    step_seconds(study, workers, TASKS[task], request.budget, lambda: False)
    screen = Screen(TASKS[task], study.settings, request.budget)
    fixed = sorted(fixed_trials(TASKS[task], study.settings, request.budget), key=narrow_first)
    starts = [screen.space.decode(values) for values in initial_points(fixed, screen)]
    (job,) = workers.done
    timed = job.architectures[-TIMED_NETWORKS:]
    assert set(timed) <= set(starts)
    macs = [screen.costs(arch).macs for arch in timed]
    every = [screen.costs(arch).macs for arch in starts]
    assert macs == sorted(macs)
    assert (macs[0], macs[-1]) == (min(every), max(every))
