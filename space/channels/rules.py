"""What each operator does to the labels of channels: which it hands on, which it joins, which it fixes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from space.channels.labelling import Labelling

Rule: TypeAlias = Callable[[Labelling, Any, Any, Sequence[Tensor]], None]


def _given(args: Any, kwargs: Any, place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _convolution(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    image, weight, bias, *_, transposed, _, groups = args[:9]
    channels, (first, second, *kernel) = seen.of(image)[1], seen.of(weight)
    for axis in kernel:
        seen.units.fix(axis)
    if seen.is_fixed_layer(weight):
        seen.fix(weight)  # a fixed layer, such as a mean shift
    inner, outer = (first, second) if transposed else (second, first)
    units, out_channels = seen.units, written[0].shape[1]
    if groups == 1:
        outer = seen.axis(outer, out_channels)
        seen.tie(channels, inner)
        seen.produce(outer)
    else:
        outer = _grouped(seen, channels, first, second, image.shape[1], out_channels, groups, transposed)
    if bias is not None and (own := seen.of(bias)[0]) is not None:
        units.join(own, outer)
        seen.segments.follow(outer, own)
    seen.label(written[0], (None, outer, *(None,) * (written[0].ndim - 2)))


def _grouped(
    seen: Labelling,
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
    units = seen.units
    into, out = in_channels // groups, out_channels // groups
    whole, within = (in_channels, out) if transposed else (out_channels, into)
    first = seen.axis(first, whole)
    inside = second if second is not None else (None if within == 1 else seen.axis(None, within))
    came = seen.axis(channels, in_channels).reshape(groups, into)
    if into == 1:  # depthwise, with ``out`` channels for each
        left = np.repeat(came[:, 0], out).reshape(groups, out)
        if transposed:
            units.join(came[:, 0], first)
            units.fix(inside)
            return seen.renewed(left.reshape(-1))
        units.join(left, first.reshape(groups, out))
        if out == 1:
            seen.segments.follow(came[:, 0], first)
        return first
    units.join_along(came, 0)
    seen.segments.cut(first, (len(first) // groups,) * groups)
    seen.segments.read(came.reshape(-1), (into,) * groups)
    if transposed:
        units.join(came, first.reshape(groups, into))
        left = np.tile(seen.axis(inside, out), groups) if inside is not None else seen.axis(None, out_channels)
        left = seen.renewed(left)
        seen.produce(left)
        return left
    if inside is not None:
        units.join(came[0], inside)
    units.join_along(first.reshape(groups, out), 0)
    seen.produce(first)
    return first


def _cat(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    tensors, result = args[0], written[0]
    axis = _given(args, kwargs, 1, "dim", 0) % result.ndim
    labels: list[np.ndarray | None] = []
    for index in range(result.ndim):
        own = [seen.of(tensor)[index] for tensor in tensors]
        here = [each for each in own if each is not None]
        if index == axis and here:
            sizes = [tensor.shape[axis] for tensor in tensors]
            parts = [seen.axis(each, size) for each, size in zip(own, sizes, strict=True)]
            labels.append(np.concatenate(parts))
            continue
        for other in here[1:]:
            seen.units.join(here[0], other)
            seen.segments.follow(here[0], other)
        labels.append(here[0] if here else None)
    seen.label(result, tuple(labels))


def _split(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    """Equal parts lose the same places, for that is how ``chunk`` splits what is left; others are fixed."""
    whole = args[0]
    axis = _given(args, kwargs, 2, "dim", 0) % whole.ndim
    labels = seen.of(whole)
    channels = labels[axis]
    sizes = [part.shape[axis] for part in written]
    if channels is not None and len(set(sizes)) == 1:
        seen.units.join_along(channels.reshape(len(sizes), -1), 0)
    elif channels is not None:
        seen.units.fix(channels)
    if channels is not None:
        seen.segments.cut(channels, tuple(sizes))
    start = 0
    for part, size in zip(written, sizes, strict=True):
        own = None if channels is None else channels[start : start + size]
        seen.label(part, (*labels[:axis], own, *labels[axis + 1 :]))
        start += size


def _slice(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    """A part of the channels is cut out at places that the code names: they are fixed.

    Of the first channel alone, only that one is: it stays the first, whatever others go.
    """
    whole, result = args[0], written[0]
    axis = _given(args, kwargs, 1, "dim", 0) % whole.ndim
    labels = list(seen.of(whole))
    channels = labels[axis]
    if channels is not None and result.shape[axis] != whole.shape[axis]:
        start, step = _given(args, kwargs, 2, "start", 0) or 0, _given(args, kwargs, 4, "step", 1)
        begin = start % whole.shape[axis]
        labels[axis] = channels[begin : begin + step * result.shape[axis] : step]
        is_first = begin == 0 and result.shape[axis] == 1
        seen.units.fix(channels[:1] if is_first else channels)
    seen.label(result, tuple(labels))


def _shuffle(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = seen.of(args[0])
    channels = labels[1]
    if channels is not None:
        parts = channels.reshape(-1, args[1] ** 2)
        seen.units.join_along(parts, 1)
        channels = seen.renewed(parts[:, 0])
    seen.label(written[0], (labels[0], channels, None, None))


def _unshuffle(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = seen.of(args[0])
    channels = None if labels[1] is None else seen.renewed(np.repeat(labels[1], args[1] ** 2))
    seen.label(written[0], (labels[0], channels, None, None))


def _view(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    seen.reshape(args[0], written[0])


def _expand(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    seen.elementwise([args[0]], written[0])


def _select(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = list(seen.of(args[0]))
    seen.units.fix(labels.pop(args[1]))
    seen.label(written[0], tuple(labels))


def _permute(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = seen.of(args[0])
    seen.label(written[0], tuple(labels[axis] for axis in args[1]))


def _transpose(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = list(seen.of(args[0]))
    one, other = args[1:3] if len(args) > 1 else (0, len(labels) - 1)
    labels[one], labels[other] = labels[other], labels[one]
    seen.label(written[0], tuple(labels))


def _reduce(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    """Over channels too: a mean or a norm of those that are left."""
    whole, result = args[0], written[0]
    if result.ndim == whole.ndim:
        kept = [label if size > 1 else None for label, size in zip(seen.of(whole), result.shape, strict=True)]
        seen.label(result, tuple(kept))
        return
    named = next((each for each in (*args[1:], kwargs.get("dim")) if isinstance(each, list | tuple | int)), None)
    axes = range(whole.ndim) if named is None or named == [] else ([named] if isinstance(named, int) else named)
    gone = {axis % whole.ndim for axis in axes}
    seen.label(result, tuple(label for axis, label in enumerate(seen.of(whole)) if axis not in gone))


def _batch_norm(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = seen.of(args[0])
    channels = labels[1]
    for tensor in args[1:5]:
        if isinstance(tensor, Tensor) and (own := seen.of(tensor)[0]) is not None:
            seen.tie(channels, own)
    seen.label(written[0], labels)


def _layer_norm(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    read = [each for each in (args[0], *args[2:4]) if isinstance(each, Tensor)]
    seen.elementwise(read, written[0])


def _addmm(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    _product(seen, args[1], args[2], written[0])
    out = seen.of(written[0])[-1]
    if (own := seen.of(args[0])[-1]) is not None and out is not None:
        seen.units.join(own, out)


def _mm(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    _product(seen, args[0], args[1], written[0])


def _product(seen: Labelling, left: Tensor, right: Tensor, result: Tensor) -> None:
    rows, inner = seen.of(left)
    other, columns = seen.of(right)
    seen.tie(inner, other)
    if columns is not None:
        seen.produce(columns)
    seen.label(result, (rows, columns))


def _batched_product(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    """Attention: rows of the left and columns of the right stay what they are, what is summed over goes together."""
    (batch, rows, inner), (other_batch, other, columns) = seen.of(args[0]), seen.of(args[1])
    seen.tie(batch, other_batch)
    seen.tie(inner, other)
    seen.label(written[0], (batch, rows, columns))


def _pad(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    labels = seen.of(args[0])
    for axis, size in enumerate(written[0].shape):
        if size != args[0].shape[axis]:
            seen.units.fix(labels[axis])
    kept = [own if n == m else None for own, n, m in zip(labels, written[0].shape, args[0].shape, strict=True)]
    seen.label(written[0], tuple(kept))


def _sampled(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    seen.label(written[0], (*seen.of(args[0])[:2], None, None))


def _created(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    """Made anew, of a shape that is asked for."""


def _alike(seen: Labelling, args: Any, kwargs: Any, written: Sequence[Tensor]) -> None:
    seen.label(written[0], seen.of(args[0]))


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
    "bmm": _batched_product,
    "constant_pad_nd": _pad,
    "grid_sampler_2d": _sampled,
    **dict.fromkeys(("new_empty", "new_zeros", "new_ones", "new_full"), _created),
    **dict.fromkeys(("empty_like", "zeros_like", "ones_like", "full_like"), _alike),
}
