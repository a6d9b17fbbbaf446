"""Networks with one part swapped for a cheaper one, or left out: parts by their place and class, not by a copy of a
network.

What a swap does to the quality is not known: a swapped network would have to be trained.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from reports.networks.export import network_of
from space.architecture import UpsamplerSpec
from space.blocks.block import Residual
from space.errors import UserError
from space.layers.coarse_attention import CoarseAttention
from space.layers.gated_feed_forward import GatedFeedForward
from space.layers.gated_self_attention import GatedSelfAttention
from space.layers.layer_norm import ChannelLayerNorm
from space.layers.local_distillation import LocalDistillation
from space.layers.pooling import CoarseMaxPool, ImageVariance
from space.layers.unit_length import UnitLength
from space.layers.upsamplers import upsampler
from space.zoo import ZOO

SCALE = 4
SEED = 1  # of the weights of new parts
UPSAMPLED_WIDTH = 16  # channels at the output size of an upsampler that has some


@dataclass(frozen=True)
class Replacement:
    """Every part of class ``of`` whose path matches ``where``, as a shell matches names, is replaced by ``make(part)``.

    Parts within a part that is replaced are not looked at.
    """

    make: Callable[[nn.Module], nn.Module]
    of: type[nn.Module] = nn.Module
    where: str = "*"

    def apply(self, network: nn.Module, name: str) -> None:
        """Change ``network``, which is called ``name``.

        Raises:
            UserError: it has no such part.
        """
        found = self._apply(network, "")
        if not found:
            raise UserError(f"{name} must have a {self.of.__name__} at {self.where!r} to be swapped, got none")

    def _apply(self, module: nn.Module, path: str) -> int:
        found = 0
        for name, child in list(module.named_children()):
            at = f"{path}.{name}" if path else name
            if isinstance(child, self.of) and fnmatch.fnmatchcase(at, self.where):
                setattr(module, name, self.make(child))
                found += 1
            else:
                found += self._apply(child, at)
        return found


@dataclass(frozen=True)
class Swap:
    """A change of the published network ``network``: ``settings`` of it, and ``parts``. Without both, the network."""

    network: str
    name: str
    parts: tuple[Replacement, ...] = ()
    settings: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.network}: {self.name}"

    def build(self) -> nn.Module:
        """`(1, 3, H, W)` to `(1, 3, SCALE*H, SCALE*W)`, in eval mode, with made-up weights, none of them zero."""
        arch = ZOO[self.network].at_scale(SCALE)
        network = network_of(replace(arch, settings=replace(arch.settings, **self.settings)))
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(SEED)
            for part in self.parts:
                part.apply(network, self.network)
        return network.requires_grad_(False).eval()


class NoVariance(nn.Module):
    """Zeros `(N, C, 1, 1)` in place of each channel's variance."""

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape[0], x.shape[1], 1, 1)


class SampledVariance(nn.Module):
    """The variance `(N, C, 1, 1)` of every eighth pixel of every eighth row."""

    STEP = 8

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.STEP, :: self.STEP].var((2, 3), keepdim=True)


def _left_out(of: type[nn.Module] = nn.Module, where: str = "*") -> Replacement:
    return Replacement(lambda part: nn.Identity(), of, where)


def _relu(where: str = "*") -> Replacement:
    return Replacement(lambda part: nn.ReLU(), nn.GELU, where)


def _parts(part: nn.Module, names: Iterable[str]) -> Iterator[nn.Module]:
    return (part.get_submodule(name) for name in names)


def _chain(*names: str) -> Callable[[nn.Module], nn.Module]:
    """The parts of a part called so, in a row."""
    return lambda part: nn.Sequential(*_parts(part, names))


def _residual(*names: str) -> Callable[[nn.Module], nn.Module]:
    """Those in a row, and their input added."""
    return lambda part: Residual(1, nn.Sequential(*_parts(part, names)))


def _convolution(part: nn.Module) -> nn.Conv2d:
    assert isinstance(part, nn.Conv2d)
    return part


def _pointwise(part: nn.Module) -> nn.Module:
    conv = _convolution(part)
    return nn.Conv2d(conv.in_channels, conv.out_channels, 1, bias=conv.bias is not None)


def _local_half(part: nn.Module) -> nn.Module:
    """The local half of SMFANet's feature aggregation, its first convolution its own and no half of one for both."""
    width = _convolution(part.get_submodule("last")).out_channels
    return nn.Sequential(nn.Conv2d(width, width, 1), *_parts(part, ("local_in", "activation", "local_out", "last")))


