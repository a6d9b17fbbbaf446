"""The exact receptive field of a network, from its operators: how much of the picture a tile needs around it."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

from torch import nn

from evaluators.restore.spatial_trace import COLUMNS, ROWS, SpatialTrace, traced_shadow
from space.deploy import deploy_form
from space.errors import UserError
from space.operators.meta import meta_copy
from space.specialists import networks_of

SMALLEST_PX, LARGEST_PX = 256, 8192  # pictures that are followed; only their shapes exist
LARGEST_MULTIPLE = 1024


@dataclass(frozen=True)
class Halo:
    """What a tile needs of the picture around it so that its pixels are those of the whole, in input pixels.

    Attributes:
        before, after: rows above and below, and columns to the left and to the right, of a tile whose edges are
            multiples of ``multiple``.
        multiple: where a tile may begin and, short of the picture's end, end.
        field_px: height and width of the input that one output pixel depends on, of the pixel that needs most.
        whole_picture: by operator, why the network needs the whole picture; empty where it does not, and then alone
            the figures above mean something.
        scale: output pixels per input pixel.
    """

    before: tuple[int, int]
    after: tuple[int, int]
    multiple: int
    field_px: tuple[int, int]
    whole_picture: dict[str, str]
    scale: int

    @property
    def is_local(self) -> bool:
        return not self.whole_picture

    @property
    def text(self) -> str:
        """For people: ``halo 54 px``, or why there is none."""
        if not self.is_local:
            return f"needs the whole picture: {reasons_text(self.whole_picture)}"
        sides = (*self.before, *self.after)
        size = f"{max(sides)} px" if len(set(sides)) == 1 else "{} px above, {} left, {} below, {} right".format(*sides)
        step = f", tiles at multiples of {self.multiple} px" if self.multiple > 1 else ""
        return f"receptive field {self.field_px[COLUMNS]}x{self.field_px[ROWS]} px, halo {size}{step}"


def reasons_text(reasons: dict[str, str]) -> str:
    return "; ".join(f"{name} ({why})" for name, why in reasons.items())


def halo_of(network: nn.Module, in_channels: int) -> Halo:
    """The halo of ``network``, in its deploy form, whose weights do not matter; it is not changed.

    It is exact: one pixel less would change some output. Of specialists, which are alike, that of one.

    >>> import space
    >>> from evaluators.restore.receptive_field import halo_of
    >>> halo = halo_of(space.build(space.ZOO["espcn"].architecture), in_channels=1)
    >>> halo.before, halo.after, halo.multiple, halo.field_px
    ((4, 4), (4, 4), 1, (9, 9))

    Raises:
        UserError: it cannot be followed on shapes alone, or what it gives is no enlargement of what it takes.
    """
    shadow = deploy_form(meta_copy(networks_of(network)[0]))
    size = SMALLEST_PX
    while True:
        trace = traced_shadow(shadow, in_channels, (size, size))
        scale = scale_of(trace, (size, size))
        reasons = trace.whole_picture
        multiple = _multiple(trace)
        if reasons or multiple is None or multiple > LARGEST_MULTIPLE:
            return _whole(reasons or {"sizes": "parts of different sizes do not fit together"}, scale)
        if size % multiple == 0 and (found := _measured(trace, size, multiple, scale)):
            return found
        if size >= LARGEST_PX:
            return _whole({"depth": f"more than {LARGEST_PX // 2} px are needed around a pixel"}, scale)
        size = max(2 * size, multiple * (-(-2 * size // multiple)))


def scale_of(trace: SpatialTrace, size: tuple[int, int]) -> int:
    """Raises: UserError: the output is not larger than the (width, height) input by a whole number."""
    height, width = trace.output_shape[2:]
    scale = max(1, round(width / size[0]))
    if (width, height) != (size[0] * scale, size[1] * scale):
        raise UserError(
            f"the network must give a picture of the input's size or a multiple, got {width}x{height} of "
            f"{size[0]}x{size[1]}; pad what its convolutions lose"
        )
    return scale


def _whole(reasons: dict[str, str], scale: int) -> Halo:
    return Halo((0, 0), (0, 0), 1, (0, 0), reasons, scale)


def _multiple(trace: SpatialTrace) -> int | None:
    scales = [trace.scales(axis) for axis in (ROWS, COLUMNS)]
    if None in scales:
        return None
    return lcm(*(scale.denominator for each in scales for scale in each or ()))


def _measured(trace: SpatialTrace, size: int, multiple: int, scale: int) -> Halo | None:
    """None where what a tile in the middle needs reaches the picture's edge, or is not the same a multiple later."""
    before, after, field = [], [], []
    start = size // 2 // multiple * multiple
    for axis in (ROWS, COLUMNS):
        edges = []
        for at in (start, start + multiple):
            low, high = trace.needs(axis, at * scale, (at + multiple) * scale - 1)
            if low <= 0 or high >= size - 1:
                return None
            edges.append((max(0, at - low), max(0, high - (at + multiple - 1))))
        before.append(max(edge[0] for edge in edges))
        after.append(max(edge[1] for edge in edges))
        spans = [trace.needs(axis, o, o) for o in range(start * scale, (start + multiple) * scale)]
        field.append(max(high - low + 1 for low, high in spans))
    return Halo((before[0], before[1]), (after[0], after[1]), multiple, (field[0], field[1]), {}, scale)


__all__ = ["Halo", "halo_of", "reasons_text", "scale_of"]
