"""The labels of the channels of every tensor that a network has computed so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from torch import Tensor, nn

from space.channels.segments import Segments
from space.channels.units import Units

Labels: TypeAlias = "tuple[np.ndarray | None, ...]"
"""Of every axis of a tensor; None of an axis that holds no channels, such as rows."""


class Labelling:
    """Labels by tensor, joined in ``units`` where an operator needs both channels or neither.

    Attributes:
        segments: where an axis consists of several segments.
        produced: the path of a layer, and the labels of the channels that it writes, in running order.
        path: of the modules that run, the innermost last (``space.operators.trace.module_paths``).
    """

    def __init__(self, network: nn.Module) -> None:
        """Every place on every axis of a parameter or buffer of ``network`` gets a label of its own."""
        self.units = Units()
        self.segments = Segments()
        self.path: list[str] = []
        self.produced: list[tuple[str, np.ndarray]] = []
        self._learns = any(parameter.requires_grad for parameter in network.parameters())
        self._labels: dict[int, Labels] = {}
        self._alive: list[Tensor] = []  # a freed tensor's id would be taken by a later one
        for tensor in (*network.parameters(), *network.buffers()):
            labels = tuple(self.units.new(size) if size > 1 else None for size in tensor.shape)
            self.label(tensor, labels)
            for axis in labels:
                if axis is not None:
                    self.segments.add(axis)

    def label(self, tensor: Tensor, labels: Labels) -> None:
        self._labels[id(tensor)] = labels
        self._alive.append(tensor)

    def of(self, tensor: Tensor) -> Labels:
        return self._labels.get(id(tensor), (None,) * tensor.ndim)

    def has_channels(self, tensor: Tensor) -> bool:
        return any(labels is not None for labels in self.of(tensor))

    def fix(self, tensor: Tensor) -> None:
        """No channel of ``tensor`` may go."""
        for labels in self.of(tensor):
            self.units.fix(labels)

    def is_fixed_layer(self, weight: Tensor) -> bool:
        """Whether ``weight`` does not learn where others do, as that of a mean shift."""
        return self._learns and isinstance(weight, nn.Parameter) and not weight.requires_grad

    def produce(self, labels: np.ndarray) -> None:
        """The layer that runs writes these channels."""
        self.produced.append((self.path[-1] if self.path else "", labels))

    def elementwise(self, read: Sequence[Tensor], written: Tensor) -> None:
        """Broadcast as torch does: axes are aligned at the end."""
        shape, labels = written.shape, []
        for axis in range(-len(shape), 0):
            aligned = [tensor for tensor in read if tensor.ndim >= -axis and tensor.shape[axis] == shape[axis] > 1]
            here = [(tensor, own) for tensor in aligned if (own := self.of(tensor)[axis]) is not None]
            for tensor, other in here[1:]:
                self.units.join(here[0][1], other)
                if tensor.numel() == len(other):  # a number for each channel, not features
                    self.segments.follow(here[0][1], other)
            labels.append(here[0][1] if here else None)
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

    def renewed(self, labels: np.ndarray) -> np.ndarray:
        """New labels for the same units: a single segment, however ``labels`` were put together."""
        found = self.units.new(len(labels))
        self.units.join(labels, found)
        return found

    def axis(self, labels: np.ndarray | None, count: int) -> np.ndarray:
        """The labels of an axis of ``count`` places; of a single one, which has none, fixed ones."""
        if labels is None:
            labels = self.units.new(count)
            self.units.fix(labels)
        return labels

    def tie(self, channels: np.ndarray | None, weights: np.ndarray | None) -> None:
        """What comes in, and the weights for it."""
        if channels is not None and weights is not None:
            self.units.join(channels, weights)
            self.segments.follow(channels, weights)
        else:
            self.units.fix(channels)
            self.units.fix(weights)
