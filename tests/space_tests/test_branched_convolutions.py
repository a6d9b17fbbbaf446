"""Blocks of convolutions that are trained with branches and deployed as plain ones: Conv3XC's and ECBSR's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from space import TASKS, SearchSpace, build
from space.architecture import Architecture
from space.build import initialise
from space.knobs import Value
from space.layers.conv3xc import Conv3XC
from space.layers.edge_conv import EdgeConv
from space.operators import screen
from space.search_space import BACKBONE, first
from tests.pruned_networks import assert_ordinary, halved
from tests.small_networks import filled

BRANCHED = {"conv3xc": Conv3XC, "edge": EdgeConv}
FILTERS = (
    [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
    [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
)
SPACE = SearchSpace(TASKS["sr"], TASKS["sr"].shape(2))


def an_image(channels: int) -> Tensor:
    return torch.randn(2, channels, 7, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def plain(**knobs: Value) -> Architecture:
    return SPACE.decode(SPACE.fill(first, {BACKBONE: "plain", "residual_scale": 0.5, **knobs}))


def test_edge_branches_are_a_wider_pair_of_convolutions_and_three_filters() -> None:
    layer, x = filled(EdgeConv(4, 6).double()), an_image(4)
    padded = F.pad(x, (1, 1, 1, 1))
    expanded, *edges = layer.branches
    assert expanded.mix.weight.shape == (12, 4, 1, 1)
    expected = F.conv2d(x, layer.conv.weight, layer.conv.bias, padding=1) + expanded.conv(expanded.mix(padded))
    for branch, rows in zip(edges, FILTERS, strict=True):
        mixed = branch.mix(padded).reshape(12, 1, 9, 8)
        filtered = F.conv2d(mixed, torch.tensor(rows).double()[None, None]).reshape(2, 6, 7, 6)
        expected = expected + branch.scale.view(1, 6, 1, 1) * filtered + branch.bias.view(1, 6, 1, 1)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("name", BRANCHED)
@pytest.mark.parametrize(("inp", "out"), [(3, 8), (8, 5), (1, 1)])
def test_they_fold_and_are_multiplied_exactly_also_at_the_border(name: str, inp: int, out: int) -> None:
    layer, x = filled(BRANCHED[name](inp, out).double()), an_image(inp)
    with torch.no_grad():
        before = layer(x)
        layer.multiply(-2)
        torch.testing.assert_close(layer(x), -2 * before)
        layer.fold()
        layer.fold()
        torch.testing.assert_close(layer(x), -2 * before)
        layer.multiply(0.25)
        torch.testing.assert_close(layer(x), -0.5 * before)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 9 * inp * out + out
    assert all(parameter.is_contiguous() for parameter in layer.parameters())  # LiteRT mixes up others


def test_fresh_edge_branches_hardly_count() -> None:
    layer = EdgeConv(8, 8)
    initialise(layer, torch.Generator().manual_seed(0))
    assert all((branch.scale == 1e-3).all() and (branch.bias == 0).all() for branch in list(layer.branches)[1:])


@pytest.mark.parametrize("block", ["residual", "preactivated"])
@pytest.mark.parametrize("name", BRANCHED)
def test_they_cost_what_dense_ones_do(name: str, block: str) -> None:
    branched, dense = (screen(plain(block=block, convolution=each), 32, 18) for each in (name, "dense"))
    assert (branched.params, branched.macs, branched.peak_elements) == (dense.params, dense.macs, dense.peak_elements)
    assert [op.name for op in branched.operators] == [op.name for op in dense.operators]


@pytest.mark.parametrize(
    "knobs",
    [
        *({"block": "residual", "convolution": name} for name in BRANCHED),
        *({"block": "spab", "gate": gate, "spab_convolution": "conv3xc"} for gate in ("sigmoid", "learned")),
    ],
    ids=lambda knobs: "-".join(map(str, knobs.values())),
)
def test_pruned_they_are_ordinary_networks(knobs: dict[str, Value]) -> None:
    arch = halved(plain(**knobs))
    assert_ordinary(arch, build(arch, torch.Generator().manual_seed(0)))
    inside = tuple((group, count) for group, count in arch.widths if "expand" in group or "branches" in group)
    assert inside
    only_inside, whole = (screen(each, 32, 18) for each in (replace(arch, widths=inside), arch.unpruned))
    assert only_inside.macs == whole.macs  # they are gone before anything is computed
