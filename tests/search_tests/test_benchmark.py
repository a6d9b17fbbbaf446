"""The benchmark table: which designs it has, in which order, and that the same command continues it."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from evaluators import data
from search.cli import main
from search.experiments import benchmark_designs, sessions
from search.experiments.benchmark import QUALITY, opened
from search.experiments.benchmark_designs import BENCHMARKS, Design, designed, spread
from search.experiments.event_lines import EventLines
from search.experiments.training import RECORD_FILE, Training, TrainingRecord
from space.channels.screening import screened
from space.errors import UserError
from space.tasks import TASKS
from tests.in_process_workers import InProcessWorkers
from tests.search_tests.short_trainings import training

PUBLISHED = Path(__file__).parents[2] / "reports/published"
SMALL = replace(
    BENCHMARKS["sr"],
    papers=("etds-m5c16",),
    fronts={},
    residual={"plain-8x2": "plain:width=8,blocks=2,upsampler=dense-one-step"},
    dearer=(),
    random=2,
    repeated=2,
    rungs=(1, 2),
)


@pytest.fixture
def any_design(monkeypatch) -> None:
    """A draw without limits, of which a few points are enough."""
    limits = {"DRAWS": 12, "FEWEST_PARAMS": 0, "MOST_PARAMS": 10**9, "MOST_MACS": 10**13, "MOST_OPERATORS": 10**6}
    for name, limit in limits.items():
        monkeypatch.setattr(benchmark_designs, name, limit)


@pytest.fixture
def table(root: Path, monkeypatch) -> Path:
    """Where the small table goes; its trainings run in this process, on pictures of 80x64 pixels."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(sessions, "ProcessWorkers", InProcessWorkers)
    for name, folder in (("training_images", "train"), ("validation_images", "test")):
        found = getattr(data, name)(root / folder, SMALL.rules)
        monkeypatch.setattr(data, name, lambda _folder, _rules, found=found: found)
    monkeypatch.setitem(BENCHMARKS, "sr", SMALL)
    small = [designed(SMALL.space, f"plain:width=8,blocks={blocks},upsampler=dense-one-step") for blocks in (1, 3)]
    monkeypatch.setattr(benchmark_designs.BenchmarkTask, "_drawn", lambda _self: small)
    return root / "table"


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


# Which designs.


@pytest.mark.parametrize("front", ["sr-x4-200k-params", "denoise-200k-params"])
def test_members_of_published_fronts_are_those_networks(front: str) -> None:
    task = BENCHMARKS[front.split("-")[0]]
    rows = json.loads((PUBLISHED / front / "front.json").read_text())["rows"]
    keys = {f"{front}#{row['trial']}": row["architecture"] for row in rows}
    own = {name: designed(task.space, text).key for name, text in task.fronts.items()}
    assert len(own) >= 3
    assert own == {name: keys[name] for name in own}


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_a_task_has_forty_designs_half_of_them_random(monkeypatch, name: str) -> None:
    monkeypatch.setattr(benchmark_designs, "DRAWS", 0)
    task = BENCHMARKS[name]
    chosen = task.designs()
    assert len({design.architecture.key for design in chosen}) == len({design.name for design in chosen}) == len(chosen)
    assert len(chosen) + task.random >= 40
    assert abs(len(chosen) - task.random) <= 2
    assert all(task.macs(design) <= 6e9 for design in chosen if design.name not in task.dearer)


def test_random_designs_are_within_the_limits(monkeypatch) -> None:
    monkeypatch.setattr(benchmark_designs, "DRAWS", 40)
    task = replace(SMALL, random=3)
    for design in task.designs():
        if design.is_random:
            found = screened(design.architecture, *task.input_size)
            assert 20_000 <= found.params <= 300_000
            assert found.macs <= 6e9
            assert len(found.operators) <= 140


def test_chosen_and_random_designs_take_turns_from_cheap_to_dear(any_design) -> None:
    task = replace(BENCHMARKS["sr"], random=6)
    designs = task.designs()
    assert [design.is_random for design in designs[:12]] == [False, True] * 6
    assert designs == task.designs()  # the seed decides
    assert {design.architecture.backbone for design in designs if design.is_random} == set(TASKS["sr"].backbones)
    macs = sorted(task.macs(design) for design in designs if not design.is_random)
    first = [macs.index(task.macs(design)) / len(macs) for design in designs[:8:2]]
    assert first[0] == 0
    assert 0.4 < first[1] < 0.85
    repeats = task.repeats(designs)
    assert len({design.name for design in repeats}) == 8
    assert sum(design.is_random for design in repeats) == 4
    assert not {design.name for design in repeats} & set(task.dearer)


def test_every_beginning_of_a_spread_list_covers_it() -> None:
    arch = designed(SMALL.space, SMALL.residual["plain-8x2"])
    names = [design.name for design in spread([Design(str(index), "", arch) for index in range(6)])]
    assert names == ["0", "4", "2", "1", "5", "3"]


def test_a_plain_backbone_may_have_fewer_blocks_than_the_space_offers() -> None:
    few, offered = (designed(SMALL.space, f"plain:width=8,blocks={blocks}") for blocks in (1, 2))
    assert [len(arch.settings.blocks) for arch in (few, offered)] == [1, 2]
    assert SMALL.space.encode(offered) is not None
    with pytest.raises(UserError, match="got width=9 in"):
        designed(SMALL.space, "plain:width=9,blocks=4")


# Its trainings.


