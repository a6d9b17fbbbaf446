"""A weight bank in one safetensors file, alone or with all that its training needs to go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from evaluators.training.weights import crc32_of, plain_copy
from space.errors import UserError
from space.files import write_atomically
from space.weight_bank import WeightBank

FORMAT = "litefront-weight-bank"
VERSION = 1
PARTS = TENSORS, FILLED, MOMENTS = "tensors", "filled", "moments"


@dataclass(frozen=True)
class BankState:
    """Of a training after ``step`` steps: numpy's ``bit_generator.state`` and what ``PlaceOptimizer.state`` gave, and
    after how many steps its rate was lowered."""

    step: int
    generator_state: dict[str, Any]
    bank: WeightBank
    moments: Mapping[str, Tensor]
    lowered_at: int | None = None


def write_bank(path: Path | str, bank: WeightBank, step: int) -> None:
    """Write ``bank`` as it is after ``step`` steps of its training to ``path``, atomically."""
    write_state(path, BankState(step, {}, bank, {}))


def read_bank(path: Path | str) -> WeightBank:
    """Read a file of ``write_bank``, onto the CPU.

    Raises:
        UserError: the file is missing, cut short, changed, or holds no weight bank.
    """
    return read_state(path).bank


def write_state(path: Path | str, state: BankState) -> None:
    """Write ``state`` to ``path``, atomically: a kill leaves the old file or the new one."""
    parts: tuple[tuple[str, Mapping[str, Tensor]], ...] = (
        (TENSORS, state.bank.tensors),
        (FILLED, state.bank.filled),
        (MOMENTS, state.moments),
    )
    tensors = {f"{part}/{key}": plain_copy(value) for part, values in parts for key, value in values.items()}
    about = {
        "version": VERSION,
        "step": state.step,
        "lowered_at": state.lowered_at,
        "generator_state": state.generator_state,
        "segments": state.bank.segments,
        "crc32": crc32_of(tensors),
    }
    write_atomically(path, safetensors.torch.save(tensors, {FORMAT: json.dumps(about)}))


def read_state(path: Path | str) -> BankState:
    """Read a file of ``write_state``, onto the CPU; raises as ``read_bank``."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        about = json.loads(metadata[FORMAT])
        if about["version"] != VERSION:
            raise ValueError(f"version {about['version']} instead of {VERSION}")
        if about["crc32"] != crc32_of(tensors):
            raise ValueError("changed bytes")
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
        for name, value in tensors.items():
            part, key = name.split("/", 1)
            parts[part][key] = value
        segments = {key: tuple(tuple(axis) for axis in axes) for key, axes in about["segments"].items()}
        bank = WeightBank.of(parts[TENSORS], segments, parts[FILLED])
        return BankState(about["step"], about["generator_state"], bank, parts[MOMENTS], about.get("lowered_at"))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} must be a whole file of a weight bank, version {VERSION}, got: {error}; delete it"
        ) from None
