"""How a network's values depend on places of the picture: one run on shapes alone, every operator by its rule."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from evaluators.restore.axis_maps import EVERYTHING, SAME, Interval, Window
from evaluators.restore.axis_rules import Axes, Call, Effect, Maps, NotLocalError, rule_of
from space.errors import UserError, first_line
from space.foreign_code import foreign_code
from space.operators.kinds import CREATION
from space.operators.meta import MetaStorages, meta_copy, storage_of
from space.operators.shapes import ShapesMode, shapes_alone, tensors_in
from space.operators.trace import module_paths, not_compiled, set_eval

ROWS, COLUMNS = 0, 1
BOTH = (ROWS, COLUMNS)
UNIFORM = frozenset(
    {"zeros", "ones", "full", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"}
)


@dataclass(frozen=True)
class Node:
    """One value: how long its axes are, and what it reads of which earlier nodes along each."""

    name: str
    lengths: tuple[int, int]
    sources: tuple[tuple[int, Maps], ...] = ()
    fills: tuple[int, int] = (0, 0)
    rounded: bool = False
    reason: str = ""  # why it reads the whole picture
    part: str = ""


@dataclass(frozen=True)
class SpatialTrace:
    """The nodes in running order, the first one the picture; ``peak_elements`` are alive at once while they run.

    ``largest_elements`` are those of the largest value.
    """

    nodes: tuple[Node, ...]
    output: int
    output_shape: tuple[int, ...]
    peak_elements: int
    largest_elements: int

    def needs(self, axis: int, low: int, high: int) -> Interval:
        """The rows or columns of the picture that the output's ``low`` to ``high`` depend on, both included."""
        wanted: dict[int, Interval] = {self.output: (low, high)}
        for index in range(self.output, 0, -1):
            if index not in wanted:
                continue
            first, last = wanted[index]
            for source, maps in self.nodes[index].sources:
                needed = maps[axis].needs(first, last, self.nodes[source].lengths[axis])
                known = wanted.get(source, needed)
                wanted[source] = (min(needed[0], known[0]), max(needed[1], known[1]))
        return wanted.get(0, (low, low))

    @property
    def whole_picture(self) -> dict[str, str]:
        """By operator that the output depends on and that reads the whole picture: why."""
        return {node.name: node.reason for node in self._used() if node.reason}

    @property
    def is_rounded(self) -> bool:
        return any(node.rounded for node in self._used())

    def _used(self) -> list[Node]:
        used, waiting = {self.output}, [self.output]
        while waiting:
            for source, _ in self.nodes[waiting.pop()].sources:
                if source not in used:
                    used.add(source)
                    waiting.append(source)
        return [self.nodes[index] for index in sorted(used)]

    def scales(self, axis: int) -> tuple[Fraction, ...] | None:
        """Positions of every value per row or column of the picture; None where they do not fit together."""
        found: dict[int, Fraction | None] = {0: Fraction(1)}
        for index, node in enumerate(self.nodes[1:], start=1):
            scales = set()
            for source, maps in node.sources:
                step, before = maps[axis].scale, found[source]
                if step is not None and before is not None:
                    scales.add(before * step)
            if len(scales) > 1:
                return None
            found[index] = scales.pop() if scales else None
        return tuple(scale for scale in found.values() if scale is not None)

    def signature(self, axis: int, to_the_end: bool) -> tuple[Any, ...]:
        """What must be alike in two runs for the one to give a part of the other: the maps along ``axis``.

        What is filled up after the last position counts where both runs reach the picture's end.
        """
        maps = tuple(
            tuple(each[axis] for _, each in node.sources)
            for node in self._used()
            if any(each[axis] != SAME for _, each in node.sources)
        )
        fills = tuple(node.fills[axis] for node in self._used() if node.fills[axis])
        return (maps, fills) if to_the_end else (maps,)


def spatial_trace(network: nn.Module, channels: int, size: tuple[int, int]) -> SpatialTrace:
    """Follow ``network`` on a picture of ``channels`` and (width, height) pixels; the network does not change.

    Raises:
        UserError: it cannot run on shapes alone, or at this size.
    """
    shadow = meta_copy(network)
    return traced_shadow(shadow, channels, size)


