"""Teachers by name: trained with and recorded, found again by the process that trains, and refused in one line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

import search
from evaluators.tasks import rules_of
from evaluators.training.distillation import Distillation
from evaluators.training.feature_loss import FeatureLoss
from evaluators.training.spectrum_loss import SpectrumLoss
from evaluators.training.trainer import Trainer
from evaluators.training.weights import save_weights
from search.cli import main
from search.experiments import ablations, sessions
from search.experiments.ablations import Comparison, comparison
from search.experiments.loss_spec import Distil, LossSpec, TeacherName
from search.experiments.network_specs import named_architecture
from search.experiments.teachers import loss_of, teacher_named
from search.experiments.train_folder import SETTINGS_FILE
from search.experiments.training import CHECKPOINT_FILE, Training, TrainingRecord
from search.models.folder import read_model
from search.models.model import Model
from search.storage.artifacts import LocalArtifacts
from space.build import build
from space.errors import UserError
from space.search_space import BACKBONE, SearchSpace
from space.tasks import TASKS
from tests.in_process_workers import InProcessWorkers
from tests.search_tests.short_trainings import training

SR = rules_of("sr", 2, {"channels": "y"})
COMMAND = ["train", "ecbsr-m4c8", "--scale", "2", "--batch", "2", "--patch", "16", "--data", "train", "--val-data"]
COMMAND += ["test", "--precision", "fp32", "--validate-every", "4", "--steps", "4"]
TAUGHT = LossSpec(Distil("output", 2.0, TeacherName("teacher", "", "0123")), 0.05)


@pytest.fixture
def here(root: Path, monkeypatch) -> Path:
    """In ``root``, with trainings in this process and a teacher: a model folder of the student's task."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(sessions, "ProcessWorkers", InProcessWorkers)
    write_teacher("teacher", seed=1)
    return root


def write_teacher(name: str, seed: int, network: str = "ecbsr-m4c16", has_weights: bool = True) -> None:
    arch = named_architecture(network, 2)
    built = build(arch, torch.Generator().manual_seed(seed)).eval()
    search.write_model(name, Model(name, built, SR, arch, has_weights), overwrite=True)


def trained(out: str, *more: str) -> int:
    return main([*COMMAND, "--out", out, *more])


def record_of(folder: str) -> TrainingRecord:
    record = TrainingRecord.read(LocalArtifacts(Path(folder)))
    assert record is not None
    return record


def same_weights(*folders: str) -> bool:
    ours, theirs = (read_model(Path(folder)).network.state_dict() for folder in folders)
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


# As a value.


def test_a_training_without_one_is_called_as_it_was() -> None:
    plain = training()
    assert "loss" not in plain.to_dict()
    older = {"batch": 32, "patch_px": 32, "learning_rate": 0.002, "warmup_steps": 50, "ema_decay": 0.999}
    found = Training.from_dict({**plain.to_dict(), "plan": {**older, "decay_steps": 8}})
    assert found.folder_name == "ecbsr-m4c8-8-seed3-8141c842"  # before trainings had a loss of their own
    assert Training.from_dict(plain.to_dict()) == plain


@pytest.mark.parametrize(
    "loss", [TAUGHT, LossSpec(spectrum_weight=0.1), LossSpec(Distil("features", 1.0, TeacherName("a", "b.pth", "12")))]
)
def test_it_goes_through_json(loss: LossSpec) -> None:
    asked = training(loss=loss)
    assert Training.from_dict(json.loads(json.dumps(asked.to_dict()))) == asked


def test_what_decides_gives_another_folder_and_a_path_does_not() -> None:
    def name(**changes: object) -> str:
        distil = replace(TAUGHT.distil, **changes)
        return training(loss=replace(TAUGHT, distil=distil)).folder_name

    teacher = TAUGHT.distil.teacher
    same = {
        name(),
        name(teacher=replace(teacher, name="moved/teacher")),
        name(teacher=replace(teacher, weights="x.pth")),
    }
    assert len(same) == 1
    others = {name(weight=1.0), name(kind="features"), name(teacher=replace(teacher, fingerprint="4567"))}
    others |= {training().folder_name, training(loss=LossSpec(spectrum_weight=0.05)).folder_name}
    assert len(others | same) == 6


