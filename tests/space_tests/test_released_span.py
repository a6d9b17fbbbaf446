"""Authors' weights of SPAN and the networks after it: an independent forward pass over the released names."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from space import UserError, build, load_published
from space.architecture import Architecture, IOShape
from space.zoo.dscf import Dscf, DscfSettings
from space.zoo.span import Span, SpanSettings
from tests.released_states import released_state

State = dict[str, Tensor]
MEAN = torch.tensor((0.4488, 0.4371, 0.4040)).view(1, 3, 1, 1)


def conv(state: State, name: str, x: Tensor, groups: int = 1) -> Tensor:
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight, state.get(f"{name}.bias"), padding=weight.shape[-1] // 2, groups=groups)


def folded(state: State, name: str, x: Tensor) -> Tensor:
    return conv(state, f"{name}.eval_conv", x)


def branched(state: State, name: str, x: Tensor) -> Tensor:
    """Conv3XC of the training form: the input padded, then nothing."""
    y = F.pad(x, (1, 1, 1, 1))
    for index in range(3):
        y = F.conv2d(y, state[f"{name}.conv.{index}.weight"], state[f"{name}.conv.{index}.bias"])
    return y + conv(state, f"{name}.sk", x)


def spab(state: State, name: str, x: Tensor, convolve: Callable[[State, str, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The result, and the first convolution's as the in-place SiLU leaves it."""
    first = F.silu(convolve(state, f"{name}.c1_r", x))
    d = convolve(state, f"{name}.c3_r", F.silu(convolve(state, f"{name}.c2_r", first)))
    return ((d + x) * (torch.sigmoid(d) - 0.5) if d.shape == x.shape else d), first


def span(state: State, image: Tensor, scale: int, convolve: Callable[[State, str, Tensor], Tensor] = folded) -> Tensor:
    x = features = convolve(state, "conv_1", (image - MEAN) * 255)
    results = []
    for index in range(1, 7):
        x, first = spab(state, f"block_{index}", x, convolve)
        results.append(x)
    joined = torch.cat((features, convolve(state, "conv_2", x), results[0], first), 1)
    return F.pixel_shuffle(conv(state, "upsampler.0", conv(state, "conv_cat", joined)), scale)


def span_trained(state: State, image: Tensor, scale: int) -> Tensor:
    return span(state, image, scale, branched)


def spanv2(state: State, image: Tensor, scale: int) -> Tensor:
    x = image
    for index in range(1, 6):
        name = f"block_{index}"
        first = F.relu(conv(state, f"{name}.c1.conv", x))
        d = conv(state, f"{name}.c3.conv", F.relu(conv(state, f"{name}.c2.conv", first)))
        x = F.relu(d) if index == 1 else (x + d) * conv(state, f"{name}.guidance_map_conv", d)
    joined = torch.cat((conv(state, "conv_near", image, 3), x), 1)
    deep = conv(state, "depthwise_conv", joined, joined.shape[1])
    return F.pixel_shuffle(conv(state, "pointwise_conv", deep), scale)


def pds(state: State, image: Tensor, scale: int) -> Tensor:
    results, x = [], image
    for index in range(1, 6):
        x, _ = spab(state, f"block_{index}", x, folded)
        results.append(x)
    joined = conv(state, "conv_cat_1", torch.cat((conv(state, "conv_near", image, 3), x, results[0]), 1))
    return F.pixel_shuffle(folded(state, "conv_2_1", joined), scale)


def disp(state: State, image: Tensor, scale: int) -> Tensor:
    x = features = folded(state, "conv_1", image)
    for index in range(4):
        y = x
        for name in ("c1_r", "c2_r", "_extern_conv_block.0", "c3_r"):
            y = F.silu(folded(state, f"blocks.{index}.{name}", y))
        x = x + y
    return F.pixel_shuffle(conv(state, "upsampler.0", conv(state, "conv_2", x) + features), scale)


