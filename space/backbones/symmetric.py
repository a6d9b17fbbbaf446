"""s-LWSR's symmetric network (Li et al., arXiv 1909.10774): bunches of residual blocks, an information pool, and
decoder stages that each take one bunch's output back in.

The graph is the released one (`lwsr.py`), where the text differs: pool and skip are averaged and *concatenated* to the
running feature, and a bunch hands on the sum of its first and last block's outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from space import knobs as k
from space.architecture import IOShape, Nested
from space.backbones.ends import ENDS_KNOBS
from space.backbones.restoration_net import RestorationNet, Trunk
from space.backbones.row import ROW_KNOBS, kept_flags, row, row_values
from space.blocks import BLOCKS, block
from space.blocks.block import BlockSpec
from space.parts import Make

BUNCHES = 5  # encoder bunches; one fewer decoder stages
BLOCKS_PER_STAGE = k.Knob(
    "blocks_per_stage",
    (1, 2, 3, 4),
    "blocks in each bunch and decoder stage",
    f"{k.SLWSR}: 3, with 2 in the last bunch",
    elastic=True,
)
POOL = k.Knob(
    "pool",
    ("none", "normal", "wide"),
    "layers that the information pool reads: none, 6 or 11 of the paper's",
    f"{k.SLWSR} equation 3 and table III",
    elastic=True,
)

KNOBS = (k.WIDTH, BLOCKS_PER_STAGE, k.RECURSION, *ROW_KNOBS, POOL, k.RESIDUAL_SCALE, *ENDS_KNOBS)

# Blocks of the released 26 whose ReLU flag is set, in running order: feat2_3, feat3_3, feat4_1, feat4_3, feat5_1,
# feat5_3, feat6_1, feat6_2, feat7_1, feat8_1, feat9_1, feat10_1.
RELEASED_DEPTH = 26
RELEASED_KEPT = (2, 5, 6, 8, 9, 11, 12, 13, 14, 17, 20, 23)


@dataclass(frozen=True, slots=True)
class SymmetricSettings:
    """``pool_sources`` counts layers in running order: 0 is the stem, i the i-th encoder block; empty means no pool.

    Each bunch and each stage runs ``recursion`` times with shared weights; what others read of it (first and last
    block) is its last pass.
    """

    NESTED: ClassVar[Nested] = {"encoder": BLOCKS, "decoder": BLOCKS}

    width: int
    encoder: tuple[tuple[BlockSpec, ...], ...]
    decoder: tuple[tuple[BlockSpec, ...], ...]
    recursion: int
    pool_sources: tuple[int, ...]
    residual_scale: float


def bunch_sizes(blocks_per_stage: int) -> tuple[int, ...]:
    """Blocks per encoder bunch; the last bunch has one fewer, as released."""
    return (*[blocks_per_stage] * (BUNCHES - 1), max(1, blocks_per_stage - 1))


def pool_sources(sizes: tuple[int, ...], pool: str) -> tuple[int, ...]:
    """Which layers the pool reads, for bunches of ``sizes`` blocks.

    ``normal`` is the paper's equation 3: stem, first block of bunches 2 and up, and the last block (6 sources).
    ``wide`` takes the stem and the first and last block of every bunch: 11 sources at the paper's depth. The paper
    says "11 former layers" without naming them; this choice is ours.
    """
    if pool == "none":
        return ()
    firsts = [1 + sum(sizes[:index]) for index in range(len(sizes))]
    lasts = [sum(sizes[: index + 1]) for index in range(len(sizes))]
    chosen = {0, *firsts[1:], lasts[-1]} if pool == "normal" else {0, *firsts, *lasts}
    return tuple(sorted(chosen))


def settings_from_knobs(knobs: Mapping[str, Any]) -> SymmetricSettings:
    """The settings that ``knobs`` describe."""
    width, per_stage = knobs["width"], knobs["blocks_per_stage"]
    sizes = bunch_sizes(per_stage)
    encoder_blocks, count = sum(sizes), sum(sizes) + (BUNCHES - 1) * per_stage
    blocks = row(count, width, knobs, kept)
    return SymmetricSettings(
        width=width,
        encoder=split(blocks[:encoder_blocks], sizes),
        decoder=split(blocks[encoder_blocks:], (per_stage,) * (BUNCHES - 1)),
        recursion=knobs["recursion"],
        pool_sources=pool_sources(sizes, knobs["pool"]),
        residual_scale=knobs["residual_scale"],
    )


def kept(count: int, value: str) -> tuple[bool, ...]:
    """As ``kept_flags``, with the released blocks for a half of the released depth."""
    if value == "1/2" and count == RELEASED_DEPTH:
        return tuple(index in RELEASED_KEPT for index in range(count))
    return kept_flags(count, value)


def values_of(settings: SymmetricSettings) -> dict[str, k.Value]:
    """Knob values from which ``settings_from_knobs`` gives ``settings``, if any do."""
    sizes = tuple(map(len, settings.encoder))
    pools = (value for value in POOL.values if pool_sources(sizes, str(value)) == settings.pool_sources)
    return {
        "width": settings.width,
        "blocks_per_stage": len(settings.decoder[0]),
        "recursion": settings.recursion,
        "residual_scale": settings.residual_scale,
        "pool": next(pools, "other"),
        **row_values(tuple(chain(*settings.encoder, *settings.decoder)), KNOBS, kept),
    }


def split(blocks: tuple[BlockSpec, ...], sizes: Iterable[int]) -> tuple[tuple[BlockSpec, ...], ...]:
    """Cut ``blocks`` into rows of ``sizes``."""
    rows, start = [], 0
    for size in sizes:
        rows.append(blocks[start : start + size])
        start += size
    return tuple(rows)


class SymmetricTrunk(Trunk):
    """Encoder bunches, the information pool, and decoder stages that join the bunches' outputs in reverse order."""

    LONG_SKIP = "head"

    def __init__(self, shape: IOShape, settings: SymmetricSettings, make: Make) -> None:
        super().__init__(settings.width)
        self.settings = settings
        width = settings.width
        self.encoder = nn.ModuleList(self._blocks(bunch, make) for bunch in settings.encoder)
        if settings.pool_sources:
            self.pool = make(nn.Conv2d, len(settings.pool_sources) * width, width, 1, bias=False)
        self.fuses = nn.ModuleList(make(nn.Conv2d, 2 * width, width, 1) for _ in settings.decoder)
        self.decoder = nn.ModuleList(self._blocks(stage, make) for stage in settings.decoder)

    def _blocks(self, specs: tuple[BlockSpec, ...], make: Make) -> nn.ModuleList:
        return nn.ModuleList(make(block, spec, self.settings.residual_scale) for spec in specs)

    def forward(self, x: Tensor, image: Tensor, ends: RestorationNet) -> Tensor:
        layers, skips, outputs = [x], [], [x]
        for bunch in self.encoder:
            outputs = self._run(bunch, outputs[0] + outputs[-1] if len(outputs) > 1 else outputs[0])
            layers += outputs
            skips.append(outputs[-1])
        x = ends.insert("middle", layers[-1])

        if self.settings.pool_sources:
            pool = self.pool(torch.cat([layers[index] for index in self.settings.pool_sources], 1))
            skips = [0.5 * (skip + pool) for skip in skips[:-1]]
        else:
            skips = skips[:-1]

        for fuse, stage, skip in zip(self.fuses, self.decoder, reversed(skips), strict=True):
            x = self._run(stage, fuse(torch.cat((x, skip), 1)))[-1]
        return ends.insert("tail", x)

    def _run(self, blocks: nn.Module, x: Tensor) -> list[Tensor]:
        """Outputs of each block in the last of ``recursion`` passes."""
        assert isinstance(blocks, nn.ModuleList)
        for _ in range(self.settings.recursion):
            outputs = []
            for residual_block in blocks:
                x = residual_block(x)
                outputs.append(x)
        return outputs