# Trained with.


def test_a_teacher_and_spectra_are_trained_with_and_recorded(here: Path, capsys) -> None:
    assert trained("plain") == 0
    assert trained("taught", "--teacher", "teacher", "--distil-weight", "2", "--spectrum-weight", "0.05") == 0
    out = capsys.readouterr().out
    said = "loss: the task's own and 2 x the distance from the output of teacher ("
    assert said in out
    assert "and 0.05 x the L1 of spectra" in out
    loss = record_of("taught").training.loss
    assert loss.distil.kind == "output"
    assert loss.distil.weight == 2.0
    assert loss.spectrum_weight == 0.05
    assert loss.distil.teacher == teacher_named("teacher", None, SR, "output")[1]
    assert record_of("plain").training.loss.is_own
    assert not same_weights("plain", "taught")
    page = (here / "taught" / "report.html").read_text()
    assert "from random weights of seed 0, taught by teacher, in" in page
    assert "2 x the distance from the output of teacher (" in page
    assert "taught by" not in (here / "plain" / "report.html").read_text()
    facts = read_model(here / "taught").facts
    assert facts["training"]["added loss"] == loss.said


def test_the_trainer_gets_what_was_asked(here: Path) -> None:
    _, teacher = teacher_named("teacher", None, SR, "output")
    loss = loss_of(LossSpec(Distil("output", 2.0, teacher), 0.05), SR)
    assert isinstance(loss, SpectrumLoss)
    assert isinstance(loss.pixels, Distillation)
    assert (loss.weight, loss.pixels.weight) == (0.05, 2.0)
    own = read_model(Path("teacher")).network.state_dict()
    copied = loss.pixels.teacher.network.state_dict()
    assert all(torch.equal(own[name], copied[name]) for name in own)
    own_loss, image = loss_of(LossSpec(), SR), torch.rand(1, 1, 8, 8)
    assert own_loss(image, image / 2, image) == SR.measure.loss(image, image / 2, image)


def test_it_continues_bit_for_bit_also_with_the_teacher_moved(here: Path, monkeypatch, capsys) -> None:
    more = ("--validate-every", "2", "--teacher", "teacher")
    assert trained("whole", *more) == 0
    make = Trainer._train_step

    def ending(trainer: Trainer) -> torch.Tensor:
        if trainer.step == 2:
            raise KeyboardInterrupt
        return make(trainer)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_train_step", ending)
        assert trained("pieces", *more) == 130
    assert (here / "pieces" / CHECKPOINT_FILE).exists()
    shutil.move(here / "teacher", here / "elsewhere")
    capsys.readouterr()
    assert trained("pieces", *more[:2], "--teacher", "elsewhere") == 0
    assert "; continuing" in capsys.readouterr().out
    assert same_weights("whole", "pieces")


def test_another_teacher_or_weight_is_another_training(here: Path, monkeypatch, capsys) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_train_step", lambda trainer: (_ for _ in ()).throw(KeyboardInterrupt))
        assert trained("a", "--teacher", "teacher") == 130
    write_teacher("other", seed=2)
    for more, part in (
        (["--teacher", "other"], "--teacher must stay "),
        (["--teacher", "teacher", "--distil-weight", "3"], "--distil-weight must stay 1.0"),
        (["--teacher", "teacher", "--spectrum-weight", "1"], "--spectrum-weight must stay not given"),
        ([], "--teacher must stay "),
    ):
        capsys.readouterr()
        assert trained("a", *more) == 2
        assert part in capsys.readouterr().err
    assert json.loads((here / "a" / SETTINGS_FILE).read_text())["said"]["distil"] == "output"


def test_a_teacher_that_changed_teaches_no_more(here: Path) -> None:
    _, teacher = teacher_named("teacher", None, SR, "output")
    write_teacher("teacher", seed=2)
    with pytest.raises(UserError, match="the teacher teacher must stay what training was begun with"):
        loss_of(LossSpec(Distil("output", 1.0, teacher)), SR)


