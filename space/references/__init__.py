"""Published networks that are built exactly and not searched: one file each, one entry each here.

A reference is a class from (shape, settings) to a network. What it is made of need not be known to the search: it is
costed as one part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from space.architecture import IOShape
from space.references.cbdnet import CbdNet, CbdNetSettings
from space.references.dncnn import DnCnn, DnCnnSettings
from space.references.ffdnet import FfdNet, FfdNetSettings
from space.references.glcic import Glcic, GlcicSettings
from space.references.ircnn import IrCnn, IrCnnSettings
from space.references.pmrid import Pmrid, PmridSettings
from space.references.prenet import PReNet, PReNetSettings


@dataclass(frozen=True, slots=True)
class Reference:
    """How one published network is described (``settings``, a frozen dataclass) and built (``network``)."""

    network: Callable[[IOShape, Any], nn.Module]
    settings: type


REFERENCES: dict[str, Reference] = {
    "dncnn": Reference(DnCnn, DnCnnSettings),
    "ircnn": Reference(IrCnn, IrCnnSettings),
    "ffdnet": Reference(FfdNet, FfdNetSettings),
    "cbdnet": Reference(CbdNet, CbdNetSettings),
    "pmrid": Reference(Pmrid, PmridSettings),
    "prenet": Reference(PReNet, PReNetSettings),
    "glcic": Reference(Glcic, GlcicSettings),
}
