"""Reference networks of super-resolution: built exactly, costed and trained as others are, not searched around."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from space.architecture import Architecture, IOShape
from space.operators import trace
from space.papers.paper import CONVOLUTION_WEIGHTS, CountingRule, Paper
from space.references.carn import CarnSettings, multi_scale_parameters
from space.references.ecbsr import EcbsrSettings
from space.references.espcn import EspcnSettings
from space.references.etds import EtdsSettings
from space.references.fsrcnn import FsrcnnSettings
from space.references.imdn import ImdnSettings
from space.references.smfanet import SmfanetSettings
from space.references.srresnet import SrresnetSettings

LUMA, RGB = IOShape(1, 1, 4), IOShape(3, 3, 4)


def macs_per_output_pixel(network: nn.Module, width_px: int, height_px: int) -> int:
    """Multiply-adds with a deconvolution counted as if it ran at its output's size (the CARN paper's table)."""
    listed = trace(network, (1, LUMA.in_channels, height_px, width_px))
    return sum(
        operator.macs * (math.prod(operator.stride) if operator.kind == "conv_transpose" else 1)
        for operator in listed.operators
    )


DECONVOLUTION_PER_OUTPUT_PIXEL = CountingRule(
    "multiply-adds with a deconvolution counted per output pixel (CARN, table 1)", network_macs=macs_per_output_pixel
)
ALL_SCALES = CountingRule(
    "parameters of the network that serves x2, x3 and x4 with three upsamplers", params=multi_scale_parameters
)


def _reference(
    name: str,
    title: str,
    shape: IOShape,
    settings: Any,
    source: str,
    note: str = "",
    rule: CountingRule | None = None,
    family: str | None = None,
    reproducible: bool = True,
) -> Paper:
    arch = Architecture(shape, family or name, settings)
    return Paper(name, title, "sr", arch, source, {}, rule, reproducible, note=note)


def _ecbsr(blocks: int, width: int) -> Paper:
    name = f"ecbsr-m{blocks}c{width}"
    note = "on luma; deployed as plain 3x3 convolutions, trained with edge-oriented branches beside each"
    return _reference(
        name, name.upper(), LUMA, EcbsrSettings(blocks, width), "Zhang et al., ACM MM 2021", note, family="ecbsr"
    )


def _etds(name: str, title: str, layers: int, width: int) -> Paper:
    note = "deployed as plain 3x3 convolutions and a 1x1 that clips; trained as two streams"
    settings = EtdsSettings(layers, width)
    return _reference(name, title, RGB, settings, "Chao et al., CVPR 2023", note, family="etds")


def _srresnet(name: str, title: str, light: bool, upsampler: str, note: str) -> Paper:
    settings = SrresnetSettings(light=light, upsampler=upsampler)
    source = "Lahiri et al., arXiv 2007.05835" if light else "Ledig et al., arXiv 1609.04802"
    return _reference(name, title, RGB, settings, source, note, CONVOLUTION_WEIGHTS, "srresnet", not light)


LIGHT = "only a size of 0.1M is published; identified by count: SRResNet with LIST for every 3x3 of its body, and "
REFERENCES_SR: tuple[Paper, ...] = (
    _reference(
        "fsrcnn",
        "FSRCNN",
        LUMA,
        FsrcnnSettings(),
        "Dong et al., arXiv 1608.00367",
        "on luma",
        DECONVOLUTION_PER_OUTPUT_PIXEL,
    ),
    _reference("espcn", "ESPCN", LUMA, EspcnSettings(), "Shi et al., arXiv 1609.05158", "on luma"),
    _reference(
        "carn-m",
        "CARN-M",
        RGB,
        CarnSettings(),
        "Ahn et al., arXiv 1803.08664",
        "one scale's upsampler is deployed",
        ALL_SCALES,
    ),
    _reference("imdn", "IMDN", RGB, ImdnSettings(), "Hui et al., arXiv 1909.11856"),
    _ecbsr(4, 8),
    _ecbsr(4, 16),
    _ecbsr(10, 32),
    _ecbsr(16, 64),
    _reference("smfanet", "SMFANet", RGB, SmfanetSettings(), "Zheng et al., ECCV 2024"),
    _reference("smfanet-plus", "SMFANet+", RGB, SmfanetSettings(48, 12), "Zheng et al., ECCV 2024", family="smfanet"),
    _etds("etds-m5c16", "ETDS M5C16", 5, 16),
    _etds("etds-m4c32", "ETDS M4C32", 4, 32),
    _etds("etds-m6c32", "ETDS M6C32", 6, 32),
    _etds("etds-l", "ETDS-L", 7, 48),
    _srresnet("srresnet", "SRResNet", False, "dense", ""),
    _srresnet(
        "srresnet-lite",
        "SRResNet-LIST (bilinear + LIST upsampler)",
        True,
        "bilinear-list",
        LIGHT + "bilinear resize and LIST twice as its upsampler",
    ),
    _srresnet(
        "srresnet-lite-subpixel",
        "SRResNet-LIST (LIST sub-pixel upsampler)",
        True,
        "list",
        LIGHT + "LIST and pixel shuffle twice as its upsampler",
    ),
    _srresnet(
        "srresnet-lite-depthwise",
        "SRResNet-LIST (depthwise-separable sub-pixel upsampler)",
        True,
        "depthwise",
        LIGHT + "depthwise-separable sub-pixel convolutions, of which the paper warns, as its upsampler",
    ),
    _srresnet(
        "srresnet-lite-dense",
        "SRResNet-LIST (dense sub-pixel upsampler)",
        True,
        "dense",
        "SRResNet with LIST for every 3x3 of the body and its own upsampler: larger than the 0.1M that is published",
    ),
)
