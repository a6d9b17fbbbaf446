"""Thousands of trials: the quick ways give exactly what the plain ones give, and do not repeat their work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from search.candidates.next_trial import next_trial
from search.pareto import non_dominated_ranks
from search.proposers import PROPOSERS
from search.proposers.optuna_samplers import STARTUP_TRIALS, OptunaProposer
from search.request.budget import parse_budget
from search.rungs import REDUCTION, promotable, ranked
from search.storage.journal import JOURNAL, journal_storage
from search.storage.replay import DamagedLineError, parsed
from search.storage.study import Study
from space import TASKS, UserError
from tests.search_tests.made_records import trial


def plain_ranks(losses: np.ndarray) -> list[int]:
    """By the definition: peel off the points that no other dominates, again and again."""
    ranks, left, rank = [-1] * len(losses), set(range(len(losses))), 0
    while left:
        front = [
            a for a in left if not any((losses[b] <= losses[a]).all() and (losses[b] < losses[a]).any() for b in left)
        ]
        for index in front:
            ranks[index] = rank
        left -= set(front)
        rank += 1
    return ranks


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_ranks_are_those_of_the_definition(objectives: int) -> None:
    generator = np.random.default_rng(objectives)
    for count, levels in ((0, 3), (1, 3), (2, 2), (25, 2), (25, 4), (30, 9), (40, 1000)):
        losses = generator.integers(0, levels, (count, objectives)).astype(float)  # few levels make many ties
        assert non_dominated_ranks(losses).tolist() == plain_ranks(losses)
    losses[3] = np.inf
    assert non_dominated_ranks(losses).tolist() == plain_ranks(losses)


def plainly_promotable(trials, rungs, objectives, busy, at_least, baseline_db):
    """The rule as it is written: every rung ranked whole, places taken by those that have gone."""
    climbing = []
    for rung in range(len(rungs) - 2, -1, -1):
        here = [t for t in trials if not t.is_fixed and len(t.rungs) > rung]
        gone = [t.trial for t in here if len(t.rungs) > rung + 1 or (t.trial in busy and len(t.rungs) == rung + 1)]
        allowed = max(len(here) // REDUCTION, min(at_least, len(here)))
        best = ranked(here, rung, objectives, baseline_db)[:allowed] if allowed else []
        climbing += [t for t in best if t.trial not in gone][: max(0, allowed - len(gone))]
    return [t.trial for t in climbing]


def test_who_climbs_is_as_the_rule_says() -> None:
    generator = np.random.default_rng(0)
    for count in (0, 1, 2, 7, 30):
        trials = [
            trial(n, int(generator.integers(1, 6)), *generator.integers(25, 30, generator.integers(1, 4)).tolist())
            for n in range(count)
        ]
        for at_least, busy in ((0, frozenset()), (3, frozenset({0, 1, 5})), (count, frozenset())):
            arguments = (trials, (100, 200, 400), ("psnr", "macs"), busy, at_least, 26.5)
            assert [t.trial for t in promotable(*arguments)] == plainly_promotable(*arguments)


def test_nobody_is_ranked_where_nobody_may_climb(monkeypatch) -> None:
    monkeypatch.setattr("search.rungs.ranked", lambda *_: pytest.fail("ranked"))
    trials = [trial(0, 10, 30.0, 30.5), trial(1, 5, 29.0), trial(2, 20, 29.5), trial(3, 9, 28.0)]
    assert promotable(trials, (100, 200), ("psnr", "macs"), frozenset({1})) == []


def optunas_own(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=STARTUP_TRIALS
    )


def proposed(run_loop, folder: Path) -> list[str]:
    folder.mkdir()
    study, _ = run_loop(folder, trials=22, budget="60k-params,2g-macs", rungs=(100,))
    budget = parse_budget(study.settings.budget)
    for _ in range(3):  # with trials that run, as with several workers
        next_trial(study, TASKS["sr"], budget)
    return [record.architecture.key for _, record in sorted(study.records.items())]


def optunas_own_proposer() -> OptunaProposer:
    return OptunaProposer(optunas_own)


def test_proposals_are_those_of_optunas_own_sampler(tmp_path: Path, run_loop, monkeypatch) -> None:
    ours = proposed(run_loop, tmp_path / "ours")
    monkeypatch.setitem(PROPOSERS, "tpe", f"{__name__}:optunas_own_proposer")
    assert proposed(run_loop, tmp_path / "optunas") == ours


def test_the_journal_is_read_as_optuna_reads_it(tmp_path: Path, run_loop) -> None:
    run_loop(trials=8, rungs=(100, 200), budget="60k-params")
    quick = journal_storage(tmp_path / JOURNAL)
    plain = JournalStorage(JournalFileBackend(str(tmp_path / JOURNAL)))
    for known in (quick.get_all_trials(0), quick.get_all_studies()):
        assert known
    assert quick.get_all_trials(0) == plain.get_all_trials(0)
    assert quick.get_study_user_attrs(0) == plain.get_study_user_attrs(0)
    assert quick.get_study_system_attrs(0) == plain.get_study_system_attrs(0)


def test_lines_of_another_process_are_read_when_they_come(tmp_path: Path, run_loop) -> None:
    run_loop(trials=2, rungs=(100,))
    first, second = journal_storage(tmp_path / JOURNAL), journal_storage(tmp_path / JOURNAL)
    second.set_study_user_attr(0, "note", "from another")
    assert first.get_study_user_attrs(0)["note"] == "from another"
    first.set_study_user_attr(0, "note", "and back")
    assert second.get_study_user_attrs(0)["note"] == "and back"


@pytest.mark.parametrize("line", [b"rubbish", b"[1]", b"", b'{"a":1},{"b":2}', b'{"op_code":', b"\xff\xfe"])
def test_a_damaged_line_is_named_wherever_it_lies(line: bytes) -> None:
    lines = [b'{"a":1}'] * 2_500
    lines[2_300] = line
    read = parsed(lines)
    with pytest.raises(DamagedLineError, match="line 2301"):
        list(read)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b'{"op_code":5,"rubbish', "damaged at line 3"),
        (b'{"op_code":4}', "lines that do not belong together"),
        (b'{"op_code":77,"worker_id":"x"}', "lines that do not belong together"),
        (b"{}", "lines that do not belong together"),
    ],
)
@pytest.mark.parametrize("owned", [True, False])
def test_a_damaged_journal_is_one_line_of_error(tmp_path: Path, run_loop, damage: bytes, said: str, owned) -> None:
    run_loop(trials=1, rungs=(100,))
    lines = (tmp_path / JOURNAL).read_bytes().split(b"\n")
    lines[2] = damage
    (tmp_path / JOURNAL).write_bytes(b"\n".join(lines))
    with pytest.raises(UserError, match=said):
        Study.open(tmp_path, owned=owned)
