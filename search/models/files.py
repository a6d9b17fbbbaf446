"""Networks out of one weights file of ours, which says itself what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from evaluators.training.weights import check_same_tensors
from search.models.about import About
from search.models.model import Model
from search.models.task_options import fitted
from space.architecture import Architecture
from space.build import build
from space.deploy import deploy_form
from space.errors import UserError
from space.weights import Stored, read_stored
from space.weights.loading import identified


def model_of_file(path: Path | str, scale: int | None, task_options: Mapping[str, Any] | None) -> Model:
    """The model in a weights file alone.

    Raises:
        UserError: the file cannot be read, or does not say which network it holds.
    """
    stored = read_stored(path)
    about = About.read(stored.metadata, stored.where)
    if about is None or about.architecture is None:
        raise UserError(_unsaid(stored, path))
    rules = about.rules
    if rules is not None:
        rules = fitted(about.name, rules, scale, task_options, about.architecture.shape.specialists)
    network = network_of(about.architecture, stored)
    return Model(about.name, network, rules, about.architecture, True, {"weights": Path(path).name, **about.facts})


def network_with(architecture: Architecture, path: Path) -> nn.Module:
    """The network of ``architecture`` in eval mode with the weights in ``path``.

    Raises:
        UserError: the file cannot be read, or its weights belong to another network.
    """
    return network_of(architecture, read_stored(path))


def network_of(architecture: Architecture, stored: Stored) -> nn.Module:
    """As ``network_with``; folded, where the weights are those of its deploy form, as some authors release them."""
    tensors, network = stored.first, build(architecture)
    if tensors.keys() != network.state_dict().keys():
        folded = deploy_form(build(architecture))
        network = folded if tensors.keys() == folded.state_dict().keys() else network
    check_same_tensors(tensors, network.state_dict(), stored.where)
    network.load_state_dict(tensors)
    return network.eval()


def _unsaid(stored: Stored, path: Path | str) -> str:
    """For a file without a description: older ones of ours, and others' files."""
    fit = identified(stored)
    named = stored.metadata.get("network")
    rule = f"weights {path} must say which network they are of, as newer ones of litefront do, got none that does"
    if fit is not None:
        return f"{rule}; they fit {fit.form.name}: give that name, and the file with --weights"
    if named:
        return f"{rule}; they are of {named}: give that name, and the file with --weights"
    return f"{rule}; give the network's name, and the file with --weights, or name the trial: RUN#TRIAL"
