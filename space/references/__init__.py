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
from space.references.carn import CarnM, CarnSettings
from space.references.cbdnet import CbdNet, CbdNetSettings
from space.references.dncnn import DnCnn, DnCnnSettings
from space.references.ecbsr import Ecbsr, EcbsrSettings
from space.references.espcn import Espcn, EspcnSettings
from space.references.etds import Etds, EtdsSettings
from space.references.ffdnet import FfdNet, FfdNetSettings
from space.references.fsrcnn import Fsrcnn, FsrcnnSettings
from space.references.glcic import Glcic, GlcicSettings
from space.references.imdn import Imdn, ImdnSettings
from space.references.ircnn import IrCnn, IrCnnSettings
from space.references.pmrid import Pmrid, PmridSettings
from space.references.prenet import PReNet, PReNetSettings
from space.references.smfanet import Smfanet, SmfanetSettings
from space.references.srresnet import Srresnet, SrresnetSettings


@dataclass(frozen=True, slots=True)
class Reference:
    """How one published network is described (``settings``, a frozen dataclass) and built (``network``)."""

    network: Callable[[IOShape, Any], nn.Module]
    settings: type


REFERENCES: dict[str, Reference] = {
    "fsrcnn": Reference(Fsrcnn, FsrcnnSettings),
    "espcn": Reference(Espcn, EspcnSettings),
    "carn-m": Reference(CarnM, CarnSettings),
    "imdn": Reference(Imdn, ImdnSettings),
    "ecbsr": Reference(Ecbsr, EcbsrSettings),
    "etds": Reference(Etds, EtdsSettings),
    "smfanet": Reference(Smfanet, SmfanetSettings),
    "srresnet": Reference(Srresnet, SrresnetSettings),
    "dncnn": Reference(DnCnn, DnCnnSettings),
    "ircnn": Reference(IrCnn, IrCnnSettings),
    "ffdnet": Reference(FfdNet, FfdNetSettings),
    "cbdnet": Reference(CbdNet, CbdNetSettings),
    "pmrid": Reference(Pmrid, PmridSettings),
    "prenet": Reference(PReNet, PReNetSettings),
    "glcic": Reference(Glcic, GlcicSettings),
}
