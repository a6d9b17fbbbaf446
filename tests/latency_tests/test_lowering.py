"""What torch's operators become: one price for one product, however it is spelt, and nothing that works is free."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latency_tables.lowering.fusion import network_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import load_table
from space.operators import trace

TABLES = ("pixel4-a76", "a03s-a53-int8")


class Weighted(nn.Module):
    """``function`` of a weight (16, 16) and the image."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(16, 16))

    def forward(self, image: Tensor) -> Tensor:
        return self.function(self.weight, image)


def operators(network: nn.Module, channels: int = 16, size: tuple[int, int] = (160, 90)) -> tuple[EngineOperator, ...]:
    return network_operators(network, channels, size)


def of_function(function: Callable[[Tensor, Tensor], Tensor], *where: object) -> tuple[EngineOperator, ...]:
    return operators(Weighted(function), *where)


PRODUCTS = {
    "convolution": lambda w, x: F.conv2d(x, w[:, :, None, None]),
    "linear": lambda w, x: F.linear(x.permute(0, 2, 3, 1), w),
    "x @ w": lambda w, x: x.permute(0, 2, 3, 1) @ w,
    "w @ x": lambda w, x: torch.mm(w, x.view(16, -1)),
    "einsum, weight first": lambda w, x: torch.einsum("oc,nchw->nohw", w, x),
    "einsum, weight last": lambda w, x: torch.einsum("nchw,oc->nohw", x, w),
    "bmm, weight first": lambda w, x: torch.bmm(w.expand(1, 16, 16), x.flatten(2)),
    "tensordot": lambda w, x: torch.tensordot(w, x[0], 1),
    "addmm": lambda w, x: torch.addmm(w[:, :1], w, x.view(16, -1)),
}


@pytest.mark.parametrize("table", TABLES)
def test_one_product_has_one_price_however_it_is_spelt(table: str) -> None:
    """3.69 M multiply-accumulates; 475 ms on pixel4-a76 where the weight stands on the left, before."""
    prices = {name: estimate(load_table(table), of_function(function)).ms for name, function in PRODUCTS.items()}
    assert all(sum(op.macs for op in of_function(function)) == 3_686_400 for function in PRODUCTS.values())
    assert prices == pytest.approx(dict.fromkeys(PRODUCTS, prices["convolution"]))


def test_a_product_of_two_activations_keeps_its_inner_size() -> None:
    (product,) = (op for op in of_function(lambda w, x: x.flatten(2) @ x.flatten(2).transpose(1, 2)) if op.macs)
    assert (product.height, product.in_channels, product.out_channels) == (16, 14_400, 16)


def test_a_product_at_many_pixels_costs_no_less_than_at_one() -> None:
    for name in TABLES:
        table = load_table(name)
        prices = [
            estimate(table, [EngineOperator("matmul", rows, 1, 999, 999, 999 * rows)]).ms for rows in (1, 2, 3, 9)
        ]
        assert prices == sorted(prices)


def convolved(*after: nn.Module) -> float:
    return estimate(load_table("pixel4-a76"), operators(nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), *after))).ms


def test_only_what_an_engine_folds_is_free() -> None:
    alone = convolved()
    assert convolved(nn.BatchNorm2d(16)) == alone
    assert convolved(nn.BatchNorm2d(16), nn.ReLU()) == alone
    assert convolved(nn.ReLU(), nn.BatchNorm2d(16)) > 1.02 * alone
    assert convolved(nn.BatchNorm2d(16, track_running_stats=False)) > 1.05 * alone
    for norm in (nn.InstanceNorm2d(16, affine=True), nn.InstanceNorm2d(16), nn.GroupNorm(4, 16), nn.LayerNorm(160)):
        assert convolved(norm) > 1.05 * alone
    assert convolved(nn.ReLU(), nn.ReLU()) > alone


