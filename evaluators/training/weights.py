"""Weights in and out: safetensors, and torch files that hold tensors and nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from space.errors import UserError
from space.files import write_atomically
from space.weights import read_stored


def save_weights(path: Path | str, network: nn.Module, metadata: Mapping[str, str]) -> None:
    """Write the network's state dict to the safetensors file ``path``, atomically; ``metadata`` is text to text."""
    tensors = {name: plain_copy(value) for name, value in network.state_dict().items()}
    write_atomically(path, safetensors.torch.save(tensors, dict(metadata)))


def load_weights(path: Path | str, network: nn.Module) -> None:
    """Copy the weights in ``path`` into ``network``; every tensor must be there with its shape, and no other.

    Raises:
        UserError: as ``space.weights.read_stored``, or naming the first tensor that differs and both shapes.
    """
    tensors = read_stored(path).found[0].tensors
    check_same_tensors(tensors, network.state_dict(), path)
    network.load_state_dict(tensors)


def read_state_dict(path: Path | str) -> dict[str, torch.Tensor]:
    """The preferred state dict in a torch or safetensors file, on the CPU; floating point as float32.

    Raises:
        UserError: as ``space.weights.read_stored``, or a tensor has NaN or infinity.
    """
    return read_stored(path).first


def check_same_tensors(found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], path: Path | str) -> None:
    """Raise ``UserError`` on the first name, in the order of ``wanted``, that only one has or whose shape differs."""
    for name in [*wanted, *(name for name in found if name not in wanted)]:
        in_file = tuple(found[name].shape) if name in found else "nothing"
        in_network = tuple(wanted[name].shape) if name in wanted else "nothing"
        if in_file != in_network:
            raise UserError(
                f"weights {path} must fit the network, got {name!r} with {in_file} in the file and "
                f"{in_network} in the network; build the network that the file was made with"
            )


def crc32_of(tensors: Mapping[str, torch.Tensor]) -> int:
    """Checksum of all tensor bytes, in order of name; safetensors itself checks only the layout."""
    crc = 0
    for name in sorted(tensors):
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, crc)
    return crc


def plain_copy(value: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU in C order that shares memory with nothing, as safetensors wants it."""
    return value.detach().to("cpu", copy=True).contiguous()
