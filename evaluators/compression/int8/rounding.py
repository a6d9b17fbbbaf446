"""A network run operator by operator: values looked at, or rounded where an int8 file of LiteRT rounds them.

Rounding happens below autograd: a gradient passes a rounded value as if it had not been rounded (the straight-through
estimator of Bengio et al. 2013), so that the network can be trained on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from evaluators.compression.int8.points import COPY, INPUT, Point, Role
from evaluators.export.quantization import WEIGHTED
from space.operators.kinds import kind_of
from space.operators.meta import storage_of

LOWEST, HIGHEST = -128, 127
LARGEST_WEIGHT = 127  # weights have no zero point
SMALLEST_RANGE = 1e-8
TAKES_CONSTANTS = ("add", "multiply")  # operators of which one operand may be a constant, rounded as values are
PRELU = "_prelu_kernel"
PRELU_PARTS = ("positive", "negative", "scaled")
"""What LiteRT's converter makes of a PReLU before it takes the last from the first: relu(x), relu(-x), and this times
the slopes. Each is written to memory with a range of its own."""
Range = tuple[float, float]


def run(network: nn.Module, image: Tensor, mode: Watching) -> Tensor:
    has_gradients = torch.is_grad_enabled()
    # In inference mode operators are not taken apart into those that a dispatch mode can change.
    with torch.inference_mode(False), torch.set_grad_enabled(has_gradients):
        image = mode.begin(image.clone() if image.is_inference() else image)
        with mode:
            output: Tensor = network(image)
        mode.check_complete()
        return output


class Watching(TorchDispatchMode, ABC):
    """Follows a run operator by operator, in step with the points of a trace."""

    def __init__(self, known: Sequence[Point]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch gives it no annotations
        self.known = known
        self.place = 0
        self._values: dict[int, Tensor] = {}

    def begin(self, image: Tensor) -> Tensor:
        self._keep(image)
        return image

    def check_complete(self) -> None:
        if self.place != len(self.known):
            raise AssertionError(f"a run must have the {len(self.known)} operators of its trace, got {self.place}")

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        reads_image = any(storage_of(tensor) in self._values for tensor in read)
        is_random = torch.Tag.nondeterministic_seeded in function.tags
        kind = kind_of(function) if reads_image or is_random else None
        if kind in (None, COPY) or not reads_image:
            result = function(*args, **kwargs)
        else:
            point = self.known[self.place]
            self.place += 1
            name = function._schema.name.removeprefix("aten::")
            if point.name not in (name, "instance_norm"):
                raise AssertionError(f"a run must follow its trace, got {name} at {point.key}")
            result = self._ran(point, function, args, kwargs)
        if reads_image or is_random:
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor):
                    self._keep(leaf)
        return result

    @abstractmethod
    def _ran(self, point: Point, function: Any, args: Any, kwargs: Any) -> Any:
        """The result of the operator at ``point``."""

    def _keep(self, tensor: Tensor) -> None:
        self._values[storage_of(tensor)] = tensor  # kept alive: a freed storage's address would be taken by a later one


class Looking(Watching):
    """Notes the smallest and the largest value at every point that may be rounded."""

    def __init__(self, known: Sequence[Point]) -> None:
        super().__init__(known)
        self.found: dict[str, Range] = {}

    def _ran(self, point: Point, function: Any, args: Any, kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if point.role is Role.ROUNDED:
            self.found[point.key] = range_of(tree_leaves(result)[0])
            if point.name == PRELU:
                self.found |= {
                    key: range_of(part) for key, part in zip(_part_keys(point), _prelu_parts(*args[:2]), strict=True)
                }
        return result


class Rounding(Watching):
    """Rounds weights before, and values after the operators that an int8 file has."""

    def __init__(self, known: Sequence[Point], ranges: Mapping[str, Range], float_layers: Collection[str]) -> None:
        super().__init__(known)
        self._ranges = ranges
        self._float_layers = float_layers

    def begin(self, image: Tensor) -> Tensor:
        return super().begin(rounded(image, self._ranges[INPUT]))

    def _ran(self, point: Point, function: Any, args: Any, kwargs: Any) -> Any:
        if point.layer not in self._float_layers:
            if point.kind in WEIGHTED:
                args = self._with_int8_weights(point.kind, args)
            elif point.kind in TAKES_CONSTANTS:
                args = tuple(self._with_int8_constant(each) for each in args)
        if point.name == PRELU and point.role is Role.ROUNDED and all(key in self._ranges for key in _part_keys(point)):
            result = self._prelu(point, *args[:2])
        else:
            result = function(*args, **kwargs)
        if point.role is not Role.ROUNDED:
            return result
        leaf = tree_leaves(result)[0]
        value = rounded(leaf, self._ranges.get(point.scale) or range_of(leaf))
        if storage_of(leaf) in self._values:  # computed in place, so that others hold it
            leaf.copy_(value)
            return result
        return (value, *result[1:]) if isinstance(result, tuple) else value

    def _prelu(self, point: Point, values: Tensor, slopes: Tensor) -> Tensor:
        """As three operators, all but the last rounded; ranges of before there were parts have none of them."""
        positive, negative, scaled = (self._ranges[key] for key in _part_keys(point))
        kept = rounded(values.clamp_min(0), positive)
        turned = rounded(values.neg().clamp_min_(0), negative)
        return kept - rounded(turned * self._with_int8_constant(slopes), scaled)

    def _with_int8_weights(self, kind: str, args: Any) -> Any:
        """The operand that is no activation, rounded along its output channels."""
        if kind != "matmul":
            return (args[0], rounded_weights(args[1], axis=1 if kind == "conv_transpose" else 0), *args[2:])
        return tuple(
            rounded_weights(each, axis=each.dim() - 1)
            if isinstance(each, Tensor) and each.dim() > 1 and storage_of(each) not in self._values
            else each
            for each in args
        )

    def _with_int8_constant(self, operand: Any) -> Any:
        """``operand``, rounded with the one scale of its range if it is a constant."""
        if not isinstance(operand, Tensor) or storage_of(operand) in self._values or operand.numel() == 1:
            return operand
        low, high = range_of(operand.detach())
        return rounded(operand, (min(0.0, low), max(0.0, high)))


def _part_keys(point: Point) -> tuple[str, ...]:
    return tuple(f"{point.key}/{part}" for part in PRELU_PARTS)


def _prelu_parts(values: Tensor, slopes: Tensor) -> tuple[Tensor, ...]:
    negative = values.neg().clamp_min_(0)
    return values.clamp_min(0), negative, negative * slopes


def rounded(values: Tensor, limits: Range) -> Tensor:
    """``values`` as int8 with the scale and zero point that ``limits`` give."""
    low, high = limits
    scale = max(high - low, SMALLEST_RANGE) / (HIGHEST - LOWEST)
    zero = min(HIGHEST, max(LOWEST, round(LOWEST - low / scale)))
    return torch.fake_quantize_per_tensor_affine(values, scale, zero, LOWEST, HIGHEST)


def rounded_weights(weights: Tensor, axis: int) -> Tensor:
    """``weights`` as int8 from -127 to 127, with a scale for each place on ``axis``."""
    others = [each for each in range(weights.dim()) if each != axis]
    scale = (weights.abs().amax(others) / LARGEST_WEIGHT).clamp_min(SMALLEST_RANGE)
    zeros = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weights, scale, zeros, axis, -LARGEST_WEIGHT, LARGEST_WEIGHT)


def range_of(values: Tensor) -> Range:
    low, high = torch.aminmax(values)
    return float(low), float(high)
