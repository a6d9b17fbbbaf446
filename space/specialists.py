"""Noise-range specialists (Feature-Align, arXiv 2103.01524): several networks, each for a part of the range of noise
levels. All are stored but only one runs per image, so they cost storage and no extra work.

The paper compares them; their number, their ranges and the gain are not known. Here the parts have equal width on the
task's scale of noise levels.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from space.errors import UserError


class Specialists(nn.Module):
    """``networks`` of one design, by increasing noise level. A level is a position in the range, from 0 to 1."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def at(self, level: float) -> nn.Module:
        """The network for noise of ``level``.

        Raises:
            UserError: ``level`` is unknown (NaN) or outside the range.
        """
        if not 0 <= level <= 1:
            raise UserError(f"specialists must be told the noise level, from 0 to 1 of their range, got {level}")
        return self.networks[min(int(level * len(self.networks)), len(self.networks) - 1)]

    def forward(self, image: Tensor, level: float) -> Tensor:
        """Run the network for ``level``, which applies to the whole batch."""
        return self.at(level)(image)


def networks_of(network: nn.Module) -> tuple[nn.Module, ...]:
    """The specialists by increasing noise level, or only ``network`` if it is for all levels."""
    return tuple(network.networks) if isinstance(network, Specialists) else (network,)


def network_at(network: nn.Module, level: float) -> nn.Module:
    """The specialist for ``level``, or ``network`` itself if it is for all levels; raises as ``Specialists.at``."""
    return network.at(level) if isinstance(network, Specialists) else network
