"""Names of models: what each kind means, and what is said of a name that means nothing or several things."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn

import search
from evaluators.tasks import rules_of
from evaluators.training.weights import save_weights
from search.cli import main
from search.models import card
from search.models.about import About
from search.models.named import KINDS, model_named
from search.models.to_cost import network_to_cost
from space import ZOO, build
from space.errors import UserError
from tests.released_states import released_state
from tests.space_tests import own_networks

IMAGE = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
FACTORY = f"{own_networks.__name__}:plain"


@pytest.fixture(autouse=True)
def few_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards price on one of the shipped tables: to read all takes seconds."""
    monkeypatch.setattr(card, "table_names", lambda: ("pixel4-a76",))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> search.Run:
    """A run of two trials, both trained on two rungs, one of them a published network."""
    folder = tmp_path_factory.mktemp("named") / "runs" / "mine"
    return search.run(
        task="denoise", budget="4k-params", sigma="0-50", trials=2, rungs=(1, 2), workers=1, run_dir=folder,
        specialists=1, progress=False, val_data=_pictures(folder.parent.parent / "val"),
    )  # fmt: skip


def _pictures(folder: Path) -> Path:
    folder.mkdir()
    pixels = torch.randint(0, 256, (48, 48, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    Image.fromarray(pixels.numpy()).save(folder / "a.png")
    return folder


@pytest.fixture
def here(run: search.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder, with a copy of the run in ``runs/mine``, in which names are looked for."""
    shutil.copytree(run.folder, tmp_path / "runs" / "mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spec_of(kind: str, here: Path) -> str:
    """A name of each kind; a new kind needs one."""
    if kind == "FOLDER":
        search.write_model("model", model_named("espcn"))
        return "model"
    if kind == "FILE.pt2":
        torch.export.save(torch.export.export(nn.Conv2d(3, 3, 3, padding=1), (IMAGE,)), "net.pt2")
        return "net.pt2"
    names = {
        "RUN#TRIAL": "mine#1",
        "FILE": "runs/mine/checkpoints/trial-1-rung-0.safetensors",
        "NAME": "s-lwsr16+skip",
        "MODULE:FACTORY": FACTORY,
    }
    return names[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_of_each_kind_means_it_alone_and_gives_a_network(kind: str, here: Path) -> None:
    spec = spec_of(kind, here)
    assert [name for name, each in KINDS.items() if each.is_meant(spec)] == [kind]
    model = model_named(spec)
    with torch.no_grad():
        assert torch.isfinite(model.network(IMAGE[:, : model.rules.shape.in_channels if model.rules else 3])).all()
    assert not any(module.training for module in model.network.modules()) or kind == "FILE.pt2"
    assert json.loads(json.dumps(model.facts)) == model.facts
    if not KINDS[kind].takes_weights:
        with pytest.raises(UserError, match="has its own; leave them out"):
            model_named(spec, "w.pth")


def test_a_trial_is_the_same_by_all_its_names_and_from_its_file_alone(here: Path, run: search.Run) -> None:
    by_name, by_path, by_rung = (model_named(name) for name in ("mine#1", "runs/mine#1", "mine#1@2"))
    alone = model_named("runs/mine/checkpoints/trial-1-rung-1.safetensors")
    network = run.network(1)
    with torch.no_grad():
        wanted = network(IMAGE)
        assert all(torch.equal(m.network(IMAGE), wanted) for m in (by_name, by_path, by_rung, alone))
        assert not torch.equal(model_named("mine#1@1").network(IMAGE), wanted)
    assert alone.name == by_name.name == "mine#1"
    assert alone.rules == by_name.rules == run.settings.rules
    assert alone.architecture == by_name.architecture
    assert {**alone.facts, "weights": ""} == {**by_name.facts, "weights": ""}
    training = by_name.facts["training"]
    assert (training["run"], training["trial"], training["rung"], training["steps"]) == ("mine", 1, 2, 2)
    assert training["environment"]["commit"]
    assert by_name.facts["data"]["training"].startswith("embedded photographs")


def test_a_weights_file_says_in_its_metadata_what_it_holds(run: search.Run) -> None:
    with safe_open(run.folder / "checkpoints" / "trial-0-rung-0.safetensors", framework="pt") as file:
        about = file.metadata()
    arch = run.trials[0].architecture
    assert about["key"] == arch.key
    assert json.loads(about["architecture"])["backbone"] == arch.backbone
    assert json.loads(about["task"]) == {
        "task": "denoise", "scale": 1, "options": {"channels": "colour", "sigma": [0.0, 50.0]}, "given": [],
    }  # fmt: skip
    assert json.loads(about["facts"])["training"]["plan"] == run.settings.training


def test_weights_that_were_deleted_name_the_rungs_that_are_there(here: Path) -> None:
    Path("runs/mine/checkpoints/trial-1-rung-1.safetensors").unlink()
    Path("runs/mine/weights/trial-1.safetensors").unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"at rung 2 must be in .*deleted; there are mine#1@1$"):
        model_named("mine#1")
    assert model_named("mine#1@1").facts["training"]["rung"] == 1
    Path("runs/mine/checkpoints/trial-1-rung-0.safetensors").unlink()
    with pytest.raises(UserError, match="as were those of its other rungs"):
        model_named("mine#1@1")


def test_the_copy_of_a_front_member_stands_for_its_own_rung_alone(here: Path, run: search.Run) -> None:
    member = int(run.front["trial"][0])
    for rung in (0, 1):
        Path(f"runs/mine/checkpoints/trial-{member}-rung-{rung}.safetensors").unlink()
    assert model_named(f"mine#{member}@2").has_weights
    with pytest.raises(UserError, match=f"there are mine#{member}@2"):
        model_named(f"mine#{member}@1")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mine#9", "trial must be one of the 2 of mine, got 9"),
        ("mine#1@3", r"rung must be one that trial 1 of mine reached \(1, 2\), got 3"),
        ("mine#1@0", r"rung must be one that trial 1 of mine reached \(1, 2\), got 0"),
        ("mine", "a run has many networks, got 'mine' alone; name one by its number on the page, mine#TRIAL"),
        ("mine#one", "a trial must be named RUN#TRIAL"),
        ("#1", "a trial must be named RUN#TRIAL"),
        ("mine#1@", "a trial must be named RUN#TRIAL"),
        ("mine#¹", "a trial must be named RUN#TRIAL"),
        ("other#1", "'other' must be a run's folder"),
        ("smfnet", "did you mean smfanet"),
        ("runs", "a model folder must hold manifest.json, got 'runs' without it"),
        ("gone.safetensors", "weights gone.safetensors must be a file, got none"),
        ("gone.pt2", "gone.pt2 must be a file written by torch.export.save"),
        ("nowhere:make", "must be MODULE:FACTORY that can be imported"),
        ("", "unknown network ''"),
    ],
)
def test_a_name_that_means_nothing_is_one_line(here: Path, spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        model_named(spec)
    assert "\n" not in str(caught.value)


def test_a_name_of_several_things_asks_which(here: Path) -> None:
    search.write_model("espcn", model_named("espcn"))
    with pytest.raises(UserError, match=r"got a model folder and a published network; write \./espcn"):
        model_named("espcn")
    assert model_named("./espcn").name == "espcn"


def test_a_hash_in_a_path_is_a_part_of_it(here: Path) -> None:
    shutil.copytree("runs/mine", "runs/mine#2")
    assert model_named("mine#2#1").name == "mine#2#1"
    assert model_named("runs/mine#2#1@1").facts["training"]["rung"] == 1
    with pytest.raises(UserError, match="a run has many networks, got 'runs/mine#2' alone"):
        model_named("runs/mine#2")
    shutil.copy("runs/mine/checkpoints/trial-1-rung-0.safetensors", "a#1")
    assert model_named("a#1").name == "mine#1"


def test_options_that_are_given_must_fit_the_network(here: Path) -> None:
    assert model_named("mine#1", task_options={"sigma": "25"}).rules.sigma == (25.0, 25.0)
    assert model_named("mine#1", task_options={"sigma": [10, 20]}).rules.sigma == (10, 20)
    assert model_named("mine#1", scale=1, task_options={"sigma": None}).rules.sigma == (0.0, 50.0)
    for options, message in (
        ({"sigma": "40-60"}, r"--sigma must be what mine#1 is for \(0-50\), got 40-60"),
        ({"channels": "grey"}, r"--channels must be what mine#1 is for \(colour\), got grey"),
        ({"masks": "both"}, "--masks is an option of inpaint and not of denoise"),
    ):
        with pytest.raises(UserError, match=message):
            model_named("mine#1", task_options=options)
    with pytest.raises(UserError, match="--scale must be left out with mine#1, got 2"):
        model_named("mine#1", scale=2)


def test_an_older_file_is_refused_alone_and_says_what_to_give(tmp_path: Path) -> None:
    arch = ZOO["espcn"].architecture
    save_weights(tmp_path / "w.safetensors", build(arch), {"architecture": arch.key, "network": "espcn"})
    with pytest.raises(UserError, match=r"must say which network they are of.*they fit espcn: give that name"):
        model_named(str(tmp_path / "w.safetensors"))
    assert model_named("espcn", tmp_path / "w.safetensors").has_weights
    save_weights(tmp_path / "own.safetensors", nn.Conv2d(3, 5, 3), {})
    with pytest.raises(UserError, match="give the network's name"):
        model_named(str(tmp_path / "own.safetensors"))


@pytest.mark.parametrize(
    "metadata",
    [
        {"architecture": "{"},
        {"architecture": '{"backbone": "plain"}'},
        {"architecture": "{}", "task": "[]"},
        {"architecture": "{" * 5000},
    ],
)
def test_metadata_that_cannot_be_read_is_one_line(tmp_path: Path, metadata: dict[str, str]) -> None:
    safetensors.torch.save_file({"a.weight": torch.zeros(2, 2)}, tmp_path / "w.safetensors", metadata)
    with pytest.raises(UserError, match="must say their network as this version reads it") as caught:
        model_named(str(tmp_path / "w.safetensors"))
    assert "\n" not in str(caught.value)


def test_the_authors_weights_say_whose_they_are_and_keep_their_form(tmp_path: Path) -> None:
    torch.save(released_state("dncnn-s", 0, 1), tmp_path / "dncnn.pth")
    model = model_named("dncnn", tmp_path / "dncnn.pth")
    assert model.name == "dncnn-s"
    assert "cszn/KAIR" in model.facts["weights"]
    assert "cszn/KAIR" in model.facts["licence"]
    search.write_model(tmp_path / "model", model)
    image = IMAGE[:, :1]
    with torch.no_grad():
        assert torch.equal(search.load_model(tmp_path / "model")(image), model.network(image))


def test_own_code_takes_weights(tmp_path: Path) -> None:
    network = model_named(FACTORY).network
    save_weights(tmp_path / "w.safetensors", network, {})
    model = model_named(FACTORY, tmp_path / "w.safetensors")
    assert model.has_weights
    assert not model_named(FACTORY).has_weights
    with pytest.raises(UserError, match="--sigma is for networks that say their task"):
        model_named(FACTORY, task_options={"sigma": "25"})


def test_specialists_are_in_one_file(tmp_path: Path) -> None:
    arch = ZOO["ircnn"].architecture
    arch = replace(arch, shape=replace(arch.shape, specialists=2))
    about = About("two", arch, rules_of("denoise", 1, {"channels": "grey", "sigma": [0.0, 50.0]}), {})
    network = build(arch)
    save_weights(tmp_path / "two.safetensors", network, about.metadata())
    model = model_named(str(tmp_path / "two.safetensors"))
    assert network_to_cost(str(tmp_path / "two.safetensors"), None).in_channels == 1
    with torch.no_grad():
        assert torch.equal(model.network(IMAGE[:, :1], 0.9), network.eval()(IMAGE[:, :1], 0.9))
    with pytest.raises(UserError, match=r"--sigma must be what two is for \(0-50\), got 25"):
        model_named(str(tmp_path / "two.safetensors"), task_options={"sigma": "25"})


def test_evaluate_measures_a_trial_by_its_own_task(here: Path, run: search.Run, capsys) -> None:
    val = run.folder.parent.parent / "val"
    assert main(["evaluate", "mine#1", "--data", str(val), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["psnr_db"] == pytest.approx(run.trials[1].rungs[1].psnr_db, abs=1e-3)
    assert told["task"] == "denoise σ 0–50"
    assert main(["evaluate", "mine#1", "--data", str(val), "--sigma", "60"]) == 2
    assert "must be what mine#1 is for (0-50), got 60" in capsys.readouterr().err
    assert main(["evaluate", "espcn", "--data", str(val)]) == 2
    assert "--weights must be given with espcn" in capsys.readouterr().err
    assert main(["evaluate", FACTORY, "--data", str(val)]) == 2
    assert "--weights must be given" in capsys.readouterr().err


def test_cost_prices_every_name(here: Path, run: search.Run, capsys) -> None:
    costs = run.trials[1].costs
    search.write_model("model", model_named("mine#1"))
    for name in ("mine#1", "runs/mine/checkpoints/trial-1-rung-0.safetensors", "model"):
        assert main(["cost", name, "--device", "pixel4-a76", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["params"], told["macs"], told["input"]) == (costs.params, costs.macs, "640x360")
    assert main(["cost", "mine#1", "--device", "pixel4-a76"]) == 0
    assert "mine#1" in capsys.readouterr().out
    for arguments, message in (
        (("mine#1", "--channels", "3"), "--channels is for your own network"),
        (("mine#1", "--scale", "2"), "--scale must be left out with mine#1"),
        (("mine",), "a run has many networks"),
    ):
        assert main(["cost", *arguments]) == 2
        assert message in capsys.readouterr().err
