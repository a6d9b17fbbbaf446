"""A latency table: a CSV file, one row per operator shape or per price of a cost class, and its provenance beside it."""

from __future__ import annotations

COLUMNS = (
    "device", "soc", "core", "threads", "dtype", "engine", "engine_version",    # the key: the same in every row
    "row",                      # "shape": one operator; "class": one price of a cost class
    "kind",                     # of a shape an operator kind, of a class its name (latency_tables.classes)
    "function", "kernel", "stride", "dilation", "groups", "factor",             # "3x3" is height x width
    "in_channels", "out_channels", "height", "width", "read_elements",          # empty in class rows
    "latency_ms", "per",        # per "call" of a shape; per a term of latency_tables.classes of a class
    "origin", "relative_error", "source",
)  # fmt: skip
