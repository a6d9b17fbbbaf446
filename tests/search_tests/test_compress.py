"""``compress``: every stage, continued bit for bit, exported, and every mistake refused in one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import search
from evaluators.compression.int8 import Int8Network
from evaluators.costs import architecture_costs
from evaluators.training.trainer import Trainer
from latency_tables.tables.table import DATA
from search.cli import main
from search.experiments import sessions
from search.experiments.compress_folder import FINE_TUNING, INT8, SETTINGS_FILE
from search.experiments.int8_ranges import INT8_FILE, Int8Ranges
from search.experiments.training import CHECKPOINT_FILE, Training
from search.experiments.training_messages import StepTimed
from search.models.folder import read_model
from search.models.model import float_layers
from search.storage.artifacts import LocalArtifacts
from space.errors import UserError
from tests.in_process_workers import InProcessWorkers
from tests.search_tests.short_trainings import training
from tests.small_networks import filled, small_model

DATA_OPTIONS = ["--data", "train", "--val-data", "test"]
TRAINED = ["--batch", "2", "--patch", "16", "--precision", "fp32"]


@pytest.fixture
def here(root: Path, monkeypatch) -> Path:
    """In ``root`` with a trained ``parent``, and trainings in this process."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(sessions, "ProcessWorkers", InProcessWorkers)
    write_parent("parent", "espcn")
    return root


def write_parent(folder: str, name: str, scale: int = 2) -> None:
    model = search.model_named(name, scale=scale)
    search.write_model(folder, replace(model, network=filled(model.network), has_weights=True))


def compressed(out: str, *more: str, parent: str = "parent") -> int:
    return main(["compress", parent, *DATA_OPTIONS, "--out", out, *more])


def assert_one_line(capsys, status: int, part: str) -> None:
    error = capsys.readouterr().err
    assert status == 2, error
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    assert part in error


def weights(folder: Path | str) -> dict[str, torch.Tensor]:
    return read_model(Path(folder)).network.state_dict()


def same(first: Path | str, second: Path | str) -> bool:
    ours, theirs = weights(first), weights(second)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def names_of(folder: str) -> list[str]:
    return [stage["name"] for stage in read_model(Path(folder)).facts["compressed"]["stages"]]


# The whole path.


def test_from_a_network_to_files_of_engines(here: Path, capsys) -> None:
    write_parent("folded", "ecbsr-m4c8")  # whose deploy form is another
    stages = ["--prune", "0.4", "--int8", "--mixed", "1", "--distil", "folded", "--steps", "4"]
    assert compressed("small", *stages, *TRAINED, parent="folded") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "pruned: 40% of the channels by magnitude, uniform, to lower multiply-accumulates at 320x180" in out
    assert "4 steps of 2 patches of 16x16" in out
    assert "1 x the distance from the output of folded" in out
    assert "the last 20% of the steps are trained for it, the most sensitive layer in float" in out
    assert "next: python -m search export small --format litert --dtype int8 --calibration train --out phone/" in out
    model, parent = read_model(Path("small")), read_model(Path("folded"))
    facts = model.facts["compressed"]
    assert names_of("small") == ["as given", "pruned", "fine-tuned", "in int8", "trained for int8"]
    assert facts["parent"]["name"] == "folded"
    assert facts["parent"]["key"] == parent.architecture.key
    (step,) = facts["pruning"]["steps"]
    assert step["taken"]
    assert step["cost_after"] == architecture_costs(model.architecture, (320, 180)).macs
    steps = [stage["steps"] for stage in facts["stages"]]
    assert steps == [0, 0, 3, 0, 1]
    int8 = facts["int8"]
    assert int8["pictures"] == 3
    assert int8["float_layers"] == [int8["sensitivity"][0]["layer"]]
    assert float_layers(model) == tuple(int8["float_layers"])
    ranked = [each["psnr_db"] for each in int8["sensitivity"]]
    assert ranked == sorted(ranked)
    first, last = model.facts["metrics"]
    assert first["psnr_db"] == int8["psnr_float_db"]
    assert last["psnr_db"] == int8["psnr_int8_db"] == facts["stages"][-1]["psnr_db"]
    assert "in int8 as simulated" in last["data"]
    whole, pruned, *_, in_int8 = (stage["costs"] for stage in facts["stages"])
    assert pruned["macs"] < whole["macs"]
    assert in_int8["weight_bytes"] < pruned["weight_bytes"] / 2
    card = Path("small", "card.md").read_text()
    assert "## Compression" in card
    assert "- pruned: 40% of the channels by magnitude, uniform; multiply-accumulates at 320x180" in card
    assert f"layers in float: `{int8['float_layers'][0]}`" in card
    assert "| trained for int8 |" in card
    assert not Path("small", FINE_TUNING).exists()

    refused = ["export", "small", "--format", "onnx", "--dtype", "int8", "--input", "48x32", "--out", "small"]
    assert_one_line(capsys, main(refused), "--dtype int8 of small, with 1 layer in float, is for --format litert, got")
    for form, dtype, calibration in (("onnx", "fp32", None), ("litert", "int8", "train")):
        (file,) = search.export("small", "small", [form], [dtype], "48x32", data="test", calibration=calibration)
        assert file.failure == ""
    assert len(read_model(Path("small")).facts["compressed"]["stages"]) == 5


