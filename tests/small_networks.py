"""Small networks of every task, whose weights are none of them zero: what each branch computes shows."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from evaluators.tasks import TaskRules, rules_of
from search.models.model import Model
from space import TASKS, SearchSpace, build
from space.knobs import SPECIALISTS
from space.search_space import BACKBONE, first
from space.specialists import networks_of


def filled(network: nn.Module, seed: int = 0) -> nn.Module:
    """``network`` in eval mode, with small random numbers where it starts at zero, and norms that do something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.uniform_(-0.1, 0.1, generator=generator)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def small_model(
    task: str, channels: str = "", specialists: int = 1, sigma: tuple[float, float] | None = None, **knobs: object
) -> Model:
    """The smallest network of a task's last backbone, or of ``backbone=``, with ``knobs``; named after the task.

    Of sr it is the plain one, which has every choice of ends.
    """
    rules: TaskRules = rules_of(task, options={"channels": channels} | ({"sigma": sigma} if sigma else {}))
    space = SearchSpace(TASKS[task], replace(rules.shape, specialists=specialists))
    backbone = "plain" if task == "sr" else TASKS[task].backbones[-1]
    values = space.fill(first, {BACKBONE: backbone, SPECIALISTS.name: specialists, **knobs})
    arch = space.decode(values)
    network = build(arch, torch.Generator().manual_seed(1)).eval()
    for each in networks_of(network):
        filled(each)
    return Model(task, network, rules, arch, True)
