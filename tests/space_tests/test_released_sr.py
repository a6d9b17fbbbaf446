"""Authors' weights of super-resolution networks: an independent forward pass over the released names."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from space import UserError, load_published
from tests.released_graphs import Names, State, conv

MEAN = torch.tensor((0.4488, 0.4371, 0.4040))


def imdn_state(scale: int) -> State:
    names = Names()
    names.conv("fea_conv", 64, 3, 3)
    for block in range(1, 7):
        for index, (out, inp) in enumerate(((64, 64), (64, 48), (64, 48), (16, 48)), start=1):
            names.conv(f"IMDB{block}.c{index}", out, inp, 3)
        names.conv(f"IMDB{block}.c5", 64, 64, 1)
        names.conv(f"IMDB{block}.cca.conv_du.0", 4, 64, 1)
        names.conv(f"IMDB{block}.cca.conv_du.2", 64, 4, 1)
    names.conv("c.0", 64, 384, 1)
    names.conv("LR_conv", 64, 64, 3)
    names.conv("upsampler.0", 3 * scale**2, 64, 3)
    return names.state


def imdn(state: State, image: Tensor, scale: int) -> Tensor:
    features = x = conv(state, "fea_conv", image)
    results = []
    for block in range(1, 7):
        kept, passed = [], x
        for step in (1, 2, 3):
            wide = F.leaky_relu(conv(state, f"IMDB{block}.c{step}", passed), 0.05)
            kept.append(wide[:, :16])
            passed = wide[:, 16:]
        joined = torch.cat((*kept, conv(state, f"IMDB{block}.c4", passed)), 1)
        contrast = joined.std((2, 3), correction=0, keepdim=True) + F.adaptive_avg_pool2d(joined, 1)
        hidden = F.relu(conv(state, f"IMDB{block}.cca.conv_du.0", contrast))
        attended = joined * torch.sigmoid(conv(state, f"IMDB{block}.cca.conv_du.2", hidden))
        x = conv(state, f"IMDB{block}.c5", attended) + x
        results.append(x)
    fused = F.leaky_relu(conv(state, "c.0", torch.cat(results, 1)), 0.05)
    return F.pixel_shuffle(conv(state, "upsampler.0", conv(state, "LR_conv", fused) + features), scale)


def smfanet_state(scale: int) -> State:
    names = Names()
    names.conv("to_feat", 36, 3, 3)
    for block in range(8):
        smfa, pcfn = f"feats.{block}.smfa", f"feats.{block}.pcfn"
        names.tensor(f"{smfa}.alpha", 1, 36, 1, 1, spread=1)
        names.tensor(f"{smfa}.belt", 1, 36, 1, 1, spread=1)
        names.conv(f"{smfa}.linear_0", 72, 36, 1)
        names.conv(f"{smfa}.linear_1", 36, 36, 1)
        names.conv(f"{smfa}.linear_2", 36, 36, 1)
        names.conv(f"{smfa}.lde.conv_0.0", 72, 36, 3, groups=36)
        names.conv(f"{smfa}.lde.conv_0.1", 72, 72, 1)
        names.conv(f"{smfa}.lde.conv_1", 36, 72, 1)
        names.conv(f"{smfa}.dw_conv", 36, 36, 3, groups=36)
        names.conv(f"{pcfn}.conv_0", 72, 36, 1)
        names.conv(f"{pcfn}.conv_1", 18, 18, 3)
        names.conv(f"{pcfn}.conv_2", 36, 72, 1)
    names.conv("to_img.0", 3 * scale**2, 36, 3)
    return names.state


def smfanet(state: State, image: Tensor, scale: int) -> Tensor:
    features = x = conv(state, "to_feat", image)
    height, width = image.shape[2:]
    for block in range(8):
        smfa, pcfn = f"feats.{block}.smfa", f"feats.{block}.pcfn"
        y, wide = conv(state, f"{smfa}.linear_0", F.normalize(x)).chunk(2, 1)
        pooled = conv(state, f"{smfa}.dw_conv", F.adaptive_max_pool2d(wide, (height // 8, width // 8)), 36)
        mixed = pooled * state[f"{smfa}.alpha"] + torch.var(wide, (-2, -1), keepdim=True) * state[f"{smfa}.belt"]
        coarse = F.interpolate(F.gelu(conv(state, f"{smfa}.linear_1", mixed)), (height, width), mode="nearest")
        local = conv(state, f"{smfa}.lde.conv_0.1", conv(state, f"{smfa}.lde.conv_0.0", y, 36))
        x = x + conv(state, f"{smfa}.linear_2", wide * coarse + conv(state, f"{smfa}.lde.conv_1", F.gelu(local)))
        hidden = F.gelu(conv(state, f"{pcfn}.conv_0", F.normalize(x)))
        first = F.gelu(conv(state, f"{pcfn}.conv_1", hidden[:, :18]))
        x = x + conv(state, f"{pcfn}.conv_2", torch.cat((first, hidden[:, 18:]), 1))
    return F.pixel_shuffle(conv(state, "to_img.0", x + features), scale)


def carn_state(scale: int) -> State:
    """All three scales are in the file."""
    names = Names()
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        names.state |= {f"{name}.shifter.weight": torch.eye(3)[:, :, None, None], f"{name}.shifter.bias": sign * MEAN}
    names.conv("entry", 64, 3, 3)
    for level in ("", "b1.", "b2.", "b3."):
        for index in (1, 2, 3):
            names.conv(f"{level}c{index}.body.0", 64, 64 * (index + 1), 1)
        if level:
            names.conv(f"{level}b1.body.0", 64, 64, 3, groups=4)
            names.conv(f"{level}b1.body.2", 64, 64, 3, groups=4)
            names.conv(f"{level}b1.body.4", 64, 64, 1)
    for name, factor in (("up2.body.0", 2), ("up3.body.0", 3), ("up4.body.0", 2), ("up4.body.3", 2)):
        names.conv(f"upsample.{name}", 64 * factor**2, 64, 3, groups=4)
    names.conv("exit", 3, 64, 3)
    return names.state


def carn(state: State, image: Tensor, scale: int) -> Tensor:
    def residual(name: str, x: Tensor) -> Tensor:
        hidden = F.relu(conv(state, f"{name}.body.2", F.relu(conv(state, f"{name}.body.0", x, 4)), 4))
        return F.relu(conv(state, f"{name}.body.4", hidden) + x)

    def cascade(prefix: str, x: Tensor, step: Callable[[int, Tensor], Tensor]) -> Tensor:
        joined = x
        for index in (1, 2, 3):
            joined = torch.cat((joined, step(index, x)), 1)
            x = F.relu(conv(state, f"{prefix}c{index}.body.0", joined))
        return x

    x = conv(state, "entry", image - MEAN.reshape(1, 3, 1, 1))
    x = cascade("", x, lambda i, y: cascade(f"b{i}.", y, lambda _, z: residual(f"b{i}.b1", z)))
    for index, factor in {2: ((0, 2),), 3: ((0, 3),), 4: ((0, 2), (3, 2))}[scale]:
        x = F.pixel_shuffle(F.relu(conv(state, f"upsample.up{scale}.body.{index}", x, 4)), factor)
    return conv(state, "exit", x) + MEAN.reshape(1, 3, 1, 1)


def fsrcnn_state(scale: int) -> State:
    names = Names()
    names.conv("first_part.0", 56, 1, 5)
    layers = [(12, 56, 1), *[(12, 12, 3)] * 4, (56, 12, 1)]
    names.tensor("first_part.1.weight", 56)
    for index, (out, inp, kernel) in enumerate(layers):
        names.conv(f"mid_part.{2 * index}", out, inp, kernel)
        names.tensor(f"mid_part.{2 * index + 1}.weight", out)
    names.tensor("last_part.weight", 56, 1, 9, 9)
    names.tensor("last_part.bias", 1)
    return names.state


def fsrcnn(state: State, image: Tensor, scale: int) -> Tensor:
    x = F.prelu(conv(state, "first_part.0", image), state["first_part.1.weight"])
    for index in range(0, 12, 2):
        x = F.prelu(conv(state, f"mid_part.{index}", x), state[f"mid_part.{index + 1}.weight"])
    return F.conv_transpose2d(x, state["last_part.weight"], state["last_part.bias"], scale, 4, scale - 1)


def espcn_state(scale: int) -> State:
    names = Names()
    names.conv("first_part.0", 64, 1, 5)
    names.conv("first_part.2", 32, 64, 3)
    names.conv("last_part.0", scale**2, 32, 3)
    return names.state


def espcn(state: State, image: Tensor, scale: int) -> Tensor:
    x = torch.tanh(conv(state, "first_part.2", torch.tanh(conv(state, "first_part.0", image))))
    return F.pixel_shuffle(conv(state, "last_part.0", x), scale)


MASKS = {
    "sbx": ((1, 0, -1), (2, 0, -2), (1, 0, -1)),
    "sby": ((1, 2, 1), (0, 0, 0), (-1, -2, -1)),
    "lpl": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
}


def ecbsr_state(scale: int) -> State:
    names = Names()
    widths = [1, *[16] * 5, scale**2]
    for index, (inp, out) in enumerate(pairwise(widths)):
        block = f"backbone.{index}"
        names.conv(f"{block}.conv3x3", out, inp, 3)
        for branch, mid in (("3x3", 2 * out), *((name, out) for name in MASKS)):
            names.tensor(f"{block}.conv1x1_{branch}.k0", mid, inp, 1, 1, spread=0.3)
            names.tensor(f"{block}.conv1x1_{branch}.b0", mid, spread=5)
        names.tensor(f"{block}.conv1x1_3x3.k1", out, 2 * out, 3, 3)
        names.tensor(f"{block}.conv1x1_3x3.b1", out, spread=5)
        for branch, mask in MASKS.items():
            names.tensor(f"{block}.conv1x1_{branch}.scale", out, 1, 1, 1)
            names.tensor(f"{block}.conv1x1_{branch}.bias", out, spread=5)
            names.state[f"{block}.conv1x1_{branch}.mask"] = torch.tensor([[mask]] * out, dtype=torch.float32)
        if index < 5:
            names.tensor(f"{block}.act.weight", out)
    return names.state


def ecbsr(state: State, image: Tensor, scale: int) -> Tensor:
    """On 0..255; the 1x1 result is padded with its bias, as the authors write it."""
    x = luma = image * 255
    for index in range(6):
        block = f"backbone.{index}"
        y = conv(state, f"{block}.conv3x3", x)
        for branch in ("3x3", *MASKS):
            at = f"{block}.conv1x1_{branch}"
            mixed = F.conv2d(x, state[f"{at}.k0"])
            padded = F.pad(mixed, (1, 1, 1, 1)) + state[f"{at}.b0"].reshape(1, -1, 1, 1)
            if branch == "3x3":
                y = y + F.conv2d(padded, state[f"{at}.k1"], state[f"{at}.b1"])
            else:
                kernel = state[f"{at}.scale"] * state[f"{at}.mask"]
                y = y + F.conv2d(padded, kernel, state[f"{at}.bias"], groups=len(kernel))
        x = F.prelu(y, state[f"{block}.act.weight"]) if index < 5 else y
    return F.pixel_shuffle(x + luma, scale) / 255


def ecbsr_plain_state(scale: int) -> State:
    """The authors' `plainsr.py`: one 3x3 convolution a block."""
    names = Names()
    widths = [1, *[16] * 5, scale**2]
    for index, (inp, out) in enumerate(pairwise(widths)):
        names.conv(f"backbone.{index}.conv3x3", out, inp, 3)
        if index < 5:
            names.tensor(f"backbone.{index}.act.weight", out)
    return names.state


