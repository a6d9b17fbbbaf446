"""The s-LWSR configurations (Li et al., arXiv 1909.10774, tables I to III) as architectures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from space.architecture import Architecture, UpsamplerSpec
from space.backbones import BACKBONES
from space.backbones.symmetric import SymmetricSettings
from space.blocks.block import BlockSpec
from space.blocks.residual import ResidualSpec
from space.knobs import Value
from space.tasks import TASKS
from space.zoo.counting_rule import CountingRule
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import PublishedResult, Size, reported
from space.zoo.released_layout import ReleasedLayout
from space.zoo.sources import SLWSR_TABLE

PARAMS_TIMES_INPUT_PIXELS = CountingRule(
    "multiply-adds as parameters x input pixels (s-LWSR table II)",
    macs=lambda params, width_px, height_px: params * width_px * height_px,
)
TABLE_II = "Li et al., arXiv 1909.10774, table II"
TABLE_III = "Li et al., arXiv 1909.10774, table III"
WIDEST_SEARCHED = 64  # channels
RELEASED: dict[str, Value] = {
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


def released(*, width: int, **knobs: Value) -> tuple[dict[str, Value], Architecture]:
    """Knobs and architecture of the released x4 graph with ``knobs`` changed; the mean shift is not a knob."""
    chosen = {**RELEASED, "width": width, **knobs}
    on_grid = {**chosen, "width": min(width, WIDEST_SEARCHED)}
    arch = BACKBONES["symmetric"].architecture(TASKS["sr"].shape(4), on_grid).with_ends(mean_shift=True)
    if width > WIDEST_SEARCHED:
        upsampler = UpsamplerSpec(str(chosen["upsampler"]), width)
        arch = _widened(arch, width).with_ends(upsampler=upsampler)
    return {"backbone": "symmetric", **chosen}, arch


def _widened(arch: Architecture, width: int) -> Architecture:
    """The same layout at a width that the search does not offer."""

    def widen(rows: tuple[tuple[BlockSpec, ...], ...]) -> tuple[tuple[BlockSpec, ...], ...]:
        return tuple(tuple(spec.at_width(width) for spec in row) for row in rows)

    settings: SymmetricSettings = arch.settings
    wider = replace(settings, width=width, encoder=widen(settings.encoder), decoder=widen(settings.decoder))
    return replace(arch, settings=wider)


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
    inverted = {**knobs, "width": 32, "block": "inverted", "expansion": 1}
    return BACKBONES["symmetric"].architecture(TASKS["sr"].shape(4), inverted).with_ends(mean_shift=True)


def _slwsr_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Our module names to those of the released `lwsr.py`.

    Encoder bunch i, block j is `feat{i+1}_{j}`; decoder stage s is `feat{s+6}_1` (with the 1x1 that fuses),
    `feat{s+6}_2` and `conv{s+6}`; the released first and second convolutions of a block are `body.0` and `body.2`.
    """
    settings = entry.architecture.settings
    modules = {"shift_in": "sub_mean", "stem": "head.0", "upsampler.last": "tail.1", "shift_out": "add_mean"}
    for bunch, blocks in enumerate(settings.encoder):
        for position in range(len(blocks)):
            modules[f"trunk.encoder.{bunch}.{position}"] = f"feat{bunch + 2}_{position + 1}"
    for stage in range(len(settings.decoder)):
        modules[f"trunk.fuses.{stage}"] = f"feat{stage + 7}_1.conv"
        for position, theirs in enumerate((f"feat{stage + 7}_1", f"feat{stage + 7}_2", f"conv{stage + 7}")):
            modules[f"trunk.decoder.{stage}.{position}"] = theirs
    for step in range(2 if scale == 4 else 1):
        modules[f"upsampler.steps.{step}.0"] = f"tail.0.{2 * step}"
    return modules | {"trunk.pool": "conv1"}


def _slwsr_scale(state_dict: Mapping[str, Tensor]) -> int:
    """4 with two upsampling convolutions; else 2 or 3 from the ratio of channels of the only one."""
    if "tail.0.2.weight" in state_dict or "tail.0.0.weight" not in state_dict:
        return 4
    weight = state_dict["tail.0.0.weight"]
    return 3 if weight.ndim == 4 and weight.shape[0] == 9 * weight.shape[1] else 2


