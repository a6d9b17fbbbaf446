"""How papers count parameters and multiply-accumulates, where they do not count as this project does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:  # space.operators builds networks, and so imports the zoo
    from space.operators.operator import Operator


@dataclass(frozen=True, slots=True)
class CountingRule:
    """How a paper counts: ``macs(params, input_width_px, input_height_px)`` and ``params(network)``.

    None where the paper counts as we do: true multiply-accumulates, and everything that the deployed network stores.
    ``network`` is in its training form. ``operator_macs(operator)`` is for a rule that needs the layers: it is summed
    over the network's operators, and goes before ``macs``.
    """

    name: str
    macs: Callable[[int, int, int], int] | None = None
    params: Callable[[nn.Module], int] | None = None
    operator_macs: Callable[[Operator], int] | None = None


def convolution_weights(network: nn.Module) -> int:
    """Weights of all convolutions: no bias, no norm, no activation. Shared ones count once."""
    return sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))


def _training_parameters(network: nn.Module) -> int:
    """All learned parameters of the training form, batch norm included."""
    return sum(parameter.numel() for parameter in network.parameters())


CONVOLUTION_WEIGHTS = CountingRule(
    "parameters as weights of convolutions, without bias and norm", params=convolution_weights
)
TRAINING_FORM = CountingRule("parameters of the training form, batch norm included", params=_training_parameters)
