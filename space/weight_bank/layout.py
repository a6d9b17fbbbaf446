"""Where the weights of a network lie in a bank: which tensor, and how many places of each of its segments.

Two networks share a tensor where the same kind of part stands at the same path of the same backbone. A block that comes
later in a row is another part: a shallower network uses the first ones of a deeper one. A part's kind is what its
factory and the names in its description say: the kind of a block, which convolution, which upsampler. Numbers and flags
do not count: widths are slices, and with or without activation, however often repeated, dilated, pooled or scaled, a
part runs on the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache, partial
from typing import Any

from torch import nn

from space.architecture import Architecture, Tagged
from space.assembly import assemble
from space.channels.channel_map import shadow_segments
from space.channels.segments import Sizes
from space.errors import UserError
from space.operators.shapes import made_on_meta
from space.parts import construct


@dataclass(frozen=True, slots=True)
class Slot:
    """What a parameter is a slice of.

    Attributes:
        key: names the tensor.
        sizes: of every axis, how many places of each of its segments: the first ones.
    """

    key: str
    sizes: tuple[Sizes, ...]


@lru_cache(maxsize=512)
def slots(arch: Architecture) -> Mapping[str, Slot]:
    """The slot of each parameter that is trained, by its name in the network of ``arch``; of specialists, in each.

    Raises:
        UserError: it is pruned, or no network of a backbone, or has batch norm, whose statistics cannot be shared.
    """
    if arch.ends is None or arch.widths:
        what = "pruned" if arch.widths else "no network of a search space"
        raise UserError(f"only networks of a search space can share weights, got {arch.backbone} that is {what}")
    kinds: dict[int, str] = {}

    def make(factory: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
        part = construct(factory, *args, **options)
        kinds[id(part)] = ",".join(_names((factory, *args, *options.values())))
        return part

    with made_on_meta():
        network = assemble(arch, make)
    if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        raise UserError(f"networks with batch norm cannot share weights, got {arch.backbone} with norm")
    segments = shadow_segments(network, arch.shape.in_channels)
    kind_at = {path: kinds[id(module)] for path, module in network.named_modules() if id(module) in kinds}
    found = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            kernel = "x".join(map(str, parameter.shape[2:]))
            counts = "+".join(str(len(each)) for each in segments[name][:2])
            facts = (arch.backbone, _ordinal(name, network), _part_of(name, kind_at), kernel, counts)
            found[name] = Slot(":".join(facts), segments[name])
    return found


def _ordinal(name: str, network: nn.Module) -> str:
    """``name`` with the layers of a sequence counted without those that have no weights, such as an activation."""
    words, module = [], network
    for word in name.split(".")[:-1]:
        if isinstance(module, nn.Sequential):
            before = list(module)[: int(word)]
            words.append(str(sum(any(True for _ in layer.parameters()) for layer in before)))
        else:
            words.append(word)
        module = module.get_submodule(word)
    return ".".join((*words, name.rpartition(".")[2]))


def _part_of(name: str, kind_at: Mapping[str, str]) -> str:
    path = name
    while path and path not in kind_at:
        path = path.rpartition(".")[0]
    return kind_at.get(path, "")


def _names(value: Any) -> Iterator[str]:
    """The names in what a part is made of, in order."""
    if isinstance(value, partial):
        yield from _names((value.func, *value.args))
    elif isinstance(value, tuple):
        for each in value:
            yield from _names(each)
    elif is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Tagged):
            yield value.kind
        for each in fields(value):
            yield from _names(getattr(value, each.name))
    elif isinstance(value, str):
        yield value
    elif callable(value):
        yield getattr(value, "__name__", type(value).__name__)
