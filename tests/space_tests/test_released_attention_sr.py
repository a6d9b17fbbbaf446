"""Authors' weights of super-resolution networks with attention: an independent forward pass over the released names."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from space import load_published
from tests.released_graphs import Names, State, conv

# Width, the first channels that the inner blocks change, and those inside the attention.
PLAINUSR = {"plainusr-s": (32, 16, 8, 4), "plainusr-m": (48, 32, 16, 8), "plainusr": (64, 48, 32, 16)}
BLOCKS = ("block1", "block2", "blockm", "block3", "block4")


def plainusr_state(name: str, scale: int, trained: bool = False) -> State:
    width, middle, inner, hidden = PLAINUSR[name]
    names = Names()
    names.conv("head", width + 3, 3, 3)
    for block, channels in zip(BLOCKS, (width, middle, inner, middle, width), strict=True):
        for position in (0, 2):
            body = f"{block}.body.{position}"
            if not trained:
                names.conv(body, channels, channels, 3)
                continue
            names.conv(f"{body}.expand_conv", 2 * channels, channels, 1)
            names.conv(f"{body}.fea_conv", 2 * channels, 2 * channels, 3)
            names.conv(f"{body}.reduce_conv", channels, 2 * channels, 1)
            names.tensor(f"{body}.se.tensor", 1, 2 * channels, 1, 1, spread=1)
            names.tensor(f"{body}.se.se.1.weight", channels // 2, 2 * channels, spread=0.3)
            names.tensor(f"{body}.se.se.3.weight", 2 * channels, channels // 2, spread=1)
        if trained:
            names.conv(f"{block}.body.3.conv", 1, channels, 1)
        attention = f"{block}.body.{4 if trained else 3}.body"
        names.conv(f"{attention}.0", hidden, channels, 1)
        names.conv(f"{attention}.2", hidden, hidden, 3)
        names.conv(f"{attention}.3", channels, hidden, 3)
    names.conv("tail.0", 3 * scale**2, width + 3, 3)
    return names.state


def rep_mb_conv(state: State, name: str, x: Tensor) -> Tensor:
    """The authors write the bias of the 1x1 into the border."""
    wide = conv(state, f"{name}.expand_conv", x)
    bias = state[f"{name}.expand_conv.bias"].reshape(1, -1, 1, 1)
    padded = F.pad(wide - bias, (1, 1, 1, 1)) + bias
    hidden = F.silu(state[f"{name}.se.tensor"].flatten(1) @ state[f"{name}.se.se.1.weight"].T)
    gate = torch.sigmoid(hidden @ state[f"{name}.se.se.3.weight"].T)[:, :, None, None]
    y = F.conv2d(padded, state[f"{name}.fea_conv.weight"], state[f"{name}.fea_conv.bias"])
    return conv(state, f"{name}.reduce_conv", gate * y + wide) + x


def plainusr(state: State, image: Tensor, scale: int) -> Tensor:
    x = conv(state, "head", image)
    trained = "block1.body.3.conv.weight" in state
    for block in BLOCKS:
        channels = state[f"{block}.body.2.{'reduce_conv.' if trained else ''}weight"].shape[0]
        attention = f"{block}.body.{4 if trained else 3}.body"
        run = rep_mb_conv if trained else conv
        y = run(state, f"{block}.body.2", F.leaky_relu(run(state, f"{block}.body.0", x[:, :channels]), 0.05))
        if trained:
            y = torch.cat((conv(state, f"{block}.body.3.conv", y), y[:, 1:]), 1)
        small = conv(state, f"{attention}.0", y)
        pooled = F.avg_pool2d(small.exp() * small, 7, 3) / F.avg_pool2d(small.exp(), 7, 3)
        strided = F.conv2d(pooled, state[f"{attention}.2.weight"], state[f"{attention}.2.bias"], stride=2, padding=1)
        coarse = torch.sigmoid(conv(state, f"{attention}.3", strided))
        y = y * F.interpolate(coarse, y.shape[2:], mode="bilinear", align_corners=False) * torch.sigmoid(y[:, :1])
        x = torch.cat((y, x[:, channels:]), 1)
    return F.pixel_shuffle(conv(state, "tail.0", x), scale)


def safmn_state(name: str, scale: int) -> State:
    names = Names()
    names.conv("to_feat", 36, 3, 3)
    for block in (f"feats.{index}" for index in range(8)):
        for norm in ("norm1", "norm2"):
            names.tensor(f"{block}.{norm}.weight", 36, spread=1)
            names.tensor(f"{block}.{norm}.bias", 36)
        for level in range(4):
            names.conv(f"{block}.safm.mfr.{level}", 9, 9, 3, groups=9)
        names.conv(f"{block}.safm.aggr", 36, 36, 1)
        names.conv(f"{block}.ccm.ccm.0", 72, 36, 3)
        names.conv(f"{block}.ccm.ccm.2", 36, 72, 1)
    names.conv("to_img.0", 3 * scale**2, 36, 3)
    return names.state


def safmn(state: State, image: Tensor, scale: int) -> Tensor:
    def norm(name: str, x: Tensor) -> Tensor:
        last = F.layer_norm(x.movedim(1, -1), (36,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)
        return last.movedim(-1, 1)

    features = x = conv(state, "to_feat", image)
    height, width = image.shape[2:]
    for block in (f"feats.{index}" for index in range(8)):
        normed, seen = norm(f"{block}.norm1", x), []
        for level, part in enumerate(normed.chunk(4, 1)):
            pooled = F.adaptive_max_pool2d(part, (height // 2**level, width // 2**level)) if level else part
            seen.append(F.interpolate(conv(state, f"{block}.safm.mfr.{level}", pooled, 9), (height, width)))
        x = F.gelu(conv(state, f"{block}.safm.aggr", torch.cat(seen, 1))) * normed + x
        hidden = F.gelu(conv(state, f"{block}.ccm.ccm.0", norm(f"{block}.norm2", x)))
        x = conv(state, f"{block}.ccm.ccm.2", hidden) + x
    return F.pixel_shuffle(conv(state, "to_img.0", x + features), scale)


RLFN = {"rlfn-s": (48, 48, 6), "rlfn": (52, 52, 6), "rlfn-ntire": (46, 48, 4)}  # width, inside, blocks


def rlfn_state(name: str, scale: int) -> State:
    width, inner, blocks = RLFN[name]
    names = Names()
    names.conv("conv_1", width, 3, 3)
    names.state["conv_1.weight"] /= 255  # their images are of 0..255
    for block in (f"block_{index + 1}" for index in range(blocks)):
        for index, (out, inp) in enumerate(((inner, width), (inner, inner), (width, inner)), start=1):
            names.conv(f"{block}.c{index}_r", out, inp, 3)
        names.conv(f"{block}.c5", width, width, 1)
        for part, out, inp, kernel in (("1", 16, width, 1), ("_f", 16, 16, 1), ("2", 16, 16, 3), ("3", 16, 16, 3)):
            names.conv(f"{block}.esa.conv{part}", out, inp, kernel)
        names.conv(f"{block}.esa.conv4", width, 16, 1)
    names.conv("conv_2", width, width, 3)
    names.conv("upsampler.0", 3 * scale**2, width, 3)
    return names.state


def rlfn(state: State, image: Tensor, scale: int) -> Tensor:
    features = x = conv(state, "conv_1", image * 255)
    block = 1
    while f"block_{block}.c5.weight" in state:
        y = x
        for index in (1, 2, 3):
            y = F.leaky_relu(conv(state, f"block_{block}.c{index}_r", y), 0.05)
        y, esa = conv(state, f"block_{block}.c5", y + x), f"block_{block}.esa"
        small = conv(state, f"{esa}.conv1", y)
        strided = F.conv2d(small, state[f"{esa}.conv2.weight"], state[f"{esa}.conv2.bias"], stride=2)
        coarse = conv(state, f"{esa}.conv3", F.max_pool2d(strided, 7, 3))
        wide = F.interpolate(coarse, y.shape[2:], mode="bilinear", align_corners=False)
        x = y * torch.sigmoid(conv(state, f"{esa}.conv4", wide + conv(state, f"{esa}.conv_f", small)))
        block += 1
    return F.pixel_shuffle(conv(state, "upsampler.0", conv(state, "conv_2", x) + features), scale) / 255


def bsrn_state(name: str, scale: int) -> State:
    names = Names()

    def blueprint(where: str, out: int, inp: int) -> None:
        names.tensor(f"{where}.pw.weight", out, inp, 1, 1, spread=inp**-0.5)
        names.conv(f"{where}.dw", out, out, 3, groups=out)

    blueprint("fea_conv", 64, 12)
    for block in (f"B{index + 1}" for index in range(8)):
        for index in (1, 2, 3):
            names.conv(f"{block}.c{index}_d", 32, 64, 1)
            blueprint(f"{block}.c{index}_r", 64, 64)
        blueprint(f"{block}.c4", 32, 64)
        names.conv(f"{block}.c5", 64, 128, 1)
        names.conv(f"{block}.esa.conv1", 16, 64, 1)
        names.conv(f"{block}.esa.conv_f", 16, 16, 1)
        for part in ("conv_max", "conv2", "conv3", "conv3_"):
            blueprint(f"{block}.esa.{part}", 16, 16)
        names.conv(f"{block}.esa.conv4", 64, 16, 1)
        names.conv(f"{block}.cca.conv_du.0", 4, 64, 1)
        names.conv(f"{block}.cca.conv_du.2", 64, 4, 1)
    names.conv("c1", 64, 512, 1)
    blueprint("c2", 64, 64)
    names.conv("upsampler.upsampleOneStep.0", 3 * scale**2, 64, 3)
    return names.state


def bsrn(state: State, image: Tensor, scale: int) -> Tensor:
    def blueprint(where: str, x: Tensor) -> Tensor:
        return conv(state, f"{where}.dw", F.conv2d(x, state[f"{where}.pw.weight"]), len(state[f"{where}.dw.bias"]))

    features = x = blueprint("fea_conv", torch.cat((image, image, image, image), 1))
    results = []
    for block in (f"B{index + 1}" for index in range(8)):
        kept, y = [], x
        for index in (1, 2, 3):
            kept.append(F.gelu(conv(state, f"{block}.c{index}_d", y)))
            y = F.gelu(blueprint(f"{block}.c{index}_r", y) + y)
        kept.append(F.gelu(blueprint(f"{block}.c4", y)))
        y, esa = conv(state, f"{block}.c5", torch.cat(kept, 1)), f"{block}.esa"
        small = conv(state, f"{esa}.conv1", y)
        weight, bias = state[f"{esa}.conv2.dw.weight"], state[f"{esa}.conv2.dw.bias"]
        strided = F.conv2d(F.conv2d(small, state[f"{esa}.conv2.pw.weight"]), weight, bias, stride=2, groups=16)
        coarse = F.gelu(blueprint(f"{esa}.conv_max", F.max_pool2d(strided, 7, 3)))
        coarse = blueprint(f"{esa}.conv3_", F.gelu(blueprint(f"{esa}.conv3", coarse)))
        wide = F.interpolate(coarse, y.shape[2:], mode="bilinear", align_corners=False)
        y = y * torch.sigmoid(conv(state, f"{esa}.conv4", wide + conv(state, f"{esa}.conv_f", small)))
        contrast = y.std((2, 3), correction=0, keepdim=True) + y.mean((2, 3), keepdim=True)
        hidden = F.relu(conv(state, f"{block}.cca.conv_du.0", contrast))
        x = y * torch.sigmoid(conv(state, f"{block}.cca.conv_du.2", hidden)) + x
        results.append(x)
    fused = F.gelu(conv(state, "c1", torch.cat(results, 1)))
    return F.pixel_shuffle(conv(state, "upsampler.upsampleOneStep.0", blueprint("c2", fused) + features), scale)


def plainusr_trained_state(name: str, scale: int) -> State:
    return plainusr_state(name, scale, trained=True)


CASES = {
    **dict.fromkeys(PLAINUSR, (plainusr_state, plainusr)),
    "plainusr-m trained": (plainusr_trained_state, plainusr),
    "safmn": (safmn_state, safmn),
    **dict.fromkeys(RLFN, (rlfn_state, rlfn)),
    "bsrn": (bsrn_state, bsrn),
}


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("case", CASES)
def test_loaded_network_computes_what_the_released_graph_computes(case: str, scale: int) -> None:
    make, released = CASES[case]
    name = case.split()[0]
    state = make(name, scale)
    network = load_published(name, state)
    image = torch.rand(1, 3, 26, 23, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = network(image), released(state, image, scale)
    assert ours.shape == (1, 3, 26 * scale, 23 * scale)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max())


def test_released_layouts_have_the_counts_of_the_public_code() -> None:
    counts = {
        case: sum(value.numel() for value in make(case.split()[0], 4).values()) for case, (make, _) in CASES.items()
    }
    assert counts == {
        "plainusr-s": 68_612,  # its authors' file
        "plainusr-m": 165_492,  # its authors' file
        "plainusr": 333_108,
        "plainusr-m trained": 623_977,
        "safmn": 239_520,  # published: 240K
        "rlfn-s": 470_208,
        "rlfn": 543_740,
        "rlfn-ntire": 317_218,  # published: 0.317M
        "bsrn": 352_400,
    }
