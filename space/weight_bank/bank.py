"""For every kind of part the largest tensor that a network of the space needs; each network runs on slices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import accumulate

import torch
from torch import Tensor, nn

from space.architecture import Architecture
from space.build import build
from space.channels.segments import Sizes
from space.errors import UserError
from space.weight_bank.layout import Slot, slots


class WeightBank:
    """Tensors of which the weights of many networks are slices.

    It is made for given networks (``cover``), and serves every other whose parts are among theirs and no wider. What
    places start with is what they have in the first of those networks that reaches them, so that initialisations are
    the parts' own.

    Attributes:
        tensors: by key (``Slot.key``); parameters, to be given to an optimizer. Covering further networks replaces
            those that grow.
        segments: of each tensor, how many places each segment of each axis has.
        filled: of each tensor, which places have a value.

    >>> import space, torch
    >>> from space.weight_bank import WeightBank
    >>> task = space.TASKS["sr"]
    >>> searched = space.SearchSpace(task, task.shape(4))
    >>> wide = searched.fill(lambda choice: choice.values[0], {"backbone": "symmetric", "width": 32})
    >>> narrow = searched.turned(wide, "width", 8)
    >>> bank = WeightBank.covering([searched.decode(wide)], torch.Generator().manual_seed(0))
    >>> weights = bank.weights(searched.decode(narrow))
    >>> weights["trunk.fuses.0.weight"].shape
    torch.Size([8, 16, 1, 1])
    """

    def __init__(self) -> None:
        self.tensors: dict[str, nn.Parameter] = {}
        self.segments: dict[str, tuple[Sizes, ...]] = {}
        self.filled: dict[str, Tensor] = {}

    @classmethod
    def of(
        cls, values: Mapping[str, Tensor], segments: Mapping[str, tuple[Sizes, ...]], filled: Mapping[str, Tensor]
    ) -> WeightBank:
        """The bank with these attributes."""
        bank = cls()
        bank.tensors = {key: nn.Parameter(value) for key, value in values.items()}
        bank.segments, bank.filled = dict(segments), dict(filled)
        return bank

    @classmethod
    def covering(cls, designs: Iterable[Architecture], generator: torch.Generator) -> WeightBank:
        """The bank of ``designs``, the most important first: most places begin with what they have in it.

        Raises:
            UserError: their weights cannot be shared (``space.weight_bank.layout.slots``).
        """
        bank = cls()
        for design in designs:
            bank.cover(design, generator)
        return bank

    def with_values(self, values: Mapping[str, Tensor]) -> WeightBank:
        """A copy on the CPU with other values of its tensors, by key."""
        copies = {key: values[key].detach().to("cpu", copy=True) for key in self.tensors}
        return WeightBank.of(copies, self.segments, {key: value.cpu() for key, value in self.filled.items()})

    def to(self, device: str) -> None:
        """Move its tensors to ``device``."""
        for key, tensor in self.tensors.items():
            self.tensors[key] = nn.Parameter(tensor.detach().to(device))

    def covers(self, arch: Architecture) -> bool:
        """Whether every weight of ``arch`` is a slice of the bank's tensors, all of whose places have values."""
        return all(map(self._has, _slots_of(arch).values()))

    @torch.no_grad()
    def cover(self, arch: Architecture, generator: torch.Generator) -> None:
        """Let ``arch`` run on the bank: tensors that it lacks are added, those that are too small grow.

        Places without a value get that of a network of ``arch`` initialised from ``generator``; others keep theirs.

        Raises:
            UserError: its weights cannot be shared (``space.weight_bank.layout.slots``).
        """
        missing = {name: slot for name, slot in _slots_of(arch).items() if not self._has(slot)}
        if not missing:
            return
        fresh = dict(build(arch, generator).named_parameters())
        for name, slot in missing.items():
            self._grow(slot)
            places = _places(slot.sizes, self.segments[slot.key])
            tensor, filled = self.tensors[slot.key], self.filled[slot.key]
            tensor[places] = torch.where(filled[places], tensor[places], fresh[name])
            filled[places] = True

    def weights(self, arch: Architecture) -> dict[str, Tensor]:
        """The weights of ``arch`` by name, for ``torch.func.functional_call``: gradients go to the bank's tensors.

        Raises:
            UserError: the bank does not cover it.
        """
        found = _slots_of(arch)
        if not all(map(self._has, found.values())):
            raise UserError(f"the weight bank must cover a network that runs on it, got {arch.backbone} {arch.key}")
        return {
            name: _sliced(self.tensors[slot.key], slot.sizes, self.segments[slot.key]) for name, slot in found.items()
        }

    @torch.no_grad()
    def network(self, arch: Architecture) -> nn.Module:
        """A network of ``arch`` of its own, with copies of its weights.

        Raises:
            UserError: the bank does not cover it.
        """
        weights = self.weights(arch)
        network = build(arch, torch.Generator())
        for name, parameter in network.named_parameters():
            if name in weights:
                parameter.copy_(weights[name])
        return network

    def _has(self, slot: Slot) -> bool:
        segments = self.segments.get(slot.key)
        if segments is None or not _fits(slot.sizes, segments):
            return False
        return bool(self.filled[slot.key][_places(slot.sizes, segments)].all())

    def _grow(self, slot: Slot) -> None:
        """Let the tensor of ``slot`` have all its places; what it holds moves with its segments."""
        old = self.segments.get(slot.key)
        segments = (
            slot.sizes if old is None else tuple(tuple(map(max, *pair)) for pair in zip(old, slot.sizes, strict=True))
        )
        if segments == old:
            return
        shape = tuple(map(sum, segments))
        tensor, filled = torch.zeros(shape), torch.zeros(shape, dtype=torch.bool)
        if old is not None:
            places = _places(old, segments)
            tensor[places] = self.tensors[slot.key].detach()
            filled[places] = self.filled[slot.key]
        self.tensors[slot.key], self.filled[slot.key] = nn.Parameter(tensor), filled
        self.segments[slot.key] = segments


