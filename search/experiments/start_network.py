"""The network that ``train`` starts from: its task, its code, and whether its weights can be trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from evaluators.tasks import TaskRules
from search.experiments.trainables import Trainable, UserNetwork, seeded
from search.models.model import Model
from search.models.named import KINDS, model_named
from search.models.task_options import read_rules
from search.request.values import task_values
from space.architecture import Architecture
from space.build import build
from space.command_line import parse_count
from space.errors import UserError, first_line
from space.tasks import TASKS

TRIED_PX = 32  # side of the image with which a user's network is tried; a multiple of what networks halve


def model_and_rules(spec: str, texts: Mapping[str, str], seed: int) -> tuple[Model, TaskRules]:
    """The network, and its task with the options given."""
    given = {name: text for name, text in task_values(texts).items() if text is not None}
    scale = parse_count("--scale", texts["scale"], 1) if "scale" in texts else None
    task_name, weights = texts.get("task"), texts.get("weights")
    if task_name is not None and task_name not in TASKS:
        raise UserError(f"--task must be one of {', '.join(TASKS)}, got {task_name!r}")
    if KINDS["FILE.pt2"].is_meant(spec):
        raise UserError(
            f"a network to train must be one that Python code makes, got {spec}, a graph that is fixed; give the "
            "MODULE:FACTORY that it was exported from"
        )
    if KINDS["MODULE:FACTORY"].is_meant(spec):
        if task_name is None:
            raise UserError(
                f"{spec!r} does not say its task; give --task, one of {', '.join(TASKS)}, and for sr --scale"
            )
        rules = read_rules(task_name, scale, given)
        with seeded(seed):  # of weights that the user's code draws
            model = model_named(spec, weights)
        check_output(spec, model.network, rules)
        return replace(model, rules=rules), rules
    model = model_named(spec, weights, scale)
    if model.rules is None:
        raise UserError(f"a network to train must say its task, got {spec!r}, which does not; name it by its run")
    own = model.rules
    if task_name not in (None, own.task):
        raise UserError(f"--task of {spec} must be {own.task}, got {task_name}; leave it out")
    changed = read_rules(own.task, own.scale, {**own.options, **given})
    if changed.shape != own.shape:
        raise UserError(f"--channels of {spec} must be {own.channels}, got {changed.channels}; leave it out")
    return model, changed


def check_output(spec: str, network: nn.Module, rules: TaskRules) -> None:
    """Run a user's network once.

    Raises:
        UserError: it does not take the task's image, or gives none of its size.
    """
    shape = rules.shape
    image = torch.zeros(1, shape.in_channels, TRIED_PX, TRIED_PX)
    wanted = (1, shape.out_channels, shape.scale * TRIED_PX, shape.scale * TRIED_PX)
    try:
        with torch.no_grad():
            given = tuple(network(image).shape)
    except Exception as error:
        raise UserError(
            f"{spec!r} must take {tuple(image.shape)} for {rules.title}, got: {first_line(error)}; see --task, --scale "
            "and --channels"
        ) from error
    if given != wanted:
        raise UserError(
            f"{spec!r} must give {wanted} for {tuple(image.shape)} for {rules.title}, got {given}; see --task, --scale "
            "and --channels"
        )


def trainable_of(model: Model, spec: str) -> Trainable:
    if model.architecture is not None:
        return model.architecture
    assert model.rules is not None
    if KINDS["MODULE:FACTORY"].is_meant(spec):
        return UserNetwork(spec, model.rules.shape)
    source = model.facts.get("source", "MODULE:FACTORY")
    raise UserError(
        f"a network to train must be one that Python code makes, got {spec}, which holds the graph of {source}; give "
        f"{source} with --weights {Path(spec) / 'model.safetensors'}"
    )


def check_training_form(model: Model, architecture: Architecture) -> None:
    """Raises: UserError: the weights are of the folded network that is deployed."""
    if model.network.state_dict().keys() != build(architecture).state_dict().keys():
        raise UserError(
            f"weights to train on must be of the network as it is trained, got those of {model.name} folded for "
            "deployment, which cannot be taken apart again; give its training weights, or --from-scratch"
        )


def fingerprint(network: nn.Module) -> str:
    """Sixteen hex digits that change with any value of the weights."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
