"""Loading the authors' weights, against an independent forward pass over their keys in 0..255."""

import pytest
import torch
import torch.nn.functional as F

from space import UserError, load_published

MEAN = torch.tensor((0.4488, 0.4371, 0.4040)).reshape(1, 3, 1, 1) * 255


def random_state_dict(n: int, scale: int, pool: bool = True) -> dict[str, torch.Tensor]:
    """Keys and shapes of the released model, with random values."""
    generator = torch.Generator().manual_seed(n + scale)

    def conv(name: str, out: int, inp: int, kernel: int, bias: bool = True) -> dict[str, torch.Tensor]:
        tensors = {
            f"{name}.weight": torch.randn(out, inp, kernel, kernel, generator=generator) / (inp * kernel**2) ** 0.5
        }
        if bias:
            tensors[f"{name}.bias"] = torch.randn(out, generator=generator) * 5
        return tensors

    state = {
        "sub_mean.weight": torch.eye(3).reshape(3, 3, 1, 1),
        "sub_mean.bias": -MEAN.flatten(),
        "add_mean.weight": torch.eye(3).reshape(3, 3, 1, 1),
        "add_mean.bias": MEAN.flatten(),
    }
    state |= conv("head.0", n, 3, 3)
    blocks = [f"feat{i}_{j}" for i in (2, 3, 4, 5) for j in (1, 2, 3)] + ["feat6_1", "feat6_2"]
    blocks += [name for s in (7, 8, 9, 10) for name in (f"feat{s}_1", f"feat{s}_2", f"conv{s}")]
    for name in blocks:
        state |= conv(f"{name}.body.0", n, n, 3) | conv(f"{name}.body.2", n, n, 3)
    for s in (7, 8, 9, 10):
        state |= conv(f"feat{s}_1.conv", n, 2 * n, 1)
    if pool:
        state |= conv("conv1", n, 6 * n, 1, bias=False)
    state |= {
        2: lambda: conv("tail.0.0", 4 * n, n, 3),
        3: lambda: conv("tail.0.0", 9 * n, n, 3),
        4: lambda: conv("tail.0.0", 4 * n, n, 3) | conv("tail.0.2", 4 * n, n, 3),
    }[scale]()
    return state | conv("tail.1", 3, n, 3)


def released_forward(state: dict[str, torch.Tensor], image: torch.Tensor, scale: int) -> torch.Tensor:
    """The released graph written out by its keys; ``image`` is RGB in 0..255."""

    def conv(name: str, x: torch.Tensor) -> torch.Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, state.get(f"{name}.bias"), padding=weight.shape[-1] // 2)

    def rb(name: str, x: torch.Tensor) -> torch.Tensor:
        return x + conv(f"{name}.body.2", F.relu(conv(f"{name}.body.0", x)))

    x1 = conv("head.0", conv("sub_mean", image))
    a1 = rb("feat2_1", x1)
    a3 = rb("feat2_3", rb("feat2_2", a1))
    b1 = rb("feat3_1", a1 + a3)
    b3 = rb("feat3_3", rb("feat3_2", b1))
    c1 = rb("feat4_1", b1 + b3)
    c3 = rb("feat4_3", rb("feat4_2", c1))
    d1 = rb("feat5_1", c1 + c3)
    d3 = rb("feat5_3", rb("feat5_2", d1))
    e1 = rb("feat6_1", d1 + d3)
    e2 = rb("feat6_2", e1)
    x = e2
    pool = conv("conv1", torch.cat((x1, b1, c1, d1, e1, e2), 1)) if "conv1.weight" in state else None
    for stage, skip in zip((7, 8, 9, 10), (d3, c3, b3, a3), strict=True):
        skip = skip if pool is None else 0.5 * skip + 0.5 * pool
        fused = conv(f"feat{stage}_1.conv", torch.cat((x, skip), 1))
        x = rb(f"conv{stage}", rb(f"feat{stage}_2", rb(f"feat{stage}_1", fused)))
    x = x + x1
    for index in (0, 2)[: 2 if scale == 4 else 1]:
        x = F.pixel_shuffle(conv(f"tail.0.{index}", x), 3 if scale == 3 else 2)
    return conv("add_mean", conv("tail.1", x))


@pytest.mark.parametrize(
    ("name", "n", "scale"),
    [("s-lwsr16", 16, 4), ("s-lwsr32", 32, 4), ("s-lwsr16", 16, 2), ("s-lwsr16", 16, 3), ("s-lwsr16-no-pool", 16, 4)],
)
def test_loaded_network_computes_what_the_released_graph_computes(name: str, n: int, scale: int) -> None:
    state = random_state_dict(n, scale, pool="no-pool" not in name)
    network = load_published(name, state)
    image = torch.rand(1, 3, 12, 11, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = network(image), released_forward(state, image * 255, scale) / 255
    assert ours.shape == (1, 3, 12 * scale, 11 * scale)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max())


def test_released_layout_has_the_counts_of_the_sheet() -> None:
    state = random_state_dict(32, 4)
    assert (len(state), sum(value.numel() for value in state.values())) == (125, 571_131)


def test_the_first_differing_key_is_named_with_both_shapes() -> None:
    with pytest.raises(UserError, match=r"'head.0.weight' must have shape \(16, 3, 3, 3\), got \(32, 3, 3, 3\)"):
        load_published("s-lwsr16", random_state_dict(32, 4))


def test_missing_and_unknown_keys_are_named() -> None:
    state = random_state_dict(16, 4)
    missing = {key: value for key, value in state.items() if key != "feat3_2.body.2.bias"}
    with pytest.raises(UserError, match=r"'feat3_2.body.2.bias' must have shape \(16,\), but it is missing"):
        load_published("s-lwsr16", missing)
    with pytest.raises(UserError, match="has no key 'extra'"):
        load_published("s-lwsr16", {**state, "extra": torch.zeros(1)})


def test_unknown_network_and_unknown_layout_are_refused() -> None:
    with pytest.raises(UserError, match="unknown network 'nope'"):
        load_published("nope", {})
    with pytest.raises(UserError, match="no released weight layout is known for 's-lwsr32c'"):
        load_published("s-lwsr32c", {})