def _slots_of(arch: Architecture) -> dict[str, Slot]:
    """As ``slots``, by the names in ``space.build``: of each specialist, whose weights are its own."""
    own, count = slots(arch), arch.shape.specialists
    if count == 1:
        return dict(own)
    return {
        f"networks.{index}.{name}": Slot(f"{index + 1}/{count}:{slot.key}", slot.sizes)
        for index in range(count)
        for name, slot in own.items()
    }


def _fits(sizes: tuple[Sizes, ...], segments: tuple[Sizes, ...]) -> bool:
    return all(
        size <= segment
        for own, whole in zip(sizes, segments, strict=True)
        for size, segment in zip(own, whole, strict=True)
    )


@lru_cache(maxsize=65536)
def _along(sizes: Sizes, segments: Sizes) -> Tensor:
    """Of an axis, the places of the first ``sizes`` of ``segments``."""
    starts = accumulate(segments, initial=0)
    return torch.cat([torch.arange(start, start + size) for start, size in zip(starts, sizes, strict=False)])


def _places(sizes: tuple[Sizes, ...], segments: tuple[Sizes, ...]) -> tuple[Tensor, ...]:
    """The same of all axes, to index with."""
    count = len(sizes)
    along = (_along(own, whole) for own, whole in zip(sizes, segments, strict=True))
    return tuple(
        places.view(*(-1 if axis == index else 1 for axis in range(count))) for index, places in enumerate(along)
    )


def _sliced(tensor: Tensor, sizes: tuple[Sizes, ...], segments: tuple[Sizes, ...]) -> Tensor:
    for axis, (own, whole) in enumerate(zip(sizes, segments, strict=True)):
        if own == whole:
            continue
        if len(own) == 1:
            tensor = tensor.narrow(axis, 0, own[0])
        else:
            tensor = tensor.index_select(axis, _along(own, whole).to(tensor.device))
    return tensor