def test_a_training_is_measured_after_the_steps_it_names() -> None:
    what = training(validation="test", validate_at=(2, 5))
    assert [step for step in range(9) if what.is_validated_after(step)] == [2, 5, 8]
    assert [what.trained_until(step) for step in (0, 2, 5)] == [2, 5, 8]
    assert Training.from_dict(what.to_dict()) == what
    assert what.folder_name != training(validation="test").folder_name
    assert "validate_at" not in training().to_dict()


def test_the_same_command_continues_the_table(table: Path, monkeypatch, capsys) -> None:
    command = ["benchmark", "--task", "sr", "--out", str(table), "--precision", "fp32"]
    finished = EventLines.finished

    def stop_after_two(self: EventLines, record: TrainingRecord) -> None:
        finished(self, record)
        if len(list(table.glob(f"trainings/*/{RECORD_FILE}"))) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(EventLines, "finished", stop_after_two)
        assert main(command) == 130
    first = rows_of(table / "quality.csv")
    assert [(row["name"], row["steps"]) for row in first] == [
        ("plain-8x2", "1"),
        ("plain-8x2", "2"),
        ("random-1", "1"),
        ("random-1", "2"),
    ]
    assert tuple(first[0]) == QUALITY
    assert 15 < float(first[0]["psnr_db"]) < 60
    designs = rows_of(table / "designs.csv")
    assert [row["name"] for row in designs] == ["plain-8x2", "random-1", "etds-m5c16", "random-2"]
    assert all(float(row["ms_pixel4-a76"]) > 1 for row in designs)

    shutil.rmtree(table / "trainings")  # as in a checkout, which has the tables alone
    monkeypatch.setattr(benchmark_designs.BenchmarkTask, "designs", None)  # not drawn again
    capsys.readouterr()
    assert main([*command, "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["done"] * 2 + ["waiting"] * 6
    assert main(command) == 0
    rows = rows_of(table / "quality.csv")
    assert rows[:4] == first
    assert len(rows) == 2 * (4 + 2 * 2)
    assert [row["seed"] for row in rows[::2]] == ["0"] * 4 + ["1"] * 2 + ["2"] * 2
    assert main(command) == 0
    assert rows_of(table / "quality.csv") == rows


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda text: text.replace("-seed0-", "-seed0-f"), "line 2 must be of a training of this table, and once, got"),
        (lambda text: text + text.splitlines()[1] + "\n", "after 1 steps, a second time; delete the line"),
        (lambda text: text.replace(",0,1,", ",0,one,", 1), "after one steps; delete the line"),
        (lambda text: text.replace("gain_db", "gain"), "gain_db"),
    ],
)
def test_rows_of_something_else_are_refused(table: Path, monkeypatch, capsys, change, part: str) -> None:
    """Such as those of another plan."""
    command = ["benchmark", "--task", "sr", "--out", str(table), "--precision", "fp32"]
    monkeypatch.setitem(BENCHMARKS, "sr", replace(SMALL, repeated=0, random=0))
    assert main(command) == 0
    path = table / "quality.csv"
    path.write_text(change(path.read_text()))
    capsys.readouterr()
    assert main(command) == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1


def test_a_table_goes_on_with_the_plan_that_it_was_begun_with(table: Path, monkeypatch) -> None:
    command = ["benchmark", "--task", "sr", "--out", str(table), "--precision", "fp32"]
    monkeypatch.setitem(BENCHMARKS, "sr", replace(SMALL, repeated=0, random=0))
    assert main([*command, "--list"]) == 0
    path = table / "designs.json"
    stored = json.loads(path.read_text())
    assert stored["plan"] == SMALL.rules.degrade.plan.to_dict()
    stored["plan"] |= {"learning_rate": 1e-3}
    path.write_text(json.dumps(stored))
    for _ in range(2):  # the second time they are done
        assert main(command) == 0
    records = [json.loads(record.read_text())["training"] for record in table.glob(f"trainings/*/{RECORD_FILE}")]
    assert [record["plan"] for record in records] == [stored["plan"]] * len(rows_of(table / "designs.csv"))


def test_the_published_table_can_be_continued() -> None:
    """With the plan that it was begun with."""
    benchmark = opened(PUBLISHED / "benchmark/sr-x4", BENCHMARKS["sr"])
    assert benchmark.plan.optimizer == "muon"
    rows = benchmark.quality()
    assert len(benchmark.waiting()) == len(benchmark.trainings()) - len(rows) // len(benchmark.task.rungs)


def test_a_training_that_was_killed_before_it_was_measured_is_measured(table: Path, capsys) -> None:
    """Its record is written before its pictures are measured."""
    command = ["benchmark", "--task", "sr", "--out", str(table), "--precision", "fp32"]
    assert main(command) == 0
    rows = rows_of(table / "quality.csv")
    path = next(table.glob(f"trainings/random-1-*/{RECORD_FILE}"))
    stored = json.loads(path.read_text())
    del stored["validation"]
    path.write_text(json.dumps(stored))
    (table / "quality.csv").unlink()
    assert main(command) == 0
    assert rows_of(table / "quality.csv") == rows


@pytest.mark.parametrize(
    ("task", "designs", "part"),
    [
        ("deblur", None, "unknown benchmark task 'deblur'; known: sr, denoise"),
        ("sr", "{}", "must hold the designs of a benchmark"),
        ("sr", '{"task": "denoise", "scale": 1, "options": {}, "plan": {}, "designs": []}', "got one of denoise x1"),
    ],
)
def test_mistakes_of_benchmark_are_one_line(
    tmp_path: Path, monkeypatch, capsys, task: str, designs: str | None, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if designs is not None:
        Path("table").mkdir()
        Path("table/designs.json").write_text(designs)
    assert main(["benchmark", "--task", task, "--out", "table"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert part in error
