"""What a network costs in int8: the same operators and multiply-accumulates, fewer bytes, and int8 milliseconds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from evaluators.costs import BYTES_PER_VALUE, Costs, architecture_costs
from evaluators.export.deploy import engine_form
from latency_tables.lowering.fusion import architecture_operators, network_operators
from latency_tables.tables.estimate import Latency, estimate, workload
from latency_tables.tables.rows import ORIGINS
from latency_tables.tables.table import LatencyTable, load_table, table_names
from space.architecture import Architecture
from space.build import build
from space.channels.screening import screened
from space.deploy import deploy_form
from space.errors import UserError
from space.operators.meta import stored_elements
from space.operators.shapes import made_on_meta
from space.operators.weight_bytes import int8_weight_bytes
from space.specialists import networks_of

SUFFIX = "-int8"


def int8_table(table: LatencyTable) -> LatencyTable:
    """The int8 table of the device, core and threads of ``table``; itself, if it is of int8.

    Raises:
        UserError: none ships.
    """
    if table.dtype == "int8":
        return table
    name = table.name + SUFFIX
    if name not in table_names():
        known = ", ".join(each.removesuffix(SUFFIX) for each in table_names() if each.endswith(SUFFIX))
        raise UserError(
            f"int8 needs a latency table measured in int8, got {table.name}, which has none; known: {known}"
        )
    return load_table(name)


def int8_costs(
    arch: Architecture,
    input_size: tuple[int, int],
    tables: Sequence[LatencyTable] = (),
    float_layers: Collection[str] = (),
) -> Costs:
    """The costs of ``arch`` in int8 at an input of (width, height) pixels; milliseconds under the names of ``tables``.

    Weights take a byte each, a bias and the scale of an output channel four bytes each, and what is no weight of a
    convolution or a matrix product four. Activations take a byte. The weights of layers in float take four bytes each,
    and their time is that of the table in float32; what they write in float, and their neighbours' conversions, are
    not counted.

    Raises:
        UserError: there is no int8 table for one of ``tables``, or it cannot price an operator.
    """
    whole = architecture_costs(arch, input_size)
    weight_bytes = _weight_bytes(arch, input_size, whole.params, frozenset(float_layers))
    latency = {table.name: _latency(arch, input_size, table, frozenset(float_layers)) for table in tables}
    return replace(
        whole,
        peak_activation_bytes=whole.peak_activation_bytes // BYTES_PER_VALUE,
        weight_bytes=weight_bytes,
        latency=latency,
    )


def _weight_bytes(arch: Architecture, input_size: tuple[int, int], params: int, float_layers: frozenset[str]) -> int:
    """``params``: what the deployed network stores, which may be less than its parameters (``Constants``)."""
    if not float_layers:
        return screened(arch, *input_size).int8_weight_bytes
    with made_on_meta():
        alike = networks_of(deploy_form(build(arch)))
    numbers = stored_elements(alike[0].parameters()) * len(alike)
    return int8_weight_bytes(alike[0], float_layers) * len(alike) + BYTES_PER_VALUE * (params - numbers)


def _latency(
    arch: Architecture, input_size: tuple[int, int], table: LatencyTable, float_layers: frozenset[str]
) -> Latency:
    int8 = int8_table(table)
    if not float_layers:
        return estimate(int8, workload(architecture_operators(arch, input_size)))
    with made_on_meta():  # in the form in which the simulation and the file name their layers
        network = engine_form(deploy_form(networks_of(build(arch))[0]))
    operators = network_operators(network, arch.shape.in_channels, input_size)
    missing = sorted(float_layers - {each.part for each in operators})
    if missing:
        raise UserError(f"layers in float must be some that run, got {missing[0]!r}, which runs no operator")
    latency = estimate(int8, workload(each for each in operators if each.part not in float_layers))
    rest = estimate(table, workload(each for each in operators if each.part in float_layers))
    worst = max((latency.origin, rest.origin), key=ORIGINS.index)
    return Latency(latency.ms + rest.ms, latency.low + rest.low, latency.high + rest.high, worst)
