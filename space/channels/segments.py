"""Axes that consist of several segments: of what is concatenated or split, and of the groups of convolutions.

A segment is a run of successive labels (``space.channels.units.Units.new``). What is concatenated keeps its labels, so
that its segments can be read off them; where an axis of a parameter is cut into segments by its use, that is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from torch import nn

from space.channels.units import Units

Sizes: TypeAlias = "tuple[int, ...]"


class Segments:
    """The segments of axes, by the labels of their places."""

    def __init__(self) -> None:
        self._lengths: dict[int, int] = {}  # of axes of parameters and buffers, by their first labels
        self._cuts: dict[int, Sizes] = {}
        self._followed: list[tuple[np.ndarray, np.ndarray]] = []
        self._read: list[tuple[np.ndarray, Sizes]] = []

    def add(self, axis: np.ndarray) -> None:
        """``axis`` labels the places of a whole axis of a parameter or buffer."""
        self._lengths[int(axis[0])] = len(axis)

    def of(self, labels: np.ndarray) -> Sizes:
        """The sizes of the segments in ``labels``, in their order."""
        found: list[int] = []
        ends = [*(np.flatnonzero(labels[1:] - labels[:-1] != 1) + 1).tolist(), len(labels)]
        start = 0
        for end in ends:
            known = self._cuts.get(int(labels[start]), ())
            found += known if sum(known) == end - start else (end - start,)
            start = end
        return tuple(found)

    def cut(self, labels: np.ndarray, sizes: Sizes) -> None:
        """An axis is used in segments of ``sizes``; nothing is kept of what is no whole axis of a parameter."""
        if len(sizes) > 1 and self._is_axis(labels):
            self._cuts.setdefault(int(labels[0]), sizes)

    def read(self, channels: np.ndarray, sizes: Sizes) -> None:
        """A layer reads ``channels`` in segments of ``sizes``: so does the one that writes them, if it is the only one.

        A residual stream, to which several layers add, is not cut: all of them would be cut differently from those of a
        network without the layer that reads.
        """
        self._read.append((channels, sizes))

    def follow(self, channels: np.ndarray, axis: np.ndarray) -> None:
        """A parameter has an entry on ``axis`` for each of ``channels``: the segments of both are the same."""
        if self._is_axis(axis):
            self._followed.append((channels, axis))

    def settle(self, units: Units, produced: Iterable[tuple[str, np.ndarray]]) -> None:
        """Hand on what was found out about an axis after others had followed it; the last thing to call.

        Args:
            produced: the path of a layer, and the labels of the channels that it writes.
        """
        if self._read:
            writers: dict[int, set[str]] = {}
            for path, written in produced:
                for unit in units.roots(written).tolist():
                    writers.setdefault(unit, set()).add(path)
            for channels, sizes in self._read:
                if all(len(writers.get(unit, ())) == 1 for unit in units.roots(channels).tolist()):
                    self.cut(channels, sizes)
        before = -1
        while len(self._cuts) > before:
            before = len(self._cuts)
            for channels, axis in self._followed:
                self.cut(axis, self.of(channels))
                self.cut(channels, self.of(axis))

    def _is_axis(self, labels: np.ndarray) -> bool:
        first = int(labels[0])
        return self._lengths.get(first) == len(labels) and int(labels[-1]) - first == len(labels) - 1


def segments_of_groups(part: nn.Module) -> dict[str, tuple[Sizes, ...]]:
    """By name of a parameter in ``part``, the segments of its axes, by the groups of its own convolution alone."""
    found = {}
    for path, layer in part.named_modules():
        for name, parameter in layer.named_parameters(path, recurse=False):
            segments: list[Sizes] = [(size,) for size in parameter.shape]
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and 1 < layer.groups < layer.in_channels:
                segments[0] = (parameter.shape[0] // layer.groups,) * layer.groups
            found[name] = tuple(segments)
    return found
