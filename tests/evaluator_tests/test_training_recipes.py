"""The benchmark of training recipes, without the packages that two of its recipes need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
from torch import nn

from evaluators.training import trainer
from evaluators.training.plan import TrainingPlan
from space.errors import UserError
from tests.benchmarks import foreign_optimizers, training_recipes
from tests.benchmarks.foreign_optimizers import foreign, network_of_average
from tests.benchmarks.training_recipes import RECIPES, Recipe, main, networks, read, trained

SMALLEST = "8 channels, 6 blocks"


class Averaging(torch.optim.SGD):
    """Its average is, after n steps, a weight of n everywhere."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(parameters, lr=lr)
        self.rates: list[float] = []
        self.kept: list[torch.Tensor] = []

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        self.rates.append(self.param_groups[0]["lr"])

    @torch.no_grad()
    def eval(self) -> None:
        self.kept = [weight.clone() for weight in self.param_groups[0]["params"]]
        for weight in self.param_groups[0]["params"]:
            weight.fill_(len(self.rates))

    @torch.no_grad()
    def train(self) -> None:
        for weight, kept in zip(self.param_groups[0]["params"], self.kept, strict=True):
            weight.copy_(kept)


def missing(_package: str) -> str:
    raise PackageNotFoundError


def test_one_line_says_which_package_a_recipe_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(foreign_optimizers, "version", missing)
    soap = list(RECIPES).index("SOAP, rate 0.003")
    with pytest.raises(SystemExit):
        main(["--recipes", str(soap), "--out", str(tmp_path)])
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith(
            "error: SOAP needs pytorch-optimizer 4.1.0, found none; pip install pytorch-optimizer==4.1.0, "
            "or leave it out with --recipes"
        )
    )
    assert not list(tmp_path.iterdir())


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_optimizers, "version", lambda _package: "0.0.1")
    with pytest.raises(UserError, match=r"schedulefree 1\.4\.1, found 0\.0\.1"):
        foreign("schedule-free AdamW")


def test_the_average_of_an_optimizer_is_measured_and_training_goes_on_from_its_weights() -> None:
    network = nn.Linear(2, 1)
    before = [value.detach().clone() for value in network.parameters()]
    optimizer = Averaging(network.parameters(), 0.1)
    optimizer.step()
    measured = network_of_average(network, optimizer)
    assert not measured.training
    assert all(bool((value == 1).all()) for value in measured.parameters())
    assert all(torch.equal(value, kept) for value, kept in zip(network.parameters(), before, strict=True))


def test_a_recipe_brings_its_optimizer_and_leaves_the_product_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Averaging] = []

    def maker(plan: TrainingPlan, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        made.append(Averaging(parameters, plan.learning_rate))
        return made[-1]

    monkeypatch.setattr(training_recipes, "foreign", lambda _name: maker)
    monkeypatch.setattr(training_recipes, "AT", (1, 2))
    product = trainer.optimizer_of
    plan = {"learning_rate": 0.5, "full_rate_steps": 0, "warmup_steps": 4}
    steps = [step for step, _, _ in trained(networks()[SMALLEST], Recipe(plan, optimizer="SOAP"), 0)]
    assert steps == [1, 2]
    assert made[0].rates == [0.125, 0.25]
    assert made[0].kept, "measured at its own average"
    assert trainer.optimizer_of is product


def test_the_published_table_is_of_recipes_and_networks_that_are_there() -> None:
    rows = read(Path("reports/published/training-recipes/recipes.csv"))
    assert {row["recipe"] for row in rows} <= set(RECIPES)
    assert {row["network"] for row in rows} == set(networks())
