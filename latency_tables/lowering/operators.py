"""An operator as an inference engine runs it: fused, with everything that its cost depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Pair = tuple[int, int]

# What multiplies; everything else only moves or transforms elements.
COMPUTE_KINDS = ("conv", "depthwise_conv", "grouped_conv", "transposed_conv", "matmul")
# Reads what it needs, writes its output, does little arithmetic: bounded by the bytes that it moves.
TRAFFIC_KINDS = (
    "activation",
    "add",
    "multiply",
    "elementwise",
    "concat",
    "pool",
    "resize",
    "pixel_shuffle",
    "pixel_unshuffle",
    "pad",
    "reduce",
    "softmax",
    "norm",
    "copy",
)
# Where the bytes lie decides, not how many there are: no bound can be given without a measurement.
SCATTERED_KINDS = ("gather",)
KINDS = COMPUTE_KINDS + TRAFFIC_KINDS + SCATTERED_KINDS


@dataclass(frozen=True, slots=True)
class EngineOperator:
    """One fused operator, channels last. The images of a batch, windows of one for example, lie below each other.

    ``function`` tells operators of one kind apart: the activation ("prelu", "sigmoid"), the resize ("nearest",
    "bilinear"), the pooling ("max", "average"), the padding other than by zeros ("reflect"), a copy that keeps the
    order of elements ("slice", "plain"), an operand that is not an equal tensor ("scalar", "broadcast"), how many
    values a concatenation joins ("of 2", of channels; "of 2 along height", "of 2 along width"), "" for the plain form.
    ``height`` and ``width`` are those of the output, except of "reduce", whose output is one pixel (or one channel, of
    as many pixels) and whose input size they are, of each image of a batch: ``read_elements`` says how many there are.
    ``kernel``, ``stride`` and ``dilation`` are (height, width). ``factor`` is the enlargement of a resize or pixel
    shuffle, or the reduction of a pixel unshuffle. ``groups`` is 1 but of a "grouped_conv" and a channel shuffle.
    ``read_elements`` counts all input activations. A matmul of (M, K) by (K, N) has height M, width 1, K in and N out
    channels; a weight is the K by N operand, whichever side it stands on, so that M counts pixels as it does of a 1x1
    convolution. A batch of B products has height B M, and ``read_elements`` of B (M K + K N).

    ``part`` (path of the module that ran it) and ``inputs`` and ``output`` (ids of activations) say where in the
    network it stands, ``fused`` which activation it applies to its output; two operators that differ only there are
    equal and cost the same.
    """

    kind: str
    height: int
    width: int
    in_channels: int
    out_channels: int
    read_elements: int
    function: str = ""
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    groups: int = 1
    factor: int = 1
    part: str = field(default="", compare=False)
    inputs: tuple[int, ...] = field(default=(), compare=False)
    output: int = field(default=-1, compare=False)
    fused: str = field(default="", compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shape = (self.kind, self.height, self.width, self.in_channels, self.out_channels, self.kernel, self.function)
        object.__setattr__(self, "_hash", hash(shape))  # a table is asked for the same operators many times

    def __hash__(self) -> int:
        return self._hash

    @property
    def pixels(self) -> int:
        """Output pixels (input pixels of "reduce")."""
        return self.height * self.width

    @property
    def taps(self) -> int:
        return math.prod(self.kernel)

    @property
    def written_elements(self) -> int:
        if self.kind == "reduce":
            return self.images * (self.out_channels if self.out_channels == self.in_channels else self.pixels)
        return self.out_channels * self.pixels

    @property
    def images(self) -> int:
        """How many images a reduction reduces each for itself, or how many matrix products a batch of them has.

        A product by a weight is one; so is every other operator, whose images are one tall image.
        """
        if self.kind == "reduce":
            return self.read_elements // (self.pixels * self.in_channels)
        if self.kind == "matmul":
            factor = self.read_elements - self.pixels * self.in_channels
            return max(1, factor // (self.in_channels * self.out_channels))
        return 1

    @property
    def weights(self) -> int:
        """Stored numbers, without bias."""
        if self.kind == "depthwise_conv":
            return self.out_channels * self.taps
        if self.kind in COMPUTE_KINDS:
            return self.in_channels // self.groups * self.out_channels * self.taps
        return self.out_channels if self.function == "prelu" else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of kinds that multiply; 0 of the others."""
        if self.kind not in COMPUTE_KINDS:
            return 0
        pixels = self.pixels // math.prod(self.stride) if self.kind == "transposed_conv" else self.pixels
        return self.weights * pixels

    @property
    def operation(self) -> tuple[object, ...]:
        """What operators share that differ only in channels and size; costs are interpolated within it."""
        over_channels = self.kind == "reduce" and self.out_channels < self.in_channels
        window = (self.kernel, self.stride, self.dilation)
        return (self.kind, self.function, *window, self.groups, self.factor, over_channels, self.multiplier)

    @property
    def multiplier(self) -> int:
        """Outputs per channel of a depthwise convolution, else 1: with two it runs in other kernels than with one."""
        return max(1, self.out_channels // self.in_channels) if self.kind == "depthwise_conv" else 1

    def __str__(self) -> str:
        """As a message names it: ``conv 3x3 16->64 at 320x180``."""
        parts = [" ".join(filter(None, (self.kind, self.function)))]
        if self.taps > 1:
            parts.append(text(self.kernel))
        if self.stride != (1, 1):
            parts.append(f"stride {text(self.stride)}")
        if self.dilation != (1, 1):
            parts.append(f"dilation {text(self.dilation)}")
        if self.groups > 1:
            parts.append(f"in {self.groups} groups")
        if self.factor > 1:
            parts.append(f"by {self.factor}")
        if self.in_channels == self.out_channels:
            parts.append(f"{self.in_channels} channels")
        else:
            parts.append(f"{self.in_channels}->{self.out_channels}")
        return " ".join((*parts, f"at {self.width}x{self.height}"))


def text(pair: Pair) -> str:
    """``3x3``: height x width."""
    return f"{pair[0]}x{pair[1]}"