LAYOUT = ReleasedLayout(_slwsr_names, "Sudo-Biao/s-LWSR, lwsr.py", _slwsr_scale, pixel_range=255)
SELF_ENSEMBLE = "8-fold self-ensemble at test: 8 times the work"
SETS = ("Set5", "Set14", "B100", "Urban100")
# PSNR on Y in dB and SSIM on each of ``SETS``; in table II with parameters and multiply-adds.
TABLE_II_ROWS = (
    ("s-LWSR16", 144_000, 8_300_000_000, ((31.62, 0.886), (27.92, 0.77), (27.35, 0.729), (25.36, 0.762))),
    ("s-LWSR16+", 144_000, 8_300_000_000, ((31.78, 0.889), (28.0, 0.772), (27.4, 0.73), (25.45, 0.765))),
    ("s-LWSR32", 571_000, 32_900_000_000, ((32.04, 0.893), (28.15, 0.776), (27.52, 0.734), (25.87, 0.779))),
    ("s-LWSR32+", 571_000, 32_900_000_000, ((32.15, 0.894), (28.24, 0.778), (27.58, 0.736), (26.0, 0.782))),
    ("s-LWSR64", 2_277_000, 131_100_000_000, ((32.28, 0.896), (28.34, 0.78), (27.61, 0.738), (26.19, 0.791))),
    ("s-LWSR64+", 2_277_000, 131_100_000_000, ((32.42, 0.898), (28.42, 0.782), (27.69, 0.739), (26.39, 0.795))),
)
TABLE_III_ROWS = (
    ("s-LWSR16 normal (ablation)", ((31.63, 0.8869), (27.92, 0.7701), (27.35, 0.7287), (25.36, 0.7618))),
    ("s-LWSR16 no-pool (ablation)", ((31.63, 0.8868), (27.92, 0.7696), (27.35, 0.7284), (25.36, 0.7616))),
    (
        "s-LWSR16 pool from 11 former layers (ablation)",
        ((31.63, 0.8871), (27.9, 0.7698), (27.34, 0.7286), (25.36, 0.7616)),
    ),
    ("s-LWSR32 normal (ablation)", ((32.02, 0.893), (28.15, 0.776), (27.52, 0.734), (25.87, 0.779))),
    ("s-LWSR32 no-pool (ablation)", ((31.97, 0.892), (28.12, 0.776), (27.51, 0.734), (25.86, 0.779))),
    ("s-LWSR64 normal (ablation)", ((32.23, 0.896), (28.34, 0.78), (27.61, 0.738), (26.19, 0.791))),
    ("s-LWSR64 no-pool (ablation)", ((32.23, 0.896), (28.32, 0.78), (27.61, 0.738), (26.13, 0.79))),
)
RESULTS = (
    *(
        result
        for title, params, macs, figures in TABLE_II_ROWS
        for result in reported(
            title,
            "sr",
            SLWSR_TABLE,
            dict(zip(SETS, figures, strict=True)),
            Size(params, macs, "parameters x 57600"),
            scale=4,
            is_self_ensemble=title.endswith("+"),
            note=SELF_ENSEMBLE if title.endswith("+") else "",
        )
    ),
    *reported(
        "depth variant (stated: 6 basic blocks, 32 ch)",
        "sr",
        "Li et al., arXiv 1909.10774, Table I",
        {"Set5": 31.93},
        Size(308_000),
        scale=4,
        is_self_ensemble=True,
        note=SELF_ENSEMBLE,
    ),
    *(
        result
        for title, figures in TABLE_III_ROWS
        for result in reported(
            title,
            "sr",
            "Li et al., arXiv 1909.10774, Table III",
            dict(zip(SETS, figures, strict=True)),
            scale=4,
            note="ablation study",
        )
    ),
    *reported(
        "s-LWSR32",
        "sr",
        "pytorch-LDRN, README",
        {"Set5": (32.04, 0.893), "Set14": (28.15, 0.776), "B100": (27.5, 0.734), "Urban100": (25.87, 0.779)},
        Size(571_000, 37_300_000_000, "not stated", macs_output=None),
        scale=4,
        is_own=False,
        note="as quoted by the LDRN authors",
    ),
)


def _results(title: str) -> tuple[PublishedResult, ...]:
    """Those of the network, of its self-ensemble, and of the unchanged network in the paper's ablations."""
    titles = (title, f"{title}+", f"{title} normal (ablation)")
    return tuple(result for result in RESULTS if result.network in titles)


def _entry(name: str, title: str, source: str, note: str = "", *, width: int, **knobs: Value) -> PublishedNetwork:
    chosen, arch = released(width=width, **knobs)
    return PublishedNetwork(
        name,
        title,
        "sr",
        arch,
        source,
        knobs=chosen,
        counting_rule=PARAMS_TIMES_INPUT_PIXELS,
        runs_with_search=True,
        layouts=(LAYOUT,),
        results=_results(title),
        note=note,
    )


def _approximation(name: str, title: str, arch: Architecture, source: str, note: str) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "sr",
        arch,
        source,
        counting_rule=PARAMS_TIMES_INPUT_PIXELS,
        approximation=True,
        results=_results(title),
        note=note,
    )


CODE_NOTE = "the released graph: all 26 activations run, though the text says half of them are removed"

NETWORKS = (
    _entry("s-lwsr16", "s-LWSR16", TABLE_II, CODE_NOTE, width=16),
    _entry("s-lwsr32", "s-LWSR32", TABLE_II, CODE_NOTE, width=32),
    _entry("s-lwsr64", "s-LWSR64", TABLE_II, CODE_NOTE, width=64),
    _entry("s-lwsr128", "s-LWSR128", "Li et al., arXiv 1909.10774: width named, no result published", width=128),
    _entry("s-lwsr16-no-pool", "s-LWSR16 no-pool (ablation)", TABLE_III, width=16, pool="none"),
    _entry("s-lwsr32-no-pool", "s-LWSR32 no-pool (ablation)", TABLE_III, width=32, pool="none"),
    _entry("s-lwsr64-no-pool", "s-LWSR64 no-pool (ablation)", TABLE_III, width=64, pool="none"),
    _entry(
        "s-lwsr16-pool-11",
        "s-LWSR16 pool from 11 former layers (ablation)",
        TABLE_III,
        "the paper does not name the 11 layers; this choice (the stem, first and last block of each bunch) is ours",
        width=16,
        pool="wide",
    ),
    _approximation(
        "s-lwsr32-depth",
        "depth variant (stated: 6 basic blocks, 32 ch)",
        _depth_variant(),
        "Li et al., arXiv 1909.10774, table I",
        "308K is published for 6 blocks, but no network of this design with 6 blocks has that size; with 12 "
        "blocks three layouts have; this is one of them, bunches and pool sources are ours",
    ),
    _approximation(
        "s-lwsr32c",
        "s-LWSR32C (all blocks inverted residual)",
        _compressed(),
        "Li et al., arXiv 1909.10774, section IV-B",
        "124K is published, but no expansion of 1 or more fits it with the dense upsampler; this is expansion "
        "1, the nearest",
    ),
)
