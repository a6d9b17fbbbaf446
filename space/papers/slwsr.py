"""The s-LWSR configurations (Li et al., arXiv 1909.10774, tables I to III) as architectures."""

from __future__ import annotations

from dataclasses import replace

from space.architecture import Architecture, UpsamplerSpec
from space.backbones.symmetric import SymmetricSettings
from space.blocks.block import BlockSpec
from space.blocks.residual import ResidualSpec
from space.build import architecture
from space.papers.paper import PARAMS_TIMES_INPUT_PIXELS, Paper
from space.tasks import TASKS

TABLE_II = "Li et al., arXiv 1909.10774, table II"
TABLE_III = "Li et al., arXiv 1909.10774, table III"
RELEASED = {
    "blocks_per_stage": 3,
    "recursion": 1,
    "block": "residual",
    "convolution": "dense",
    "inverted_ratio": 0.0,
    "activation_kept": "all",
    "malle": "none",
    "attention": "none",
    "pool": "normal",
    "residual_scale": 1.0,
    "upsampler": "dense-two-step",
    "input_skip": "none",
}


def released(scale: int = 4, **knobs: object) -> tuple[dict[str, object], Architecture]:
    """Knobs and architecture of the released graph with ``knobs`` changed; the mean shift is not a knob."""
    chosen = {**RELEASED, **knobs}
    on_grid = {**chosen, "width": min(chosen["width"], 64)}
    arch = architecture(TASKS["sr"].shape(scale), "symmetric", on_grid)
    arch = _with_mean_shift(arch)
    if chosen["width"] != on_grid["width"]:
        arch = _widened(arch, chosen["width"])
    return {"backbone": "symmetric", **chosen}, arch


def _with_mean_shift(arch: Architecture) -> Architecture:
    return replace(arch, ends=replace(arch.ends, mean_shift=True))


def _widened(arch: Architecture, width: int) -> Architecture:
    """The same layout at a width that the search does not offer."""

    def widen(rows: tuple[tuple[BlockSpec, ...], ...]) -> tuple[tuple[BlockSpec, ...], ...]:
        return tuple(tuple(spec.at_width(width) for spec in row) for row in rows)

    settings: SymmetricSettings = arch.settings
    wider = replace(settings, width=width, encoder=widen(settings.encoder), decoder=widen(settings.decoder))
    ends = replace(arch.ends, upsampler=UpsamplerSpec(arch.ends.upsampler.kind, width))
    return replace(arch, settings=wider, ends=ends)


def _depth_variant() -> Architecture:
    """Twelve blocks at 32 channels in three bunches and two stages, with six pool sources: 308,027 parameters."""
    block = ResidualSpec(width=32, hidden=32)
    _, base = released(width=32)
    settings = replace(
        base.settings, encoder=((block,) * 2,) * 3, decoder=((block,) * 3,) * 2, pool_sources=(0, 1, 3, 4, 5, 6)
    )
    return replace(base, settings=settings)


def _compressed() -> Architecture:
    """All 26 blocks at 32 channels replaced by inverted residuals of expansion 1."""
    knobs = {name: value for name, value in RELEASED.items() if name not in ("convolution", "inverted_ratio")}
    arch = architecture(TASKS["sr"].shape(4), "symmetric", {**knobs, "width": 32, "block": "inverted", "expansion": 1})
    return _with_mean_shift(arch)


def _paper(name: str, title: str, source: str, note: str = "", **knobs: object) -> Paper:
    chosen, arch = released(**knobs)
    return Paper(name, title, "sr", arch, source, chosen, PARAMS_TIMES_INPUT_PIXELS, runs_with_search=True, note=note)


CODE_NOTE = "the released graph: all 26 activations run, though the text says half of them are removed"

SLWSR: tuple[Paper, ...] = (
    _paper("s-lwsr16", "s-LWSR16", TABLE_II, CODE_NOTE, width=16),
    _paper("s-lwsr32", "s-LWSR32", TABLE_II, CODE_NOTE, width=32),
    _paper("s-lwsr64", "s-LWSR64", TABLE_II, CODE_NOTE, width=64),
    _paper("s-lwsr128", "s-LWSR128", "Li et al., arXiv 1909.10774: width named, no result published", width=128),
    _paper("s-lwsr16-no-pool", "s-LWSR16 no-pool (ablation)", TABLE_III, width=16, pool="none"),
    _paper("s-lwsr32-no-pool", "s-LWSR32 no-pool (ablation)", TABLE_III, width=32, pool="none"),
    _paper("s-lwsr64-no-pool", "s-LWSR64 no-pool (ablation)", TABLE_III, width=64, pool="none"),
    _paper(
        "s-lwsr16-pool-11",
        "s-LWSR16 pool from 11 former layers (ablation)",
        TABLE_III,
        "the paper does not name the 11 layers; this choice (the stem, first and last block of each bunch) is ours",
        width=16,
        pool="wide",
    ),
    Paper(
        "s-lwsr32-depth",
        "depth variant (stated: 6 basic blocks, 32 ch)",
        "sr",
        _depth_variant(),
        "Li et al., arXiv 1909.10774, table I",
        {},
        PARAMS_TIMES_INPUT_PIXELS,
        reproducible=False,
        note="308K is published for 6 blocks, but no network of this design with 6 blocks has that size; with 12 "
        "blocks three layouts have; this is one of them, bunches and pool sources are ours",
    ),
    Paper(
        "s-lwsr32c",
        "s-LWSR32C (all blocks inverted residual)",
        "sr",
        _compressed(),
        "Li et al., arXiv 1909.10774, section IV-B",
        {},
        PARAMS_TIMES_INPUT_PIXELS,
        reproducible=False,
        note="124K is published, but no expansion of 1 or more fits it with the dense upsampler; this is expansion "
        "1, the nearest",
    ),
)
