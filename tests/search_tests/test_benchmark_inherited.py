"""What a benchmark's designs inherit: their families, and that the same command continues the table."""

from __future__ import annotations

import csv
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from evaluators import data
from evaluators.sharing import BankTrainer
from evaluators.training.divergence import NonFiniteLossError
from evaluators.training.plan import TrainingPlan
from evaluators.training.precision import choose_precision
from search.cli import main
from search.experiments import benchmark_inherited
from search.experiments.benchmark import Benchmark, opened
from search.experiments.benchmark_designs import BENCHMARKS, BenchmarkTask, Design, designed
from search.experiments.benchmark_inherited import COLUMNS, groups
from search.experiments.network_specs import named_architecture
from search.sessions import first_step

SMALL = replace(
    BENCHMARKS["sr"],
    papers=("etds-m5c16",),
    fronts={"front#1": "symmetric:width=8,blocks_per_stage=1,upsampler=nearest"},
    residual={
        "plain-8x1": "plain:width=8,blocks=1,upsampler=dense-one-step",
        "plain-12x4": "plain:width=12,blocks=4,upsampler=dense-one-step",
    },
    dearer=(),
    random=0,
    repeated=0,
    rungs=(1, 2),
)


@pytest.fixture
def table(root: Path, monkeypatch) -> Path:
    """Where a small table goes; two steps for all, on pictures of 80x64 pixels."""
    monkeypatch.chdir(root)
    for name, folder in (("training_images", "train"), ("validation_images", "test")):
        found = getattr(data, name)(root / folder, SMALL.rules)
        monkeypatch.setattr(data, name, lambda _folder, _rules, found=found: found)
    monkeypatch.setitem(BENCHMARKS, "sr", SMALL)
    monkeypatch.setattr(BenchmarkTask, "_drawn", lambda _self: [])
    monkeypatch.setattr(benchmark_inherited, "SHARED_STEPS", 2)
    monkeypatch.setattr(benchmark_inherited, "STEPS_AFTER", (0, 1))
    monkeypatch.setattr(benchmark_inherited, "MOST_PARAMS", 40_000)
    return root / "table"


def rows_of(table: Path) -> list[dict[str, str]]:
    with open(table / "inherited.csv", newline="") as file:
        return list(csv.DictReader(file))


def command(table: Path) -> list[str]:
    return ["benchmark", "--task", "sr", "--out", str(table), "--precision", "fp32", "--inherited"]


def test_designs_of_one_kind_are_of_one_family_also_off_the_grid() -> None:
    task = BENCHMARKS["sr"]
    residual = {"plain-8x1": "plain:width=8,blocks=1,upsampler=dense-one-step", **task.residual}
    texts = {**task.fronts, **residual}
    designs = tuple(Design(name, "", designed(task.space, text)) for name, text in texts.items())
    found = {group.members[0].name: group for group in groups(Benchmark(Path(), task, designs, TrainingPlan()))}
    assert sum(len(group.members) for group in found.values()) == len(designs)
    plain = found["plain-8x1"]
    assert [design.name for design in plain.members] == list(residual)
    assert dict(plain.at_least) == {"width": 24, "blocks": 12}
    assert "upsampler=dense-one-step" in plain.name
    other = found["sr-x4-200k-params#6"]
    assert [design.name for design in other.members] == ["sr-x4-200k-params#6", "sr-x4-200k-params#12"]


def test_networks_that_cannot_share_are_in_no_family() -> None:
    task = BENCHMARKS["sr"]
    designs = (Design("etds-m5c16", "paper", named_architecture("etds-m5c16", 4)),)
    assert groups(Benchmark(Path(), task, designs, TrainingPlan())) == ()


