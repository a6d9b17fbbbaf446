"""The operator list: exact against torch's counter, known memory by hand, unknown operators refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from evaluators.costs import architecture_costs, network_costs
from space import TASKS, ZOO, UserError, build
from space.architecture import Architecture, IOShape
from space.backbones import BACKBONES
from space.deploy import deploy_form
from space.operators import UnknownOperatorError, screen, trace
from tests.random_networks import random_architecture


def counted_by_torch(arch: Architecture, width_px: int, height_px: int) -> tuple[int, int]:
    """Parameters and MACs by building the network, as deployed, and running torch's own counter."""
    with torch.device("meta"):
        network = deploy_form(build(arch))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, arch.shape.in_channels, height_px, width_px, device="meta"))
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() // 2


SEARCHED_PAPERS = [
    (name, scale)
    for name, entry in sorted(ZOO.items())
    if entry.architecture.backbone in BACKBONES
    for scale in TASKS[entry.task].input_sizes
]


@pytest.mark.parametrize(("name", "scale"), SEARCHED_PAPERS)
def test_papers_count_as_torch_counts(name: str, scale: int) -> None:
    arch = ZOO[name].at_scale(scale)
    costs = architecture_costs(arch, (40, 24))
    assert (costs.params, costs.macs) == counted_by_torch(arch, 40, 24)
    assert costs == network_costs(build(arch), (40, 24), arch.shape.in_channels)


SHAPES = (*(TASKS["sr"].shape(scale) for scale in (2, 3, 4)), IOShape(3, 3), IOShape(5, 4))


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_random_architectures_count_as_torch_and_as_a_full_trace(name: str) -> None:
    count_and_compare(SHAPES, (name,), 10)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", TASKS)
def test_500_architectures_of_every_task_count_as_torch_and_as_a_full_trace(name: str) -> None:
    task = TASKS[name]
    shapes = tuple(task.shape(scale, word) for scale in task.input_sizes for word in task.channels)
    count_and_compare(shapes, task.backbones, 500)


def count_and_compare(shapes: tuple[IOShape, ...], backbones: tuple[str, ...], count: int) -> None:
    """``count`` random architectures, half of them against torch's counter, half against a full trace."""
    generator = np.random.default_rng(count)
    for index in range(count):
        shape = shapes[index % len(shapes)]
        arch = random_architecture(shape, backbones, generator)
        screened = screen(arch, 48, 27)
        with torch.device("meta"):
            network = deploy_form(build(arch))
        assert screened.params == sum(parameter.numel() for parameter in network.parameters())
        if index % 2:
            assert (screened.params, screened.macs) == counted_by_torch(arch, 48, 27)
        else:
            traced = trace(network, (1, shape.in_channels, 27, 48))
            assert traced.macs == screened.macs
            assert traced.peak_elements() == screened.peak_elements
            assert [(op.kind, op.input_shapes, op.output_shape, op.macs) for op in traced.operators] == [
                (op.kind, op.input_shapes, op.output_shape, op.macs) for op in screened.operators
            ]


class Concatenating(nn.Module):
    """conv, then the input again by concatenation: the input lives until then."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((x, F.relu(self.conv(x))), 1)


def test_peak_memory_by_hand() -> None:
    listed = trace(Concatenating(), (1, 4, 10, 10))
    assert [op.kind for op in listed.operators] == ["conv", "activation", "concat"]
    # At the concatenation: input 400, features 800 (ReLU in place), result 1,200.
    assert listed.peak_elements() == 400 + 800 + 1_200


def test_a_chain_holds_only_input_and_output_of_the_running_operator() -> None:
    chain = nn.Sequential(nn.Conv2d(4, 16, 1), nn.ReLU(), nn.Conv2d(16, 2, 1), nn.Sigmoid())
    assert trace(chain, (1, 4, 5, 5)).peak_elements() == 25 * (4 + 16)


def test_a_kept_input_is_not_overwritten() -> None:
    listed = trace(nn.ReLU(), (1, 4, 5, 5))
    assert listed.peak_elements() == 100
    assert listed.peak_elements(kept=listed.inputs) == 200


def test_shared_modules_are_stored_once_and_work_every_time() -> None:
    conv = nn.Conv2d(8, 8, 3, padding=1)
    costs = network_costs(nn.Sequential(conv, conv, conv), (6, 6), in_channels=8)
    assert costs.params == 8 * 8 * 9 + 8
    assert costs.macs == 3 * 8 * 8 * 9 * 36


@pytest.mark.parametrize(
    ("network", "macs"),
    [
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), 6 * 2 * 9 * 16),
        (nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1), 4 * 6 * 16 * 64),
        (nn.Sequential(nn.Flatten(2), nn.Linear(64, 5)), 4 * 64 * 5),
    ],
)
def test_macs_by_hand_and_by_torch(network: nn.Module, macs: int) -> None:
    assert trace(network, (1, 4, 8, 8)).macs == macs
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.to("meta")(torch.empty(1, 4, 8, 8, device="meta"))
    assert counter.get_total_flops() == 2 * macs


class Sorting(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sort(dim=1).values


def test_an_unknown_operator_is_refused_by_name() -> None:
    with pytest.raises(UnknownOperatorError, match="operator 'sort' is not known to the cost model"):
        trace(Sorting(), (1, 3, 8, 8))


def test_a_network_that_cannot_take_the_input_is_a_users_error() -> None:
    with pytest.raises(UserError, match="cannot be traced at input 1x5x8x8"):
        trace(nn.Conv2d(3, 4, 3), (1, 5, 8, 8))


def test_tracing_leaves_the_network_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout()).train()
    network_costs(network, (8, 8))
    assert network.training
    assert network[0].weight.device.type == "cpu"


def test_operators_know_their_part() -> None:
    with torch.device("meta"):
        network = build(ZOO["s-lwsr16"].architecture)
    parts = {op.part.removeprefix("trunk.").partition(".")[0] for op in trace(network, (1, 3, 18, 32)).operators}
    assert {"stem", "encoder", "pool", "decoder", "upsampler", "shift_in", "shift_out"} <= parts