def traced_shadow(shadow: nn.Module, channels: int, size: tuple[int, int]) -> SpatialTrace:
    """``spatial_trace`` of a network that is on the meta device already."""
    width, height = size
    image = torch.empty((1, channels, height, width), device="meta")
    follower = _Follower(image)
    set_eval(shadow)
    try:
        with foreign_code(), torch.no_grad(), not_compiled(), module_paths(shadow, follower.path), follower:
            output = shadow(image)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"the network must take a picture of {width}x{height}, got an error ({first_line(error)}); give a larger "
            "picture or another network"
        ) from error
    if not isinstance(output, Tensor) or output.dim() != 4:
        raise UserError(f"the network must give one picture, got {type(output).__name__}; wrap it in one that does")
    return SpatialTrace(
        tuple(follower.nodes), follower.node_of(output), tuple(output.shape), follower.peak, follower.largest
    )


@dataclass
class _Entry:
    """A tensor's node and axes, as long as the tensor lives."""

    node: int
    axes: Axes
    tensor: weakref.ref[Tensor] = field(repr=False)


class _Follower(ShapesMode):
    """Writes a node for every operator that reads the picture, directly or not, and counts what is alive."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.path: list[str] = []
        self.nodes = [Node("picture", (image.shape[-2], image.shape[-1]))]
        self.peak = self.largest = self._alive = 0
        self._entries: dict[int, _Entry] = {}
        self._uniform: set[int] = set()
        self._tainted: dict[int, int] = {}  # storages that an operator wrote into, with its node
        self._owners: dict[int, int] = {}  # by storage, how many tensors hold it
        self._moved = MetaStorages()
        self._enter(image, 0, (2, 3))

    def node_of(self, tensor: Tensor) -> int:
        """Raises: UserError: ``tensor`` does not depend on the picture."""
        entry = self._known(tensor)
        if entry is None:
            raise UserError("the network's output must depend on the picture, got one that does not")
        return entry.node

    def _known(self, tensor: Tensor) -> _Entry | None:
        entry = self._entries.get(id(tensor))
        if entry is not None and entry.tensor() is tensor:
            return entry
        node = self._tainted.get(storage_of(tensor))
        if node is None:
            return None
        return self._enter(
            tensor, self._whole(tensor, "copy_", (node,), "parts are written one by one"), _guess(tensor)
        )

    def _enter(self, tensor: Tensor, node: int, axes: Axes) -> _Entry:
        storage, key = storage_of(tensor), id(tensor)
        entry = self._entries.get(key)
        if entry is None or entry.tensor() is not tensor:
            elements = tensor.untyped_storage().nbytes() // tensor.element_size()
            if self._owners.get(storage, 0) == 0:
                self._alive += elements
                self.peak = max(self.peak, self._alive)
                self.largest = max(self.largest, elements)
            self._owners[storage] = self._owners.get(storage, 0) + 1
            weakref.finalize(tensor, self._leave, key, storage, elements)
        self._entries[key] = _Entry(node, axes, weakref.ref(tensor))
        return self._entries[key]

    def _leave(self, key: int, storage: int, elements: int) -> None:
        self._owners[storage] -= 1
        if not self._owners[storage]:
            del self._owners[storage]
            self._tainted.pop(storage, None)
            self._alive -= elements
        entry = self._entries.get(key)
        if entry is not None and entry.tensor() is None:
            del self._entries[key]

    def _whole(self, output: Tensor, name: str, read: Iterable[int], reason: str) -> int:
        lengths = tuple(1 if axis is None else output.shape[axis] for axis in _guess(output))
        sources = tuple((node, (EVERYTHING, EVERYTHING)) for node in dict.fromkeys(read))
        return self._add(Node(name, (lengths[0], lengths[1]), sources, reason=reason, part=self._part()))

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _part(self) -> str:
        return self.path[-1] if self.path else ""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        read = tensors_in(args) + tensors_in(kwargs)
        if any(tensor.is_meta for tensor in read):
            args, kwargs = tree_map_only(Tensor, lambda t: t if t.is_meta else self._moved.alike(t), (args, kwargs))
            if kwargs.get("device") is not None:
                kwargs = {**kwargs, "device": torch.device("meta")}
            read = tensors_in(args) + tensors_in(kwargs)
        entries = {id(tensor): entry for tensor in read if (entry := self._known(tensor)) is not None}
        result = shapes_alone(function, args, read, kwargs)
        if result is None:
            result = function(*args, **kwargs)
        outputs = tensors_in(result)
        name = function._schema.name.removeprefix("aten::")
        if entries and name not in CREATION:
            self._follow(function, name, args, kwargs, read, entries, outputs)
        elif outputs and (name in UNIFORM or all(id(tensor) in self._uniform for tensor in read)):
            self._uniform.update(map(id, outputs))
            self._kept = [*getattr(self, "_kept", []), *outputs]
        return result

    def _follow(
        self,
        function: Any,
        name: str,
        args: Any,
        kwargs: Any,
        read: list[Tensor],
        entries: dict[int, _Entry],
        outputs: list[Tensor],
    ) -> None:
        """A node for each output, by the operator's rule."""
        arguments = function._schema.arguments
        named = {each.name: value for each, value in zip(arguments, args, strict=False)} | kwargs
        writes = any(each.alias_info is not None and each.alias_info.is_write for each in arguments)
        plain = name.removesuffix("_") if writes and not name.startswith("_") else name
        rule = rule_of(function)
        try:
            if rule is None or (writes and not _first_is_whole(named, outputs)):
                raise NotLocalError("it is not known to be local")
            call = Call(plain, named, {key: entry.axes for key, entry in entries.items()}, outputs)
            effect = rule(call)
            self._check_constants(read, entries, effect, plain)
        except NotLocalError as reason:
            nodes = [entry.node for entry in entries.values()]
            for output in outputs:
                self._rebind(output, self._whole(output, plain, nodes, str(reason)), _guess(output), writes)
            return
        for output, axes in zip(outputs, effect.axes, strict=True):
            lengths = tuple(1 if axis is None else output.shape[axis] for axis in axes)
            sources = tuple((entries[id(tensor)].node, maps) for tensor, maps in effect.sources)
            node = Node(plain, (lengths[0], lengths[1]), sources, effect.fills, effect.rounded, part=self._part())
            self._rebind(output, self._add(node), axes, writes)

    def _rebind(self, output: Tensor, node: int, axes: Axes, writes: bool) -> None:
        """``output`` is ``node`` from now on; other views of what was written into are whatever depends on it."""
        if writes:
            storage = storage_of(output)
            self._tainted[storage] = node
            for key, entry in list(self._entries.items()):
                other = entry.tensor()
                if other is not None and other is not output and storage_of(other) == storage:
                    both = (entry.node, node)
                    self._entries[key] = _Entry(
                        self._whole(other, "copy_", both, "parts are written one by one"), _guess(other), entry.tensor
                    )
        self._enter(output, node, axes)

    def _check_constants(self, read: list[Tensor], entries: dict[int, _Entry], effect: Effect, name: str) -> None:
        """Raises: NotLocalError: a constant has other values at other places of the picture."""
        if name in ("convolution", "mm") or name.startswith("native_") or "batch_norm" in name:
            return
        axes, output = effect.axes[0], effect.sources[0][0]
        dims = max(tensor.dim() for tensor, _ in effect.sources)
        for tensor in read:
            if id(tensor) in entries or id(tensor) in self._uniform:
                continue
            for axis in axes:
                place = None if axis is None else axis - dims + tensor.dim()
                if place is not None and 0 <= place < tensor.dim() and tensor.shape[place] > 1 and output is not tensor:
                    raise NotLocalError("a constant that differs from place to place")


def _first_is_whole(named: dict[str, Any], outputs: list[Tensor]) -> bool:
    """Whether an operator that writes in place writes over its own input, and all of it."""
    first = next(iter(named.values()))
    if not (isinstance(first, Tensor) and outputs and outputs[0] is first):
        return False
    return first.numel() == first.untyped_storage().nbytes() // first.element_size()


def _guess(tensor: Tensor) -> Axes:
    """Rows and columns of a value that depends on the whole picture: only their lengths matter, and hardly."""
    return (tensor.dim() - 2, tensor.dim() - 1) if tensor.dim() >= 3 else (None, None)


__all__ = ["BOTH", "COLUMNS", "ROWS", "Node", "SpatialTrace", "Window", "spatial_trace", "traced_shadow"]
