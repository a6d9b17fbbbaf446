"""Units: channels that exist together or not at all, joined wherever an operator couples them."""

from __future__ import annotations

import numpy as np


class Units:
    """Disjoint sets of labels. A label stands for one place on one axis of a tensor."""

    def __init__(self) -> None:
        self._parent = np.arange(1024)  # of a label that is not given out yet, itself; no parent is a later label
        self._count = 0
        self._fixed: set[int] = set()

    def new(self, count: int) -> np.ndarray:
        """``count`` successive labels, each a unit of its own; those of the next call do not follow on from them."""
        first = self._count
        self._count += count + 1
        if self._count > len(self._parent):
            more = np.arange(len(self._parent), 2 * self._count)
            self._parent = np.concatenate((self._parent, more))
        return np.arange(first, first + count)

    @property
    def labels(self) -> np.ndarray:
        """All that were given out, in order."""
        return np.arange(self._count)

    def roots(self, labels: np.ndarray) -> np.ndarray:
        """The unit that each label belongs to: the first of its labels."""
        found = self._parent[labels]
        while not np.array_equal(found, above := self._parent[found]):
            found = above
        self._parent[labels] = found
        return found

    def join(self, first: np.ndarray, second: np.ndarray) -> None:
        """Couple two arrays of as many labels, place by place."""
        if first.size != second.size:
            raise ValueError(f"as many labels must be coupled on both sides, got {first.size} and {second.size}")
        one, other = first.ravel(), second.ravel()
        while len(one):  # where a unit is in several places, one of them is coupled at a time
            one, other = self.roots(one), self.roots(other)
            differ = one != other
            one, other = one[differ], other[differ]
            self._parent[np.maximum(one, other)] = np.minimum(one, other)

    def join_along(self, labels: np.ndarray, axis: int) -> None:
        """Couple all labels along ``axis``."""
        lines = np.moveaxis(labels, axis, 0)
        for line in lines[1:]:
            self.join(lines[0], line)

    def fix(self, labels: np.ndarray | None) -> None:
        """None of ``labels`` may be removed."""
        if labels is not None:
            self._fixed.update(int(label) for label in labels.flat)

    def fixed(self) -> frozenset[int]:
        """Units that may not be removed."""
        return frozenset(self.roots(np.array(sorted(self._fixed), int)).tolist())