def test_a_published_network_teaches_with_weights_of_a_file(here: Path) -> None:
    network = read_model(Path("teacher")).network
    save_weights("net.safetensors", network, {})
    assert trained("taught", "--teacher", "ecbsr-m4c16", "--teacher-weights", "net.safetensors") == 0
    teacher = record_of("taught").training.loss.distil.teacher
    assert (teacher.name, teacher.weights) == ("ecbsr-m4c16", "net.safetensors")
    assert teacher.fingerprint == teacher_named("teacher", None, SR, "output")[1].fingerprint


def test_a_users_own_module_teaches(here: Path, monkeypatch) -> None:
    (here / "own_teacher.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Upsample(scale_factor=2, mode='bicubic')\n"
        "def odd():\n"
        "    return nn.Conv2d(1, 1, 1)\n"
    )
    monkeypatch.syspath_prepend(str(here))
    assert trained("taught", "--teacher", "own_teacher:make") == 0
    assert trained("other", "--teacher", "own_teacher:odd") == 2


def test_features_of_a_denoiser(here: Path) -> None:
    rules = rules_of("denoise", options={"sigma": [25.0, 25.0]})
    space = SearchSpace(TASKS["denoise"], rules.shape)
    arch = space.decode(space.fill(lambda parameter: parameter.values[0], {BACKBONE: "plain"}))
    network = build(arch, torch.Generator().manual_seed(0))
    search.write_model("denoiser", Model("denoiser", network, rules, arch, True))
    _, teacher = teacher_named("denoiser", None, rules, "features")
    loss = loss_of(LossSpec(Distil("features", 0.5, teacher)), rules)
    assert isinstance(loss, FeatureLoss)
    assert loss.layers
    many = replace(rules, sigma=(15.0, 50.0))
    with pytest.raises(UserError, match="--sigma must be what denoiser is for"):
        teacher_named("denoiser", None, many, "output")


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--distil-weight", "2"], "--distil-weight is of a teacher, got '2' without one; give --teacher NAME"),
        (["--distil", "output"], "--distil is of a teacher"),
        (["--teacher-weights", "a.pth"], "--teacher-weights is of a teacher"),
        (
            ["--teacher", "teacher", "--distil-weight", "101"],
            "--distil-weight must be a number from 0 to 100, got '101'",
        ),
        (["--teacher", "teacher", "--distil-weight", "-1"], "--distil-weight must be a number from 0 to 100, got '-1'"),
        (["--teacher", "teacher", "--distil-weight", "nan"], "got 'nan'"),
        (["--teacher", "teacher", "--distil-weight", "much"], "got 'much'; for example 1"),
        (["--spectrum-weight", "1000"], "--spectrum-weight must be a number from 0 to 100, got '1000'"),
        (["--teacher", "teacher", "--distil", "style"], "--distil must be one of output, features, got 'style'"),
        (
            ["--teacher", "teacher", "--distil", "features"],
            "which takes 1 channels and gives 1 at 2 times the size; give",
        ),
        (["--teacher", "ecbsr-m4c16"], "--teacher must be a trained network, got 'ecbsr-m4c16' without weights; give"),
        (["--teacher", "blank"], "--teacher must be a trained network, got 'blank' without weights"),
        (["--teacher", "nobody"], "unknown network 'nobody'"),
        (
            ["--teacher", "x4"],
            "--teacher must be for scale 2, as the network that it teaches, got 'x4', which is for 4",
        ),
        (["--teacher", "colour"], "--teacher must be for channels y, as the network that it teaches, got 'colour'"),
        (
            ["--teacher", "grey"],
            "--teacher must be for task sr, as the network that it teaches, got 'grey', which is for",
        ),
        (["--teacher", "graph.pt2"], "a graph that is fixed"),
    ],
)
def test_mistakes_are_one_line(here: Path, capsys, arguments: list[str], part: str) -> None:
    write_teacher("blank", seed=1, has_weights=False)
    for name, network, rules in (
        ("x4", "ecbsr-m4c16", rules_of("sr", 4, {"channels": "y"})),
        ("colour", "smfanet", rules_of("sr", 2)),
        ("grey", "dncnn-s", rules_of("denoise", options={"channels": "grey"})),
    ):
        arch = named_architecture(network, rules.scale)
        search.write_model(name, Model(name, build(arch), rules, arch, True))
    before = sorted(here.rglob("*"))
    assert trained("out", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    assert part in error
    assert sorted(here.rglob("*")) == before


def test_specialists_do_not_teach(here: Path) -> None:
    rules = rules_of("denoise", options={"sigma": [0.0, 50.0]})
    space = SearchSpace(TASKS["denoise"], replace(rules.shape, specialists=2))
    arch = space.decode(space.fill(lambda parameter: parameter.values[0], {BACKBONE: "plain", "specialists": 2}))
    search.write_model("many", Model("many", build(arch), rules, arch, True))
    with pytest.raises(UserError, match="must be one network for all noise levels, got 'many', 2 specialists"):
        teacher_named("many", None, rules, "output")


# Ablations.


@pytest.fixture
def tiny(here: Path, monkeypatch) -> str:
    """An ablation of a student of three thousand parameters, whose teacher is trained first."""
    losses = {"alone": LossSpec(), "taught": LossSpec(Distil("output", 1.0)), "spectra": LossSpec(None, 0.05)}
    student = named_architecture("ecbsr-m4c8", 2)
    made = Comparison(
        "tiny", "A tiny study", "a claim", "a source", SR, dict.fromkeys(losses, student), "alone", losses,
        "ecbsr-m4c16", True, 2,
    )  # fmt: skip
    monkeypatch.setitem(ablations.ABLATIONS, "tiny", lambda _name: made)
    return "tiny"


def ablation(*more: str) -> int:
    data = ["--data", ".", "--train", "train", "--test", "test"]
    return main(["ablation", "tiny", *data, "--seeds", "2", "--teacher-steps", "2", "--precision", "fp32", *more])


def test_an_ablation_trains_its_teacher_first(tiny: str, capsys) -> None:
    assert ablation("--out", "study") == 0
    out = capsys.readouterr().out
    assert out.index("training 1 of 1: ecbsr-m4c16") < out.index("The teacher: ecbsr-m4c16, ")
    assert out.index("The teacher") < out.index("training 1 of 6: alone")
    page = Path("study/README.md").read_text()
    assert "The teacher: ecbsr-m4c16, " in page
    assert "trained first for 2 steps" in page
    table = pd.read_csv("study/psnr.csv")
    assert list(table["variant"]) == ["alone"] * 2 + ["taught"] * 2 + ["spectra"] * 2
    assert table["psnr_db"].nunique() == 6
    assert set(table["steps"]) == {2}
    assert ablation("--out", "study") == 0
    assert "training 1" not in capsys.readouterr().out


def test_an_ablation_takes_a_given_teacher(tiny: str, capsys) -> None:
    assert ablation("--teacher", "teacher", "--seeds", "1", "--out", "study") == 0
    assert "The teacher: teacher, " in Path("study/README.md").read_text()
    assert "ecbsr-m4c16" not in capsys.readouterr().out
    taught = [
        TrainingRecord.read(LocalArtifacts(path.parent)).training.loss
        for path in Path("study").glob("taught*/record.json")
    ]
    assert [loss.distil.teacher.name for loss in taught] == ["teacher"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["distil-sr"], "distil-sr needs the weights of its teacher, smfanet-plus, got none; give them with"),
        (["upsamplers", "--teacher", "teacher"], "--teacher is of ablations with a teacher, got it with upsamplers"),
        (["distil-sr", "--teacher", "teacher"], "--teacher must be for scale 4"),
    ],
)
def test_an_ablation_s_mistakes_are_one_line(here: Path, capsys, arguments: list[str], part: str) -> None:
    assert main(["ablation", *arguments]) == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1
    assert not (here / "runs").exists()


@pytest.mark.parametrize("name", ["distil-raw", "distil-sr"])
def test_the_arms_differ_in_their_loss_alone(name: str) -> None:
    study = comparison(name).taught_by(TeacherName("t", "", "0123"))
    assert len(set(study.variants.values())) == 1
    assert study.loss(study.base).is_own
    planned = study.trainings(study.steps, 3, ("embedded",), ("embedded",))
    assert [each.seed for each in planned] == [0] * 3 + [1] * 3 + [2] * 3
    assert len({each.folder_name for each in planned}) == 9
    assert study.steps == 2000
