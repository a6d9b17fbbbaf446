"""How a picture is cut into tiles: as few shapes as can be, under a limit of memory, with the least work."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

from torch import nn

from evaluators.restore.cutting import Cuts, axis_cuts, both_rounded_up, cheapest, fixed_cuts, rounded_up
from evaluators.restore.receptive_field import Halo, halo_of, reasons_text
from evaluators.restore.spatial_trace import COLUMNS, ROWS, SpatialTrace, traced_shadow
from evaluators.restore.tile_plan import TilePlan
from space.deploy import deploy_form
from space.errors import UserError
from space.operators.meta import meta_copy
from space.specialists import networks_of

BYTES_PER_VALUE = 4
SCRATCH = 1.6
"""What the convolutions of torch take beside the network's own values, of these. Over 13 networks of the zoo a run
took 0.3 to 1.6 times its values of resident memory, with what torch takes only once (``restorer.LATER_BYTES``)."""

REUSED_BYTES = 32 << 20
"""The C library gives a larger array back to the system as soon as it is free, and gets new pages for the next one:
etds-m4c32 takes 1.85 µs of one core a pixel in tiles of 256x256 and 2.6 in 512x512."""

PROBE_PX = 256
ANYWAY_PX = 32
MOST_TRACES = 32
MOST_OVERHEAD = 10.0  # times the picture's own work that halos may add


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
        extended = both_rounded_up(size, halo.multiple)
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
        cuts: list[Cuts] = []
        extended: list[int] = []
        for axis in (ROWS, COLUMNS):
            length, window = size[1 - axis], tile[1 - axis]
            before, after = (rounded_up(max(each[axis], self._reach), step) for each in (halo.before, halo.after))
            if length <= window:
                extended.append(window - length)
                cuts.append(((0, window, 0, window),))
                continue
            if window % step or window <= before + after:
                least = rounded_up(before + after + 1, step)
                raise UserError(
                    f"the sides of the exported file's input must be multiples of {step} and at least {least} px for "
                    f"this picture (halo included), got {tile[0]}x{tile[1]}; export it with a larger --input, or with "
                    "--input dynamic"
                )
            extended.append(rounded_up(length, step) - length)
            cuts.append(fixed_cuts(rounded_up(length, step), window, before, after))
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
        before = tuple(rounded_up(max(each, reach), step) for each in halo.before)
        after = tuple(rounded_up(max(each, reach), step) for each in halo.after)
        probe = min(both_rounded_up((PROBE_PX, PROBE_PX), step), both_rounded_up(size, step))
        per_px = self.peak_bytes(probe) / math.prod(probe)
        quick_px = REUSED_BYTES * math.prod(probe) / (BYTES_PER_VALUE * self.trace(probe).largest_elements)
        allowed = float(memory_bytes)
        for _ in range(8):
            cuts = cheapest(size, (before, after), step, allowed / per_px, quick_px, most_rows)
            if cuts is None:
                break
            rows, columns = (
                axis_cuts(size[1 - axis], count, before[axis], after[axis], step)
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
        least = both_rounded_up((before[1] + after[1] + step, before[0] + after[0] + step), step)
        needed = (
            self.peak_bytes((min(least[0], rounded_up(size[0], step)), min(least[1], rounded_up(size[1], step)))) / 1e6
        )
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
