"""A network as an int8 file computes it: weights and values rounded where LiteRT rounds them, arithmetic in float32.

Weights have a scale per output channel, values a scale and a zero point per tensor, from the smallest and largest value
that calibration pictures give (``evaluators.export.quantization``). An int8 engine adds products of whole numbers
without error and rounds the sum once, so that float32 arithmetic on rounded numbers gives the same but for ties.

torchao's PT2E quantizes a graph that is traced for a size, for one backend; here a network of any part is measured on
whole photographs of any size, at the places that LiteRT rounds.

Rounding happens below autograd: a gradient passes a rounded value as if it had not been rounded (the straight-through
estimator of Bengio et al. 2013), so that the network can be trained on.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from evaluators.compression.int8.points import COPY, FIXED_RANGES, INPUT, Point, Role, points
from evaluators.export.deploy import engine_form
from evaluators.export.quantization import SILENT, WEIGHTED, is_silent
from space.deploy import deploy_form
from space.errors import UserError
from space.operators.kinds import kind_of
from space.operators.meta import storage_of
from space.specialists import Specialists, networks_of

LOWEST, HIGHEST = -128, 127
LARGEST_WEIGHT = 127  # weights have no zero point
BLACK, WHITE = 0.0, 1.0
SMALLEST_RANGE = 1e-8
TAKES_CONSTANTS = ("add", "multiply")  # operators of which one operand may be a constant, rounded as values are
Range = tuple[float, float]


class Int8Network(nn.Module):
    """``network`` with int8 weights and values; images `(N, C, h, w)` to `(N, c, H, W)`, both float32.

    Args:
        network: in the form that is exported (``evaluators.export.deploy.export_form``); it is kept, not copied.
        ranges: by the key of a point, the smallest and largest value that int8 is to hold.
        float_layers: paths of modules that compute in float.
        names: of the weights in the deploy form, by their names in ``network``.
    """

    def __init__(
        self,
        network: nn.Module,
        ranges: Mapping[str, Range],
        float_layers: Collection[str] = (),
        names: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.ranges = dict(ranges)
        self.float_layers = frozenset(float_layers)
        self.names = dict(names or {})
        self._points: dict[tuple[int, ...], tuple[Point, ...]] = {}

    def forward(self, image: Tensor) -> Tensor:
        rounding = _Rounding(self.points(tuple(image.shape[1:])), self.ranges, self.float_layers)
        return _run(self.network, image, rounding)

    def points(self, shape: tuple[int, ...]) -> tuple[Point, ...]:
        """Those of an image of ``shape`` `(C, h, w)`."""
        if shape not in self._points:
            self._points[shape] = points(self.network, (1, *shape), self.float_layers)
        return self._points[shape]

    def with_float(self, layers: Collection[str]) -> Int8Network:
        """The same network and ranges with other ``layers`` in float; weights are shared."""
        return Int8Network(self.network, self.ranges, layers, self.names)

    def recalibrated(self, calibration: Sequence[Tensor]) -> Int8Network:
        """The same weights with the ranges that ``calibration`` now gives; weights are shared."""
        return Int8Network(self.network, measured_ranges(self.network, calibration), self.float_layers, self.names)

    def write_weights(self, deployed: nn.Module) -> None:
        """Copy the weights into ``deployed``, the deploy form of the network that this one was made of."""
        own, target = dict(self.network.named_parameters()), dict(deployed.named_parameters())
        with torch.no_grad():
            for name, theirs in self.names.items():
                target[theirs].copy_(own[name])


def quantized(network: nn.Module, calibration: Sequence[Tensor], float_layers: Collection[str] = ()) -> nn.Module:
    """``network`` in int8, calibrated on images `(1, C, h, w)`; of specialists, each on the images of ``calibration``.

    >>> import space, torch
    >>> network = space.build(space.ZOO["espcn"].architecture).eval()
    >>> image = torch.rand(1, 1, 24, 24)
    >>> int8 = quantized(network, [image])
    >>> bool((int8(image) - network(image)).abs().max() < 0.05)
    True

    Raises:
        UserError: there is no image, or the network runs an operator of unknown cost.
    """
    if not calibration:
        raise UserError("int8 needs pictures to calibrate on, got none")
    networks = networks_of(network)
    if len(networks) > 1:
        return Specialists(quantized(each, calibration, float_layers) for each in networks).eval()
    form, names = engine_form_of(network)
    return Int8Network(form, measured_ranges(form, calibration), float_layers, names).eval()


def engine_form_of(network: nn.Module) -> tuple[nn.Module, dict[str, str]]:
    """A copy in the form that engines run, and the names of its weights in the deploy form; those alone are trained."""
    deployed = deploy_form(copy.deepcopy(network)).requires_grad_(False)
    names = {id(parameter): name for name, parameter in deployed.named_parameters()}
    kept = {id(tensor): tensor for tensor in (*deployed.parameters(), *deployed.buffers())}
    form = engine_form(copy.deepcopy(deployed, kept)).eval()
    shared = {name: names[id(value)] for name, value in form.named_parameters() if id(value) in names}
    for name, parameter in form.named_parameters():
        parameter.requires_grad_(name in shared)
    return form, shared


def int8_ranges(network: nn.Module) -> list[dict[str, Range]]:
    """The ranges of ``quantized``'s answer: of every specialist, or of the one network, as JSON values."""
    each = networks_of(network)
    return [one.ranges for one in each if isinstance(one, Int8Network)]