def test_int8_alone_keeps_the_weights(here: Path, capsys) -> None:
    assert compressed("rounded", "--int8") == 0
    assert same("rounded", "parent")
    assert names_of("rounded") == ["as given", "in int8"]
    facts = read_model(Path("rounded")).facts
    assert facts["training"]["steps"] == 0
    assert facts["compressed"]["int8"]["psnr_float_db"] == facts["compressed"]["stages"][0]["psnr_db"]
    assert "not trained: give --steps or --time" in capsys.readouterr().out
    assert compressed("rounded", "--int8", "--json") == 0
    shown = capsys.readouterr()
    assert "This compression is finished: rounded" in shown.err
    assert json.loads(shown.out)["compressed"]["int8"] == facts["compressed"]["int8"]
    assert_one_line(capsys, compressed("rounded", "--prune", "0.5"), "--prune must stay not given, with which the")


def test_all_steps_are_for_int8_where_nothing_was_removed(here: Path) -> None:
    options = {"batch": 2, "patch": 16, "data": "train", "val_data": "test", "precision": "fp32", "progress": False}
    made = search.compress("parent", int8=True, steps=2, out="trained", **options)
    named = [(stage.name, stage.steps) for stage in made.stages]
    assert named == [("as given", 0), ("in int8", 0), ("trained for int8", 2)]
    assert not same("trained", "parent")
    assert made.network()(torch.rand(1, 1, 8, 8)).shape == (1, 1, 16, 16)


def test_taylor_takes_its_gradients_from_training_patches(here: Path) -> None:
    assert compressed("a", "--prune", "0.5", "--importance", "taylor", "--prune-steps", "2") == 0
    assert compressed("b", "--prune", "0.5", "--importance", "taylor", "--prune-steps", "2", "--seed", "1") == 0
    facts = read_model(Path("a")).facts["compressed"]
    assert [step["taken"] for step in facts["pruning"]["steps"]] == [True, True]
    assert facts["int8"] is None
    assert names_of("a") == ["as given", "pruned"]
    assert read_model(Path("a")).architecture.widths


def test_milliseconds_of_the_int8_table_fall(here: Path, capsys) -> None:
    assert compressed("a", "--prune", "0.6", "--scope", "uniform", "--int8", "--device", "pixel4-a76") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "to lower ms on pixel4-a76 in int8 at 640x360" in out
    assert "ms on pixel4-a76 (int8: pixel4-a76-int8)" in out
    facts = read_model(Path("a")).facts["compressed"]
    ms = [stage["costs"]["latency"]["pixel4-a76"]["ms"] for stage in facts["stages"]]
    assert ms[0] > ms[1] > ms[2] == pytest.approx(facts["pruning"]["steps"][0]["cost_after"])


def test_specialists_are_pruned_and_rounded(here: Path) -> None:
    model = small_model("denoise", specialists=2, sigma=(0.0, 50.0), backbone="plain")
    search.write_model("many", model)
    assert compressed("few", "--prune", "0.5", "--int8", "--steps", "4", *TRAINED, parent="many") == 0
    assert names_of("few")[-1] == "trained for int8"
    assert len(read_model(Path("few")).network.networks) == 2


def test_steps_are_fitted_to_the_time(here: Path, monkeypatch, capsys) -> None:
    timed: list[Training] = []

    def known(training: Training, *_: object) -> StepTimed:
        timed.append(training)
        return StepTimed(0, step_s=0.5 if training.int8 else 1.0, validation_s=0.0)

    monkeypatch.setattr("search.api.compress_session.time_steps", known)
    assert compressed("a", "--prune", "0.5", "--int8", "--time", "20s", *TRAINED) == 0
    assert "20 s carry 21 steps" in capsys.readouterr().out  # 0.97 * 20 / 0.9
    assert [bool(each.int8) for each in timed] == [False, True]
    assert [stage["steps"] for stage in read_model(Path("a")).facts["compressed"]["stages"]] == [0, 0, 17, 0, 4]
    monkeypatch.setattr("search.api.compress_session.time_steps", lambda *_: StepTimed(0, 5.0, 1.0))
    assert_one_line(capsys, compressed("b", "--int8", "--time", "20s", *TRAINED), "--time must carry at least 10 steps")
    assert not Path("b").exists()


