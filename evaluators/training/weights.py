"""Weights in and out: safetensors, and torch files that hold tensors and nothing else."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from evaluators.atomic import write_atomically
from space.errors import UserError

WRAPPERS = ("state_dict", "params_ema", "params", "model")
"""Keys under which published torch files keep the state dict, most wanted first (BasicSR writes ``params_ema``)."""


def save_weights(path: Path | str, network: nn.Module, metadata: Mapping[str, str]) -> None:
    """Write the network's state dict to the safetensors file ``path``, atomically; ``metadata`` is text to text."""
    tensors = {name: plain_copy(value) for name, value in network.state_dict().items()}
    write_atomically(path, safetensors.torch.save(tensors, dict(metadata)))


def load_weights(path: Path | str, network: nn.Module) -> None:
    """Copy the weights in ``path`` into ``network``; every tensor must be there with its shape, and no other.

    Raises:
        UserError: as ``read_state_dict``, or naming the first tensor that differs and both shapes.
    """
    tensors = read_state_dict(path)
    check_same_tensors(tensors, network.state_dict(), path)
    network.load_state_dict(tensors)


def read_metadata(path: Path | str) -> dict[str, str]:
    """What ``save_weights`` was told of the weights; nothing where the file is of another kind.

    Raises:
        UserError: a safetensors file that is damaged.
    """
    if Path(path).suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise UserError(f"weights {path} must be a whole safetensors file, got: {error}; copy it again") from None


def read_state_dict(path: Path | str) -> dict[str, torch.Tensor]:
    """Read tensors by name, on the CPU, from ``.safetensors`` or any file that ``torch.save`` wrote.

    torch files are read with ``weights_only=True``, so no code in them can run; a state dict below one of
    ``WRAPPERS`` is found.

    Raises:
        UserError: the file is missing, damaged, or holds anything but named tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"weights {path} must be a file, got none; check the name")
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except SafetensorError as error:
            raise UserError(f"weights {path} must be a whole safetensors file, got: {error}; copy it again") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")        # torch warns of what it then refuses
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, RuntimeError, ValueError, KeyError, TypeError,
            AttributeError, IndexError, OSError):
        # torch's own message spans many lines and recommends to switch the protection off.
        raise UserError(f"weights {path} must hold only tensors, got a damaged file or other Python objects; "
                        "save the state dict alone, best as .safetensors") from None
    return _only_tensors(content, path)


def check_same_tensors(found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], path: Path | str) -> None:
    """Raise ``UserError`` on the first name, in the order of ``wanted``, that only one has or whose shape differs."""
    for name in [*wanted, *(name for name in found if name not in wanted)]:
        in_file = tuple(found[name].shape) if name in found else "nothing"
        in_network = tuple(wanted[name].shape) if name in wanted else "nothing"
        if in_file != in_network:
            raise UserError(f"weights {path} must fit the network, got {name!r} with {in_file} in the file and "
                            f"{in_network} in the network; build the network that the file was made with")


def check_finite(tensors: Mapping[str, torch.Tensor], path: Path | str) -> None:
    """Raise ``UserError`` on the first tensor that holds NaN or infinity: a network with it gives no picture."""
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(f"weights {path} must be finite numbers, got NaN or infinity in {name!r}; the network "
                            "diverged in training: take an earlier checkpoint")


def plain_copy(value: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU in C order that shares memory with nothing, as safetensors wants it."""
    return value.detach().to("cpu", copy=True).contiguous()


def _only_tensors(content: Any, path: Path) -> dict[str, torch.Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping):
        raise UserError(f"weights {path} must hold named tensors, got {type(content).__name__}; save the state dict")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise UserError(f"weights {path} must hold only named tensors, got {type(value).__name__} under {name!r}; "
                            "save the state dict alone")
    return dict(content)