def with_ranges(
    network: nn.Module, ranges: Sequence[Mapping[str, Sequence[float]]], float_layers: Collection[str] = ()
) -> nn.Module:
    """``network`` in int8 with the ``ranges`` that ``int8_ranges`` gave of it once."""
    made = []
    for one, own in zip(networks_of(network), ranges, strict=True):
        form, names = engine_form_of(one)
        limits = {key: (float(low), float(high)) for key, (low, high) in own.items()}
        made.append(Int8Network(form, limits, float_layers, names).eval())
    return Specialists(made).eval() if isinstance(network, Specialists) else made[0]


def measured_ranges(network: nn.Module, calibration: Sequence[Tensor]) -> dict[str, Range]:
    """By key of a point, the smallest and largest value over ``calibration``; the ends hold black to white at least."""
    found: dict[str, Range] = {}
    known: dict[tuple[int, ...], tuple[Point, ...]] = {}
    for image in (placed_like(network, each) for each in calibration):
        shape = tuple(image.shape)
        if shape not in known:
            known[shape] = points(network, shape)
        looking = _Looking(known[shape])
        with torch.no_grad():
            _run(network, image, looking)
        for key, values in {**looking.found, INPUT: _range(image)}.items():
            before = found.get(key, values)
            found[key] = (min(before[0], values[0]), max(before[1], values[1]))
    ends = {point.key for every in known.values() for point in every if point.is_end} | {INPUT}
    fixed = {p.key: FIXED_RANGES[p.name] for every in known.values() for p in every if p.name in FIXED_RANGES}
    return {
        key: (min(BLACK, low), max(WHITE, high)) if key in ends else _holding_zero(low, high)
        for key, (low, high) in found.items()
    } | fixed


def _holding_zero(low: float, high: float) -> Range:
    return SILENT if is_silent(low, high) else (min(0.0, low), max(0.0, high))


def placed_like(network: nn.Module, image: Tensor) -> Tensor:
    """``image`` on the device of the weights of ``network``: a search quantizes where it trains."""
    weights = next(network.parameters(), None)
    return image if weights is None else image.to(weights.device)


def _run(network: nn.Module, image: Tensor, mode: _Watching) -> Tensor:
    has_gradients = torch.is_grad_enabled()
    # In inference mode operators are not taken apart into those that a dispatch mode can change.
    with torch.inference_mode(False), torch.set_grad_enabled(has_gradients):
        image = mode.begin(image.clone() if image.is_inference() else image)
        with mode:
            output: Tensor = network(image)
        mode.check_complete()
        return output


class _Watching(TorchDispatchMode, ABC):
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


class _Looking(_Watching):
    """Notes the smallest and the largest value at every point that may be rounded."""

    def __init__(self, known: Sequence[Point]) -> None:
        super().__init__(known)
        self.found: dict[str, Range] = {}

    def _ran(self, point: Point, function: Any, args: Any, kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if point.role is Role.ROUNDED:
            self.found[point.key] = _range(tree_leaves(result)[0])
        return result


class _Rounding(_Watching):
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
        result = function(*args, **kwargs)
        if point.role is not Role.ROUNDED:
            return result
        leaf = tree_leaves(result)[0]
        value = rounded(leaf, self._ranges.get(point.scale) or _range(leaf))
        if storage_of(leaf) in self._values:  # computed in place, so that others hold it
            leaf.copy_(value)
            return result
        return (value, *result[1:]) if isinstance(result, tuple) else value

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
        low, high = _range(operand.detach())
        return rounded(operand, (min(0.0, low), max(0.0, high)))


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


def _range(values: Tensor) -> Range:
    low, high = torch.aminmax(values)
    return float(low), float(high)
