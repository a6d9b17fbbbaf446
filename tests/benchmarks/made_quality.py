"""Two made-up qualities of super-resolution networks, to try samplers on: real architectures, real costs, no training.

``saturating`` follows what trainings of this project show: quality rises and levels off with the logarithm of the
multiply-accumulates, width and depth have to be in proportion, a missing skip costs a small network most, and what a
block, an attention or a share of inverted blocks is worth depends on the width. ``network`` is a random function of all
knobs and costs, smooth and with interactions of any order, in which nothing but the costs' trend is as in reality; it
stands for all that ``saturating`` was not made to contain. Neither was fitted to a sampler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from evaluators.costs import Costs
from space.knobs import Value
from space.search_space import SearchSpace

Quality = Callable[[Mapping[str, Value], Costs], float]  # dB above the baseline
BLOCKS = {
    "residual": 0.0,
    "preactivated": 0.02,
    "inverted": -0.04,
    "gsat": 0.03,
    "ar": -0.08,
    "inverted-prelu": 0.05,
    "spab": 0.04,
}
UPSAMPLERS = {"dense-two-step": 0.04, "dense-one-step": 0.02, "nearest": -0.05, "bilinear": -0.06, "transposed": -0.02}
KEPT = {"rare": -0.12, "1/3": -0.04, "1/2": 0.0, "2/3": 0.02, "all": 0.01}
HIDDEN, SEED = 24, 7  # of ``network``


def saturating(values: Mapping[str, Value], costs: Costs) -> float:
    wide = np.log2(float(values["width"]) / 24)
    recursion = float(values.get("recursion", 1))
    blocks = float(values.get("blocks", 6 * float(values.get("blocks_per_stage", 1)))) * recursion
    work = np.log10(costs.macs / 1e8)
    psnr_db = 1.1 / (1 + np.exp(-2 * (work + 0.9)))
    psnr_db -= 0.05 * (np.log2(blocks / 10) - 0.7 * wide) ** 2
    psnr_db -= 0.03 * (recursion - 1)
    psnr_db += BLOCKS.get(str(values["block"]), 0.0) * (1 - 0.5 * wide)
    psnr_db += UPSAMPLERS.get(str(values.get("upsampler", "dense-one-step")), -0.03)
    psnr_db += KEPT[str(values["activation_kept"])]
    psnr_db -= {"none": 0.25, "nearest": 0.03, "bilinear": 0.01, "bicubic": 0.0}[str(values["input_skip"])] / (
        1 + np.exp(3 * work)
    )
    psnr_db += {"channel": 0.05, "spatial": 0.01, "both": 0.04}.get(str(values["attention"]), 0.0) * (1 + wide)
    psnr_db += {0.1: -0.08, 0.5: -0.01, 1.0: 0.0}[float(values.get("residual_scale", 1.0))] * (
        1 if blocks < 16 else -0.5
    )
    psnr_db += 0.1 * float(values.get("inverted_ratio", 0.0)) * (0.3 - work)
    psnr_db += {"none": 0.0, "normal": 0.03, "wide": 0.05}[str(values.get("pool", "none"))] * np.tanh(blocks / 12)
    psnr_db -= 0.06 * (values["malle"] != "none") * (1 - 1.5 * (values["malle"] == "middle"))
    return float(psnr_db)


def network(values: Mapping[str, Value], costs: Costs) -> float:
    work, size = np.log10(costs.macs / 1e8), np.log10(costs.params / 5e4)
    units = np.tanh(sum((_weights(f"{key}={value}") for key, value in values.items()), _weights("bias")) + 0.5 * work)
    deviation = float(units @ _weights("out")) / np.sqrt(HIDDEN)
    return 0.7 + 0.3 * np.tanh(1.2 * (work + 0.6)) + 0.08 * np.tanh(size) + 0.12 * deviation


@cache
def _weights(name: str) -> np.ndarray:
    return np.random.default_rng((SEED, *name.encode())).normal(size=HIDDEN) * (1.0 if name == "out" else 0.4)


QUALITIES: dict[str, Quality] = {"saturating": saturating, "network": network}


def spread(
    space: SearchSpace, price: Callable[[Mapping[str, Value]], Costs], quality: Quality, points: int = 200
) -> str:
    """Of random points: the standard deviation in all, and of what log MACs and log parameters do not explain."""
    generator = np.random.default_rng(0)
    drawn = [space.random(generator) for _ in range(points)]
    priced = [price(values) for values in drawn]
    db = np.array([quality(*pair) for pair in zip(drawn, priced, strict=True)])
    x = np.log10([[each.macs, each.params] for each in priced])
    basis = np.column_stack([np.ones(len(x)), x, x**2])
    rest = db - basis @ np.linalg.lstsq(basis, db, rcond=None)[0]
    return f"standard deviation {db.std():.2f} dB, {rest.std():.2f} dB beside the costs"
