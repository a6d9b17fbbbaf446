"""Released layouts of denoising networks (`cszn/KAIR`, MIT), CBDNet, PMRID and PReNet: names as in their public code.

All work on images in [0, 1]. KAIR's files hold networks whose batch norm is already folded: convolution i is
`model.{2 i}`, with a ReLU between each two; those of `SaoYan/DnCNN-PyTorch` have no biases and keep batch norm.
FFDNet's constant noise level becomes our map. IRCNN's file is a dictionary of 25 state dicts, one for each noise
level: `FILE#12` is the one at the key 12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from space.papers.paper import Paper
from space.papers.released import ReleasedLayout
from space.references.pmrid import ENCODER


def dncnn_names(entry: Paper, scale: int) -> Mapping[str, str]:
    """The first convolution, the middle ones and the last one of `network_dncnn.py`, class DnCNN."""
    middle = entry.architecture.settings.layers - 2
    names = {f"middle.{index}.layer": f"model.{2 * index + 2}" for index in range(middle)}
    return {"first": "model.0", **names, "last": f"model.{2 * middle + 2}"}


def dncnn_norm_names(entry: Paper, scale: int) -> Mapping[str, str]:
    """`models.py`, class DnCNN of SaoYan: convolution, batch norm and ReLU in one `Sequential`, no biases."""
    middle = entry.architecture.settings.layers - 2
    names = {}
    for index in range(middle):
        names[f"middle.{index}.layer"] = f"dncnn.{3 * index + 2}"
        names[f"middle.{index}.norm"] = f"dncnn.{3 * index + 3}"
    return {"first": "dncnn.0", **names, "last": f"dncnn.{3 * middle + 2}"}


def row_names(entry: Paper, scale: int) -> Mapping[str, str]:
    """A plain row of convolutions: FFDNet in `network_ffdnet.py`, IRCNN in `network_dncnn.py`."""
    settings = entry.architecture.settings
    layers = len(settings.dilations) if hasattr(settings, "dilations") else settings.layers
    return {f"layers.{index}": f"model.{2 * index}" for index in range(layers)}


def cbdnet_names(entry: Paper, scale: int) -> Mapping[str, str]:
    """`model/cbdnet.py`: each stage a row of `single_conv`, whose convolution is `conv.0`."""
    names = {
        "estimator": "fcn.fcn",
        "first": "unet.inc.0.conv.0",
        "encoder.0.0": "unet.inc.1.conv.0",
        "enlarge.0": "unet.up1.up",
        "enlarge.1": "unet.up2.up",
        "last": "unet.outc.conv",
    }
    stages = {
        "encoder.1": ("conv1", 3),
        "encoder.2": ("conv2", 6),
        "decoder.0": ("conv3", 3),
        "decoder.1": ("conv4", 2),
    }
    for ours, (theirs, depth) in stages.items():
        names |= {f"{ours}.{2 * index}": f"unet.{theirs}.{index}.conv.0" for index in range(depth)}
    return names


def prenet_names(entry: Paper, scale: int) -> Mapping[str, str]:
    """`networks.py`: gates `conv_i`, `conv_f`, `conv_g`, `conv_o`; residual block i is `res_conv{i}`, from 1."""
    settings = entry.architecture.settings
    names = {"first": "conv0.0", "last": "conv.0"}
    for index in range(1 if settings.shared_block else 5):
        names[f"blocks.{index}.conv_first"] = f"res_conv{index + 1}.0"
        names[f"blocks.{index}.conv_last"] = f"res_conv{index + 1}.2"
    gates = {"input_gate": "conv_i", "forget_gate": "conv_f", "candidate": "conv_g", "output_gate": "conv_o"}
    return names | {f"lstm.{ours}": f"{theirs}.0" for ours, theirs in gates.items()}


def pmrid_names(entry: Paper, scale: int) -> Mapping[str, str]:
    """`models/net_torch.py`: stages `enc1` to `enc4` and `dec1` to `dec4`; separable ones `depthwise`, `pointwise`."""

    def separable(ours: str, theirs: str) -> dict[str, str]:
        return {f"{ours}.0": f"{theirs}.depthwise", f"{ours}.1": f"{theirs}.pointwise"}

    def block(ours: str, theirs: str) -> dict[str, str]:
        return separable(f"{ours}.first", f"{theirs}.conv0") | separable(f"{ours}.last", f"{theirs}.conv1")

    names = {"first": "conv0.conv", "last": "out1.conv", **separable("narrow", "encdec"), **block("refine", "out0")}
    for stage, (_, blocks) in enumerate(ENCODER):
        for index in range(blocks):
            ours, theirs = f"encoder.{stage}.{index}", f"enc{stage + 1}.{index}"
            names |= separable(f"{ours}.narrow", f"{theirs}.conv1") | separable(f"{ours}.widen", f"{theirs}.conv2")
            names |= separable(f"{ours}.project", f"{theirs}.proj")
        ours, theirs = f"decoder.{stage}", f"dec{stage + 1}"
        names |= block(f"{ours}.block", f"{theirs}.decode_conv") | {f"{ours}.enlarge": f"{theirs}.upsample"}
        names |= separable(f"{ours}.project", f"{theirs}.proj_conv")
    return names


DNCNN = "cszn/KAIR, models/network_dncnn.py"
FOLDED = "17 or 20 layers with biases, batch norm folded"
KAIR_DNCNN = ReleasedLayout(dncnn_names, DNCNN, folded=True, form=FOLDED)
SAOYAN_DNCNN = ReleasedLayout(
    dncnn_norm_names, "SaoYan/DnCNN-PyTorch, models.py", form="17 layers without biases, with batch norm"
)
IRCNN = ReleasedLayout(row_names, DNCNN)
FFDNET = ReleasedLayout(row_names, "cszn/KAIR, models/network_ffdnet.py")
PRENET = ReleasedLayout(prenet_names, "csdwren/PReNet, networks.py")

RELEASED_RESTORE: dict[str, tuple[ReleasedLayout, ...]] = {
    # KAIR's file has biases at both ends, which the network of the lightweight-modules paper has not.
    "dncnn": (SAOYAN_DNCNN, replace(KAIR_DNCNN, network="dncnn-s")),
    "dncnn-color": (SAOYAN_DNCNN,),
    **dict.fromkeys(("dncnn-s", "dncnn-b", "dncnn-b-color"), (KAIR_DNCNN,)),
    **dict.fromkeys(("ircnn", "ircnn-color"), (IRCNN,)),
    **dict.fromkeys(("ffdnet", "ffdnet-color"), (FFDNET,)),
    "cbdnet": (ReleasedLayout(cbdnet_names, "IDKiro/CBDNet-pytorch, model/cbdnet.py"),),
    "pmrid": (ReleasedLayout(pmrid_names, "MegEngine/PMRID, models/net_torch.py"),),
    **dict.fromkeys(("prn-r", "prn", "prenet-r", "prenet"), (PRENET,)),
}
