"""The state of a training in one safetensors file: tensors as they are, all else as JSON in the metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from evaluators.training.plan import TrainingPlan
from evaluators.training.weights import check_same_tensors, crc32_of, plain_copy
from space.errors import UserError
from space.files import write_atomically

FORMAT = "litefront-checkpoint"
VERSION = 1
PARTS = ("network", "optimizer", "average")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a training after ``step`` steps.

    ``generator_state`` is numpy's ``bit_generator.state``. ``network`` is the module's state dict; ``optimizer``
    holds Adam's ``NAME/step``, ``NAME/exp_avg`` and ``NAME/exp_avg_sq`` for each trained parameter that has received
    a gradient, and ``average`` the averaged value of each trained parameter.
    """

    step: int
    plan: TrainingPlan
    generator_state: dict[str, Any]
    network: dict[str, torch.Tensor]
    optimizer: dict[str, torch.Tensor]
    average: dict[str, torch.Tensor]

    def check_fits(self, network: nn.Module, path: Path | str) -> None:
        """Check that every tensor fits ``network``.

        Raises:
            UserError: one does not; the message names ``path``, the first such tensor and both shapes.
        """
        check_same_tensors(self.network, network.state_dict(), path)
        trained = {name: value for name, value in network.named_parameters() if value.requires_grad}
        check_same_tensors(self.average, trained, path)


def write_checkpoint(path: Path | str, checkpoint: Checkpoint) -> None:
    """Write ``checkpoint`` to ``path`` atomically: a kill leaves the old file or the new one."""
    tensors = {
        f"{part}/{name}": plain_copy(value) for part in PARTS for name, value in getattr(checkpoint, part).items()
    }
    state = {
        "version": VERSION,
        "step": checkpoint.step,
        "plan": checkpoint.plan.to_dict(),
        "generator_state": checkpoint.generator_state,
        "crc32": crc32_of(tensors),
    }
    # One metadata key: safetensors writes several in random order, and equal runs should make equal files.
    write_atomically(path, safetensors.torch.save(tensors, {FORMAT: json.dumps(state)}))


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Read a file of ``write_checkpoint`` onto the CPU.

    Raises:
        UserError: the file is missing, cut short, changed, or not a checkpoint of this version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"checkpoint {path} must be a whole safetensors file, got: {error}; delete it and train again"
        ) from None
    if FORMAT not in metadata:
        raise UserError(
            f"{path} must be a training checkpoint, got another safetensors file; give one that training wrote"
        )
    try:
        state = json.loads(metadata[FORMAT])
        if state["version"] != VERSION:
            raise ValueError(f"version {state['version']} instead of {VERSION}")
        if state["crc32"] != crc32_of(tensors):
            raise ValueError("changed bytes")
        parts: dict[str, dict[str, torch.Tensor]] = {part: {} for part in PARTS}
        for key, value in tensors.items():
            part, name = key.split("/", 1)
            parts[part][name] = value
        plan = TrainingPlan.from_dict(state["plan"])
        return Checkpoint(int(state["step"]), plan, state["generator_state"], **parts)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"checkpoint {path} must be readable and undamaged, got {error}; delete it and train again"
        ) from None