def dscf(state: State, image: Tensor, scale: int) -> Tensor:
    centred = (image - MEAN) * 255
    features = folded(state, "conv_1", centred)
    hidden = F.silu(conv(state, "conv_fused", centred))
    d = folded(state, "block_1.c3_r", F.silu(folded(state, "block_1.c2_r", hidden)))
    x = first = (d + features) * (torch.sigmoid(d) - 0.5)
    for index in range(2, 7):
        x, activated = spab(state, f"block_{index}", x, folded)
    joined = conv(state, "conv_cat_other", torch.cat((features, first, activated), 1))
    return F.pixel_shuffle(conv(state, "upsampler.0", joined + conv(state, "conv2_fused", x)), scale)


CASES = {
    "span-28": (0, span, 150_688),
    "span-28 trained": (1, span_trained, None),
    "span-48": (0, span, 426_288),
    "spanv2": (0, spanv2, 139_104),
    "pds": (0, pds, 141_748),
    "disp": (0, disp, 163_792),
    "dscf": (0, dscf, 125_992),
}


def drawn_state(case: str, scale: int) -> State:
    """Tensors under the authors' names, so drawn that no layer fades or explodes."""
    state = released_state(case.split()[0], CASES[case][0], scale)
    generator = torch.Generator().manual_seed(scale)
    for name, tensor in state.items():
        fan_in = tensor[0].numel() * (100 if name.startswith(("conv_1.", "conv_fused")) else 1)
        spread = fan_in**-0.5 if name.endswith("weight") else 0.3
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * spread)
    return state


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("case", sorted(CASES))
def test_loaded_network_computes_what_the_released_graph_computes(case: str, scale: int) -> None:
    _, released, params = CASES[case]
    state = drawn_state(case, scale)
    if params is not None and scale == 4:
        assert sum(tensor.numel() for tensor in state.values()) == params
    image = torch.rand(1, 3, 18, 21, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = load_published(case.split()[0], state)(image), released(state, image, scale)
    assert ours.shape == (1, 3, 18 * scale, 21 * scale)
    assert theirs.std() > 1e-3
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max())


def test_a_file_with_branches_and_folded_convolutions_is_read_by_its_branches() -> None:
    """The authors' training code stores both, and folds anew before every use."""
    state = drawn_state("span-28 trained", 4)
    stale = {
        name.replace(".sk.", ".eval_conv."): torch.zeros(28, tensor.shape[1], 3, 3) if tensor.dim() == 4 else tensor * 0
        for name, tensor in state.items()
        if ".sk." in name
    }
    assert len(stale) == 2 * 20
    image = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        both, branches = (load_published("span-28", each)(image) for each in ({**state, **stale}, state))
    assert torch.equal(both, branches)


@torch.no_grad()
def test_dscf_is_a_span_but_near_the_border_of_the_image() -> None:
    shape, width = IOShape(3, 3, 2), 4
    plain, fused = (
        build(Architecture(shape, name, settings), torch.Generator().manual_seed(2)).double()
        for name, settings in (("span", SpanSettings(width)), ("dscf", DscfSettings(width)))
    )
    assert isinstance(plain, Span)
    assert isinstance(fused, Dscf)
    for ours, theirs in ((fused.stem, plain.stem), (fused.last, plain.last), (fused.upsampler, plain.upsampler)):
        ours.load_state_dict(theirs.state_dict())
    for ours, theirs in zip((fused.first, *fused.blocks), plain.blocks, strict=True):
        ours.load_state_dict(theirs.state_dict())
    features, last, others = plain.join.weight.split((width, width, 2 * width), 1)
    fused.mix.weight.copy_(last)
    fused.join.weight.copy_(torch.cat((features, others), 1))
    fused.join.bias.copy_(plain.join.bias)
    image = torch.rand(1, 3, 52, 54, generator=torch.Generator().manual_seed(1)).double()
    difference = (plain(image) - fused(image)).abs()
    inside = 2 * 21  # pixels that 20 convolutions and the shuffle carry the border inwards
    assert difference[..., inside:-inside, inside:-inside].max() < 1e-9
    assert difference.max() > 1e-6


def test_networks_that_subtract_a_mean_refuse_other_images() -> None:
    for name, settings in (("span", SpanSettings(8)), ("dscf", DscfSettings(8))):
        with pytest.raises(UserError, match=f"{name.upper()} works on RGB: channels must be 3 to 3, got 1 to 1"):
            build(Architecture(IOShape(1, 1, 4), name, settings))