def ecbsr_plain(state: State, image: Tensor, scale: int) -> Tensor:
    x = luma = image * 255
    for index in range(6):
        x = conv(state, f"backbone.{index}.conv3x3", x)
        if index < 5:
            x = F.prelu(x, state[f"backbone.{index}.act.weight"])
    return F.pixel_shuffle(x + luma, scale) / 255


def etds_plain_state(scale: int) -> State:
    names, out = Names(), 3 * scale**2 + (1 if scale == 3 else 0)
    names.conv("conv_first", 48, 3, 3)
    for index in range(7):
        names.conv(f"backbone_convs.{index}", 48, 48, 3)
    names.conv("conv_last", out, 48, 3)
    names.conv("conv_clip", out, out, 1)
    return names.state


def etds_plain(state: State, image: Tensor, scale: int) -> Tensor:
    x = image
    for name in ("conv_first", *(f"backbone_convs.{index}" for index in range(7)), "conv_last", "conv_clip"):
        x = F.relu(conv(state, name, x))
    return F.pixel_shuffle(x[:, : 3 * scale**2], scale)


def etds_state(scale: int) -> State:
    names, out = Names(), 3 * scale**2
    names.conv("conv_first", 45, 3, 3)
    names.conv("conv_residual_first", 3, 3, 3)
    for index in range(7):
        names.conv(f"backbone_convs.{index}", 45, 45, 3)
        names.conv(f"residual_convs.{index}", 3, 3, 3)
        names.conv(f"add_residual_convs.{index}", 45, 3, 3)
    names.conv("conv_last", out, 45, 3)
    names.conv("conv_residual_last", out, 3, 3)
    return names.state


