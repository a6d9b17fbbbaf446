"""What can be trained: a network of the search space or the zoo, or a module that a user's own function makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import nn

from evaluators.costs import Costs, architecture_costs, network_costs
from latency_tables.tables.table import LatencyTable
from space.architecture import Architecture, IOShape
from space.build import architecture_from_dict, build
from space.errors import UserError
from space.foreign_code import network_of_factory


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, torch's own generator begins at ``seed``; afterwards it is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@dataclass(frozen=True)
class UserNetwork:
    """A network whose code is a user's: ``spec`` is MODULE:FACTORY, which a process that trains imports by itself."""

    spec: str
    shape: IOShape

    @property
    def key(self) -> str:
        return self.spec

    def to_dict(self) -> dict[str, Any]:
        return {"factory": self.spec, "shape": asdict(self.shape)}

    def build(self) -> nn.Module:
        """With the weights that the user's code gives it.

        Raises:
            UserError: the module or the function is gone, or gives no network.
        """
        return network_of_factory(self.spec, *self.spec.split(":", 1))


Trainable: TypeAlias = Architecture | UserNetwork


def trainable_from_dict(data: dict[str, Any]) -> Trainable:
    if "factory" in data:
        return UserNetwork(data["factory"], IOShape(**data["shape"]))
    return architecture_from_dict(data)


def image_shape(network: Trainable) -> IOShape:
    """Its input and output, of each network where several share the noise levels."""
    return replace(network.shape, specialists=1)


def built(network: Trainable, seed: int) -> nn.Module:
    """The network with random weights of ``seed``, or those that a user's code gives, which may draw them too."""
    if isinstance(network, UserNetwork):
        with seeded(seed):
            return network.build()
    return build(network, torch.Generator().manual_seed(seed))


def known_costs(network: Trainable, input_size: tuple[int, int], tables: tuple[LatencyTable, ...] = ()) -> Costs | None:
    """At an input of ``input_size``, (width, height); None where a user's network runs an operator of unknown cost."""
    if not isinstance(network, UserNetwork):
        return architecture_costs(network, input_size, tables)
    try:
        return network_costs(network.build(), input_size, network.shape.in_channels, tables=tables)
    except UserError:
        return None


def params_of(network: Trainable, costs: Costs | None) -> int:
    """Of the deployed network or, where its ``costs`` are not known, as it is trained."""
    return costs.params if costs else sum(value.numel() for value in built(network, 0).parameters())