# Continued.


def end_at(monkeypatch, step: int, in_int8: bool) -> None:
    """The process ends before ``step`` of a stage is made, without saving anything."""
    make = Trainer._train_step

    def ending(trainer: Trainer) -> torch.Tensor:
        if trainer.step == step - 1 and isinstance(trainer.network, Int8Network) == in_int8:
            raise KeyboardInterrupt
        return make(trainer)

    monkeypatch.setattr(Trainer, "_train_step", ending)


def test_it_continues_bit_for_bit(here: Path, monkeypatch, capsys) -> None:
    stages = ["--prune", "0.5", "--int8", "--mixed", "1", "--steps", "10", "--validate-every", "1", *TRAINED]
    assert compressed("whole", *stages) == 0
    for step, in_int8, stage in ((6, False, FINE_TUNING), (2, True, INT8)):
        with monkeypatch.context() as patched:
            end_at(patched, step, in_int8)
            assert compressed("pieces", *stages) == 130
        assert Path("pieces", stage, CHECKPOINT_FILE).exists()
    capsys.readouterr()
    assert compressed("pieces", *stages) == 0
    assert "; continuing" in capsys.readouterr().out
    assert same("whole", "pieces")
    ours, theirs = (read_model(Path(name)).facts["compressed"] for name in ("whole", "pieces"))
    assert ours["int8"] == theirs["int8"]
    assert ours["pruning"] == theirs["pruning"]


def test_a_compression_of_an_older_program_goes_on_with_its_rate_and_optimizer(here: Path, monkeypatch) -> None:
    """Whose folder does not say the optimizer, for there was one."""
    stages = ["--prune", "0.5", "--int8", "--steps", "6", "--validate-every", "1", *TRAINED]
    older = ["--rate", "0.002", "--optimizer", "adam"]
    assert compressed("whole", *stages, *older) == 0
    with monkeypatch.context() as patched:
        end_at(patched, 3, False)
        assert compressed("pieces", *stages, *older) == 130
    path = Path("pieces", SETTINGS_FILE)
    stored = json.loads(path.read_text())
    del stored["said"]["optimizer"]
    path.write_text(json.dumps(stored))
    assert compressed("pieces", *stages) == 0
    assert same("whole", "pieces")


def test_a_stop_is_heard_and_the_same_call_goes_on(here: Path) -> None:
    options = {"prune": 0.5, "data": "train", "val_data": "test", "out": "a", "progress": False}
    stopped = search.compress("parent", stop=lambda: True, **options)
    assert not stopped.is_finished
    with pytest.raises(UserError, match="must be finished"):
        stopped.network()
    assert search.compress("parent", **options).is_finished
    assert search.compress("parent", **options).stages[1].name == "pruned"


def on_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@pytest.mark.long
def test_a_kill_costs_nothing_but_time(here: Path) -> None:
    """The whole group of processes, in either stage; then the weights of a compression that nobody killed."""
    stages = ["--prune", "0.3", "--int8", "--steps", "100", "--validate-every", "10", *TRAINED]
    command = [sys.executable, "-m", "search", "compress", "parent", *DATA_OPTIONS, *stages]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def begun(out: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*command, "--out", out],
            cwd=here,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            preexec_fn=on_one_core,
        )

    assert begun("whole").wait() == 0
    for stage in (FINE_TUNING, INT8):
        checkpoint = here / "killed" / stage / CHECKPOINT_FILE
        process = begun("killed")
        while process.poll() is None and not checkpoint.exists():
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert begun("killed").wait() == 0
    assert same(here / "whole", here / "killed")


def test_ranges_are_read_as_they_were_written(tmp_path: Path) -> None:
    ranges = Int8Ranges(({"a/conv/1": (-0.1, 1 / 3), "input": (0.0, 1.0)},), ("a",))
    artifacts = LocalArtifacts(tmp_path)
    ranges.write(artifacts)
    assert Int8Ranges.read(artifacts) == ranges
    assert replace(ranges, float_layers=()).fingerprint != ranges.fingerprint
    (tmp_path / INT8_FILE).write_text("{}")
    with pytest.raises(UserError, match="must be the int8 ranges of a training"):
        Int8Ranges.read(artifacts)


