"""MalleNet (Jiang et al., ECCV 2022) as an unofficial port has it. The paper's own sizes S to XL are not known, so that
none of these is a published row."""

from __future__ import annotations

from space.architecture import Architecture, EndsSpec, IOShape, MalleSpec, UpsamplerSpec
from space.backbones.pyramid import PyramidSettings
from space.blocks.inverted_prelu import EXPANSION, PReluInvertedSpec
from space.zoo.counting_rule import TRAINING_FORM
from space.zoo.published_network import PublishedNetwork

PORT = "Jensen-JZ/MalleNet-PyTorch at db1adaa, an unofficial port of Jiang et al., arXiv 2201.00392"
NOT_PUBLISHED = "the paper's configurations are not known; this is the port's network"


def port(width: int, pool: int = 1, doubling: bool = False, repaired: bool = False) -> Architecture:
    """The port's network at ``width`` channels for colour images.

    Args:
        pool: average pooling before the predictors of the two finest levels.
        doubling: predictors whose width doubles ("LargePolicy").
        repaired: gates that learn, and a second PReLU of its own in every inverted residual, as MobileNetV2 has it.
            In the port the gates are plain tensors, which stay 0, and only one PReLU of a block survives.
    """
    activations = 2 if repaired else 1
    settings = PyramidSettings(
        width=width,
        levels=4,
        blocks_per_side=2,
        block=PReluInvertedSpec(width=width, hidden=EXPANSION * width, norm=True, activations=activations),
        activations=activations,
        norm=True,
        learned_gates=repaired,
    )
    malle = MalleSpec("every-level", kernel=1, pool=pool, stages=3, width=width, blocks=3, doubling=doubling)
    ends = EndsSpec(UpsamplerSpec("dense-one-step", width), "identity", malle, clipped=True)
    return Architecture(IOShape(3, 3, 1), "pyramid", settings, ends)


def _port(suffix: str, width: int, pool: int, addition: str) -> PublishedNetwork:
    note = f"{NOT_PUBLISHED}; its gates stay 0, so that the MalleConvs cost and do nothing"
    return PublishedNetwork(
        f"mallenet-port-{width}{suffix}",
        f"MalleNet port, F = {width}{addition}",
        "denoise",
        port(width, pool),
        PORT,
        counting_rule=TRAINING_FORM,
        approximation=True,
        note=note,
    )


def _repaired(width: int) -> PublishedNetwork:
    note = f"{NOT_PUBLISHED}, repaired: gates that learn, two PReLUs in each block; not the port's parameter count"
    return PublishedNetwork(
        f"mallenet-{width}",
        f"MalleNet port, F = {width}, repaired",
        "denoise",
        port(width, 4, repaired=True),
        PORT,
        counting_rule=TRAINING_FORM,
        approximation=True,
        runs_with_search=True,
        note=note,
    )


NETWORKS = (
    _port("", 16, 1, ""),
    _port("-pool2", 16, 2, ", predictors pooled by 2"),
    _port("-pool4", 16, 4, ", predictors pooled by 4"),
    _port("", 8, 1, ""),
    _port("", 32, 1, ""),
    _repaired(16),
)
