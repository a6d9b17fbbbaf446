"""The knobs of a plain row of residual blocks without specialities, from which experiments make their networks."""

from __future__ import annotations

from collections.abc import Mapping

from space.knobs import Value

PLAIN_ROW: Mapping[str, Value] = {  # EDSR's outline: its only channels are the residual stream's and each block's
    "recursion": 1,
    "block": "residual",
    "convolution": "dense",
    "inverted_ratio": 0.0,
    "gated_ratio": 0.0,
    "activation_kept": "all",
    "residual_scale": 1.0,
    "malle": "none",
    "attention": "none",
}
