"""Nearest enlargement in a .tflite file, which takes the pixels that torch takes.

litert-torch writes it with half-pixel centres. That is the same where a side grows by a whole factor; from 22 rows to
180, as in SMFANet at 320x180, it takes other rows than torch, which counts from the upper edge of each pixel.
"""

from __future__ import annotations

HALF_PIXEL_CENTERS = 6  # the offset of the field in the table of a RESIZE_NEAREST_NEIGHBOR's options


def with_torchs_pixels(content: bytes) -> bytes:
    """The file ``content`` with every nearest resizing by the upper left corners of pixels; nothing else changes."""
    from ai_edge_litert import schema_py_generated as schema

    changed = bytearray(content)
    model = schema.Model.GetRootAs(content, 0)
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for operator in map(graph.Operators, range(graph.OperatorsLength())):
            if operator.BuiltinOptionsType() != schema.BuiltinOptions.ResizeNearestNeighborOptions:
                continue
            table = operator.BuiltinOptions()
            field = table.Offset(HALF_PIXEL_CENTERS)
            if field:  # where it is not stored, it is false
                changed[table.Pos + field] = 0
    return bytes(changed)
