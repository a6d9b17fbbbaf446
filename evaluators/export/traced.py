"""A network as ``torch.export`` traces it: what the converters start from."""

from __future__ import annotations

import copy
import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from evaluators.export.formats import Exportable, ExportError
from space.errors import first_line

LARGEST_PX = 8192  # sides of an image that a file for any size takes


class HalfInside(nn.Module):
    """``network`` in half precision between an image and an output in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).half()

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image.half()).float()


def example(what: Exportable) -> Tensor:
    """An image of the size of ``what``: random values in [0, 1], for a converter to trace with."""
    width, height = what.size
    return torch.rand(1, what.in_channels, height, width, generator=torch.Generator().manual_seed(0))


def free_sides(what: Exportable) -> tuple[dict[int, Any], ...] | None:
    """``dynamic_shapes`` of the only input: any height and width that ``what.multiple`` divides; None if fixed."""
    if not what.dynamic:
        return None
    return ({2: _free("height", what.multiple), 3: _free("width", what.multiple)},)


def _free(name: str, multiple: int) -> Any:
    side = Dim(name if multiple == 1 else f"{name}_{multiple}", min=1, max=LARGEST_PX // multiple)
    return side if multiple == 1 else multiple * side


def traced(network: nn.Module, what: Exportable) -> ExportedProgram:
    """``network`` as a graph of torch operators, for the size of ``what`` or any.

    Raises:
        ExportError: torch cannot trace it.
    """
    try:
        with quiet():
            program = torch.export.export(network, (example(what),), dynamic_shapes=free_sides(what))
    except Exception as error:
        raise ExportError(f"torch.export refuses it: {first_line(error)}") from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # which line of which file on this machine it comes from
    return program


@contextmanager
def quiet() -> Iterator[None]:
    """Without what a converter warns of, logs and prints: nothing that a user can mend."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), _muted(2):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _muted(descriptor: int) -> Iterator[None]:
    """With a file descriptor of the process led to nowhere: compiled code does not ask Python where to write."""
    kept = os.dup(descriptor)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nowhere)
