"""What single networks of the zoo do: folding, normalisation, channels and settings that they refuse."""

import pytest
import torch
import torch.nn.functional as F

from space import ZOO, UserError
from space.architecture import IOShape
from space.layers.padding import pad_to_multiple
from space.layers.unit_length import unit_length
from space.zoo.carn import CarnM, CarnSettings
from space.zoo.cbdnet import CbdNetSettings
from space.zoo.dncnn import DnCnnSettings
from space.zoo.ecbsr import Ecbsr, EcbsrSettings, EdgeBlock
from space.zoo.glcic import GlcicSettings
from space.zoo.literature import published_results
from space.zoo.srresnet import Srresnet, SrresnetSettings


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
        assert ZOO[name].architecture.shape == IOShape(1, 1, 4)
    with pytest.raises(UserError, match="ECBSR works on luma: channels must be 1 to 1, got 3 to 3"):
        Ecbsr(IOShape(3, 3, 2), EcbsrSettings(4, 8))
    with pytest.raises(UserError, match="CARN-M works on RGB: channels must be 3 to 3, got 1 to 1"):
        CarnM(IOShape(1, 1, 2), CarnSettings())
    with pytest.raises(UserError, match="unknown SRResNet upsampler 'sub'; known: dense, depthwise"):
        Srresnet(IOShape(3, 3, 2), SrresnetSettings(upsampler="sub"))


@pytest.mark.parametrize("name", ["fsrcnn", "espcn", "carn-m", "imdn", "smfanet"])
def test_titles_are_those_of_the_published_tables(name: str) -> None:
    assert any(result.network == ZOO[name].title and result.psnr_db for result in published_results("sr"))


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (lambda: DnCnnSettings(64, 17, "gsat", False), "must be dense or list, got 'gsat'"),
        (lambda: DnCnnSettings(64, 2, "dense", False), "at least 3 layers, got 2"),
        (lambda: CbdNetSettings("dense", "nearest", True), "transposed or bilinear-list, got 'nearest'"),
        (lambda: CbdNetSettings("gsat", "transposed", True), "dense or list, got 'gsat'"),
        (lambda: GlcicSettings("list", "gsat", "nearest"), "resampling of GLCIC must be one of dense, bilinear-list"),
    ],
)
def test_settings_off_their_values_are_refused(factory, message: str) -> None:
    with pytest.raises(UserError, match=message):
        factory()


def test_padding_repeats_the_border_and_does_nothing_where_nothing_is_missing() -> None:
    image = torch.rand(1, 2, 5, 8)
    padded = pad_to_multiple(image, 4)
    assert padded.shape == (1, 2, 8, 8)
    assert torch.equal(padded[..., :5, :], image)
    assert torch.equal(padded[..., 7, :], image[..., 4, :])
    assert pad_to_multiple(padded, 4) is padded
