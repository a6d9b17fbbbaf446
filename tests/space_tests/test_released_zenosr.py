"""Authors' weights of ZenoSR and VSCINet: an independent forward pass over the released names."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from space import load_published
from tests import released_graphs
from tests.released_graphs import State

MEAN = torch.tensor((0.4488, 0.4371, 0.4040)).view(1, 3, 1, 1)
WINDOW = 72


class Names(released_graphs.Names):
    def kernel(self, name: str, out: int, inp: int, height: int, width: int | None = None, bias: bool = False) -> None:
        """``inp`` channels within a group; few of these have a bias."""
        width = width or height
        self.tensor(f"{name}.weight", out, inp, height, width, spread=(inp * height * width) ** -0.5)
        if bias:
            self.tensor(f"{name}.bias", out)


def conv(state: State, name: str, x: Tensor, groups: int = 1) -> Tensor:
    weight = state[f"{name}.weight"]
    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
    return F.conv2d(x, weight, state.get(f"{name}.bias"), padding=padding, groups=groups)


def add_attentions(names: Names, block: str, width: int, weighted: bool) -> None:
    spatial, channel, half = f"{block}.spatial_attn", f"{block}.channel_attn", width // 2
    if weighted:
        names.tensor(f"{spatial}.alpha", 1, half, 1, 1, spread=1)
        names.tensor(f"{spatial}.belt", 1, half, 1, 1, spread=1)
    names.kernel(f"{spatial}.conv1", half, width, 1)
    names.kernel(f"{spatial}.dwconv", half, 1, 3)
    names.kernel(f"{spatial}.conv2", half, half, 1)
    names.kernel(f"{spatial}.conv3", width, half, 1)
    for norm in ("norm1", "norm2"):
        names.tensor(f"{channel}.{norm}.body.weight", width, spread=1)
        names.tensor(f"{channel}.{norm}.body.bias", width)
    names.tensor(f"{channel}.global_channel.temperature", 1, 1, spread=5)
    for part, depthwise, inner in (("global_channel", 2, 1), ("ffn", 4, 2)):
        names.kernel(f"{channel}.{part}.project_in", 4 * width, width, 1)
        names.kernel(f"{channel}.{part}.dwconv", depthwise * width, 1, 3)
        names.kernel(f"{channel}.{part}.project_out", width, inner * width, 1)


def attentions(state: State, block: str, x: Tensor) -> Tensor:
    spatial, channel, (height, width) = f"{block}.spatial_attn", f"{block}.channel_attn", x.shape[2:]
    y = conv(state, f"{spatial}.conv1", F.normalize(x))
    pooled = conv(state, f"{spatial}.dwconv", F.adaptive_max_pool2d(y, (height // 8, width // 8)), y.shape[1])
    variance = torch.var(y, (-2, -1), keepdim=True)
    one = torch.ones(1)
    mixed = state.get(f"{spatial}.alpha", one) * pooled + state.get(f"{spatial}.belt", one) * variance
    coarse = F.interpolate(F.gelu(conv(state, f"{spatial}.conv2", mixed)), (height, width), mode="nearest")
    x = conv(state, f"{spatial}.conv3", y * coarse) + x
    x = self_attention(state, f"{channel}.global_channel", norm(state, f"{channel}.norm1.body", x)) + x
    hidden = conv(state, f"{channel}.ffn.project_in", norm(state, f"{channel}.norm2.body", x))
    gate, value = conv(state, f"{channel}.ffn.dwconv", hidden, hidden.shape[1]).chunk(2, 1)
    return conv(state, f"{channel}.ffn.project_out", F.gelu(gate) * value) + x


def norm(state: State, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(1, keepdim=True)
    scaled = centred / torch.sqrt(x.var(1, keepdim=True, correction=0) + 1e-5)
    return scaled * state[f"{name}.weight"].view(1, -1, 1, 1) + state[f"{name}.bias"].view(1, -1, 1, 1)


def starts(length: int) -> list[int]:
    """As the authors step through an image: a last window ends with it."""
    window = min(length, WINDOW)
    count = (length - 1) // window + 1
    step = window if count == 1 else math.ceil((length - window) / (count - 1))
    found = [0]
    while found[-1] + window < length:
        found.append(min(found[-1] + step, length - window))
    return found


def self_attention(state: State, name: str, x: Tensor) -> Tensor:
    """In windows, their sum divided by how many cover a pixel."""
    local, gate = conv(state, f"{name}.project_in", x).chunk(2, 1)
    gated = conv(state, f"{name}.dwconv", local, local.shape[1]) * gate
    total, cover = torch.zeros_like(x), torch.zeros_like(x)
    for top in starts(x.shape[2]):
        for left in starts(x.shape[3]):
            here = (..., slice(top, top + WINDOW), slice(left, left + WINDOW))
            query, value = gated[here].chunk(2, 1)
            q, v = query.flatten(2), value.flatten(2)
            likeness = F.normalize(q, dim=-1) @ F.normalize(v, dim=-1).transpose(-2, -1)
            weights = F.softmax(likeness * state[f"{name}.temperature"], -1)
            total[here] += (weights @ v).view(value.shape)
            cover[here] += 1
    return conv(state, f"{name}.project_out", total / cover)


def add_local(names: Names, name: str, width: int) -> None:
    for index in (1, 2, 3):
        names.kernel(f"{name}.conv{index}", width // 2, width, 1, bias=True)
        names.kernel(f"{name}.dwconv{index}.0", width, width, 1, bias=True)
        names.kernel(f"{name}.dwconv{index}.1", width, 1, 3, bias=True)
    names.kernel(f"{name}.conv4", width // 2, 2, 3, bias=True)
    names.kernel(f"{name}.conv5", width, 2 * width, 1, bias=True)


def local(state: State, name: str, x: Tensor) -> Tensor:
    width, kept = x.shape[1], []
    for index in (1, 2, 3):
        kept.append(F.gelu(conv(state, f"{name}.conv{index}", x)))
        blueprint = conv(state, f"{name}.dwconv{index}.1", conv(state, f"{name}.dwconv{index}.0", x), width)
        x = F.gelu(blueprint + x)
    kept.append(F.gelu(conv(state, f"{name}.conv4", x, width // 2)))
    return conv(state, f"{name}.conv5", torch.cat(kept, 1))


def zenosr_state(scale: int) -> State:
    names = Names()
    names.kernel("to_feat", 18, 3, 3)
    for block in range(1, 5):
        names.tensor(f"alpha_{block + 4}", 1, 18, 1, 1, spread=1)
        add_local(names, f"B{block}.local_handle", 18)
        add_attentions(names, f"B{block}", 18, weighted=False)
    names.kernel("fuse.0", 18, 72, 1)
    add_local(names, "fuse.2", 18)
    names.kernel("to_img.0", 3 * scale**2, 18, 1)
    for index in (1, 3, 5, 7):
        names.kernel(f"refine.{index}", 3, 1, 3)
    return names.state


def zenosr(state: State, image: Tensor, scale: int) -> Tensor:
    features = x = conv(state, "to_feat", image - MEAN)
    results = []
    for block in range(1, 5):
        x = attentions(state, f"B{block}", local(state, f"B{block}.local_handle", x)) + x
        results.append(state[f"alpha_{block + 4}"] * x)
    fused = local(state, "fuse.2", F.gelu(conv(state, "fuse.0", torch.cat(results, 1)))) + features
    x = F.pixel_shuffle(conv(state, "to_img.0", fused), scale)
    for index in (1, 3, 5, 7):
        x = conv(state, f"refine.{index}", F.gelu(x), 3)
    return x + MEAN


SHAPES = {"conv2_1": (3, 3), "conv2_2": (5, 3), "conv2_3": (3, 5), "conv2_4.0": (3, 3), "conv2_4.1": (3, 3)}


def add_multi_scale(names: Names, name: str) -> None:
    names.kernel(f"{name}.conv1", 20, 20, 1)
    for branch, (height, width) in SHAPES.items():
        names.kernel(f"{name}.dwc.{branch}", 5, 1, height, width)


def multi_scale(state: State, name: str, x: Tensor) -> Tensor:
    parts = list(conv(state, f"{name}.conv1", x).split(5, 1))
    for branch in SHAPES:
        place = int(branch[6]) - 1
        parts[place] = conv(state, f"{name}.dwc.{branch}", parts[place], 5)
    return torch.cat(parts, 1)


def vscinet_state(scale: int) -> State:
    names = Names()
    names.kernel("to_feat", 20, 3, 3)
    for block in (f"B{index}" for index in range(1, 6)):
        for part in ("c1_r", "c2_r", "local_handle"):
            add_multi_scale(names, f"{block}.{part}")
        for part, (out, inp, kernel) in {"c1_d": (10, 20, 1), "c2_d": (10, 20, 1), "c3": (10, 2, 3)}.items():
            names.kernel(f"{block}.{part}", out, inp, kernel, bias=True)
        names.kernel(f"{block}.c4", 20, 30, 1, bias=True)
        add_attentions(names, block, 20, weighted=True)
    names.kernel("fuse.0", 20, 100, 1)
    add_multi_scale(names, "fuse.2")
    names.kernel("to_img.0", 3 * scale**2, 20, 1)
    return names.state


def vscinet(state: State, image: Tensor, scale: int) -> Tensor:
    def residual(name: str, x: Tensor) -> Tensor:
        return F.gelu(multi_scale(state, name, x) + x)

    features = x = conv(state, "to_feat", image - MEAN)
    results = []
    for block in (f"B{index}" for index in range(1, 6)):
        first = residual(f"{block}.c1_r", x)
        second = residual(f"{block}.c2_r", first)
        kept = (
            F.gelu(conv(state, f"{block}.c1_d", x)),
            F.gelu(conv(state, f"{block}.c2_d", first)),
            F.gelu(conv(state, f"{block}.c3", second, 10)),
        )
        inner = residual(f"{block}.local_handle", conv(state, f"{block}.c4", torch.cat(kept, 1)))
        x = attentions(state, block, inner) + x
        results.append(x)
    fused = multi_scale(state, "fuse.2", F.gelu(conv(state, "fuse.0", torch.cat(results, 1)))) + features
    return F.pixel_shuffle(conv(state, "to_img.0", fused), scale) + MEAN


CASES = {"zenosr": (zenosr_state, zenosr), "vscinet": (vscinet_state, vscinet)}


@pytest.mark.parametrize(("scale", "size"), [(2, (18, 21)), (3, (18, 21)), (4, (18, 21)), (2, (75, 150))])
@pytest.mark.parametrize("name", CASES)
def test_loaded_network_computes_what_the_released_graph_computes(name: str, scale: int, size: tuple[int, int]) -> None:
    make, released = CASES[name]
    state = make(scale)
    network = load_published(name, state)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = network(image), released(state, image, scale)
    assert ours.shape == (1, 3, size[0] * scale, size[1] * scale)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max())


def test_released_layouts_have_the_counts_of_the_files() -> None:
    counts = {name: sum(value.numel() for value in make(4).values()) for name, (make, _) in CASES.items()}
    assert counts == {"zenosr": 37_786, "vscinet": 51_465}
