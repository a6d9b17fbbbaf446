"""A user's own network in a model folder: a graph that needs none of its code, or only its weights.

A model folder never names code to run: only a name that a person types may run code.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from search.models.about import rules_from_dict
from search.models.model import Model
from space.errors import UserError
from space.named_network import given_network, named_network

OWN_FILE = "model.pt2"
TRACED_AT = (64, 64)  # height and width with which a graph for any size is made


def write_own(model: Model, path: Path) -> None:
    """Write ``model.network`` as a graph for images of any size or, where it allows only one, of its own.

    A network that ``torch.export`` cannot follow leaves no file: its folder then holds its weights alone.
    """
    about = model.facts.get("input") or {}
    channels = int(about.get("channels") or given_network(model.network).in_channels)
    width, height = about.get("size") or reversed(TRACED_AT)
    free = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    attempts: tuple[tuple[tuple[int, int], Any], ...] = ((TRACED_AT, (free,)), ((height, width), None))
    for size, shapes in attempts[bool(about.get("only_this_size")) :]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = torch.rand(1, channels, *size)
                program = torch.export.export(model.network, (image,), dynamic_shapes=shapes)
                torch.export.save(program, path)
            return
        except Exception:  # whatever its code does under export; the next attempt, or the weights, are what is left
            path.unlink(missing_ok=True)


def load_own(folder: Path, described: Mapping[str, Any]) -> Model:
    """The network in ``folder``, whose ``architecture.json`` is ``described``.

    Raises:
        UserError: the folder has its weights alone.
    """
    facts, name = dict(described["facts"]), str(described["name"])
    if not (folder / OWN_FILE).is_file():
        source = facts.get("source", "MODULE:FACTORY")
        raise UserError(
            f"model folder {folder} must hold its network, got the weights of {source} alone, which torch.export could "
            f"not follow; where that code is, give {source} with --weights {folder / 'model.safetensors'}"
        )
    own = named_network(str(folder / OWN_FILE))
    facts["input"] = {"channels": own.in_channels, "size": list(own.input_size), "only_this_size": own.only_this_size}
    rules = rules_from_dict(described["task"]) if described.get("task") else None
    return Model(name, own.network, rules, None, bool(described["has_weights"]), facts)