def etds(state: State, image: Tensor, scale: int) -> Tensor:
    x, colour = F.relu(conv(state, "conv_first", image)), F.relu(conv(state, "conv_residual_first", image))
    for index in range(7):
        crossed = conv(state, f"add_residual_convs.{index}", colour)
        x = F.relu(conv(state, f"backbone_convs.{index}", x) + crossed)
        colour = F.relu(conv(state, f"residual_convs.{index}", colour))
    both = conv(state, "conv_last", x) + conv(state, "conv_residual_last", colour)
    return F.pixel_shuffle(both, scale).clamp(0, 1)


CASES = {
    "imdn": (imdn_state, imdn, 3),
    "smfanet": (smfanet_state, smfanet, 3),
    "carn-m": (carn_state, carn, 3),
    "fsrcnn": (fsrcnn_state, fsrcnn, 1),
    "espcn": (espcn_state, espcn, 1),
    "ecbsr-m4c16": (ecbsr_state, ecbsr, 1),
    "ecbsr-m4c16 plain": (ecbsr_plain_state, ecbsr_plain, 1),
    "etds-l": (etds_state, etds, 3),
    "etds-l plain": (etds_plain_state, etds_plain, 3),
}
NEEDS_SCALE = ("carn-m", "fsrcnn")


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", sorted(CASES))
def test_loaded_network_computes_what_the_released_graph_computes(name: str, scale: int) -> None:
    make, released, channels = CASES[name]
    state = make(scale)
    network = load_published(name.split()[0], state, scale if name in NEEDS_SCALE else None)
    image = torch.rand(1, channels, 18, 21, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = network(image), released(state, image, scale)
    assert ours.shape == (1, channels, 18 * scale, 21 * scale)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max())


