"""Bytes of a network's weights in int8, as an engine's file stores them."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

BYTES_PER_FLOAT = 4  # and per bias, which is int32
BYTES_PER_SCALE = 4  # float32, one for each output channel


def int8_weight_bytes(network: nn.Module, float_layers: Collection[str] = ()) -> int:
    """Of ``network`` in its deploy form: a byte a weight of a convolution or matrix product and four for the scale of
    each output channel; four for every other number, and for all of the modules ``float_layers``, by their paths.

    Shared weights count once.
    """
    total, seen = 0, set[int]()
    for path, module in network.named_modules():
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                total += _bytes(parameter, module, path not in float_layers)
    return total


def _bytes(parameter: nn.Parameter, module: nn.Module, is_int8: bool) -> int:
    if not is_int8 or parameter.dim() < 2:
        return BYTES_PER_FLOAT * parameter.numel()
    outputs = parameter.shape[0]
    if isinstance(module, nn.ConvTranspose2d):
        outputs = parameter.shape[1] * module.groups
    return parameter.numel() + BYTES_PER_SCALE * int(outputs)
