"""The multi-scale block: its formula, and which of its channels go together."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from space import UserError
from space.blocks.multi_scale import MultiScaleSpec
from space.channels import channel_map
from space.deploy import deploy_form
from space.operators import trace


@pytest.mark.parametrize("kind", ["relu", "gelu"])
def test_a_quarter_passes_each_kernel(kind: str) -> None:
    block = MultiScaleSpec(width=6, hidden=8, activation=kind).residual(0.5).requires_grad_(False)
    first, last = block.body
    image = torch.randn(2, 6, 9, 7, generator=torch.Generator().manual_seed(0))
    a, b, c, d = first.pointwise(image).split(2, 1)
    square, high, wide, twice = first.branches

    def depthwise(x: torch.Tensor, conv: nn.Conv2d, rows: int, columns: int) -> torch.Tensor:
        return F.conv2d(x, conv.weight, conv.bias, padding=(rows, columns), groups=2)

    d = depthwise(depthwise(d, twice[0], 1, 1), twice[1], 1, 1)
    parts = (depthwise(a, square, 1, 1), depthwise(b, high, 2, 1), depthwise(c, wide, 1, 2), d)
    mixed = (F.relu if kind == "relu" else F.gelu)(torch.cat(parts, 1))
    assert [tuple(conv.weight.shape[2:]) for conv in (square, high, wide)] == [(3, 3), (5, 3), (3, 5)]
    torch.testing.assert_close(block(image), image + 0.5 * last(mixed))


def test_only_hidden_channels_go_four_at_a_time() -> None:
    """Those in the same place of every quarter; each channel of the features by itself."""
    block = MultiScaleSpec(width=8, hidden=16).residual()
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), block, nn.Conv2d(8, 3, 3, padding=1))
    channels = channel_map(network, 3)
    sizes = {name: group.size for name, group in channels.groups.items()}
    assert sizes == {"0": 8, "1.body.0.pointwise": 4}
    weights = channels.axes["1.body.0.pointwise.weight"][0]
    assert weights is not None
    assert (weights.reshape(4, 4) == weights[:4]).all()


def test_a_relu_is_a_part_of_the_convolutions() -> None:
    """It stands in front of the concatenation."""
    block = deploy_form(MultiScaleSpec(width=8, hidden=8).residual())
    names = [operator.name for operator in trace(block, (1, 8, 9, 9)).operators]
    assert names.index("cat") > max(place for place, name in enumerate(names) if name == "relu")


def test_both_kinds_are_one_without_their_activation() -> None:
    one, other = (MultiScaleSpec(width=8, hidden=8, activation=kind) for kind in ("relu", "gelu"))
    assert one != other
    assert one.linear() == other.linear()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="hidden channels of a multi-scale block must be a multiple of 4, got 6"):
        MultiScaleSpec(width=8, hidden=6)
    with pytest.raises(UserError, match="multi_scale_activation must be one of relu, gelu, got 'silu'"):
        MultiScaleSpec(width=8, hidden=8, activation="silu")
