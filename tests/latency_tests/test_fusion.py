"""From torch's operators to an engine's."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from latency_tables.lowering.fusion import engine_operators, network_operators
from space.build import build
from space.deploy import deploy_form
from space.errors import UserError
from space.operators import screen, trace
from space.tasks import TASKS
from space.zoo import ZOO
from tests.random_networks import random_architecture


def listed(network: nn.Module, *shape: int) -> list[str]:
    return [str(op) for op in network_operators(network, shape[0], shape[1:])]


def test_norm_and_relu_disappear_in_the_convolution() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 3, 1))
    assert listed(network, 3, 32, 18) == ["conv 3x3 3->8 at 32x18", "conv 8->3 at 32x18"]


def test_what_no_engine_fuses_stays() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.PReLU(8), nn.Conv2d(8, 8, 3, padding=1), nn.Sigmoid())
    assert listed(network, 3, 32, 18)[1::2] == [
        "activation prelu 8 channels at 32x18",
        "activation sigmoid 8 channels at 32x18",
    ]


class _ReadTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return y + F.relu(y)


def test_an_activation_is_not_fused_where_its_input_is_read_again() -> None:
    assert "activation relu 3 channels at 32x18" in listed(_ReadTwice(), 3, 32, 18)


class _Expression(nn.Module):
    def __init__(self, expression) -> None:
        super().__init__()
        self.expression = expression

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.expression(x)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (lambda x: x + 1, ["add scalar 4 channels at 32x18"]),
        (
            lambda x: x + x.mean((2, 3), keepdim=True),
            ["reduce mean 4 channels at 32x18", "add broadcast 4 channels at 32x18"],
        ),
        (lambda x: F.adaptive_avg_pool2d(x, 1), ["reduce mean 4 channels at 32x18"]),
        (lambda x: F.avg_pool2d(x, 2), ["pool average 2x2 stride 2x2 4 channels at 16x9"]),
        (lambda x: F.pixel_shuffle(x, 2), ["pixel_shuffle by 2 4->1 at 64x36"]),
        (lambda x: torch.cat((x, x), 1), ["concat of 2 8 channels at 32x18"]),
        (lambda x: F.interpolate(x, scale_factor=3), ["resize nearest by 3 4 channels at 96x54"]),
        (lambda x: F.relu(x + x), ["add 4 channels at 32x18"]),
    ],
)
def test_operators_between_convolutions(expression, wanted: list[str]) -> None:
    assert listed(_Expression(expression), 4, 32, 18) == wanted


def test_channels_that_are_split_off_are_copied_once() -> None:
    def split(x: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, 1)
        return torch.cat((first * first, F.relu(second), second.view(1, 3, 18 * 32).view(1, 3, 18, 32)), 1)

    operators = network_operators(_Expression(split), 6, (32, 18))
    assert [str(op) for op in operators] == [
        "copy slice 3 channels at 32x18",
        "multiply 3 channels at 32x18",
        "copy slice 3 channels at 32x18",
        "activation relu 3 channels at 32x18",
        "concat of 3 9 channels at 32x18",
    ]
    first, square, second, relu, joined = operators
    assert square.inputs == (first.output, first.output)
    assert relu.inputs == (second.output,)
    assert joined.inputs == (square.output, relu.output, second.output)


def test_what_is_reshaped_or_broadcast_is_whole() -> None:
    def whole(x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).view(x.shape) * x.mean((2, 3), keepdim=True).expand_as(x)

    assert not [op for op in listed(_Expression(whole), 4, 32, 18) if "slice" in op]


def test_a_variance_is_a_mean_of_squares() -> None:
    operators = network_operators(_Expression(lambda x: x.var((2, 3), keepdim=True)), 4, (32, 18))
    assert [str(op) for op in operators] == [
        "reduce mean 4 channels at 32x18",
        "add broadcast 4 channels at 32x18",
        "multiply 4 channels at 32x18",
        "reduce mean 4 channels at 32x18",
    ]
    mean, apart, square, last = operators
    assert (apart.inputs[1], square.inputs, last.inputs) == (mean.output, (apart.output,) * 2, (square.output,))


def test_bicubic_enlargement_becomes_the_convolution_that_computes_the_same() -> None:
    def enlarge(x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, scale_factor=4, mode="bicubic", antialias=True)

    assert listed(_Expression(enlarge), 3, 32, 18) == ["conv 5x5 3->48 at 32x18", "pixel_shuffle by 4 48->3 at 128x72"]
    # The claim behind the lowering: within the border, every output pixel is a weighting of 5x5 inputs around it.
    impulse = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    impulse[..., 4, 4] = 1
    reached = F.pixel_unshuffle(enlarge(impulse), 4).abs().amax(1)[0].nonzero()
    assert (reached - 4).abs().max() <= 2


def test_bicubic_reduction_is_refused_by_name() -> None:
    network = _Expression(lambda x: F.interpolate(x, scale_factor=0.5, mode="bicubic"))
    with pytest.raises(UserError, match="upsample_bicubic2d"):
        network_operators(network, 3, (32, 18))


@pytest.mark.parametrize("name", ["s-lwsr16", "s-lwsr32c"])
def test_no_work_is_lost(name: str) -> None:
    traced = trace(build(ZOO[name].architecture), (1, 3, 18, 32))
    assert sum(op.macs for op in engine_operators(traced.operators, traced.outputs)) == traced.macs


@pytest.mark.parametrize("name", TASKS)
def test_screening_and_full_trace_give_the_same_graph(name: str) -> None:
    generator, task = np.random.default_rng(3), TASKS[name]
    shape = task.shape(task.default_scale)
    for _ in range(6):
        arch = random_architecture(shape, task.backbones, generator)
        screening = screen(arch, 64, 48)
        traced = trace(deploy_form(build(arch)), (1, shape.in_channels, 48, 64))
        known = engine_operators(screening.operators, (screening.output,))
        full = engine_operators(traced.operators, traced.outputs)
        assert known == full
        names: dict[int, int] = {}
        for ours, theirs in zip(known, full, strict=True):
            for own, other in zip((*ours.inputs, ours.output), (*theirs.inputs, theirs.output), strict=True):
                assert names.setdefault(own, other) == other
