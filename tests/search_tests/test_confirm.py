"""``confirm``: a run's front again with several seeds, continued by the same command, and refused in one line."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import search
from evaluators import data
from evaluators.costs import architecture_costs
from evaluators.tasks import rules_of
from search.cli import main
from search.experiments import confirmation, sessions
from search.experiments.benchmark_designs import BENCHMARKS, designed
from search.experiments.confirmation import Confirmation, chosen, recorded_step_s, steps_within
from search.experiments.event_lines import EventLines
from search.experiments.network_specs import named_architecture
from search.experiments.training import RECORD_FILE, TrainingRecord
from search.records import SEARCHED, RungResult, RunResult, Status, TrialRecord
from search.request.budget import parse_budget
from search.storage.lock import own
from search.storage.study import Study
from tests.in_process_workers import InProcessWorkers
from tests.search_tests.conftest import INPUT, settings

RULES = rules_of("sr", 4)
STEPS = 2
COMMAND = "python -m search run --task sr --budget 200k-params --train-data train --val-data test"


def record(source: str, arch, psnr_db: float, train_s: float = 0.1) -> TrialRecord:
    costs = architecture_costs(arch, INPUT)
    result = RungResult(0, STEPS, psnr_db, 0.8, train_s, 0.01, {"d": psnr_db})
    return TrialRecord(0, source, Status.TRAINED, arch, {}, costs, (result,))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[TrialRecord]:
    """Two small networks of a front, one that is dominated, and a published one beside it."""
    space = BENCHMARKS["sr"].space
    small = [designed(space, f"plain:width=8,blocks={blocks},upsampler=dense-one-step") for blocks in (1, 2, 3)]
    found = [record(SEARCHED, arch, psnr_db) for arch, psnr_db in zip(small, (40.0, 41.0, 40.5), strict=True)]
    return [*found, record("etds-m5c16", named_architecture("etds-m5c16", 4), 40.2)]


@pytest.fixture
def run(root: Path, made: list[TrialRecord], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run in ``runs/mine``, on the pictures of ``train`` and ``test``; trainings run in this process."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(sessions, "ProcessWorkers", InProcessWorkers)
    monkeypatch.setattr("search.api.confirming.write_outputs", lambda *_: None)  # pictures for a page take seconds
    monkeypatch.setattr("search.experiments.working_precision.tried", lambda precision, networks: (precision, None))
    described = {
        "train_data": data.describe(root / "train", data.training_images(root / "train", RULES), RULES),
        "val_data": data.describe(root / "test", data.validation_images(root / "test", RULES), RULES, True),
    }
    folder = Path("runs", "mine")
    folder.mkdir(parents=True)
    asked = replace(settings(rungs=(STEPS,)), **described, training=RULES.degrade.plan.to_dict())
    with own(folder):
        study = Study.create(folder, asked)
        study.note("command", COMMAND)
        study.note("baseline", {"psnr_db": 10.0})
        for each in made:
            started = study.begin(replace(each, rungs=()), parse_budget(asked.budget))
            study.add_result(started.trial, each.rungs[0])
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "confirm.csv", newline="") as file:
        return list(csv.DictReader(file))


def one_line(capsys: pytest.CaptureFixture, words: list[str]) -> str:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_front_is_trained_again_and_the_same_command_continues(run: Path, monkeypatch, capsys) -> None:
    command = ["confirm", "mine", "--seeds", "2", "--side-by-side", "1"]
    finished, told = EventLines.finished, list[str]()

    def stop_after_one(self: EventLines, record: TrainingRecord) -> None:
        finished(self, record)
        told.append(record.training.name)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(EventLines, "finished", stop_after_one)
        assert main(command) == 130
    assert [row["seeds"] for row in rows(run)] == ["1"]
    assert main(command) == 0
    shown = " ".join(capsys.readouterr().out.split())
    found = rows(run)
    assert [row["trial"] for row in found] == ["0", "1", "3"]  # trial 2 was not on the front
    assert [row["seeds"] for row in found] == ["2"] * 3
    assert [row["steps"] for row in found] == [str(STEPS)] * 3
    assert [row["was_on_front"] for row in found].count("True") == 2
    assert all(float(row["sd_db"]) > 0 for row in found)
    assert tuple(found[0])[:4] == ("trial", "source", "params", "macs")
    assert len(list(run.glob(f"confirm/*/{RECORD_FILE}"))) == 6
    assert not (run / "confirm" / "data").exists()
    assert "±" in shown
    assert "on the front" in shown
    assert "pooled standard deviation, 3 degrees of freedom" in shown

    before = {path: path.stat().st_mtime_ns for path in run.glob(f"confirm/*/{RECORD_FILE}")}
    shutil.move("train", "moved")
    more = search.confirm("mine", seeds=3, train_data="moved", side_by_side=1, progress=False)
    assert [network.repeated.seeds for network in more.front.networks] == [3] * 3
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())  # none was trained again
    assert search.delete("mine").kept == ()


def test_a_seed_trains_as_the_run_would_have(run: Path, made) -> None:
    confirmed = search.confirm("mine", seeds=2, steps=1, members=1, side_by_side=1, progress=False)
    record = TrainingRecord.read(sessions.LocalArtifacts(next(run.glob("confirm/trial-1-1-seed0-*"))))
    assert record.training.plan == RULES.degrade.plan
    assert record.train_data == f"train: {confirmed.run.settings.train_data}"
    assert record.validation.data == f"test: {confirmed.run.settings.val_data}"
    assert [network.trial.trial for network in confirmed.front.networks] == [1, 3]


def test_as_json(run: Path, capsys) -> None:
    assert main(["confirm", "mine", "--seeds", "2", "--steps", "1", "--members", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run"] == "mine"
    assert told["degrees_of_freedom"] == 2
    assert [each["trial"] for each in told["networks"]] == [1, 3]
    assert told["left"] == 0


def test_a_time_gives_the_steps_and_keeps_them(run: Path, capsys) -> None:
    """0.05 s a step; 6 trainings after each other."""
    command = ["confirm", "mine", "--seeds", "2", "--time", "1.2s", "--side-by-side", "1"]
    assert main(command) in (0, 130)
    assert "1 s carry 3 steps of each of 6 trainings, at 0.05 s a step on average (by the run's records)" in (
        " ".join(capsys.readouterr().out.replace("1.2 s", "1 s").split())
    )
    assert main(command) in (0, 130)
    assert "3 steps of each, as" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["confirm", "nowhere"], "'nowhere' must be a run's folder or its name in runs/"),
        (["confirm", "mine", "--seeds", "1"], "--seeds must be a whole number of at least 2, got '1'"),
        (["confirm", "mine", "--members", "0"], "--members must be a whole number of at least 1"),
        (["confirm", "mine", "--steps", "0"], "--steps must be a whole number of at least 1"),
        (["confirm", "mine", "--steps", "4", "--time", "1m"], "confirm takes --steps or --time, got both"),
        (["confirm", "mine", "--time", "0.1s"], "--time must carry at least one step"),
        (["confirm", "mine", "--train-data", "test"], "--train-data must be what mine was trained on (folder train"),
        (["confirm", "mine", "--val-data", "train"], "--val-data must be what mine was measured on (folder test"),
    ],
)
def test_mistakes_are_one_line(run: Path, capsys, words: list[str], part: str) -> None:
    assert part in one_line(capsys, words)
    assert not (run / "confirm").exists()


def test_folders_that_are_gone_must_be_given(run: Path, capsys) -> None:
    shutil.move("train", "moved")
    assert one_line(capsys, ["confirm", "mine"]).endswith("got none; give --train-data FOLDER")


def test_a_run_without_a_front_is_refused(run: Path, capsys) -> None:
    Path("runs/empty").mkdir()
    study = Study.create(Path("runs/empty"), settings())
    assert "empty must have a trained network, got none yet" in one_line(capsys, ["confirm", "empty"])
    study = Study.open(run, owned=True)
    study.note("baseline", {"psnr_db": 99.0})
    assert "mine must have a front, got none" in one_line(capsys, ["confirm", "mine"])


def test_a_run_that_is_written_is_refused_and_so_is_deleting_one_that_is_confirmed(run: Path, capsys) -> None:
    with own(run):
        assert "mine must not be running" in one_line(capsys, ["confirm", "mine"])
    (run / "confirm").mkdir()
    with own(run / "confirm"):
        assert "is being confirmed by another command" in one_line(capsys, ["delete", "mine", "--yes"])
    assert run.exists()


# Which networks, and how many steps.


def result_of(trials: list[TrialRecord]) -> RunResult:
    numbered = tuple(replace(trial, trial=index) for index, trial in enumerate(trials))
    return RunResult("mine", settings(rungs=(STEPS,)), numbered, 10.0, 1.0, COMMAND)


def test_members_are_spread_and_compressed_ones_are_left_out(made) -> None:
    run = result_of(made)
    trials, left_out = chosen(run, None)
    assert ([trial.trial for trial in trials], left_out) == ([0, 1, 3], ())
    assert [confirmation.spread(range(9), most) for most in (1, 2, 3, 9, 20)] == [
        [8],
        [0, 8],
        [0, 4, 8],
        list(range(9)),
        list(range(9)),
    ]
    int8 = replace(made[1].compression, dtype="int8")
    trials, left_out = chosen(result_of([made[0], replace(made[1], compression=int8)]), None)
    assert [[trial.trial for trial in each] for each in (trials, left_out)] == [[0], [1]]


def test_steps_fill_the_time(made) -> None:
    run = result_of(made)
    what = Confirmation(run, run.trials[:2], 3, 1, "train", "test")
    step_s = {trial.trial: recorded_step_s(trial) for trial in run.trials}
    assert step_s[0] == pytest.approx(0.05)
    alone, two = (steps_within(what, 100.0, count, step_s) for count in (1, 2))
    assert (alone, two) == (280, 480)  # 6 after each other; 3.5 after each other at most
    assert steps_within(what, 0.1, 1, step_s) == 0
    measured = replace(made[0], rungs=(replace(made[0].rungs[0], train_s=0.0),))
    assert recorded_step_s(measured) is None


def test_a_run_that_only_measured_its_networks_is_timed(run: Path, made, capsys, monkeypatch) -> None:

    monkeypatch.setattr("search.api.confirm_steps.recorded_step_s", lambda trial: None)
    monkeypatch.setattr("search.experiments.training_steps.TIMED_S", 0.1)
    assert main(["confirm", "mine", "--seeds", "2", "--time", "2s", "--members", "1"]) in (0, 130)
    assert "the dearest of those that the run has no time of was timed" in capsys.readouterr().out