def test_the_same_command_continues_it_family_by_family(table: Path, monkeypatch, capsys) -> None:
    trained = []
    train_to = BankTrainer.train_to

    def one_at_a_time(self: BankTrainer, steps: int, on_step=None, should_stop=None) -> None:
        trained.append(len(self.designs))
        if len(trained) == 2:
            raise NonFiniteLossError("the loss", 1)
        train_to(self, steps, on_step, should_stop)

    with monkeypatch.context() as patched:
        patched.setattr(BankTrainer, "train_to", one_at_a_time)
        assert main(command(table)) == 0
    told = capsys.readouterr().out
    assert "inherited by none of" in told
    assert "the loss is not finite at training step 1" in told
    first = rows_of(table)
    assert main(command(table)) == 0  # the other family
    rows = rows_of(table)
    assert rows[: len(first)] == first
    assert tuple(rows[0]) == COLUMNS
    assert {(row["name"], row["steps_after"]) for row in rows} == {
        (name, steps) for name in ("plain-8x1", "plain-12x4", "front#1") for steps in ("0", "1")
    }
    assert all(15 < float(row["psnr_db"]) < 60 and row["shared_steps"] == "2" for row in rows)
    of_family = {row["name"]: row["family"] for row in rows}
    assert of_family["plain-8x1"] == of_family["plain-12x4"] != of_family["front#1"]
    capsys.readouterr()
    assert main(command(table)) == 0
    assert capsys.readouterr().out == ""
    assert rows_of(table) == rows


def test_what_is_inherited_is_what_the_seed_says(table: Path) -> None:
    assert main(command(table)) == 0
    rows = rows_of(table)
    (table / "inherited.csv").unlink()
    assert main(command(table)) == 0
    again = rows_of(table)
    assert [row["psnr_db"] for row in again] == [row["psnr_db"] for row in rows]


def test_it_ends_with_the_time(table: Path) -> None:
    benchmark = opened(table, SMALL)
    precision = choose_precision("cpu", "fp32")
    asked = iter([False, False, True, True, True])
    assert list(benchmark_inherited.completed_inherited(benchmark, precision, lambda: next(asked))) == []
    assert not (table / "inherited.csv").exists()


def test_ctrl_c_ends_it_with_what_is_whole(table: Path, monkeypatch) -> None:
    train_to, trained = BankTrainer.train_to, []

    def interrupted(self: BankTrainer, steps: int, on_step=None, should_stop=None) -> None:
        trained.append(steps)
        if len(trained) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        train_to(self, steps, on_step, should_stop)

    with monkeypatch.context() as patched:
        patched.setattr(BankTrainer, "train_to", interrupted)
        assert main(command(table)) == 130
    families = {row["family"] for row in rows_of(table)}
    assert len(families) == 1
    assert main(command(table)) == 0
    assert len({row["family"] for row in rows_of(table)}) == 2


def test_where_bfloat16_does_not_work_it_is_trained_in_float32(table: Path, monkeypatch, capsys) -> None:
    """As a processor may turn out that nobody here has."""
    monkeypatch.setattr(first_step, "_death", lambda precision, _networks: "SIGILL" if precision.autocast else None)
    assert main([*command(table)[:-2], "bf16", "--inherited"]) == 0
    assert "training in float32: a process that made first steps in bfloat16 ended (SIGILL)" in capsys.readouterr().out
    assert {row["precision"] for row in rows_of(table)} == {"fp32"}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda text: text.replace("plain-8x1", "plain-9x1"), "line 2 must be of a name of this table, and once, got"),
        (lambda text: text + text.splitlines()[1] + "\n", "after 0 steps, a second time; delete the line"),
        (lambda text: text.replace("steps_after", "after"), "steps_after"),
    ],
)
def test_rows_of_something_else_are_refused(table: Path, capsys, change, part: str) -> None:
    assert main(command(table)) == 0
    path = table / "inherited.csv"
    path.write_text(change(path.read_text()))
    capsys.readouterr()
    assert main(command(table)) == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1


def test_one_thing_at_a_time(table: Path, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*command(table), "--signals"])
    error = capsys.readouterr().err
    assert "--signals" in error
    assert error.count("\n") == 1
    assert not table.exists()
