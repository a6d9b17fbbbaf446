"""What a network costs, before training: parameters, multiply-accumulates, peak memory, weight bytes, milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from evaluators.latency import Milliseconds, milliseconds, table_of
from latency_tables.tables.table import LatencyTable
from space.architecture import Architecture
from space.build import assemble, construct, deploy_form
from space.errors import UserError
from space.operators import meta_copy, screen, trace
from space.operators.meta import stored_elements
from space.operators.operator import Shape
from space.zoo import PublishedNetwork

BYTES_PER_VALUE = 4  # fp32, for weights and activations


@dataclass(frozen=True, slots=True)
class Costs:
    """Exact costs of a network in its deploy form, at a stated input size, batch 1, fp32.

    ``params`` counts what the deployed network stores, fixed numbers such as a mean shift included; ``macs`` are true
    multiply-accumulates of convolutions and matrix products; ``peak_activation_bytes`` is the largest sum of live
    activations, weights excluded (``space.operators.OperatorList.peak_elements``). ``latency`` is predicted, by
    the name of each latency table that was asked for.
    """

    params: int
    macs: int
    peak_activation_bytes: int
    weight_bytes: int
    latency: Mapping[str, Milliseconds] = field(default_factory=dict, hash=False)

    def of(self, word: str) -> float:
        """The cost that a word of ``--budget`` or ``--objective`` means: a count, bytes, or milliseconds.

        Raises:
            UserError: the word names a latency table on which this network has no figure.
        """
        table = table_of(word)
        if table is None:
            return getattr(self, COST_FIELDS[word])
        if table not in self.latency:
            raise UserError(
                f"no milliseconds on {table} are known of a network; known: {', '.join(self.latency) or 'none'}"
            )
        return self.latency[table].ms

    def has(self, word: str) -> bool:
        """Whether ``of(word)`` has an answer."""
        return word in COST_FIELDS or table_of(word) in self.latency

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it; without ``latency`` where no table was asked for."""
        values = asdict(self)
        if not self.latency:
            del values["latency"]
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Costs:
        latency = {name: Milliseconds.from_dict(figure) for name, figure in data.get("latency", {}).items()}
        return cls(**{**data, "latency": latency})


# The words of ``--budget`` and ``--objective`` without a table, and the costs they mean; ``latency@TABLE`` joins them.
COST_FIELDS = {"params": "params", "macs": "macs", "memory": "peak_activation_bytes", "weights": "weight_bytes"}


@dataclass(frozen=True, slots=True)
class PaperCounts:
    """A configuration's counts under its paper's own rule; None where the paper has no rule of its own."""

    params_paper_rule: int
    macs_paper_rule: int | None
    rule: str | None


def architecture_costs(arch: Architecture, input_size: tuple[int, int], tables: Sequence[LatencyTable] = ()) -> Costs:
    """Costs of one of our architectures at an input of (width, height) pixels: a fraction of a millisecond.

    Milliseconds are predicted on ``tables``; without any, the operators are not even listed.

    Raises:
        UserError: it has an operator that a table does not know.
    """
    screening = screen(arch, *input_size)
    return Costs(
        screening.params,
        screening.macs,
        BYTES_PER_VALUE * screening.peak_elements,
        BYTES_PER_VALUE * screening.params,
        milliseconds(arch, input_size, tables),
    )


def network_costs(
    network: nn.Module, input_size: tuple[int, int], in_channels: int = 3, more_inputs: Sequence[Shape] = ()
) -> Costs:
    """Costs of any network, by a full trace, at an input of (width, height) pixels; the network is left as it is.

    ``more_inputs`` are the shapes of its inputs besides that image. Tied weights count once, and weights that are
    computed from others as they are stored: once, in the smaller form.

    Raises:
        UnknownOperatorError: it runs an operator whose cost is not known.
        UserError: it cannot run at this size.
    """
    width_px, height_px = input_size
    deployed = deploy_form(meta_copy(network))
    listed = trace(deployed, (1, in_channels, height_px, width_px), *more_inputs)
    params = stored_elements(deployed.parameters()) + listed.change_of_params
    return Costs(params, listed.macs, BYTES_PER_VALUE * listed.peak_elements(), BYTES_PER_VALUE * params)


def paper_counts(
    published: PublishedNetwork, costs: Costs, input_size: tuple[int, int], scale: int | None = None
) -> PaperCounts:
    """What the paper's own way of counting gives for the network that ``costs`` belong to.

    ``scale`` is the network's, where it is not the paper's own.
    """
    rule = published.counting_rule
    if rule is None:
        return PaperCounts(costs.params, None, None)
    with torch.device("meta"):
        network = assemble(published.at_scale(scale or published.architecture.shape.scale), construct)
    params = rule.params(network) if rule.params else costs.params
    if rule.operator_macs:
        width_px, height_px = input_size
        listed = trace(network, (1, published.architecture.shape.in_channels, height_px, width_px))
        macs = sum(map(rule.operator_macs, listed.operators))
    else:
        macs = rule.macs(params, *input_size) if rule.macs else None
    return PaperCounts(params, macs, rule.name)
