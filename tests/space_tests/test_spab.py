"""SPAB as a block of trunks: against its formula, and what of its scale is left in the deploy form."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from space import UserError
from space.blocks import block
from space.blocks.spab import SpabSpec
from space.build import initialise
from space.deploy import deploy_form
from space.operators import trace
from tests.small_networks import filled

BETWEEN = {"sigmoid": F.silu, "learned": F.relu}
SPECS = [
    SpabSpec(width=8, gate=gate, convolution=convolution, activated=activated)
    for gate in BETWEEN
    for convolution in ("dense", "conv3xc")
    for activated in (True, False)
]
CONV = ["convolution"]
OPERATORS = {  # of a deployed block with a scale other than 1
    "sigmoid": [*CONV, "silu", *CONV, "silu", *CONV, "add", "sigmoid", "sub", "mul", "mul", "add"],
    "learned": [*CONV, "relu", *CONV, "relu", *CONV, "add", *CONV, "mul", "add"],
}


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_it_adds_the_weighed_sum(spec: SpabSpec) -> None:
    module = filled(block(spec, 0.3)).double()
    x = torch.randn(2, 8, 7, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    part = module.body[0]
    between = BETWEEN[spec.gate] if spec.activated else nn.Identity()
    d = part.third(between(part.second(between(part.first(x)))))
    gate = torch.sigmoid(d) - 0.5
    if spec.gate == "learned":
        gate = torch.einsum("oi,nihw->nohw", part.guidance.weight[:, :, 0, 0], d)
        gate = gate + part.guidance.bias.view(1, 8, 1, 1)
    torch.testing.assert_close(module(x), x + 0.3 * (x + d) * gate)
    with torch.no_grad():
        torch.testing.assert_close(deploy_form(copy.deepcopy(module))(x), module(x))


@pytest.mark.parametrize("convolution", ["dense", "conv3xc"])
@pytest.mark.parametrize("gate", BETWEEN)
def test_only_a_sigmoid_leaves_the_scale(gate: str, convolution: str) -> None:
    spec = SpabSpec(width=8, gate=gate, convolution=convolution)
    assert spec.keeps_scale == (gate == "sigmoid")
    scaled, plain = (deploy_form(block(spec, scale)) for scale in (0.5, 1))
    names = [op.name.removesuffix("_") for op in trace(scaled, (1, 8, 7, 6)).operators]
    assert names == OPERATORS[gate]
    assert len(trace(plain, (1, 8, 7, 6)).operators) == len(names) - spec.keeps_scale


def test_a_learned_gate_starts_as_a_number_for_each_channel() -> None:
    module = block(SpabSpec(width=8, gate="learned"))
    initialise(module, torch.Generator().manual_seed(0))
    guidance = module.body[0].guidance
    assert not guidance.weight.any()
    assert guidance.bias.all()
    module(torch.rand(1, 8, 5, 5)).square().mean().backward()
    assert guidance.weight.grad.any()


@pytest.mark.parametrize(("field", "value"), [("gate", "tanh"), ("convolution", "edge"), ("width", 0)])
def test_a_wrong_field_is_refused(field: str, value: str | int) -> None:
    with pytest.raises(UserError, match=f"{field}.* must be .*, got {value!r}"):
        SpabSpec(**{"width": 8, field: value})
