"""What a network costs, before training: parameters, multiply-accumulates, peak memory, weight bytes, milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from evaluators.latency import latencies
from evaluators.quantities import QUANTITIES, quantity, table_of
from latency_tables.lowering.fusion import engine_operators
from latency_tables.tables.estimate import Latency
from latency_tables.tables.table import LatencyTable, load_table
from space.architecture import Architecture
from space.assembly import assemble
from space.channels.screening import screened
from space.deploy import deploy_form
from space.named_network import given_network
from space.operators import meta_copy, trace
from space.operators.meta import stored_elements
from space.operators.operator import Shape
from space.operators.shapes import made_on_meta
from space.operators.trace import trace_shadow
from space.parts import construct
from space.zoo import PublishedNetwork

BYTES_PER_VALUE = 4  # fp32, for weights and activations


@dataclass(frozen=True, slots=True)
class Costs:
    """Exact costs of a network in its deploy form, at a stated input size, batch 1, fp32.

    ``params`` counts every stored number of the deployed network, including fixed ones such as a mean shift. ``macs``
    are true multiply-accumulates of convolutions and matrix products. ``peak_activation_bytes`` is the largest sum of
    live activations, without weights (``space.operators.OperatorList.peak_elements``). ``latency`` maps the name of
    each requested latency table to its prediction.
    """

    params: int
    macs: int
    peak_activation_bytes: int
    weight_bytes: int
    latency: Mapping[str, Latency] = field(default_factory=dict, hash=False)

    def of(self, key: str) -> float:
        """The cost called ``key`` in ``--budget`` and ``--objective``: a count, bytes, or milliseconds.

        Raises:
            UserError: ``key`` is unknown, or there is no figure for the latency table it names.
        """
        return quantity(key).of(self)

    def has(self, key: str) -> bool:
        """Whether ``of(key)`` has an answer."""
        return key in QUANTITIES or table_of(key) in self.latency

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; without ``latency`` if no table was requested."""
        values = asdict(self)
        if not self.latency:
            del values["latency"]
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Costs:
        latency = {name: Latency.from_dict(figure) for name, figure in data.get("latency", {}).items()}
        return cls(**{**data, "latency": latency})


@dataclass(frozen=True, slots=True)
class PaperCounts:
    """A configuration's counts by its paper's own rule; None if the paper has none."""

    params_paper_rule: int
    macs_paper_rule: int | None
    rule: str | None


def cost(
    network: nn.Module | Architecture | str,
    input_size: tuple[int, int] | None = None,
    tables: Sequence[LatencyTable | str] = (),
) -> Costs:
    """The costs of a network in its deploy form, batch 1, fp32.

    Args:
        network: a module that takes an image, an architecture, or the name of a published network.
        input_size: (width, height) in pixels; the network's default if None.
        tables: latency tables to predict milliseconds on, by name or path (``python -m latency_tables list``).

    Raises:
        UserError: the network is unknown or cannot run at this size, or a table lacks one of its operators.

    >>> import evaluators
    >>> costs = evaluators.cost("s-lwsr16", input_size=(320, 180), tables=["pixel4-a76"])
    >>> costs.params, costs.macs, costs.peak_activation_bytes
    (143755, 10193414400, 117964800)
    >>> round(costs.latency["pixel4-a76"].ms)
    1377
    """
    loaded = tuple(load_table(table) if isinstance(table, str) else table for table in tables)
    own = given_network(network)
    size = input_size or own.input_size
    own.check_size(size)
    return network_costs(own.network, size, own.in_channels, own.more_inputs((size,)), loaded)


def architecture_costs(arch: Architecture, input_size: tuple[int, int], tables: Sequence[LatencyTable] = ()) -> Costs:
    """The costs of an architecture at an input of (width, height) pixels, computed in a fraction of a millisecond.

    Milliseconds are predicted on ``tables``; without tables the operators are not listed at all.

    Raises:
        UserError: a table lacks one of its operators.
    """
    found = screened(arch, *input_size)
    latency = latencies(engine_operators(found.operators, (found.output,)), tables) if tables else {}
    return _costs(found.params, found.macs, found.peak_elements, latency)


def network_costs(
    network: nn.Module,
    input_size: tuple[int, int],
    in_channels: int = 3,
    more_inputs: Sequence[Shape] = (),
    tables: Sequence[LatencyTable] = (),
) -> Costs:
    """The costs of any network by a full trace, at an input of (width, height) pixels; the network is not changed.

    ``more_inputs`` are the shapes of the inputs after that image. Tied weights count once; weights computed from other
    weights count once, in the smaller form, as deployed networks store them. Milliseconds are predicted on ``tables``.

    Raises:
        UnknownOperatorError: it runs an operator of unknown cost.
        UserError: it cannot run at this size, or a table lacks one of its operators.
    """
    width_px, height_px = input_size
    deployed = deploy_form(meta_copy(network))
    listed = trace_shadow(deployed, (1, in_channels, height_px, width_px), *more_inputs)
    params = stored_elements(deployed.parameters()) + listed.change_of_params
    latency = latencies(engine_operators(listed.operators, listed.outputs), tables) if tables else {}
    return _costs(params, listed.macs, listed.peak_elements(), latency)


def _costs(params: int, macs: int, peak_elements: int, latency: Mapping[str, Latency]) -> Costs:
    return Costs(params, macs, BYTES_PER_VALUE * peak_elements, BYTES_PER_VALUE * params, latency)


def paper_counts(
    published: PublishedNetwork, costs: Costs, input_size: tuple[int, int], scale: int | None = None
) -> PaperCounts:
    """The counts, by the paper's own rule, of the network with these ``costs``.

    ``scale`` is the network's upscaling factor if it differs from the paper's.
    """
    rule = published.counting_rule
    if rule is None:
        return PaperCounts(costs.params, None, None)
    with made_on_meta():
        network = assemble(published.at_scale(scale or published.architecture.shape.scale), construct)
    params = rule.params(network) if rule.params else costs.params
    if rule.operator_macs:
        width_px, height_px = input_size
        listed = trace(network, (1, published.architecture.shape.in_channels, height_px, width_px))
        macs: int | None = sum(map(rule.operator_macs, listed.operators))
    else:
        macs = rule.macs(params, *input_size) if rule.macs else None
    return PaperCounts(params, macs, rule.name)
