"""The tiles of a picture, as values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from evaluators.restore.receptive_field import Halo


@dataclass(frozen=True)
class Box:
    """Rows from ``top`` to before ``bottom``, columns from ``left`` to before ``right``."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.right - self.left, self.bottom - self.top

    def scaled(self, factor: int) -> Box:
        return Box(*(side * factor for side in (self.top, self.bottom, self.left, self.right)))

    def within(self, other: Box) -> Box:
        """This box, counted from the upper left corner of ``other``."""
        rows, columns = other.top, other.left
        return Box(self.top - rows, self.bottom - rows, self.left - columns, self.right - columns)


@dataclass(frozen=True)
class Tile:
    """``core`` is what is kept of the result, ``window`` what the network is given; both in input pixels."""

    core: Box
    window: Box


@dataclass(frozen=True)
class TilePlan:
    """The tiles of one picture.

    Attributes:
        size: (width, height) of the picture that the network sees; ``extended`` pixels to the right and below more than
            the picture has.
        rows, columns: (start, end of the core, start, end of the window) along each axis.
        peak_bytes: most that the network's values take at once.
        notes: what is not exact, and why; empty where tiles equal the whole picture bit for bit.
    """

    size: tuple[int, int]
    scale: int
    rows: tuple[tuple[int, int, int, int], ...]
    columns: tuple[tuple[int, int, int, int], ...]
    peak_bytes: int
    halo: Halo
    extended: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.rows) * len(self.columns)

    def tiles(self) -> Iterator[Tile]:
        """Row by row."""
        for top, bottom, above, below in self.rows:
            for left, right, before, after in self.columns:
                yield Tile(Box(top, bottom, left, right), Box(above, below, before, after))

    @property
    def worked_px(self) -> int:
        """Input pixels that the network is given, those in several tiles counted in each."""
        return sum(each[3] - each[2] for each in self.rows) * sum(each[3] - each[2] for each in self.columns)

    @property
    def overhead(self) -> float:
        """Share of the work that is done twice: 0 of a picture that is not cut."""
        return self.worked_px / math.prod(self.size) - 1

    @property
    def window_shapes(self) -> dict[tuple[int, int], int]:
        """How many tiles of each (width, height) the network is given."""
        counts: dict[tuple[int, int], int] = {}
        for tile in self.tiles():
            counts[tile.window.size] = counts.get(tile.window.size, 0) + 1
        return counts
