"""The quantities that a run is about, and what its milliseconds depend on."""

from __future__ import annotations

from evaluators.compression.compression import INT8
from evaluators.quantities import Quantity, milliseconds_on, quantity
from search.records import RunSettings


def cost_objectives(settings: RunSettings) -> tuple[Quantity, ...]:
    """The costs that a front is drawn over, in the order asked for; MACs if only quality was asked for."""
    return tuple(quantity(key) for key in settings.objectives if key != "psnr") or (quantity("macs"),)


def latency_quantities(settings: RunSettings) -> tuple[Quantity, ...]:
    """The milliseconds that a run knows, one for each of its latency tables."""
    return tuple(milliseconds_on(use.name) for use in settings.tables)


def depends_on(of: Quantity, settings: RunSettings) -> str:
    """What milliseconds hold for: device, core, threads, number format, engine, input size; empty of an exact cost."""
    if of.table is None:
        return ""
    width, height = settings.input_size
    use = next(use for use in settings.tables if use.name == of.table)
    words = f"{use.caption}, {width}×{height} input"
    if use.dtype != settings.dtype:
        return f"{words} (PSNR is that of the {settings.dtype} network: what {use.dtype} does to it was not measured)"
    return f"{words}; int8 networks on its int8 table" if INT8 in settings.compress else words


def measured_in(settings: RunSettings) -> str:
    """The number format of costs and quality: ``fp32``, ``int8, simulated``, or both."""
    if settings.dtype == INT8:
        return "int8, simulated,"
    return "fp32 (int8 networks in int8, simulated)" if INT8 in settings.compress else "fp32"
