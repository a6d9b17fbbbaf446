"""Optimizers of other packages, which nothing but ``training_recipes`` needs: SOAP and schedule-free AdamW.

SOAP (Vyas et al., 2024, "SOAP: Improving and Stabilizing Shampoo using Adam") is Adam in the eigenbases of Shampoo's
preconditioners. Schedule-free AdamW (Defazio et al., 2024, "The Road Less Scheduled") takes gradients between its fast
weights and their average, and is measured at the average.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import nn

from evaluators.training.plan import ADAM_BETAS, TrainingPlan
from space.errors import UserError

PACKAGES = {"SOAP": ("pytorch-optimizer", "4.1.0"), "schedule-free AdamW": ("schedulefree", "1.4.1")}
"""Of each optimizer: its package on PyPI, and the version that the table was made with."""

Maker = Callable[[TrainingPlan, Iterable[nn.Parameter]], torch.optim.Optimizer]


def foreign(name: str) -> Maker:
    """What makes the optimizer, in place of ``optimizer_of``; the trainer sets its rate before every step.

    Raises:
        UserError: its package is missing, or of another version.
    """
    package, needed = PACKAGES[name]
    try:
        found = version(package)
    except PackageNotFoundError:
        found = "none"
    if found != needed:
        raise UserError(f"{name} needs {package} {needed}, found {found}; pip install {package}=={needed}")
    return _soap if name == "SOAP" else _schedule_free


def _soap(plan: TrainingPlan, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """With its authors' momenta and a new eigenbasis every 10 steps, but no weight decay, as no recipe here has any."""
    make = import_module("pytorch_optimizer").SOAP
    return make(list(parameters), lr=plan.learning_rate, betas=(0.95, 0.95), weight_decay=0.0)


def _schedule_free(plan: TrainingPlan, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Warmed up by the trainer: its own warm-up would set the same rates."""
    make = import_module("schedulefree").AdamWScheduleFree
    optimizer = make(list(parameters), lr=plan.learning_rate, betas=ADAM_BETAS, weight_decay=0.0)
    optimizer.train()
    return optimizer


def averages(optimizer: torch.optim.Optimizer) -> bool:
    """Whether it has averaged weights of its own, to which its ``eval()`` turns the network's."""
    return hasattr(optimizer, "eval")


def network_of_average(network: nn.Module, optimizer: torch.optim.Optimizer) -> nn.Module:
    """A copy in eval mode that holds the optimizer's average; of a network without batch norms, which would not fit.

    The weights of ``network`` are again those of training afterwards, but for rounding.
    """
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    optimizer.eval()  # type: ignore[attr-defined]
    measured = copy.deepcopy(network).eval()
    optimizer.train()  # type: ignore[attr-defined]
    return measured
