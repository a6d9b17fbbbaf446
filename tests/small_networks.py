"""Small networks of every task, whose weights are none of them zero: what each branch computes shows."""

from __future__ import annotations

import torch
from torch import nn

from evaluators.tasks import TaskRules, rules_of
from search.models.model import Model
from space import TASKS, SearchSpace, build
from space.search_space import BACKBONE, first


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


def small_model(task: str, channels: str | None = None, specialists: int = 1, **knobs: object) -> Model:
    """The smallest network of a task's first backbone, or of ``backbone=``, with ``knobs``; named after the task."""
    rules: TaskRules = rules_of(task, options={"channels": channels or TASKS[task].default_channels})
    space = SearchSpace(TASKS[task], rules.shape)
    values = space.fill(first, {BACKBONE: TASKS[task].backbones[-1], **knobs})
    arch = space.decode(values)
    return Model(task, filled(build(arch, torch.Generator().manual_seed(1))), rules, arch, True)
