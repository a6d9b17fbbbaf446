"""What a network costs, exactly and before training: parameters, multiply-accumulates, peak memory, weight bytes."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass

from torch import nn

from space.architecture import Architecture
from space.build import deploy_form
from space.operators import screen, trace
from space.papers import Paper

BYTES_PER_VALUE = 4  # fp32, for weights and activations


@dataclass(frozen=True, slots=True)
class Costs:
    """Exact costs of a network in its deploy form, at a stated input size, batch 1, fp32.

    ``params`` counts what the deployed network stores, fixed numbers such as a mean shift included; ``macs`` are true
    multiply-accumulates of convolutions and matrix products; ``peak_activation_bytes`` is the largest sum of live
    activations, weights excluded (``space.operators.OperatorList.peak_elements``).
    """

    params: int
    macs: int
    peak_activation_bytes: int
    weight_bytes: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


# The words of ``--budget`` and ``--objective``, and the costs they mean.
COST_FIELDS = {
    "params": "params",
    "macs": "macs",
    "memory": "peak_activation_bytes",
    "weights": "weight_bytes",
}


@dataclass(frozen=True, slots=True)
class PaperCounts:
    """A configuration's counts under its paper's own rule; None where the paper has no rule of its own."""

    params_paper_rule: int
    macs_paper_rule: int | None
    rule: str | None


def architecture_costs(arch: Architecture, input_size: tuple[int, int]) -> Costs:
    """Costs of one of our architectures at an input of (width, height) pixels: a fraction of a millisecond."""
    screening = screen(arch, *input_size)
    return Costs(
        screening.params, screening.macs, BYTES_PER_VALUE * screening.peak_elements, BYTES_PER_VALUE * screening.params
    )


def network_costs(network: nn.Module, input_size: tuple[int, int], in_channels: int = 3) -> Costs:
    """Costs of any network, by a full trace, at an input of (width, height) pixels; the network is left as it is.

    Raises:
        UnknownOperatorError: it runs an operator whose cost is not known.
        UserError: it cannot run at this size.
    """
    width_px, height_px = input_size
    deployed = deploy_form(copy.deepcopy(network).to("meta"))
    listed = trace(deployed, (1, in_channels, height_px, width_px))
    params = sum(parameter.numel() for parameter in deployed.parameters())
    return Costs(params, listed.macs, BYTES_PER_VALUE * listed.peak_elements(), BYTES_PER_VALUE * params)


def paper_counts(paper: Paper, costs: Costs, input_size: tuple[int, int]) -> PaperCounts:
    """What the paper's own way of counting gives for the network that ``costs`` belong to."""
    rule = paper.counting_rule
    if rule is None:
        return PaperCounts(costs.params, None, None)
    return PaperCounts(costs.params, rule.macs(costs.params, *input_size), rule.name)
