"""Released layouts of super-resolution networks: names as their public code gives them.

IMDN, SMFANet, ETDS, CARN-M and FSRCNN and ESPCN (in their common PyTorch form) work on [0, 1]; ECBSR on luma in
0..255. CARN-M's file holds the upsamplers of three scales; ECBSR's and ETDS's come in training and in deploy form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import Tensor

from space.papers.paper import Paper
from space.papers.references_sr import REFERENCES_SR
from space.papers.released import ReleasedLayout
from space.references.carn import CASCADE, SCALES
from space.references.ecbsr import EDGES
from space.references.etds import ROUNDED_FOR_3

LARGEST_SCALE = 8


def scale_by_shuffle(
    key: str, colours: int, extra: Mapping[int, int] | None = None
) -> Callable[[Mapping[str, Tensor]], int]:
    """The scale for which the bias ``key`` of the last convolution has ``colours`` channels per output pixel.

    ``extra`` channels beside them, by scale, are those of a layout that rounds their number up.
    """

    def scale(state_dict: Mapping[str, Tensor]) -> int:
        channels = state_dict[key].numel() if key in state_dict else 0
        scales = range(1, LARGEST_SCALE + 1)
        return next((s for s in scales if colours * s**2 + (extra or {}).get(s, 0) == channels), 4)

    return scale


def fsrcnn_names(entry: Paper, scale: int) -> dict[str, str]:
    return {"features": "first_part", "mapping": "mid_part", "deconvolution": "last_part"}


def espcn_names(entry: Paper, scale: int) -> dict[str, str]:
    return {"features": "first_part", "upsampler": "last_part"}


def carn_names(entry: Paper, scale: int) -> dict[str, str]:
    """Block i is `b{i}`, its one residual block `b1`, and the 1x1 convolutions of both levels `c{i}.body.0`."""
    names = {
        "shift_in": "sub_mean.shifter",
        "stem": "entry",
        "upsampler": f"upsample.up{scale}.body",
        "last": "exit",
        "shift_out": "add_mean.shifter",
    }
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
        "split": "linear_0",
        "coarse": "linear_1",
        "last": "linear_2",
        "depthwise": "dw_conv",
        "local_in": "lde.conv_0",
        "local_out": "lde.conv_1",
        "pooled_weight": "alpha",
        "variance_weight": "belt",
    }
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


def _ecbsr(entry: Paper) -> tuple[ReleasedLayout, ...]:
    blocks = entry.architecture.settings.blocks + 2
    masks = tuple(
        f"backbone.{index}.{branch}.mask" for index in range(blocks) for branch in ECBSR_BRANCHES[-len(EDGES) :]
    )
    training = ReleasedLayout(
        ecbsr_names,
        "xindongzhang/ECBSR, models/ecbsr.py and ecb.py",
        scale_by_shuffle(f"backbone.{blocks - 1}.conv3x3.bias", 1),
        pixel_range=255,
        unused=lambda scale: masks,
        form="training form, with its edge branches",
    )
    return training, replace(
        training,
        source="xindongzhang/ECBSR, models/plainsr.py",
        folded=True,
        unused=lambda scale: (),
        form="deploy form, plain 3x3 convolutions",
    )


def etds_names(entry: Paper, scale: int) -> dict[str, str]:
    """The plain chain of `ETDSForInference`, with the two-fold rectification that clips to [0, 1] as `conv_clip`."""
    layers = entry.architecture.settings.layers
    chain = {f"chain.{index + 1}": f"backbone_convs.{index}" for index in range(layers)}
    return {"chain.0": "conv_first", **chain, f"chain.{layers + 1}": "conv_last", "clip": "conv_clip"}


def etds_streams(entry: Paper, scale: int) -> dict[str, str]:
    """The two streams of class `ETDS`, before its conversion."""
    return {
        "first": "conv_first",
        "first_colour": "conv_residual_first",
        "features": "backbone_convs",
        "colours": "residual_convs",
        "crossings": "add_residual_convs",
        "last": "conv_last",
        "last_colour": "conv_residual_last",
    }


ETDS_SOURCE = "ECNUSR/ETDS, core/archs/ir/ETDS/arch.py"
ETDS = (
    ReleasedLayout(
        etds_names,
        ETDS_SOURCE,
        scale_by_shuffle("conv_last.bias", 3, ROUNDED_FOR_3),
        folded=True,
        form="deploy form, one plain chain",
    ),
    ReleasedLayout(etds_streams, ETDS_SOURCE, scale_by_shuffle("conv_last.bias", 3), form="training form, two streams"),
)
SMFANET = (
    ReleasedLayout(
        smfanet_names, "Zheng-MJ/SMFANet, basicsr/archs/SMFANet_arch.py", scale_by_shuffle("to_img.0.bias", 3)
    ),
)
IMDN = ReleasedLayout(
    imdn_names, "Zheng222/IMDN, model/architecture.py and block.py", scale_by_shuffle("upsampler.0.bias", 3)
)
CARN = ReleasedLayout(
    carn_names,
    "nmhkahn/CARN-pytorch, carn/model/carn_m.py and ops.py",
    unused=lambda scale: tuple(f"upsample.up{other}." for other in SCALES if other != scale),
)
RELEASED_SR: dict[str, tuple[ReleasedLayout, ...]] = {
    "fsrcnn": (ReleasedLayout(fsrcnn_names, "yjn870/FSRCNN-pytorch, models.py"),),
    "espcn": (ReleasedLayout(espcn_names, "yjn870/ESPCN-pytorch, models.py", scale_by_shuffle("last_part.0.bias", 1)),),
    "carn-m": (CARN,),
    "imdn": (IMDN,),
    **dict.fromkeys(("smfanet", "smfanet-plus"), SMFANET),
    **{entry.name: _ecbsr(entry) for entry in REFERENCES_SR if entry.architecture.backbone == "ecbsr"},
    **{entry.name: ETDS for entry in REFERENCES_SR if entry.architecture.backbone == "etds"},
}
