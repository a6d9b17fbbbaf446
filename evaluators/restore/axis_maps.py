"""What an operator reads along one axis of the picture: from an interval of its output to one of its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

Interval = tuple[int, int]  # first and last position, both included


@dataclass(frozen=True, slots=True)
class Window:
    """Output o reads the inputs from floor((o step + first) / parts) to floor((o step + last) / parts).

    What lies outside the input is read from its border, or is padding: either way the border is needed.
    """

    step: int = 1
    parts: int = 1
    first: int = 0
    last: int = 0

    def needs(self, low: int, high: int, length: int) -> Interval:
        """The inputs, of ``length``, that the outputs ``low`` to ``high`` read."""
        return (
            min(max((low * self.step + self.first) // self.parts, 0), length - 1),
            min(max((high * self.step + self.last) // self.parts, 0), length - 1),
        )

    @property
    def scale(self) -> Fraction | None:
        """Outputs per input; None where all outputs read the same."""
        return Fraction(self.parts, self.step) if self.step else None


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Padding by ``before`` mirrored positions, without the border itself."""

    before: int

    def needs(self, low: int, high: int, length: int) -> Interval:
        places = [low - self.before, high - self.before]
        first, last = min(max(places[0], 0), length - 1), min(max(places[1], 0), length - 1)
        if places[0] < 0:
            first, last = 0, max(last, min(-places[0], length - 1))
        if places[1] >= length:
            first, last = min(first, max(2 * (length - 1) - places[1], 0)), length - 1
        return first, last

    @property
    def scale(self) -> Fraction | None:
        return Fraction(1)


@dataclass(frozen=True, slots=True)
class Everything:
    """Every output reads the whole axis."""

    def needs(self, low: int, high: int, length: int) -> Interval:
        return 0, length - 1

    @property
    def scale(self) -> Fraction | None:
        return None


AxisMap = Window | Mirrored | Everything
SAME, ONE, EVERYTHING = Window(), Window(step=0), Everything()  # ONE: of an input of length 1, broadcast


def convolved(kernel: int, stride: int, padding: int, dilation: int) -> Window:
    """Of a convolution or a pooling."""
    return Window(stride, 1, -padding, dilation * (kernel - 1) - padding)


def transposed(kernel: int, stride: int, padding: int, dilation: int) -> Window:
    """Input i reaches the outputs i stride - padding + k dilation."""
    return Window(1, stride, padding - dilation * (kernel - 1) + stride - 1, padding)


def shuffled(factor: int) -> Window:
    return Window(1, factor)


def unshuffled(factor: int) -> Window:
    return Window(factor, 1, 0, factor - 1)


def nearest(ratio: Fraction) -> Window:
    """``ratio``: inputs per output."""
    return Window(ratio.numerator, ratio.denominator)


def interpolated(ratio: Fraction, before: int, after: int) -> Window:
    """Around the source coordinate (o + 1/2) ratio - 1/2: from its floor, less ``before``, to that plus ``after``."""
    num, den = ratio.numerator, ratio.denominator
    return Window(2 * num, 2 * den, num - den - 2 * den * before, num - den + 2 * den * after)


def antialiased(ratio: Fraction, support: int) -> Window:
    """Taps within ``support`` of the centre (o + 1/2) ratio, wider where the picture shrinks, as torch places them."""
    reach = support * max(ratio, Fraction(1))
    start, end = ratio / 2 - reach + Fraction(1, 2), ratio / 2 + reach - Fraction(1, 2)
    den = (ratio * 2).denominator * (start * 2).denominator * (end * 2).denominator * 2
    return Window(int(ratio * den), den, int(start * den), int(end * den))


RESIZES: dict[str, Callable[[Fraction], Window]] = {
    "upsample_nearest2d": nearest,
    "upsample_bilinear2d": lambda ratio: SAME if ratio == 1 else interpolated(ratio, 0, 1),
    "upsample_bicubic2d": lambda ratio: SAME if ratio == 1 else interpolated(ratio, 1, 2),
    "_upsample_bilinear2d_aa": lambda ratio: antialiased(ratio, 1),
    "_upsample_bicubic2d_aa": lambda ratio: antialiased(ratio, 2),
}