def test_trainings_for_int8_are_stored_apart() -> None:
    own = training()
    assert "int8" not in own.to_dict()
    assert Training.from_dict(replace(own, int8="f00").to_dict()).int8 == "f00"
    assert replace(own, int8="f00").folder_name != own.folder_name


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "compress must have something to do, got neither --prune RATIO nor --int8"),
        (["--distil", "parent", "--steps", "2"], "python -m search train --teacher"),
        (["--prune", "0"], "--prune must be a number above 0 and at most 0.95, got '0'"),
        (["--prune", "0.96"], "got '0.96'"),
        (["--prune", "nan"], "got 'nan'"),
        (["--prune", "half"], "got 'half'"),
        (["--prune", "-0.5"], "got '-0.5'"),
        (["--prune", "0.001"], "the share to prune must remove a channel, got 0.001"),
        (["--prune", "0.5", "--importance", "size"], "--importance must be one of magnitude, taylor, fpgm, got 'size'"),
        (["--prune", "0.5", "--scope", "local"], "--scope must be one of global, uniform, got 'local'"),
        (["--prune", "0.5", "--prune-steps", "0"], "--prune-steps must be"),
        (["--int8", "--importance", "taylor"], "--importance is of pruning, got 'taylor' without it"),
        (["--prune", "0.5", "--mixed", "1"], "--mixed is of int8, got '1' without it; give --int8"),
        (["--prune", "0.5", "--calibration", "train"], "--calibration is of int8"),
        (["--int8", "--mixed", "-1"], "--mixed must be a whole number of at least 0, got '-1'"),
        (["--int8", "--mixed", "3"], "--mixed must leave one of the 3 layers of parent in int8, got 3"),
        (["--int8", "--steps", "2", "--time", "1m"], "compress takes --steps or --time, got both"),
        (["--int8", "--rate", "0.1"], "--rate is of fine-tuning, got '0.1' without it; give --steps or --time"),
        (["--int8", "--distil", "parent"], "--distil is of fine-tuning"),
        (["--int8", "--steps", "2", "--distil-weight", "2"], "--distil-weight is of a teacher"),
        (
            ["--int8", "--steps", "2", "--distil", "other"],
            "--distil must be for scale 2, as the network that it teaches",
        ),
        (["--int8", "--steps", "2", "--distil", "noise"], "--distil must be for task sr"),
        (["--int8", "--device", "mine.csv"], "--device: int8 needs a latency table measured in int8, got mine"),
        (["--int8", "--device", "pixel4-a76-int8"], "--device must name a table of fp32, got pixel4-a76-int8"),
        (["--int8", "--device", "nokia"], "--device: unknown latency table 'nokia'"),
        (["--prune", "0.3", "--budget", "4k-params"], "--budget must hold the pruned design, got"),
        (["--int8", "--budget", "1ms@pixel4-a76-int8"], "--budget must hold the network, got"),
        (["--int8", "--budget", "small"], "--budget must be NUMBER[UNIT]-QUANTITY"),
        (["--int8", "--calibration", "empty"], "image folder must hold images, got none in empty"),
        (["--int8", "--steps", "2", "--data", "empty"], "image folder must hold images, got none in empty"),
        (["--int8", "--val-data", "empty"], "image folder must hold images, got none in empty"),
        (["--int8", "--out", "train"], "must be a new folder or one of compress, got train, something else"),
        (["--int8", "--out", "parent"], "a model folder that compress did not make"),
        (["--int8", "--processor", "tpu"], "got 'tpu'"),
        (["--int8", "--steps", "2", "--validate-every", "0"], "--validate-every must be"),
    ],
)
def test_mistakes_are_one_line(here: Path, capsys, arguments: list[str], part: str) -> None:
    (here / "empty").mkdir()
    if "other" in arguments:
        write_parent("other", "espcn", scale=3)
    if "noise" in arguments:
        search.write_model("noise", small_model("denoise"))
    if "mine.csv" in arguments:
        for path in DATA.glob("pixel4-a76.*"):
            shutil.copy(path, here / path.name.replace("pixel4-a76", "mine"))
    before = sorted(here.rglob("*"))
    assert_one_line(capsys, compressed("out", *arguments), part)
    assert sorted(here.rglob("*")) == before


def test_networks_that_cannot_be_made_smaller_are_one_line(here: Path, capsys) -> None:
    assert compressed("pruned", "--prune", "0.5") == 0
    many = small_model("denoise", specialists=2, sigma=(0.0, 50.0), backbone="plain")
    search.write_model("many", many)
    (here / "net.py").write_text("from torch import nn\ndef make():\n    return nn.Conv2d(3, 3, 1)\n")
    capsys.readouterr()
    for parent, more, part in (
        ("pruned", ["--prune", "0.5"], "a network is pruned once, from its whole width, got pruned, which is pruned"),
        ("many", ["--int8", "--mixed", "1"], "--mixed is for one network, got 1 for many, specialists"),
        ("espcn", ["--int8"], "a network to compress must be trained, got espcn without weights; give --weights FILE"),
        ("nothing", ["--int8"], "unknown network"),
    ):
        assert_one_line(capsys, compressed("b", *more, parent=parent), part)
    assert not Path("b").exists()


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(UserError, match=r"an option of compress must be one of .*, got 'ratio'"):
        search.compress("espcn", ratio=0.5)
