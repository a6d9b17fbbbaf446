"""Zero-cost proxies: values that can be computed by hand, and scores of networks of every kind."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from evaluators.proxies import PROXIES, Batch, drawn, scores
from tests.small_networks import small_model


def l1(output: torch.Tensor, target: torch.Tensor, _input: torch.Tensor) -> torch.Tensor:
    return F.l1_loss(output, target)


def conv(weight: float, bias: float | None = None) -> nn.Conv2d:
    """A 1x1 convolution from one channel to one."""
    layer = nn.Conv2d(1, 1, 1, bias=bias is not None)
    with torch.no_grad():
        layer.weight.fill_(weight)
        if bias is not None:
            layer.bias.fill_(bias)
    return layer


def batch(*rows: list[float]) -> Batch:
    """An input a row, each of one channel and as many pixels in a row; targets are zero."""
    inputs = torch.tensor(rows)[:, None, None, :]
    return Batch(inputs, torch.zeros_like(inputs), l1)


def test_grad_norm_is_the_sum_of_norms() -> None:
    """Output 3 (2 x) with x of 1 and 3: |gradients| are 3 mean(x) = 6 and 2 mean(x) = 4."""
    network = nn.Sequential(conv(2.0), conv(3.0))
    assert PROXIES["grad-norm"](network, batch([1.0, 3.0])) == pytest.approx(10)


def test_synflow_multiplies_absolute_weights() -> None:
    """Of two layers each has |weight x gradient| = 2 x 3 a pixel, of three pixels: 36 in all; biases of zero add 0."""
    network = nn.Sequential(conv(-2.0, 0.0), conv(3.0))
    assert PROXIES["synflow"](network, batch([1.0, 3.0, 9.0])) == pytest.approx(math.log(36))
    assert PROXIES["synflow"](nn.Sequential(conv(0.0)), batch([1.0])) == -math.inf


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.PReLU(), nn.Hardtanh(0, 1), F.relu])
def test_naswot_counts_what_is_switched_alike(activation) -> None:
    """Signs ++-- and +-+-: of four activations two alike, K is [[4, 2], [2, 4]] with the determinant 12."""

    class Network(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return activation(x)

    score = PROXIES["naswot"](Network(), batch([1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]))
    assert score == pytest.approx(math.log(12), abs=1e-6)


def test_jacobian_covariance_of_gradients_that_do_not_correlate() -> None:
    """Gradients 1100 and 1010 have the correlation 0, eigenvalues 1 and 1; equal ones have 2 and 0."""
    rows = ([1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0])
    k = 1e-5
    apart = PROXIES["jacobian-covariance"](nn.ReLU(), batch(*rows))
    assert apart == pytest.approx(-2 * (math.log(1 + k) + 1 / (1 + k)), abs=1e-6)
    alike = PROXIES["jacobian-covariance"](nn.ReLU(), batch(rows[0], rows[0]))
    wanted = -(math.log(2 + k) + 1 / (2 + k)) - (math.log(k) + 1 / k)
    assert alike == pytest.approx(wanted, rel=1e-3)


def test_zen_of_one_convolution_is_the_distance_it_moves() -> None:
    """Through the identity, standard normal noise of n pixels moves by 0.01 sqrt(n)."""
    network = nn.Identity()
    assert PROXIES["zen"](network, batch([0.0] * 4000)) == pytest.approx(math.log(0.01 * 4000**0.5), abs=0.02)


def test_zen_counts_what_a_norm_divides_by() -> None:
    """The same network before and after a norm: what it divides by is added, so that the scores agree."""
    one = nn.Conv2d(1, 8, 3)
    inputs = torch.zeros(4, 1, 32, 32)
    own = Batch(inputs, inputs, l1)
    norm = nn.BatchNorm2d(8, affine=False, eps=1e-9)
    assert PROXIES["zen"](nn.Sequential(one, norm), own) == pytest.approx(PROXIES["zen"](one, own), abs=0.1)


@pytest.mark.parametrize(("task", "backbone"), [("sr", "symmetric"), ("denoise", "pyramid")])
def test_scores_of_a_searched_network(task: str, backbone: str) -> None:
    model = small_model(task, backbone=backbone)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(4, 3, 16, 16, generator=generator)
    targets = F.interpolate(inputs, scale_factor=model.rules.scale)
    before = {name: value.clone() for name, value in drawn(model.network, generator).state_dict().items()}
    found = scores(model.network, Batch(inputs, targets, model.rules.measure.loss))
    assert set(found) == set(PROXIES)
    assert all(math.isfinite(value) for value in found.values())
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert all(value.grad is None for value in model.network.parameters())


def test_layers_that_begin_at_zero_are_drawn() -> None:
    network = nn.Sequential(conv(0.0, 0.0), conv(2.0))
    drawn(network, torch.Generator().manual_seed(0))
    assert network[0].weight.abs().sum() > 0
    assert network[0].bias.item() == 0
    assert network[1].weight.item() == 2
