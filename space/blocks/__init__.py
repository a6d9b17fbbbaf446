"""The blocks of a trunk. Each has its own file and one entry in ``BLOCKS``."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from torch import nn

from space.blocks.ar import ArSpec
from space.blocks.block import BlockSpec
from space.blocks.bsconv import BsConvSpec
from space.blocks.conv import ConvSpec
from space.blocks.gated import GatedSpec
from space.blocks.gsat import GsatSpec
from space.blocks.inverted import InvertedSpec
from space.blocks.inverted_prelu import PReluInvertedSpec
from space.blocks.modulated import ModulatedSpec
from space.blocks.multi_scale import MultiScaleSpec
from space.blocks.partial import PartialSpec
from space.blocks.residual import PreactivatedSpec, ResidualSpec
from space.blocks.spab import SpabSpec
from space.knobs import Knob

BLOCKS: dict[str, type[BlockSpec]] = {
    "residual": ResidualSpec,
    "preactivated": PreactivatedSpec,
    "inverted": InvertedSpec,
    "gsat": GsatSpec,
    "ar": ArSpec,
    "inverted-prelu": PReluInvertedSpec,
    "modulated": ModulatedSpec,
    "multi-scale": MultiScaleSpec,
    "spab": SpabSpec,
    "bsconv": BsConvSpec,
    "partial": PartialSpec,
    "conv": ConvSpec,
    "gated": GatedSpec,
}


def block(spec: BlockSpec, scale: float = 1) -> nn.Module:
    """The module that ``spec`` describes: `(N, width, H, W)` to the same shape, input plus ``scale`` times a branch."""
    return spec.residual(scale)


@lru_cache(maxsize=4096)
def at_widths(spec: BlockSpec, widths: tuple[int, ...]) -> tuple[BlockSpec, ...]:
    """The design of ``spec`` at each of ``widths``; networks of one run have few different ones."""
    return tuple(spec.at_width(width) for width in widths)


def block_knobs(first: str = "residual") -> tuple[Knob, ...]:
    """The knob ``block``, with ``first`` as its first value, and every block's own knobs, conditional on it."""
    kinds = (first, *(kind for kind in BLOCKS if kind != first))
    sources = "; ".join(f"{kind}: {BLOCKS[kind].source}" for kind in kinds)
    own: dict[str, Knob] = {}
    for kind in kinds:
        for knob in BLOCKS[kind].KNOBS:
            known = own.get(knob.name)
            shared = known.when["block"] if known else ()
            own[knob.name] = replace(knob, when={"block": (*shared, kind), **knob.when})
    meanings = "; ".join(f"{kind}: {BLOCKS[kind].meaning}" for kind in kinds)
    return (Knob("block", kinds, f"kind of the trunk's blocks ({meanings})", sources), *own.values())
