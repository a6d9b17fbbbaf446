"""Units: channels that exist together or not at all, joined wherever an operator couples them."""

from __future__ import annotations

import numpy as np


class Units:
    """Disjoint sets of labels. A label stands for one place on one axis of a tensor."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._fixed: set[int] = set()

    def new(self, count: int) -> np.ndarray:
        """``count`` successive labels, each a unit of its own; those of the next call do not follow on from them."""
        first = len(self._parent)
        self._parent += range(first, first + count + 1)
        return np.arange(first, first + count)

    def root(self, label: int) -> int:
        """The unit that ``label`` belongs to."""
        parent = self._parent
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = parent[label]
        return label

    def roots(self, labels: np.ndarray) -> np.ndarray:
        return np.array([self.root(int(label)) for label in labels.flat], int).reshape(labels.shape)

    def join(self, first: np.ndarray, second: np.ndarray) -> None:
        """Couple two arrays of labels, place by place."""
        for one, other in zip(first.flat, second.flat, strict=True):
            low, high = sorted((self.root(int(one)), self.root(int(other))))
            self._parent[high] = low

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
        return frozenset(map(self.root, self._fixed))
