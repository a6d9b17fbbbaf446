"""One trunk for every kind of block: of as many milliseconds as a dense trunk, for an ablation to train alike."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping

from evaluators.costs import architecture_costs
from evaluators.tasks import TaskRules
from latency_tables.tables.table import load_table
from search.experiments.plain_row import PLAIN_ROW
from space.architecture import Architecture
from space.knobs import Value
from space.search_space import BACKBONE, SearchSpace, first
from space.tasks import TASKS

TABLE = "pixel4-a76"  # whose milliseconds are equal
WIDTH, DENSE_BLOCKS = 16, 4
DENSE = "residual, dense"
MODULATED: Mapping[str, Value] = {
    "modulation_norm": "l2",
    "modulation_activation": "gelu",
    "modulation_statistics": "image",
}
KINDS: Mapping[str, Mapping[str, Value]] = {
    DENSE: {},
    "residual, Conv3XC": {"convolution": "conv3xc"},
    "residual, edge filters": {"convolution": "edge"},
    "residual, ESA": {"attention": "esa"},
    "residual, LIA": {"attention": "lia"},
    "inverted, 3x3": {"block": "inverted", "expansion": 2, "depthwise_kernel": 3},
    "inverted, 5x5": {"block": "inverted", "expansion": 2, "depthwise_kernel": 5},
    "inverted, 9x9": {"block": "inverted", "expansion": 2, "depthwise_kernel": 9},
    "SPAB": {"block": "spab", "gate": "sigmoid", "spab_convolution": "dense"},
    "SPAB, learned gate": {"block": "spab", "gate": "learned", "spab_convolution": "dense"},
    "BSConv": {"block": "bsconv"},
    "partial, GELU": {"block": "partial", "partial_expansion": 2, "partial_activation": "gelu"},
    "partial, ReLU": {"block": "partial", "partial_expansion": 2, "partial_activation": "relu"},
    "modulated, as published": {"block": "modulated", **MODULATED},
    "modulated, ReLU": {"block": "modulated", **MODULATED, "modulation_activation": "relu"},
    "modulated, no norm": {"block": "modulated", **MODULATED, "modulation_norm": "none"},
    "modulated, tile-exact": {"block": "modulated", **MODULATED, "modulation_statistics": "none"},
    "modulated, all three": {
        "block": "modulated",
        "modulation_norm": "none",
        "modulation_activation": "relu",
        "modulation_statistics": "none",
    },
    "gated, as published": {"block": "gated", "gated_attention": "channels", "gated_norm": "layer"},
    "gated, no attention": {"block": "gated", "gated_attention": "none", "gated_norm": "layer"},
    "gated, no norm": {"block": "gated", "gated_attention": "none", "gated_norm": "none"},
    "residual, half gated": {"gated_ratio": 0.5, "after_gated_attention": "none", "after_gated_norm": "none"},
    "conv": {"block": "conv"},
    "conv, colour streams": {BACKBONE: "streams", "block": "conv", "input_skip": "none"},
    "multi-scale, GELU": {"block": "multi-scale", "multi_scale_activation": "gelu"},
    "multi-scale, ReLU": {"block": "multi-scale", "multi_scale_activation": "relu"},
}
"""Knobs of the kinds of blocks, and of their cheap variants, that differ from a plain row's."""


def block_variants(rules: TaskRules) -> dict[str, Architecture]:
    """Trunks of ``WIDTH`` channels by kind of block: ``DENSE_BLOCKS`` dense residual ones, and as many others as come
    nearest to their milliseconds on ``TABLE``. What the task's trunks do not offer is left out.

    Raises:
        UserError: the task has no plain trunk, or the table lacks an operator.
    """
    space = SearchSpace(TASKS[rules.task], rules.shape)
    depths = next(each.values for each in space.of("plain") if each.key == "blocks")
    wanted_ms = _ms(rules, _trunk(space, rules, {}, DENSE_BLOCKS))
    found = {}
    for name, knobs in KINDS.items():
        if knobs.get(BACKBONE, first(space.backbone)) not in space.task.backbones:
            continue
        trunks = [_trunk(space, rules, knobs, depth) for depth in depths]
        above = bisect_left(trunks, wanted_ms, lo=1, hi=len(trunks) - 1, key=lambda trunk: _ms(rules, trunk))
        near = trunks[above - 1], trunks[above]
        found[name] = min(near, key=lambda trunk: abs(math.log(_ms(rules, trunk) / wanted_ms)))
    return found


def _trunk(space: SearchSpace, rules: TaskRules, knobs: Mapping[str, Value], blocks: Value) -> Architecture:
    ends: dict[str, Value] = {"input_skip": "identity"}
    if rules.scale > 1:
        ends = {"input_skip": "bicubic", "upsampler": "dense-one-step"}
    given = {BACKBONE: "plain", **PLAIN_ROW, "width": WIDTH, "blocks": blocks, **ends, **knobs}
    return space.decode(space.fill(first, given))


def _ms(rules: TaskRules, arch: Architecture) -> float:
    size = TASKS[rules.task].input_sizes[rules.scale]
    return architecture_costs(arch, size, [load_table(TABLE)]).latency[TABLE].ms
