"""How a network gets its parts: ``make(factory, *args)`` gives ``factory(*args)``, or a stand-in for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from torch import nn

Make: TypeAlias = Callable[..., nn.Module]
"""Costs are screened by passing one that gives known costs instead of modules. ``factory`` and ``args`` say all of a
part, and are hashable."""


def construct(factory: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
    """Make a part for real."""
    return factory(*args, **options)
