"""What a design costs: an architecture and how it is compressed, priced in its own number format."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.compression.compression import INT8, Compression
from evaluators.compression.int8.costs import int8_costs, int8_table
from evaluators.costs import Costs, architecture_costs
from evaluators.latency import explained, latency_difference
from latency_tables.tables.estimate import Difference, Explanation
from latency_tables.tables.table import LatencyTable
from space.architecture import Architecture

Design = tuple[Architecture, Compression]
BETWEEN_FORMATS = 0.10  # of the larger: the band of a difference of two number formats, whose tables share little


def design_costs(
    arch: Architecture, compression: Compression, input_size: tuple[int, int], tables: Sequence[LatencyTable] = ()
) -> Costs:
    """The costs at an input of (width, height) pixels; of an int8 design the milliseconds are those of the int8 table
    of the same device, core and threads, under the name of the table that was asked for.

    Raises:
        UserError: a table lacks an operator, or int8.
    """
    if compression.dtype == INT8:
        return int8_costs(arch, input_size, tables, compression.float_layers)
    return architecture_costs(arch, input_size, tables)


def design_difference(first: Design, second: Design, input_size: tuple[int, int], table: LatencyTable) -> Difference:
    """Time of ``second`` minus that of ``first``, with a 90 % band.

    Of two designs in one number format what they share cancels (``evaluators.latency.latency_difference``).

    Raises:
        UserError: as ``design_costs``.
    """
    formats = {compression.dtype for _, compression in (first, second)}
    if len(formats) == 1:
        own = int8_table(table) if INT8 in formats else table
        return latency_difference(first[0], second[0], input_size, own)
    ms = [design_costs(*design, input_size, [table]).latency[table.name].ms for design in (first, second)]
    apart, band = ms[1] - ms[0], BETWEEN_FORMATS * max(ms)
    return Difference(apart, apart - band, apart + band)


def design_explained(
    arch: Architecture, compression: Compression, input_size: tuple[int, int], table: LatencyTable
) -> Explanation:
    """The time by kind of operator, part of the network and origin; of an int8 design, with all its layers in int8.

    Raises:
        UserError: as ``design_costs``.
    """
    return explained(arch, input_size, int8_table(table) if compression.dtype == INT8 else table)
