"""How a picture is cut into tiles: as few shapes as can be, under a limit of memory, with the least work."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import nn

from evaluators.restore.receptive_field import Halo, halo_of, reasons_text
from evaluators.restore.spatial_trace import COLUMNS, ROWS, SpatialTrace, traced_shadow
from space.build import deploy_form
from space.errors import UserError
from space.operators.meta import meta_copy
from space.specialists import networks_of

BYTES_PER_VALUE = 4
SCRATCH = 1.25
"""What the convolutions of torch take beside the network's own values, of these. Over 13 networks of the zoo a run
took 0.3 to 1.6 times its values of resident memory, with what torch takes only once (``restorer.LATER_BYTES``)."""

REUSED_BYTES = 32 << 20
"""The C library gives a larger array back to the system as soon as it is free, and gets new pages for the next one:
etds-m4c32 takes 1.85 µs of one core a pixel in tiles of 256x256 and 2.6 in 512x512."""

SLOWER = 1.4  # tiles with such arrays, as measured there
PROBE_PX = 256
ANYWAY_PX = 32
MOST_TRACES = 32
MOST_TILES = 1024  # along an axis
MOST_OVERHEAD = 10.0  # times the picture's own work that halos may add


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


class Planner:
    """Plans for pictures of any size through one network."""

    def __init__(self, network: nn.Module, in_channels: int, reach_px: int = 0) -> None:
        """``reach_px`` is what is needed around a pixel beside the network, such as by an enlargement of colours."""
        self.halo = halo_of(network, in_channels)
        self._channels = in_channels
        self._reach = reach_px
        self._shadow = deploy_form(meta_copy(networks_of(network)[0]))
        self._lock = threading.Lock()
        self._traces: dict[tuple[int, int], SpatialTrace] = {}

    def trace(self, size: tuple[int, int]) -> SpatialTrace:
        with self._lock:  # several pictures are planned at a time, and a run on shapes hangs hooks on the modules
            if size not in self._traces:
                if len(self._traces) > MOST_TRACES:
                    self._traces.clear()
                self._traces[size] = traced_shadow(self._shadow, self._channels, size)
            return self._traces[size]

    def peak_bytes(self, size: tuple[int, int]) -> int:
        """Of one run on a picture of (width, height)."""
        return int(SCRATCH * BYTES_PER_VALUE * self.trace(size).peak_elements)

    def plan(
        self, size: tuple[int, int], memory_bytes: int, tiled_anyway: bool = False, most_rows: int = 1 << 30
    ) -> TilePlan:
        """Tiles for a picture of (width, height), with at most ``memory_bytes`` for the network's values.

        ``most_rows`` are kept of a tile where its halo allows.

        A network that needs the whole picture gets it, if the memory allows; ``tiled_anyway`` cuts it as if its halo
        were ``ANYWAY_PX``, and the plan says that the result differs.

        Raises:
            UserError: it takes more memory than there is.
        """
        halo = self.halo
        if not halo.is_local:
            whole = self._whole(size)
            if whole.peak_bytes <= memory_bytes:
                return whole
            if not tiled_anyway:
                missing = (whole.peak_bytes - memory_bytes) / 1e6
                raise UserError(
                    f"a picture of {size[0]}x{size[1]} takes {missing:,.0f} MB more than --memory leaves, for this "
                    f"network {halo.text}; raise --memory, or give --tiled-anyway, whose result differs"
                )
            note = f"tiles differ from the whole picture: {reasons_text(halo.whole_picture)}"
            step = _step_of(self.trace((PROBE_PX, PROBE_PX)))
            halo = replace(halo, before=(ANYWAY_PX, ANYWAY_PX), after=(ANYWAY_PX, ANYWAY_PX), multiple=step)
            return self._tiled(size, memory_bytes, halo, most_rows, (note,), exact=False)
        if size[1] <= most_rows and self.trace(size).largest_elements * BYTES_PER_VALUE <= REUSED_BYTES:
            whole = self._whole(size)
            if whole.peak_bytes <= memory_bytes:
                return whole
        extended = _rounded_up(size, halo.multiple)
        if extended != size and not self._keeps_geometry(size):
            plan = self._tiled(extended, memory_bytes, halo, most_rows, (), exact=True)
            if plan.count == 1 and self.peak_bytes(size) <= memory_bytes:
                return self._whole(size)
            added = (extended[0] - size[0], extended[1] - size[1])
            note = (
                f"the picture is extended by {added[0]} px to the right and {added[1]} px below, to multiples of "
                f"{halo.multiple}: this network stretches a grid over the picture, which tiles cannot share otherwise"
            )
            return replace(plan, extended=added, notes=(note,))
        return self._tiled(size, memory_bytes, halo, most_rows, (), exact=True)

    def fixed(self, size: tuple[int, int], tile: tuple[int, int]) -> TilePlan:
        """Tiles of one (width, height) for a picture of (width, height), which is extended where it is smaller.

        Raises:
            UserError: the tile leaves nothing beside the halo, or is no multiple of what the network needs.
        """
        halo, step, notes = self.halo, self.halo.multiple, []
        if not halo.is_local:
            step = _step_of(self.trace((PROBE_PX, PROBE_PX)))
            notes = [f"tiles differ from the whole picture: {reasons_text(halo.whole_picture)}"]
            halo = replace(halo, before=(ANYWAY_PX, ANYWAY_PX), after=(ANYWAY_PX, ANYWAY_PX), multiple=step)
        cuts: list[tuple[tuple[int, int, int, int], ...]] = []
        extended: list[int] = []
        for axis in (ROWS, COLUMNS):
            length, window = size[1 - axis], tile[1 - axis]
            before, after = (_up(max(each[axis], self._reach), step) for each in (halo.before, halo.after))
            if length <= window:
                extended.append(window - length)
                cuts.append(((0, window, 0, window),))
                continue
            if window % step or window <= before + after:
                least = _up(before + after + 1, step)
                raise UserError(
                    f"the sides of the exported file's input must be multiples of {step} and at least {least} px for "
                    f"this picture (halo included), got {tile[0]}x{tile[1]}; export it with a larger --input, or with "
                    "--input dynamic"
                )
            extended.append(_up(length, step) - length)
            cuts.append(_fixed_cuts(_up(length, step), window, before, after))
        if any(extended):
            added = f"{extended[1]} px to the right and {extended[0]} px below"
            notes.append(f"the picture is extended by {added}, to the file's size or multiples of {step}")
        enlarged = (size[0] + extended[1], size[1] + extended[0])
        peak = self.peak_bytes(tile)
        return TilePlan(
            enlarged, halo.scale, cuts[0], cuts[1], peak, self.halo, (extended[1], extended[0]), tuple(notes)
        )

    def _whole(self, size: tuple[int, int]) -> TilePlan:
        width, height = size
        return TilePlan(
            size, self.halo.scale, ((0, height, 0, height),), ((0, width, 0, width),), self.peak_bytes(size), self.halo
        )

    def _keeps_geometry(self, size: tuple[int, int]) -> bool:
        """Whether the network does with a tile what it does with that part of a picture of ``size``.

        A tile here begins two multiples into the picture and has its end.
        """
        trace, multiple = self.trace(size), self.halo.multiple
        part = (size[0] - 2 * multiple, size[1] - 2 * multiple)
        if min(part) < multiple:
            return False
        smaller = self.trace(part)
        return all(trace.signature(axis, True) == smaller.signature(axis, True) for axis in (ROWS, COLUMNS))

    def _tiled(
        self, size: tuple[int, int], memory_bytes: int, halo: Halo, most_rows: int, notes: tuple[str, ...], exact: bool
    ) -> TilePlan:
        reach = max(self._reach, 0)
        step = halo.multiple
        before = tuple(_up(max(each, reach), step) for each in halo.before)
        after = tuple(_up(max(each, reach), step) for each in halo.after)
        probe = min(_rounded_up((PROBE_PX, PROBE_PX), step), _rounded_up(size, step))
        per_px = self.peak_bytes(probe) / math.prod(probe)
        quick_px = REUSED_BYTES * math.prod(probe) / (BYTES_PER_VALUE * self.trace(probe).largest_elements)
        allowed = float(memory_bytes)
        for _ in range(8):
            cuts = _cheapest(size, (before, after), step, allowed / per_px, quick_px, most_rows)
            if cuts is None:
                break
            rows, columns = (
                _axis_cuts(size[1 - axis], count, before[axis], after[axis], step)
                for axis, count in ((ROWS, cuts[0]), (COLUMNS, cuts[1]))
            )
            largest = (max(each[3] - each[2] for each in columns), max(each[3] - each[2] for each in rows))
            peak = self.peak_bytes(largest)
            if peak <= memory_bytes:
                plan = TilePlan(size, halo.scale, rows, columns, peak, self.halo, notes=notes)
                if plan.overhead > MOST_OVERHEAD:
                    raise UserError(
                        f"--memory must leave room for tiles larger than {largest[0]}x{largest[1]}, whose halo makes "
                        f"{plan.overhead + 1:.0f} times the work, got {memory_bytes / 1e6:,.0f} MB for the network; "
                        "raise it"
                    )
                if exact:
                    self._check(plan)
                return plan
            allowed *= 0.95 * memory_bytes / peak
        least = _rounded_up((before[1] + after[1] + step, before[0] + after[0] + step), step)
        needed = self.peak_bytes((min(least[0], _up(size[0], step)), min(least[1], _up(size[1], step)))) / 1e6
        raise UserError(
            f"--memory must leave {needed:,.0f} MB to the network for its smallest tile of {least[0]}x{least[1]}, got "
            f"{max(memory_bytes, 0) / 1e6:,.0f} MB; raise it"
        )

    def _check(self, plan: TilePlan) -> None:
        """Every tile holds what its part of the result depends on, by the operators of the whole picture."""
        trace = self.trace(plan.size)
        for axis, cuts in ((ROWS, plan.rows), (COLUMNS, plan.columns)):
            for start, end, first, last in cuts:
                low, high = trace.needs(axis, start * plan.scale, end * plan.scale - 1)
                if low < first or high >= last:
                    raise AssertionError(f"tile {first} to {last} must hold {low} to {high}")


def _step_of(trace: SpatialTrace) -> int:
    """What tiles should begin at for a network that is cut although it needs the whole picture."""
    scales = [scale for axis in (ROWS, COLUMNS) for scale in trace.scales(axis) or ()]
    return math.lcm(*(scale.denominator for scale in scales)) if scales else 1


def _up(length: int, step: int) -> int:
    return -(-length // step) * step


def _rounded_up(size: tuple[int, int], step: int) -> tuple[int, int]:
    return _up(size[0], step), _up(size[1], step)


def _window_length(length: int, count: int, before: int, after: int, step: int) -> int:
    """Of ``count`` equal windows that overlap by ``before`` and ``after``."""
    return length if count == 1 else _up(-(-(length + (count - 1) * (before + after)) // count), step)


def _cheapest(
    size: tuple[int, int],
    around: tuple[tuple[int, ...], tuple[int, ...]],
    step: int,
    most_px: float,
    quick_px: float,
    most_rows: int,
) -> tuple[int, int] | None:
    """How many rows and columns of tiles take the least time with windows of at most ``most_px``; None if none do.

    Windows above ``quick_px`` take ``SLOWER`` times as long per pixel.
    """
    options = []
    for axis, length in ((ROWS, size[1]), (COLUMNS, size[0])):
        before, after = around[0][axis], around[1][axis]
        found: dict[int, int] = {}
        for count in range(1, MOST_TILES + 1):
            window = _window_length(length, count, before, after, step)
            if count > 1 and window - before - after < step:
                break
            found.setdefault(window, count)
        options.append([(count, window, window - before - after) for window, count in found.items()])
    best: tuple[float, int, int] | None = None
    for row_count, height, kept in options[0]:
        is_too_high = kept > max(most_rows, 2 * (height - kept)) and row_count < options[0][-1][0]
        for column_count, width, _ in options[1]:
            if height * width <= most_px and not is_too_high:
                time = row_count * height * column_count * width * (SLOWER if height * width > quick_px else 1)
                if best is None or time < best[0]:
                    best = (time, row_count, column_count)
    return None if best is None else best[1:]


def _axis_cuts(length: int, count: int, before: int, after: int, step: int) -> tuple[tuple[int, int, int, int], ...]:
    """(core's start and end, window's start and end) of each tile; all windows are alike, but for the last."""
    window = _window_length(length, count, before, after, step)
    advance = window - before - after
    cuts = []
    start = 0
    while True:
        first = max(0, start - before)
        last = min(first + window, length)
        end = length if last == length else last - after
        cuts.append((start, end, first, last))
        if end == length:
            return tuple(cuts)
        start = end
        assert advance > 0


def _fixed_cuts(length: int, window: int, before: int, after: int) -> tuple[tuple[int, int, int, int], ...]:
    """As ``_axis_cuts``, with windows of one length: the last one lies further back."""
    cuts = []
    start = 0
    while True:
        first = min(max(0, start - before), length - window)
        last = first + window
        end = length if last == length else last - after
        cuts.append((start, end, first, last))
        if end == length:
            return tuple(cuts)
        start = end
