"""Where every channel goes: one run on the meta device, in which each axis of each tensor carries labels.

A label is joined with another wherever an operator needs both or neither (``space.channels.units``). What an operator
without a rule touches is fixed: its channels stay, and nothing is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from space.channels.units import Units

Labels: TypeAlias = "tuple[np.ndarray | None, ...]"
"""Of every axis of a tensor; None of an axis that holds no channels, such as rows."""

Shape: TypeAlias = Sequence[int]
KEPT_SPATIAL = ("upsample_", "_upsample_", "max_pool2d", "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d")
PADS = ("reflection_pad2d", "replication_pad2d")


class Flow(TorchDispatchMode):
    """Follows the channels of a network on the meta device while it runs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch gives it no annotations
        self.units = Units()
        self.path: list[str] = []  # of the module that runs, by ``space.operators.trace.module_paths``
        self.produced: list[
            tuple[str, np.ndarray]
        ] = []  # by path of a layer, the labels of the channels that it writes
        self.whole: list[tuple[str, np.ndarray]] = []  # by path of a part with a rule of its own, its channels
        self.is_inside = False  # of such a part
        self.unknown: set[str] = set()  # operators without a rule that met channels
        self._labels: dict[int, Labels] = {}
        self._learns = any(parameter.requires_grad for parameter in network.parameters())
        self._alive: list[Tensor] = []  # a freed tensor's id would be taken by a later one
        for tensor in (*network.parameters(), *network.buffers()):
            self.label(tensor, tuple(self.units.new(size) if size > 1 else None for size in tensor.shape))

    def label(self, tensor: Tensor, labels: Labels) -> None:
        self._labels[id(tensor)] = labels
        self._alive.append(tensor)

    def of(self, tensor: Tensor) -> Labels:
        return self._labels.get(id(tensor), (None,) * tensor.ndim)

    def begin(self, image: Tensor) -> None:
        """``image`` is what the network is given: its channels stay."""
        labels = self.units.new(image.shape[1])
        self.units.fix(labels)
        self.label(image, (None, labels, *(None,) * (image.ndim - 2)))

    def end(self, output: Any) -> None:
        """``output`` is what it gives: its channels stay."""
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor):
                self._fix(tensor)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        name = function._schema.name.removeprefix("aten::")
        written = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        read = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Tensor)]
        if self.is_inside or not written or not any(label is not None for tensor in read for label in self.of(tensor)):
            return result
        rule = RULES.get(name)
        if rule is not None:
            rule(self, args, kwargs or {}, written)
        elif name.startswith(KEPT_SPATIAL) or name in PADS:
            self.label(written[0], (*self.of(args[0])[:-2], None, None))
        elif name.rstrip("_") in SAME or torch.Tag.pointwise in function.tags or name in ELEMENTWISE:
            self.elementwise(read, written[0])
        else:
            self.unknown.add(name)
            for tensor in read:
                self._fix(tensor)
        return result

    def pass_whole(self, path: str, part: nn.Module, run: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
        """Run a part that keeps its channels and is narrowed by a rule of its own."""
        self.is_inside = True
        output = run(image)
        self.is_inside = False
        for tensor in (*part.parameters(), *part.buffers()):
            self.label(tensor, (None,) * tensor.ndim)
        labels = self.of(image)
        if labels[1] is not None:
            self.whole.append((path, labels[1]))
        self.label(output, labels)
        return output

    def _fix(self, tensor: Tensor) -> None:
        for labels in self.of(tensor):
            self.units.fix(labels)

    def elementwise(self, read: Sequence[Tensor], written: Tensor) -> None:
        """Broadcast as torch does: axes are aligned at the end."""
        shape, labels = written.shape, []
        for axis in range(-len(shape), 0):
            found = [
                self.of(tensor)[axis] for tensor in read if tensor.ndim >= -axis and tensor.shape[axis] == shape[axis]
            ]
            here = [each for each in found if each is not None] if shape[axis] > 1 else []
            for other in here[1:]:
                self.units.join(here[0], other)
            labels.append(here[0] if here else None)
        self.label(written, tuple(labels))

    def reshape(self, old: Tensor, new: Tensor) -> None:
        """Axes that keep their length and their place in the order of elements keep their labels; others are fixed."""
        places = {
            (size, math.prod(old.shape[axis + 1 :])): labels
            for axis, (size, labels) in enumerate(zip(old.shape, self.of(old), strict=True))
            if size > 1
        }
        found = [places.pop((size, math.prod(new.shape[axis + 1 :])), None) for axis, size in enumerate(new.shape)]
        for lost in places.values():
            self.units.fix(lost)
        self.label(new, tuple(found))

    def convolution(self, args: Any, written: Sequence[Tensor]) -> None:
        image, weight, bias, *_, transposed, _, groups = args[:9]
        channels, (first, second, *kernel) = self.of(image)[1], self.of(weight)
        for axis in kernel:
            self.units.fix(axis)
        if self._learns and isinstance(weight, nn.Parameter) and not weight.requires_grad:
            self._fix(weight)  # a fixed layer, such as a mean shift
        inner, outer = (first, second) if transposed else (second, first)
        units, out_channels = self.units, written[0].shape[1]
        if groups == 1:
            outer = self._axis(outer, out_channels)
            self._tie(channels, inner)
            self.produced.append((self.path[-1] if self.path else "", outer))
        else:
            outer = self._grouped(channels, first, second, image.shape[1], out_channels, groups, transposed)
        if bias is not None and (own := self.of(bias)[0]) is not None:
            units.join(own, outer)
        self.label(written[0], (None, outer, *(None,) * (written[0].ndim - 2)))

    def _axis(self, labels: np.ndarray | None, count: int) -> np.ndarray:
        """The labels of an axis of ``count`` places; of a single one, which has none, fixed ones."""
        if labels is None:
            labels = self.units.new(count)
            self.units.fix(labels)
        return labels

    def _tie(self, channels: np.ndarray | None, weights: np.ndarray | None) -> None:
        """What comes in, and the weights for it."""
        if channels is not None and weights is not None:
            self.units.join(channels, weights)
        else:
            self.units.fix(channels)
            self.units.fix(weights)

    def _grouped(
        self,
        channels: np.ndarray | None,
        first: np.ndarray | None,
        second: np.ndarray | None,
        in_channels: int,
        out_channels: int,
        groups: int,
        transposed: bool,
    ) -> np.ndarray:
        """Depthwise: channels stay what they are. Otherwise every group loses the same places.

        ``first`` labels the weights' first axis, over all groups; ``second`` the other one, within a group.
        """
        units = self.units
        into, out = in_channels // groups, out_channels // groups
        whole, within = (in_channels, out) if transposed else (out_channels, into)
        first = self._axis(first, whole)
        inside = second if second is not None else (None if within == 1 else self._axis(None, within))
        came = self._axis(channels, in_channels).reshape(groups, into)
        if into == 1:  # depthwise, with ``out`` channels for each
            left = np.repeat(came[:, 0], out).reshape(groups, out)
            if transposed:
                units.join(came[:, 0], first)
                units.fix(inside)
                return left.reshape(-1)
            units.join(left, first.reshape(groups, out))
            return first
        units.join_along(came, 0)
        if transposed:
            units.join(came, first.reshape(groups, into))
            left = np.tile(self._axis(inside, out), groups) if inside is not None else self._axis(None, out_channels)
            self.produced.append((self.path[-1] if self.path else "", left))
            return left
        if inside is not None:
            units.join(came[0], inside)
        units.join_along(first.reshape(groups, out), 0)
        self.produced.append((self.path[-1] if self.path else "", first))
        return first


Rule: TypeAlias = Callable[[Flow, Any, Any, Sequence[Tensor]], None]


def _given(args: Any, kwargs: Any, place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _cat(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    tensors, result = args[0], written[0]
    axis = _given(args, kwargs, 1, "dim", 0) % result.ndim
    labels: list[np.ndarray | None] = []
    for index in range(result.ndim):
        own = [flow.of(tensor)[index] for tensor in tensors]
        here = [each for each in own if each is not None]
        if index == axis and here:
            sizes = [tensor.shape[axis] for tensor in tensors]
            parts = [flow._axis(each, size) for each, size in zip(own, sizes, strict=True)]
            labels.append(np.concatenate(parts))
            continue
        for other in here[1:]:
            flow.units.join(here[0], other)
        labels.append(here[0] if here else None)
    flow.label(result, tuple(labels))


def _split(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    """Equal parts lose the same places, for that is how ``chunk`` splits what is left; others are fixed."""
    whole = args[0]
    axis = _given(args, kwargs, 2, "dim", 0) % whole.ndim
    labels = flow.of(whole)
    channels = labels[axis]
    sizes = [part.shape[axis] for part in written]
    if channels is not None and len(set(sizes)) == 1:
        flow.units.join_along(channels.reshape(len(sizes), -1), 0)
    elif channels is not None:
        flow.units.fix(channels)
    start = 0
    for part, size in zip(written, sizes, strict=True):
        own = None if channels is None else channels[start : start + size]
        flow.label(part, (*labels[:axis], own, *labels[axis + 1 :]))
        start += size


def _slice(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    """A part of the channels is cut out at places that the code names: they are fixed."""
    whole, result = args[0], written[0]
    axis = _given(args, kwargs, 1, "dim", 0) % whole.ndim
    labels = list(flow.of(whole))
    channels = labels[axis]
    if channels is not None and result.shape[axis] != whole.shape[axis]:
        flow.units.fix(channels)
        start, step = _given(args, kwargs, 2, "start", 0) or 0, _given(args, kwargs, 4, "step", 1)
        begin = start % whole.shape[axis]
        labels[axis] = channels[begin : begin + step * result.shape[axis] : step]
    flow.label(result, tuple(labels))


def _shuffle(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = flow.of(args[0])
    channels = labels[1]
    if channels is not None:
        parts = channels.reshape(-1, args[1] ** 2)
        flow.units.join_along(parts, 1)
        channels = parts[:, 0]
    flow.label(written[0], (labels[0], channels, None, None))


def _unshuffle(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = flow.of(args[0])
    channels = None if labels[1] is None else np.repeat(labels[1], args[1] ** 2)
    flow.label(written[0], (labels[0], channels, None, None))


def _view(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    flow.reshape(args[0], written[0])


def _expand(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    flow.elementwise([args[0]], written[0])


def _select(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = list(flow.of(args[0]))
    flow.units.fix(labels.pop(args[1]))
    flow.label(written[0], tuple(labels))


def _permute(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = flow.of(args[0])
    flow.label(written[0], tuple(labels[axis] for axis in args[1]))


def _transpose(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = list(flow.of(args[0]))
    one, other = args[1:3] if len(args) > 1 else (0, len(labels) - 1)
    labels[one], labels[other] = labels[other], labels[one]
    flow.label(written[0], tuple(labels))


def _reduce(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    """Over channels too: a mean or a norm of those that are left."""
    whole, result = args[0], written[0]
    if result.ndim == whole.ndim:
        kept = [label if size > 1 else None for label, size in zip(flow.of(whole), result.shape, strict=True)]
        flow.label(result, tuple(kept))
        return
    named = next((each for each in (*args[1:], kwargs.get("dim")) if isinstance(each, list | tuple | int)), None)
    axes = range(whole.ndim) if named is None or named == [] else ([named] if isinstance(named, int) else named)
    gone = {axis % whole.ndim for axis in axes}
    flow.label(result, tuple(label for axis, label in enumerate(flow.of(whole)) if axis not in gone))


def _batch_norm(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = flow.of(args[0])
    channels = labels[1]
    for tensor in args[1:5]:
        if isinstance(tensor, Tensor) and (own := flow.of(tensor)[0]) is not None:
            flow._tie(channels, own)
    flow.label(written[0], labels)


def _layer_norm(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    read = [each for each in (args[0], *args[2:4]) if isinstance(each, Tensor)]
    flow.elementwise(read, written[0])


def _addmm(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    _product(flow, args[1], args[2], written[0])
    out = flow.of(written[0])[-1]
    if (own := flow.of(args[0])[-1]) is not None and out is not None:
        flow.units.join(own, out)


def _mm(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    _product(flow, args[0], args[1], written[0])


def _product(flow: Flow, left: Tensor, right: Tensor, result: Tensor) -> None:
    rows, inner = flow.of(left)
    other, columns = flow.of(right)
    flow._tie(inner, other)
    if columns is not None:
        flow.produced.append((flow.path[-1] if flow.path else "", columns))
    flow.label(result, (rows, columns))


def _convolution(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    flow.convolution(args, written)


def _pad(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = flow.of(args[0])
    for axis, size in enumerate(written[0].shape):
        if size != args[0].shape[axis]:
            flow.units.fix(labels[axis])
    kept = [own if n == m else None for own, n, m in zip(labels, written[0].shape, args[0].shape, strict=True)]
    flow.label(written[0], tuple(kept))


def _sampled(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    flow.label(written[0], (*flow.of(args[0])[:2], None, None))


def _created(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    """Made anew, of a shape that is asked for."""


def _alike(flow: Flow, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    flow.label(written[0], flow.of(args[0]))


SAME = frozenset(("clone", "_to_copy", "detach", "alias", "_softmax", "contiguous", "lift_fresh", "copy"))
ELEMENTWISE = frozenset(("_prelu_kernel", "hardtanh", "gelu", "masked_fill"))
RULES: dict[str, Rule] = {
    "convolution": _convolution,
    "cat": _cat,
    **dict.fromkeys(("split", "split_with_sizes", "unsafe_chunk", "chunk", "unsafe_split"), _split),
    "slice": _slice,
    "pixel_shuffle": _shuffle,
    "pixel_unshuffle": _unshuffle,
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "flatten", "_reshape_alias"), _view),
    "expand": _expand,
    "select": _select,
    "permute": _permute,
    **dict.fromkeys(("transpose", "t"), _transpose),
    **dict.fromkeys(("mean", "sum", "var", "amax", "amin", "max", "min", "linalg_vector_norm", "var_mean"), _reduce),
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"), _batch_norm
    ),
    "native_layer_norm": _layer_norm,
    "addmm": _addmm,
    "mm": _mm,
    "constant_pad_nd": _pad,
    "grid_sampler_2d": _sampled,
    **dict.fromkeys(("new_empty", "new_zeros", "new_ones", "new_full"), _created),
    **dict.fromkeys(("empty_like", "zeros_like", "ones_like", "full_like"), _alike),
}
