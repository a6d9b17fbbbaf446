"""Reference networks of super-resolution: counts to the digit, costs, training and deployment."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from evaluators.costs import architecture_costs, network_costs, paper_counts
from latency_tables.estimate import estimate
from latency_tables.fusion import network_operators
from latency_tables.table import load_table
from space import PAPERS, UserError, architecture_from_dict, build
from space.architecture import IOShape
from space.build import deploy_form
from space.papers.published import published_results
from space.papers.references_sr import REFERENCES_SR
from space.references.carn import CarnM, CarnSettings
from space.references.ecbsr import Ecbsr, EcbsrSettings, EdgeBlock
from space.references.smfanet import unit_length
from space.references.srresnet import Srresnet, SrresnetSettings

NAMES = [entry.name for entry in REFERENCES_SR]
ALIKE = ("ecbsr-m4c8", "ecbsr-m10c32", "ecbsr-m16c64", "srresnet-lite-dense", "srresnet-lite-depthwise")
FAMILIES = [name for name in NAMES if name not in ALIKE]  # one of each build
HD = {2: (640, 360), 3: (427, 240), 4: (320, 180)}

# Parameters in deploy form and, where the second figure is given, G multiply-adds at 1280x720 output: published
# counts, or counts of the public code named in each network's file; the last five by closed form.
COUNTS = {
    ("fsrcnn", 2): (12_809, 2.87),
    ("fsrcnn", 3): (12_809, 1.28),
    ("fsrcnn", 4): (12_809, 0.72),
    ("espcn", 2): (21_284, 4.88),
    ("espcn", 3): (22_729, 2.32),
    ("espcn", 4): (24_752, 1.42),
    ("carn-m", 2): (257_051, 91.18),
    ("carn-m", 3): (303_451, 46.17),
    ("carn-m", 4): (294_171, 32.49),
    ("imdn", 2): (694_404, 158.77),
    ("imdn", 3): (703_059, 71.50),
    ("imdn", 4): (715_176, 40.89),
    ("ecbsr-m4c8", 2): (2_748, 0.61),
    ("ecbsr-m4c8", 4): (3_624, 0.20),
    ("ecbsr-m4c16", 2): (10_100, 2.29),
    ("ecbsr-m4c16", 4): (11_840, 0.67),
    ("ecbsr-m10c32", 2): (94_308, 21.57),
    ("ecbsr-m10c32", 4): (97_776, 5.59),
    ("ecbsr-m16c64", 2): (594_884, 136.56),
    ("ecbsr-m16c64", 4): (601_808, 34.54),
    ("smfanet", 2): (185_628, 38.79),  # published: 186K
    ("smfanet", 3): (190_503, 17.75),  # published: 191K
    ("smfanet", 4): (197_328, 10.37),  # published: 197K
    ("srresnet", 4): (1_546_435, 127.77),
    ("srresnet-lite", 4): (112_467, 21.92),
    ("srresnet-lite-subpixel", 4): (118_995, 20.91),
    ("srresnet-lite-depthwise", 4): (142_451, 24.28),
    ("srresnet-lite-dense", 4): (403_315, 61.86),
}


@pytest.mark.parametrize(("name", "scale"), sorted(COUNTS))
def test_counts_are_exact(name: str, scale: int) -> None:
    costs = architecture_costs(PAPERS[name].at_scale(scale), HD[scale])
    assert (costs.params, round(costs.macs / 1e9, 2)) == COUNTS[name, scale]


@pytest.mark.parametrize(
    ("name", "scale", "params", "macs_g"),
    [
        ("fsrcnn", 2, 12_809, 6.01),
        ("fsrcnn", 3, 12_809, 5.00),  # 4.99 at 1280x720 / 9 pixels, which is no image
        ("fsrcnn", 4, 12_809, 4.64),
        ("carn-m", 4, 414_811, None),
        ("carn-m", 2, 414_811, None),
        ("srresnet", 4, 1_542_528, None),
        ("srresnet-lite", 4, 107_824, None),
        ("srresnet-lite-subpixel", 4, 113_968, None),
        ("srresnet-lite-depthwise", 4, 137_360, None),
        ("srresnet-lite-dense", 4, 398_352, None),
    ],
)
def test_counts_by_the_papers_own_rule(name: str, scale: int, params: int, macs_g: float | None) -> None:
    entry = PAPERS[name]
    counts = paper_counts(entry, architecture_costs(entry.at_scale(scale), HD[scale]), HD[scale], scale)
    assert counts.params_paper_rule == params
    assert (counts.macs_paper_rule and round(counts.macs_paper_rule / 1e9, 2)) == macs_g


@pytest.mark.parametrize("name", FAMILIES)
def test_costs_are_those_of_torchs_counter_and_of_a_full_trace(name: str) -> None:
    scale = 3
    arch = PAPERS[name].at_scale(scale)
    costs = architecture_costs(arch, (40, 24))
    with torch.device("meta"):
        network = build(arch)
        assert costs == network_costs(network, (40, 24), arch.shape.in_channels)
        deploy_form(network).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            output = network(torch.empty(1, arch.shape.in_channels, 24, 40))
    assert costs.macs == counter.get_total_flops() // 2
    assert costs.params == sum(parameter.numel() for parameter in network.parameters())
    assert output.shape == (1, arch.shape.out_channels, 24 * scale, 40 * scale)


@pytest.mark.parametrize("name", FAMILIES)
def test_training_saving_and_deploying(name: str) -> None:
    arch = PAPERS[name].at_scale(2)
    generator = torch.Generator().manual_seed(0)
    network = build(arch, generator)
    image = torch.rand(2, arch.shape.in_channels, 17, 19, generator=generator)
    network(image).square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, parameter_name
            assert torch.isfinite(parameter.grad).all(), parameter_name
    assert sum(bool(p.grad.abs().sum() > 0) for p in network.parameters() if p.requires_grad) > 0.9 * len(
        [p for p in network.parameters() if p.requires_grad]
    )

    again = build(architecture_from_dict(arch.to_dict()), torch.Generator().manual_seed(1))
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        output = network.eval()(image)
        assert torch.equal(again.eval()(image), output)
        deployed = deploy_form(deploy_form(again))
        assert torch.allclose(deployed(image), output, rtol=1e-4, atol=1e-5 * output.abs().max())


@pytest.mark.parametrize("name", FAMILIES)
def test_every_operator_has_a_price(name: str) -> None:
    arch = PAPERS[name].architecture
    with torch.device("meta"):
        operators = network_operators(build(arch), arch.shape.in_channels, HD[4])
    for table in ("pixel4-a76", "a03s-a53", "pixel4-a55"):
        latency = estimate(load_table(table), operators)
        assert 0 < latency.low < latency.ms < latency.high < math.inf


@pytest.mark.parametrize("activated", [True, False])
def test_an_edge_block_folds_to_one_convolution_borders_included(activated: bool) -> None:
    torch.manual_seed(0)
    block = EdgeBlock(3, 5, activated)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(1, 3, 6, 7)
    with torch.no_grad():
        before = block(x)
        block.fold()
        assert torch.allclose(block(x), before, rtol=1e-4, atol=1e-4)
    assert sum(parameter.numel() for parameter in block.parameters()) == 3 * 5 * 9 + 5 + (5 if activated else 0)


def test_unit_length_is_torchs_normalisation_with_a_finite_gradient_at_zero() -> None:
    x = torch.randn(2, 6, 4, 5)
    x[0, :, 1, 1] = 0
    assert torch.allclose(unit_length(x), F.normalize(x), atol=1e-6)
    zero = torch.zeros(1, 6, 2, 2, requires_grad=True)
    unit_length(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()


def test_luma_networks_take_one_channel_and_refuse_more() -> None:
    for name in ("fsrcnn", "espcn", "ecbsr-m4c16"):
        assert PAPERS[name].architecture.shape == IOShape(1, 1, 4)
    with pytest.raises(UserError, match="ECBSR works on luma: channels must be 1 to 1, got 3 to 3"):
        Ecbsr(IOShape(3, 3, 2), EcbsrSettings(4, 8))
    with pytest.raises(UserError, match="CARN-M works on RGB: channels must be 3 to 3, got 1 to 1"):
        CarnM(IOShape(1, 1, 2), CarnSettings())
    with pytest.raises(UserError, match="unknown SRResNet upsampler 'sub'; known: dense, depthwise"):
        Srresnet(IOShape(3, 3, 2), SrresnetSettings(upsampler="sub"))


@pytest.mark.parametrize("name", ["fsrcnn", "espcn", "carn-m", "imdn", "smfanet"])
def test_titles_are_those_of_the_published_tables(name: str) -> None:
    assert any(result.network == PAPERS[name].title and result.psnr_db for result in published_results("sr"))


@pytest.mark.parametrize("name", NAMES)
def test_references_are_described(name: str) -> None:
    entry = PAPERS[name]
    assert not entry.runs_with_search
    assert entry.task == "sr"
    assert entry.source
    assert entry.reproducible or entry.note
    assert entry.reproducible != name.startswith("srresnet-lite")
