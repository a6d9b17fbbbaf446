"""A network as an int8 file computes it: weights and values rounded where LiteRT rounds them, arithmetic in float32.

Weights have a scale per output channel, values a scale and a zero point per tensor, from the smallest and largest value
that calibration pictures give (``evaluators.export.quantization``). An int8 engine adds products of whole numbers
without error and rounds the sum once, so that float32 arithmetic on rounded numbers gives the same but for ties.

torchao's PT2E quantizes a graph that is traced for a size, for one backend; here a network of any part is measured on
whole photographs of any size, at the places that LiteRT rounds.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from evaluators.compression.int8.points import FIXED_RANGES, INPUT, Point, points
from evaluators.compression.int8.rounding import Looking, Range, Rounding, range_of, run
from evaluators.export.deploy import engine_form
from evaluators.export.quantization import BLACK, SILENT, WHITE, is_silent
from space.deploy import deploy_form
from space.errors import UserError
from space.specialists import Specialists, networks_of


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
        rounding = Rounding(self.points(tuple(image.shape[1:])), self.ranges, self.float_layers)
        return run(self.network, image, rounding)

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
        looking = Looking(known[shape])
        with torch.no_grad():
            run(network, image, looking)
        for key, values in {**looking.found, INPUT: range_of(image)}.items():
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
