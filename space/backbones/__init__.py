"""The backbones. Each has its own file and one entry in ``BACKBONES``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from torch import nn

from space import knobs as knob_rules
from space.architecture import Architecture, EndsSpec, IOShape, MalleSpec
from space.backbones import encoder_decoder, plain, progressive, pyramid, streams, symmetric
from space.backbones.ends import ends_from_knobs, ends_values, trunk_malle
from space.backbones.restoration_net import RestorationNet, Trunk
from space.errors import UserError
from space.knobs import SPECIALISTS, Knob, Value


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """How the networks of one trunk are described (``settings``), searched (``knobs``) and built (``trunk``).

    ``knobs`` are all that it declares; what a search of networks of one shape may turn is ``knobs_for(shape)``.
    ``trunk(shape, settings, make)`` stands in a ``RestorationNet``. ``setting_values`` tells the knob values that can
    give settings, and ``malle_from_knobs`` what a MalleConv is like in this trunk.
    """

    name: str
    trunk: Callable[..., Trunk]
    settings: type
    knobs: tuple[Knob, ...]
    settings_from_knobs: Callable[[Mapping[str, Any]], Any]
    setting_values: Callable[[Any], dict[str, Value]]
    malle_from_knobs: Callable[[Mapping[str, Any]], MalleSpec] = trunk_malle

    def knobs_for(self, shape: IOShape) -> tuple[Knob, ...]:
        """The knobs that change a network of ``shape``, each with the values that it has there."""
        return _knobs_for(self, shape, shape.masked)

    def ends_from_knobs(self, knobs: Mapping[str, Any]) -> EndsSpec:
        """The parts around the trunk."""
        return ends_from_knobs(knobs, self.malle_from_knobs)

    def values_of(self, arch: Architecture) -> dict[str, Value] | None:
        """The knob values that give ``arch``, or None where it lies off the grid, as pruned ones do.

        If several choices give it, one of them. ``specialists`` is included where there is more than one.
        """
        if not isinstance(arch.settings, self.settings) or arch.ends is None or arch.widths:
            return None
        values = {**self.setting_values(arch.settings), **ends_values(arch.ends)}
        values["specialists"] = arch.shape.specialists
        # A stored shape does not say whether its last channel is a mask, which only adds values.
        offered = self.knobs_for(replace(arch.shape, masked=True))
        found: dict[str, Value] = {}
        for knob in knob_rules.active(offered, found):
            if values.get(knob.name) not in knob.values:
                return None
            found[knob.name] = values[knob.name]
        if self.settings_from_knobs(found) != arch.settings or self.ends_from_knobs(found) != arch.ends:
            return None
        return found

    def architecture(self, shape: IOShape, knobs: Mapping[str, Any]) -> Architecture:
        """The architecture that ``knobs`` describe; every knob that applies and has no default must be given, and no
        other.

        Raises:
            UserError: a knob is missing, unknown or off its values.
        """
        offered = self.knobs_for(shape)
        knobs = knob_rules.complete(offered, knobs)
        shape = replace(shape, specialists=knobs.get("specialists", 1), masked=False)
        return Architecture(shape, self.name, self.settings_from_knobs(knobs), self.ends_from_knobs(knobs))

    def assemble(self, arch: Architecture, make: Callable[..., nn.Module]) -> nn.Module:
        """The network of ``arch`` out of parts from ``make``."""
        if arch.ends is None:
            raise UserError(f"an architecture of the backbone {self.name} must have ends, got none")
        return RestorationNet(arch.shape, arch.ends, self.trunk(arch.shape, arch.settings, make), make)


@lru_cache(maxsize=256)
def _knobs_for(backbone: Backbone, shape: IOShape, masked: bool) -> tuple[Knob, ...]:
    """``masked`` is of ``shape``: shapes that differ in it are equal."""
    offered = (knob.at_shape(shape) for knob in backbone.knobs)
    own = tuple(knob for knob in offered if knob is not None)
    if shape.specialists == 1:
        return own
    return (replace(SPECIALISTS, values=SPECIALISTS.values[: shape.specialists]), *own)


BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "symmetric",
            symmetric.SymmetricTrunk,
            symmetric.SymmetricSettings,
            symmetric.KNOBS,
            symmetric.settings_from_knobs,
            symmetric.values_of,
        ),
        Backbone(
            "plain", plain.PlainTrunk, plain.PlainSettings, plain.KNOBS, plain.settings_from_knobs, plain.values_of
        ),
        Backbone(
            "progressive",
            progressive.ProgressiveTrunk,
            progressive.ProgressiveSettings,
            progressive.KNOBS,
            progressive.settings_from_knobs,
            progressive.values_of,
        ),
        Backbone(
            "pyramid",
            pyramid.PyramidTrunk,
            pyramid.PyramidSettings,
            pyramid.KNOBS,
            pyramid.settings_from_knobs,
            pyramid.values_of,
            pyramid.malle_from_knobs,
        ),
        Backbone(
            "encoder_decoder",
            encoder_decoder.EncoderDecoderTrunk,
            encoder_decoder.EncoderDecoderSettings,
            encoder_decoder.KNOBS,
            encoder_decoder.settings_from_knobs,
            encoder_decoder.values_of,
        ),
        Backbone(
            "streams",
            streams.StreamsTrunk,
            streams.StreamsSettings,
            streams.KNOBS,
            streams.settings_from_knobs,
            streams.values_of,
        ),
    )
}
