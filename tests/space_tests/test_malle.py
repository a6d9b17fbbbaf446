"""MalleConv against the naive form that holds every pixel's kernel, its memory, its folding, its price."""

import pytest
import torch
import torch.nn.functional as F

from latency_tables.lowering.fusion import network_operators
from latency_tables.lowering.operators import SCATTERED_KINDS
from space import UserError
from space.architecture import MalleSpec
from space.deploy import deploy_form
from space.layers.malle import GatedMalle, MalleConv, MalleResidual, sliced
from space.operators import trace


def naive(x: torch.Tensor, kernels: torch.Tensor, kernel: int) -> torch.Tensor:
    """All kernels at full resolution, then one sum over unfolded patches."""
    n, channels, height, width = x.shape
    full = F.interpolate(kernels, size=(height, width), mode="bilinear", align_corners=False)
    full = full.view(n, kernel**2 + 1, channels, height, width)
    patches = F.unfold(x, kernel, padding=kernel // 2).view(n, channels, kernel**2, height, width)
    return (full[:, :-1] * patches.transpose(1, 2)).sum(1) + full[:, -1]


class Naive(torch.nn.Module):
    def __init__(self, malle: MalleConv) -> None:
        super().__init__()
        self.malle = malle

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return naive(x, self.malle.predictor(x), self.malle.kernel)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("size", [(8, 12), (7, 5)])
def test_slicing_equals_the_materialised_kernels_with_gradients(kernel: int, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64, requires_grad=True)
    kernels = torch.randn(2, 3 * (kernel**2 + 1), 2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64)
    results = []
    for function in (sliced, naive):
        output = function(x, kernels, kernel)
        results.append((output, *torch.autograd.grad((output * weights).sum(), (x, kernels))))
    for ours, wanted in zip(*results, strict=True):
        assert torch.allclose(ours, wanted, atol=1e-12)
    with torch.no_grad():
        assert torch.equal(sliced(x, kernels, kernel), results[0][0])


@pytest.mark.parametrize("kernel", [1, 3])
def test_memory_holds_no_kernels_at_full_resolution(kernel: int) -> None:
    channels, pixels = 16, 64 * 96
    malle = MalleConv(channels, MalleSpec("head", kernel, pool=4))
    peak = trace(malle, (1, channels, 64, 96)).peak_elements()
    kernels = channels * pixels * (kernel**2 + 1)
    assert trace(Naive(malle), (1, channels, 64, 96)).peak_elements() > kernels
    # The input, one tap (which the product overwrites), for K = 3 the sum and the moved input; and the coarse map.
    coarse = channels * (kernel**2 + 1) * 4 * 6
    assert peak == (2 if kernel == 1 else 4) * channels * pixels + coarse


def test_training_keeps_no_kernels_at_full_resolution() -> None:
    x = torch.rand(1, 4, 32, 32, requires_grad=True)
    kernels = torch.rand(1, 40, 8, 8, requires_grad=True)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        sliced(x, kernels, 3)
    assert sum(kept) == x.numel() + kernels.numel()


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("doubling", [False, True])
def test_folding_changes_nothing_but_the_operators(kernel: int, doubling: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    layer = MalleConv(6, MalleSpec("head", kernel, pool=2, stages=2, width=4, blocks=1, doubling=doubling), norm=True)
    for module in layer.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                tensor.data.uniform_(0.5, 2, generator=generator)
    layer.eval()
    x = torch.rand(1, 6, 13, 10, generator=generator)
    with torch.no_grad():
        before = layer(x)
        deploy_form(layer)
        assert torch.allclose(layer(x), before, atol=1e-4)
    assert "norm" not in {op.kind for op in trace(layer, (1, 6, 13, 10)).operators}


@pytest.mark.parametrize("pool", [1, 2, 4])
def test_pooling_before_the_predictor_changes_work_and_not_weights(pool: int) -> None:
    malle = MalleConv(8, MalleSpec("head", pool=pool, width=8))
    reference = MalleConv(8, MalleSpec("head", pool=1, width=8))
    assert sum(p.numel() for p in malle.parameters()) == sum(p.numel() for p in reference.parameters())
    work, full = (trace(layer, (1, 8, 64, 64)).macs for layer in (malle, reference))
    assert work * pool**2 == full


def test_a_gate_that_learns_and_the_ports_that_does_not() -> None:
    spec = MalleSpec("every-level", stages=2, width=4, blocks=1)
    learned, fixed = (GatedMalle(4, spec, norm=True, learned_gate=flag, activations=2) for flag in (True, False))
    x = torch.rand(2, 4, 8, 8)
    assert torch.equal(learned(x), x)
    learned(x).square().sum().backward()
    assert learned.gate.grad.abs() > 0
    assert "gate" not in dict(fixed.named_parameters())


@pytest.mark.parametrize("kernel", [1, 3])
def test_every_weight_learns_and_phones_have_every_operator(kernel: int) -> None:
    layer = MalleResidual(4, MalleSpec("head", kernel, pool=2, stages=2, width=4, blocks=1))
    layer(torch.rand(2, 4, 9, 8)).square().mean().backward()
    gradients = {name: p.grad for name, p in layer.named_parameters()}
    assert all(g is not None and torch.isfinite(g).all() for g in gradients.values())
    assert all(g.abs().sum() > 0 for name, g in gradients.items() if is_of_convolution(layer, name))
    kinds = {op.kind for op in network_operators(layer, 4, (16, 16))}
    assert kinds.isdisjoint(SCATTERED_KINDS)
    assert {"resize", "multiply", "add"} <= kinds


def is_of_convolution(layer: torch.nn.Module, name: str) -> bool:
    return isinstance(layer.get_submodule(name.rpartition(".")[0]), torch.nn.Conv2d)


def test_a_kernel_of_two_is_refused() -> None:
    with pytest.raises(UserError, match="kernel must be 1 or 3, got 2"):
        MalleSpec("head", 2)
