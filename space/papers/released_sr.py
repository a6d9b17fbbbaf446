"""Released layouts of super-resolution networks: names as their public code gives them.

IMDN, SMFANet, CARN-M and FSRCNN and ESPCN (in their common PyTorch form) work on [0, 1]; ECBSR on luma in 0..255.
CARN-M's file holds the upsamplers of three scales, ECBSR's the training form with its fixed edge filters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from space.papers.paper import Paper
from space.papers.references_sr import REFERENCES_SR
from space.papers.released import ReleasedLayout
from space.references.carn import CASCADE, SCALES
from space.references.ecbsr import EDGES

LARGEST_SCALE = 8


def scale_by_shuffle(key: str, colours: int) -> Callable[[Mapping[str, Tensor]], int]:
    """The scale for which the bias ``key`` of the last convolution has ``colours`` channels per output pixel."""

    def scale(state_dict: Mapping[str, Tensor]) -> int:
        channels = state_dict[key].numel() if key in state_dict else 0
        return next((s for s in range(1, LARGEST_SCALE + 1) if colours * s**2 == channels), 4)

    return scale


def fsrcnn_names(entry: Paper, scale: int) -> dict[str, str]:
    return {"features": "first_part", "mapping": "mid_part", "deconvolution": "last_part"}


def espcn_names(entry: Paper, scale: int) -> dict[str, str]:
    return {"features": "first_part", "upsampler": "last_part"}


def carn_names(entry: Paper, scale: int) -> dict[str, str]:
    """Block i is `b{i}`, its one residual block `b1`, and the 1x1 convolutions of both levels `c{i}.body.0`."""
    names = {
        "shift_in": "sub_mean.shifter", "stem": "entry", "upsampler": f"upsample.up{scale}.body", "last": "exit",
        "shift_out": "add_mean.shifter",
    }  # fmt: skip
    for index in range(CASCADE):
        names[f"trunk.fuses.{index}"] = f"c{index + 1}.body"
        names[f"trunk.blocks.{index}.blocks.0.body"] = f"b{index + 1}.b1.body"
        for inner in range(CASCADE):
            names[f"trunk.blocks.{index}.fuses.{inner}"] = f"b{index + 1}.c{inner + 1}.body"
    return names


def imdn_names(entry: Paper, scale: int) -> dict[str, str]:
    """Block i is `IMDB{i}` with `c1` to `c3` that keep and pass on, `c4`, attention `cca.conv_du`, and `c5`."""
    names = {"stem": "fea_conv", "fuse": "c", "smooth": "LR_conv", "upsampler": "upsampler"}
    for index in range(entry.architecture.settings.blocks):
        ours, theirs = f"blocks.{index}", f"IMDB{index + 1}"
        names |= {f"{ours}.steps.{step}.0": f"{theirs}.c{step + 1}" for step in range(3)}
        names |= {f"{ours}.last": f"{theirs}.c4", f"{ours}.fuse": f"{theirs}.c5"}
        names[f"{ours}.attention.weights"] = f"{theirs}.cca.conv_du"
    return names


def smfanet_names(entry: Paper, scale: int) -> dict[str, str]:
    """Block i is `feats.{i}` with `smfa` and `pcfn`; the scales of pooling and variance are `alpha` and `belt`."""
    aggregation = {
        "split": "linear_0", "coarse": "linear_1", "last": "linear_2", "depthwise": "dw_conv",
        "local_in": "lde.conv_0", "local_out": "lde.conv_1", "pooled_weight": "alpha", "variance_weight": "belt",
    }  # fmt: skip
    names = {"stem": "to_feat", "upsampler": "to_img"}
    for index in range(entry.architecture.settings.blocks):
        for ours, theirs in aggregation.items():
            names[f"blocks.{index}.aggregation.{ours}"] = f"feats.{index}.smfa.{theirs}"
        for ours, theirs in {"up": "conv_0", "conv": "conv_1", "down": "conv_2"}.items():
            names[f"blocks.{index}.feed_forward.{ours}"] = f"feats.{index}.pcfn.{theirs}"
    return names


ECBSR_BRANCHES = ("conv1x1_3x3", "conv1x1_sbx", "conv1x1_sby", "conv1x1_lpl")  # 3x3 and the edges in our order


def ecbsr_names(entry: Paper, scale: int) -> dict[str, str]:
    """Block i is `backbone.{i}`; a branch's convolutions are its tensors `k0`, `b0` and `k1`, `b1`."""
    names = {}
    for index in range(entry.architecture.settings.blocks + 2):
        ours, theirs = f"body.{index}", f"backbone.{index}"
        names |= {f"{ours}.conv": f"{theirs}.conv3x3", f"{ours}.activation": f"{theirs}.act"}
        for position, branch in enumerate(ECBSR_BRANCHES):
            names[f"{ours}.branches.{position}"] = f"{theirs}.{branch}"
            names[f"{ours}.branches.{position}.mix.weight"] = f"{theirs}.{branch}.k0"
            names[f"{ours}.branches.{position}.mix.bias"] = f"{theirs}.{branch}.b0"
        names[f"{ours}.branches.0.conv.weight"] = f"{theirs}.{ECBSR_BRANCHES[0]}.k1"
        names[f"{ours}.branches.0.conv.bias"] = f"{theirs}.{ECBSR_BRANCHES[0]}.b1"
    return names


def _ecbsr(entry: Paper) -> ReleasedLayout:
    blocks = entry.architecture.settings.blocks + 2
    masks = tuple(
        f"backbone.{index}.{branch}.mask" for index in range(blocks) for branch in ECBSR_BRANCHES[-len(EDGES) :]
    )
    return ReleasedLayout(
        ecbsr_names, "xindongzhang/ECBSR, models/ecbsr.py and ecb.py",
        scale_by_shuffle(f"backbone.{blocks - 1}.conv3x3.bias", 1), pixel_range=255, unused=lambda scale: masks,
    )  # fmt: skip


RELEASED_SR: dict[str, ReleasedLayout] = {
    "fsrcnn": ReleasedLayout(fsrcnn_names, "yjn870/FSRCNN-pytorch, models.py"),
    "espcn": ReleasedLayout(espcn_names, "yjn870/ESPCN-pytorch, models.py", scale_by_shuffle("last_part.0.bias", 1)),
    "carn-m": ReleasedLayout(
        carn_names,
        "nmhkahn/CARN-pytorch, carn/model/carn_m.py and ops.py",
        unused=lambda scale: tuple(f"upsample.up{other}." for other in SCALES if other != scale),
    ),
    "imdn": ReleasedLayout(
        imdn_names, "Zheng222/IMDN, model/architecture.py and block.py", scale_by_shuffle("upsampler.0.bias", 3)
    ),
    "smfanet": ReleasedLayout(
        smfanet_names, "Zheng-MJ/SMFANet, basicsr/archs/SMFANet_arch.py", scale_by_shuffle("to_img.0.bias", 3)
    ),
    **{entry.name: _ecbsr(entry) for entry in REFERENCES_SR if entry.architecture.backbone == "ecbsr"},
}
