"""Arithmetic on weights alone: done once before any image, so that it costs nothing per image.

A weight-normed convolution stores one weight when it is deployed, not direction and length; a pruned one the product of
weight and mask. Tensors that are computed alike from the same weights (a block that runs several times) are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from space.operators.meta import storage_of

Name = tuple[Any, ...]  # ("given", storage), or ("computed", number)


class Constants:
    """What images meet that is no activation, and what it was computed from.

    Args:
        parameters: the network's registered parameters, which count as stored.
        plain: tensors that it holds as ordinary attributes, which count where an operator reads them.
    """

    def __init__(self, parameters: Iterable[Tensor], plain: Iterable[Tensor]) -> None:
        self._parameters = {storage_of(tensor): _elements(tensor) for tensor in parameters}
        self._plain = {storage_of(tensor): _elements(tensor) for tensor in plain}
        self._plain = {storage: size for storage, size in self._plain.items() if storage not in self._parameters}
        self._names: dict[int, Name] = {}
        self._numbers: dict[Any, int] = {}
        self._sources: dict[Name, frozenset[int]] = {}
        self._used: dict[Name, int] = {}
        self._kept_alive: list[Tensor] = []

    def computed(
        self, function: Any, args: Any, kwargs: Any, read: Sequence[Tensor], written: Sequence[Tensor]
    ) -> None:
        """``function`` of constants alone gave ``written``."""
        if function.is_view or not written:
            return
        described = (str(function), tuple(map(self._described, tree_leaves((args, kwargs)))))
        number = self._numbers.setdefault(described, len(self._numbers))
        sources = frozenset().union(*(self._sources_of(self._name(tensor)) for tensor in read))
        for place, tensor in enumerate(written):
            name = ("computed", number, place)
            self._names[storage_of(tensor)] = name
            self._sources[name] = sources
            self._kept_alive.append(tensor)

    def used(self, tensors: Iterable[Tensor]) -> None:
        """An operator on activations reads these."""
        for tensor in tensors:
            name = self._name(tensor)
            self._used[name] = max(self._used.get(name, 0), tensor.numel())

    def change_of_params(self) -> int:
        """What to add to the number of registered parameters for that of stored ones.

        Weights and what is computed from them alone are stored in the smaller form. A plain attribute counts where it
        is read.
        """
        direct = {name[1] for name in self._used if name[0] == "given"}
        groups: list[tuple[set[int], int]] = []  # sources that nothing else needs, and numbers computed from them
        for name, elements in self._used.items():
            sources = set(self._sources_of(name)) - direct
            if name[0] == "given" or not sources:
                continue
            for group in [group for group in groups if group[0] & sources]:
                groups.remove(group)
                sources, elements = sources | group[0], elements + group[1]
            groups.append((sources, elements))
        change = sum(size for storage, size in self._plain.items() if storage in direct)
        for sources, elements in groups:
            registered = sum(self._parameters.get(source, 0) for source in sources)
            all_of_them = registered + sum(self._plain.get(source, 0) for source in sources)
            change += min(all_of_them, elements) - registered
        return change

    def _name(self, tensor: Tensor) -> Name:
        return self._names.get(storage_of(tensor), ("given", storage_of(tensor)))

    def _sources_of(self, name: Name) -> frozenset[int]:
        if name[0] == "given":
            storage = name[1]
            return frozenset({storage} if storage in self._parameters or storage in self._plain else ())
        return self._sources[name]

    def _described(self, leaf: object) -> object:
        if isinstance(leaf, Tensor):
            return self._name(leaf), tuple(leaf.shape), leaf.stride(), leaf.storage_offset()
        return repr(leaf)


def _elements(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes() // tensor.element_size()
