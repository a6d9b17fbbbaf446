"""Layers that train as one convolution of weights that several layers' parameters make (``Composed``)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from space.layers.conv3xc import Conv3XC
from space.layers.edge_conv import EdgeConv
from space.layers.protocols import Composed, Foldable
from space.layers.rep_mb_conv import RepMBConv
from space.zoo.ecbsr import EdgeBlock
from tests.small_networks import filled

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "conv3xc": lambda: Conv3XC(4, 6),
    "conv3xc without bias": lambda: Conv3XC(4, 6, bias=False),
    "edge": lambda: EdgeConv(4, 6),
    "edge with PReLU": lambda: EdgeBlock(4, 6),
    "rep-mb-conv": lambda: RepMBConv(4),
}


def an_image() -> Tensor:
    return torch.randn(2, 4, 7, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def multiplications(run: Callable[[Tensor], Tensor], image: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        run(image)
    counts = counter.get_flop_counts()["Global"]
    return sum(count for operator, count in counts.items() if operator is torch.ops.aten.convolution) // 2


def gradients(layer: nn.Module, run: Callable[[Tensor], Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(run(an_image()).square().mean(), list(layer.parameters())))


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> nn.Module:
    return filled(LAYERS[request.param]().double())


def test_it_learns_what_its_layers_would(layer: nn.Module) -> None:
    assert isinstance(layer, Composed)
    torch.testing.assert_close(layer(an_image()), layer.layer_by_layer(an_image()))
    torch.testing.assert_close(gradients(layer, layer), gradients(layer, layer.layer_by_layer))
    names = [name for name, _ in layer.named_parameters()]
    idle = {name for name, each in zip(names, gradients(layer, layer), strict=True) if not each.any()}
    assert idle <= {f"branches.{edge}.mix.bias" for edge in (1, 2, 3)}  # an edge filter takes any constant away


def test_a_training_step_multiplies_no_more_than_the_convolution_that_is_deployed(layer: nn.Module) -> None:
    assert isinstance(layer, Composed)
    assert isinstance(layer, Foldable)
    trained, singly = multiplications(layer, an_image()), multiplications(layer.layer_by_layer, an_image())
    layer.fold()
    assert trained == multiplications(layer, an_image()) < singly


def test_folded_its_channels_can_be_followed_too(layer: nn.Module) -> None:
    assert isinstance(layer, Composed)
    assert isinstance(layer, Foldable)
    before = layer.layer_by_layer(an_image())
    layer.fold()
    torch.testing.assert_close(layer.layer_by_layer(an_image()), before)


def test_autocast_does_not_round_what_the_weights_are_made_of(layer: nn.Module) -> None:
    """Rounded at the end alone, as those of a plain convolution are."""
    assert isinstance(layer, Foldable)
    layer.float()
    image = an_image().float()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        before = layer(image)
    layer.fold()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(image), before)
