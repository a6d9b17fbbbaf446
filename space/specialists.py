"""Noise-range specialists (Feature-Align, arXiv 2103.01524): several networks, each for a part of a range of noise
levels. All are stored and one runs for a picture, so that they cost storage and no work.

The paper says that it compared them; how many, for which parts and with what gain is not known. Parts of equal width,
on the scale on which the task spreads its levels, are ours.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from space.errors import UserError


class Specialists(nn.Module):
    """``networks`` of one design, by rising noise level. A level is a place in the range, from 0 to 1."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def at(self, level: float) -> nn.Module:
        """The network for noise of ``level``.

        Raises:
            UserError: ``level`` is not known (NaN) or outside the range.
        """
        if not 0 <= level <= 1:
            raise UserError(f"specialists must be told the noise level, from 0 to 1 of their range, got {level}")
        return self.networks[min(int(level * len(self.networks)), len(self.networks) - 1)]

    def forward(self, image: Tensor, level: float) -> Tensor:
        """As the network for ``level`` does; one level for the whole batch."""
        return self.at(level)(image)


def networks_of(network: nn.Module) -> tuple[nn.Module, ...]:
    """Each of the specialists by rising noise level, or ``network`` itself if it is for all levels."""
    return tuple(network.networks) if isinstance(network, Specialists) else (network,)


def network_at(network: nn.Module, level: float) -> nn.Module:
    """The specialist for ``level``, or ``network`` itself if it is for all levels; errors as ``Specialists.at``."""
    return network.at(level) if isinstance(network, Specialists) else network
