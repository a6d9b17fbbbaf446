"""What a network costs in int8: the same operators and multiply-accumulates, fewer bytes, and int8 milliseconds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import torch
from torch import nn

from evaluators.costs import BYTES_PER_VALUE, Costs, architecture_costs
from evaluators.export.quantization import WEIGHTED
from latency_tables.lowering.fusion import architecture_operators, network_operators
from latency_tables.tables.estimate import Latency, estimate, workload
from latency_tables.tables.rows import ORIGINS
from latency_tables.tables.table import LatencyTable, load_table, table_names
from space.architecture import Architecture
from space.build import build
from space.deploy import deploy_form
from space.errors import UserError
from space.operators import trace
from space.specialists import networks_of

BYTES_PER_SCALE = 4  # float32, one for each output channel
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
    convolution or a matrix product four. Activations take a byte. Layers in float take four bytes and the time of the
    table in float32; their neighbours' conversions are not counted.

    Raises:
        UserError: there is no int8 table for one of ``tables``, or it cannot price an operator.
    """
    whole = architecture_costs(arch, input_size)
    weight_bytes = _weight_bytes(arch, input_size, frozenset(float_layers))
    latency = {table.name: _latency(arch, input_size, table, frozenset(float_layers)) for table in tables}
    return replace(
        whole,
        peak_activation_bytes=whole.peak_activation_bytes // BYTES_PER_VALUE,
        weight_bytes=weight_bytes,
        latency=latency,
    )


def _weight_bytes(arch: Architecture, input_size: tuple[int, int], float_layers: frozenset[str]) -> int:
    with torch.device("meta"):
        network = deploy_form(build(arch))
    width, height = input_size
    alike = networks_of(network)
    listed = trace(alike[0], (1, arch.shape.in_channels, height, width))
    layers = {each.part for each in listed.operators if each.kind in WEIGHTED} - float_layers
    total, seen = 0, set[int]()
    for path, module in alike[0].named_modules():
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                total += _bytes(parameter, module, path in layers)
    return total * len(alike) + BYTES_PER_VALUE * listed.change_of_params * len(alike)


def _bytes(parameter: nn.Parameter, module: nn.Module, is_int8: bool) -> int:
    if not is_int8 or parameter.dim() < 2:
        return BYTES_PER_VALUE * parameter.numel()
    outputs = parameter.shape[1] * module.groups if isinstance(module, nn.ConvTranspose2d) else parameter.shape[0]
    return parameter.numel() + BYTES_PER_SCALE * outputs


def _latency(
    arch: Architecture, input_size: tuple[int, int], table: LatencyTable, float_layers: frozenset[str]
) -> Latency:
    int8 = int8_table(table)
    if not float_layers:
        return estimate(int8, workload(architecture_operators(arch, input_size)))
    with torch.device("meta"):
        network = networks_of(build(arch))[0]
    operators = network_operators(network, arch.shape.in_channels, input_size)  # which know their layers
    latency = estimate(int8, workload(each for each in operators if each.part not in float_layers))
    rest = estimate(table, workload(each for each in operators if each.part in float_layers))
    worst = max((latency.origin, rest.origin), key=ORIGINS.index)
    return Latency(latency.ms + rest.ms, latency.low + rest.low, latency.high + rest.high, worst)
