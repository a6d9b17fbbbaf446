"""The pyramid, progressive and encoder-decoder networks: counts by the ports' formulas, and what their choices mean."""

from dataclasses import replace

import pytest
import torch

from space import ZOO, build
from space.architecture import Architecture, EndsSpec, IOShape, UpsamplerSpec
from space.backbones.encoder_decoder import EncoderDecoderSettings
from space.blocks.ar import ArSpec
from space.deploy import deploy_form
from space.operators import screen
from space.zoo.mallenet import port


def parameters(arch: Architecture) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(arch).parameters())


# Of the port's code, by its formulas: 1655 F^2 + 13688 F + 64, and for doubling predictors 4223 F^2 + 17504 F + 72.
@pytest.mark.parametrize(
    ("width", "constant", "doubling"),
    [(8, 215_488, 410_376), (16, 642_752, 1_361_224), (32, 2_132_800, 4_884_552), (64, 7_654_976, 18_417_736)],
)
def test_mallenet_has_the_ports_parameters(width: int, constant: int, doubling: int) -> None:
    assert parameters(port(width)) == constant == 1655 * width**2 + 13688 * width + 64
    assert parameters(port(width, doubling=True)) == doubling == 4223 * width**2 + 17504 * width + 72


@pytest.mark.parametrize(
    ("pool", "doubling", "macs_g"),
    [(1, False, 3.02), (2, False, 2.08), (4, False, 1.85), (2, True, 2.50), (4, True, 2.02)],
)
def test_pooling_changes_the_ports_macs_and_not_its_parameters(pool: int, doubling: bool, macs_g: float) -> None:
    assert round(screen(port(16, pool, doubling), 256, 256).macs / 1e9, 2) == macs_g
    assert parameters(port(16, pool, doubling)) == parameters(port(16, 1, doubling))


def test_the_named_pyramids() -> None:
    assert parameters(ZOO["mallenet-port-16"].architecture) == 642_752
    # One more PReLU in each of 17 + 36 blocks, and four gates.
    assert parameters(ZOO["mallenet-16"].architecture) == 642_752 + 53 + 4
    gates = {name for name, _ in build(ZOO["mallenet-16"].architecture).named_parameters() if "gate" in name}
    assert len(gates) == 4
    assert not any("gate" in name for name, _ in build(ZOO["mallenet-port-16"].architecture).named_parameters())


@pytest.mark.parametrize("name", ["mallenet-port-16", "mallenet-16"])
def test_the_deployed_pyramid_computes_the_same(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    network = build(ZOO[name].architecture, generator)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                tensor.data.uniform_(0.5, 1.5, generator=generator)
    for parameter in network.residual_end.parameters():
        parameter.data.uniform_(-0.05, 0.05, generator=generator)
    for name, tensor in network.state_dict().items():
        if name.endswith("gate"):
            tensor.fill_(0.3)
    network.eval()
    image = torch.rand(1, 3, 21, 24, generator=generator)
    with torch.no_grad():
        before = network(image)
        assert before.std() > 0.01
        assert torch.allclose(deploy_form(network)(image), before, atol=1e-4)


@pytest.mark.parametrize("recursion", [5, 6, 7])
def test_recursion_shares_all_weights_and_adds_its_work(recursion: int) -> None:
    arch, other = ZOO[f"progressive-{recursion}"].architecture, ZOO["progressive-6"].architecture
    assert parameters(arch) == parameters(other)
    work = {n: screen(replace(arch, settings=replace(arch.settings, recursion=n)), 64, 64).macs for n in (1, 2)}
    stage = work[2] - work[1]
    assert screen(arch, 64, 64).macs == work[1] + (recursion - 1) * stage


def test_each_attention_of_the_progressive_network_is_separate() -> None:
    arch = ZOO["progressive-6"].architecture
    counts = {
        kind: parameters(replace(arch, ends=replace(arch.ends, attention=kind)))
        for kind in ("none", "channel", "spatial", "both")
    }
    channel, spatial = counts["channel"] - counts["none"], counts["spatial"] - counts["none"]
    assert (channel, spatial) == (32 * 4 + 4 + 4 * 32 + 32, 99)
    assert counts["both"] == counts["none"] + channel + spatial


# Of the re-implemented block with a 4-channel image and convolutions at both ends.
@pytest.mark.parametrize(
    ("width", "count"), [(16, 24_200), (24, 51_848), (32, 89_896), (40, 138_344), (48, 197_192), (64, 346_088)]
)
def test_feature_align_parameters_by_the_formula(width: int, count: int) -> None:
    ends = EndsSpec(UpsamplerSpec("dense-one-step", width), "identity")
    settings = EncoderDecoderSettings(width, 3, 1, ArSpec(width=width), "all")
    assert parameters(Architecture(IOShape(4, 4, 1), "encoder_decoder", settings, ends)) == count
    assert count == 81.25 * width**2 + 206 * width + 104


def test_feature_align_stand_in_has_about_the_implied_size() -> None:
    assert parameters(ZOO["feature-align"].architecture) == 159_520
    assert ZOO["feature-align"].approximation
