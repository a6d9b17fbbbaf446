"""The backbones: one file each, one entry each here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from space.backbones import plain, symmetric
from space.knobs import Knob


@dataclass(frozen=True, slots=True)
class Backbone:
    """How one family of networks is described (``settings``), searched (``knobs``) and built (``network``)."""

    network: type[nn.Module]
    settings: type
    knobs: tuple[Knob, ...]
    settings_from_knobs: Callable[[Mapping[str, Any]], Any]


BACKBONES: dict[str, Backbone] = {
    "symmetric": Backbone(
        symmetric.SymmetricNet, symmetric.SymmetricSettings, symmetric.KNOBS, symmetric.settings_from_knobs
    ),
    "plain": Backbone(plain.PlainNet, plain.PlainSettings, plain.KNOBS, plain.settings_from_knobs),
}