@pytest.mark.parametrize(
    ("norm", "passes"),
    [(nn.BatchNorm2d(16), 2.0), (nn.InstanceNorm2d(16), 4.0), (nn.GroupNorm(4, 16), 4.0), (nn.LayerNorm(160), 4.0)],
)
def test_a_norm_is_so_many_passes_over_the_image(norm: nn.Module, passes: float) -> None:
    listed = operators(norm)
    moved = sum(op.read_elements + op.written_elements for op in listed)
    assert moved == pytest.approx(2 * passes * 16 * 160 * 90, rel=0.05)
    for before, after in itertools.pairwise(listed):
        assert before.output in after.inputs


def test_a_relu_after_a_norm_is_part_of_its_addition() -> None:
    assert operators(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(16), nn.ReLU()))[-1].fused == "relu"


def test_a_slice_is_priced_as_the_concatenation_that_undoes_it() -> None:
    table = load_table("pixel4-a76")
    halves = of_function(lambda w, x: x[:, :16] * x[:, 16:], 32, (160, 96))
    copies = [op for op in halves if op.kind == "copy"]
    joined = of_function(lambda w, x: torch.cat((x, x), 1), 16, (160, 96))
    assert estimate(table, copies).ms == pytest.approx(estimate(table, joined).ms, rel=0.3)
    turned = of_function(lambda w, x: x[:, :16].transpose(2, 3).contiguous(), 32, (160, 96))
    assert estimate(table, turned).ms > 2 * estimate(table, copies[:1]).ms


def test_a_slice_that_is_copied_is_one_copy() -> None:
    assert [str(op) for op in of_function(lambda w, x: x[:, :8].clone())] == ["copy slice 8 channels at 160x90"]


def test_writing_into_a_part_of_a_value_is_not_free() -> None:
    def shifted(weight: Tensor, image: Tensor) -> Tensor:
        copy = image * 2
        copy[:, :8].copy_(copy[:, 8:])
        return copy

    (copy,) = (op for op in of_function(shifted) if op.kind == "copy")
    assert (copy.function, copy.read_elements) == ("slice", 8 * 160 * 90)


def test_bicubic_enlargement_of_many_channels_keeps_them_apart() -> None:
    enlarge, shuffle = of_function(lambda w, x: F.interpolate(x, scale_factor=4, mode="bicubic"), 32)
    assert str(enlarge) == "depthwise_conv 5x5 32->512 at 160x90"
    assert enlarge.macs == 32 * 16 * 25 * 160 * 90
    assert str(shuffle) == "pixel_shuffle by 4 512->32 at 640x360"


def test_a_mirrored_border_is_dearer_than_one_of_zeros() -> None:
    table = load_table("pixel4-a76")
    layers = (nn.ZeroPad2d(1), nn.ReflectionPad2d(1), nn.ReplicationPad2d(1))
    ms = [estimate(table, operators(layer)) for layer in layers]
    assert ms[1].ms == ms[2].ms > 5 * ms[0].ms
    assert [figure.origin for figure in ms] == ["fitted", "traffic-estimate", "traffic-estimate"]


def test_statistics_of_the_image_itself_are_told_from_stored_ones() -> None:
    names = [trace(norm, (1, 16, 8, 8)).operators[0].name for norm in (nn.BatchNorm2d(16), nn.InstanceNorm2d(16))]
    assert "batch_norm" in names[0]
    assert names[1] == "instance_norm"


def test_a_window_of_a_pooling_costs_its_taps() -> None:
    """In the engine of these tables, timed on another machine, a 3x3 pooling takes 0.18 to 0.32 of a 3x3 convolution of
    16 channels; the tables gave 0.06 to 0.08."""
    table = load_table("pixel4-a76")
    for size in ((32, 32), (160, 90)):
        pooled = estimate(table, operators(nn.AvgPool2d(3, 1, 1), 16, size)).ms
        convolution = estimate(table, operators(nn.Conv2d(16, 16, 3, padding=1), 16, size)).ms
        assert 0.15 < pooled / convolution < 0.35