def _one_output_each(part: nn.Module) -> nn.Module:
    """A depthwise convolution with one output per channel and a 1x1 to as many channels as before."""
    depthwise, pointwise = (_convolution(part.get_submodule(name)) for name in ("0", "1"))
    width = depthwise.in_channels
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, pointwise.out_channels, 1)
    )


def _whole_image(part: nn.Module) -> nn.Module:
    assert isinstance(part, GatedSelfAttention)
    part.window = 1 << 30
    return part


def _upsampler(kind: str) -> Callable[[nn.Module], nn.Module]:
    def make(part: nn.Module) -> nn.Module:
        width = _convolution(part.get_submodule("0")).in_channels
        return upsampler(UpsamplerSpec(kind, UPSAMPLED_WIDTH), width, 3, SCALE)

    return make


NO_L2 = _left_out(UnitLength)
NO_VARIANCE = Replacement(lambda part: NoVariance(), ImageVariance)
SAMPLED = Replacement(lambda part: SampledVariance(), ImageVariance)
EVEN_POOL = Replacement(lambda part: nn.MaxPool2d(8, ceil_mode=True), CoarseMaxPool)
NO_LAYER_NORM = _left_out(ChannelLayerNorm)
CHEAP_PARTS = (_relu(), NO_L2, NO_VARIANCE, EVEN_POOL)
EXPANSION, STEPS = 1, 2  # fewer than the networks' own 2 and 3


def _of(network: str, swaps: Mapping[str, Replacement | tuple[Replacement, ...]]) -> tuple[Swap, ...]:
    return tuple(Swap(network, name, parts if isinstance(parts, tuple) else (parts,)) for name, parts in swaps.items())


def _width(part: nn.Module, name: str) -> int:
    return _convolution(part.get_submodule(name)).out_channels


SWAPS: tuple[Swap, ...] = (
    Swap("smfanet", "as published"),
    *_of(
        "smfanet",
        {
            "GELU to ReLU": _relu(),
            "L2 norms left out": NO_L2,
            "variance left out": NO_VARIANCE,
            "variance of every 64th pixel": SAMPLED,
            "pooling windows that do not overlap": EVEN_POOL,
            "modulated half left out (pooling, variance, enlargement)": Replacement(
                _local_half, where="blocks.*.aggregation"
            ),
            "depthwise with one output per channel": Replacement(_one_output_each, where="*.local_in"),
            "partial 3x3 left out": Replacement(_chain("up", "activation", "down"), where="blocks.*.feed_forward"),
            "last 3x3 to 1x1, then pixel shuffle": Replacement(_pointwise, where="upsampler.0"),
            "pixel shuffle to nearest, in two steps": Replacement(_upsampler("nearest"), where="upsampler"),
            "ReLU, no L2 norm, no variance, even pooling": CHEAP_PARTS,
        },
    ),
    Swap("smfanet", "width 36 to 32", settings={"width": 32}),
    Swap("zenosr", "as published"),
    *_of(
        "zenosr",
        {
            "GELU to ReLU": _relu(),
            "GELU to ReLU in front of the last four convolutions": _relu("refine.*"),
            "L2 norms of coarse attention left out": NO_L2,
            "layer norms left out": NO_LAYER_NORM,
            "variance left out": NO_VARIANCE,
            "variance of every 64th pixel": SAMPLED,
            "pooling windows that do not overlap": EVEN_POOL,
            "coarse attention left out": _left_out(CoarseAttention),
            "channel attention left out": Replacement(
                _residual("feed_forward_norm", "feed_forward"), where="blocks.*.channel"
            ),
            "channel attention over the image, not in windows": Replacement(_whole_image, GatedSelfAttention),
            "feed-forward left out": Replacement(_residual("attention_norm", "attention"), where="blocks.*.channel"),
            "feed-forward expansion 2 to 1": Replacement(
                lambda part: GatedFeedForward(_width(part, "down"), EXPANSION), GatedFeedForward
            ),
            "local distillation in 3 steps to 2": Replacement(
                lambda part: LocalDistillation(_width(part, "fuse"), STEPS), LocalDistillation
            ),
            "grouped 3x3 to 1x1": Replacement(_pointwise, where="*.distill.3"),
            "last four convolutions left out": _left_out(where="refine"),
            "pixel shuffle to nearest, in two steps": Replacement(_upsampler("nearest"), where="upsampler"),
            "ReLU, no L2 or layer norm, no variance, even pooling": (*CHEAP_PARTS, NO_LAYER_NORM),
        },
    ),
)


def parameters(network: nn.Module) -> int:
    """Stored numbers."""
    return sum(math.prod(parameter.shape) for parameter in network.parameters())