def test_released_layouts_have_the_counts_of_the_public_code() -> None:
    def size(state: State) -> int:
        return sum(value.numel() for value in state.values())

    assert (size(imdn_state(4)), size(smfanet_state(4)), size(carn_state(4))) == (715_176, 197_328, 414_811)
    assert (size(fsrcnn_state(4)), size(espcn_state(3))) == (12_809, 22_729)
    assert (size(etds_plain_state(4)), size(ecbsr_plain_state(4))) == (169_968, 11_840)


def test_names_written_by_data_parallel_are_read() -> None:
    state = {f"module.{key}": value for key, value in imdn_state(2).items()}
    network = load_published("imdn", state)
    assert torch.equal(network.stem.weight, state["module.fea_conv.weight"])


def test_a_missing_tensor_and_another_scale_are_named() -> None:
    state = smfanet_state(4)
    del state["feats.3.smfa.belt"]
    with pytest.raises(UserError, match=r"'feats.3.smfa.belt' must have shape \(1, 36, 1, 1\), but it is missing"):
        load_published("smfanet", state)
    with pytest.raises(UserError, match=r"'upsampler.0.weight' must have shape \(12, 64, 3, 3\), got \(48, 64, 3, 3\)"):
        load_published("imdn", imdn_state(4), scale=2)
    with pytest.raises(UserError, match=r"it has no key 'upsample.up5.body.0.weight'"):
        load_published("carn-m", carn_state(4) | {"upsample.up5.body.0.weight": torch.zeros(1)})
