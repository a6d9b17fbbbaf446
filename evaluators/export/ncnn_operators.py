"""Operators of torch that ncnn has no layer for, written with those it has; exact up to rounding."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def _channel_shuffle(image: Tensor, groups: int) -> Tensor:
    count, channels, height, width = image.shape
    apart = image.view(count, groups, channels // groups, height, width)
    return apart.permute(0, 2, 1, 3, 4).contiguous().view(count, channels, height, width)


def _clamp_min(values: Tensor, low: float) -> Tensor:
    return torch.relu(values - low) + low


def _variance(values: Tensor, dim: Sequence[int] | None, over: float, keepdim: bool) -> Tensor:
    sides = list(range(values.ndim)) if dim is None else list(dim)
    count = math.prod(values.shape[side] for side in sides)
    centred = values - values.mean(sides, keepdim=True)
    return (centred * centred).mean(sides, keepdim=keepdim) * (count / (count - over))


def _var_dim(values: Tensor, dim: Sequence[int] | None, unbiased: bool = True, keepdim: bool = False) -> Tensor:
    return _variance(values, dim, float(unbiased), keepdim)


def _var_correction(
    values: Tensor, dim: Sequence[int] | None = None, *, correction: float | None = 1, keepdim: bool = False
) -> Tensor:
    return _variance(values, dim, 1.0 if correction is None else correction, keepdim)


REWRITTEN: dict[Any, Callable[..., Tensor]] = {
    aten.channel_shuffle.default: _channel_shuffle,
    aten.clamp_min.default: _clamp_min,
    aten.var.dim: _var_dim,
    aten.var.correction: _var_correction,
    aten.alias.default: lambda values: values.clone(),
}
