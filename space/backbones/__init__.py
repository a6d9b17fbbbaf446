"""The backbones: one file each, one entry each here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from space.architecture import IOShape
from space.backbones import encoder_decoder, plain, progressive, pyramid, symmetric
from space.knobs import SPECIALISTS, Knob, check, complete


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """How one family of networks is described (``settings``), searched (``knobs``) and built (``network``).

    ``knobs`` are all that it declares; what a search of networks of one shape may turn is ``knobs_for(shape)``.
    """

    network: type[nn.Module]
    settings: type
    knobs: tuple[Knob, ...]
    settings_from_knobs: Callable[[Mapping[str, Any]], Any]

    def knobs_for(self, shape: IOShape) -> tuple[Knob, ...]:
        """The knobs that change a network of ``shape``, each with the values that it has there."""
        offered = (knob.at_shape(shape) for knob in self.knobs)
        own = tuple(knob for knob in offered if knob is not None)
        if shape.specialists == 1:
            return own
        return (replace(SPECIALISTS, values=SPECIALISTS.values[: shape.specialists]), *own)

    def settings_at(self, shape: IOShape, knobs: Mapping[str, Any]) -> Any:
        """The settings that ``knobs`` describe; every knob that applies and has no default must be given, and no other.

        Raises:
            UserError: a knob is missing, unknown or off its values.
        """
        offered = self.knobs_for(shape)
        complete_knobs = complete(offered, knobs)
        check(offered, complete_knobs)
        return self.settings_from_knobs(complete_knobs)

    def assemble(self, shape: IOShape, settings: Any, make: Callable[..., nn.Module]) -> nn.Module:
        """The network out of parts from ``make``."""
        return self.network(shape, settings, make)


BACKBONES: dict[str, Backbone] = {
    "symmetric": Backbone(
        symmetric.SymmetricNet, symmetric.SymmetricSettings, symmetric.KNOBS, symmetric.settings_from_knobs
    ),
    "plain": Backbone(plain.PlainNet, plain.PlainSettings, plain.KNOBS, plain.settings_from_knobs),
    "progressive": Backbone(
        progressive.ProgressiveNet, progressive.ProgressiveSettings, progressive.KNOBS, progressive.settings_from_knobs
    ),
    "pyramid": Backbone(pyramid.PyramidNet, pyramid.PyramidSettings, pyramid.KNOBS, pyramid.settings_from_knobs),
    "encoder_decoder": Backbone(
        encoder_decoder.EncoderDecoderNet,
        encoder_decoder.EncoderDecoderSettings,
        encoder_decoder.KNOBS,
        encoder_decoder.settings_from_knobs,
    ),
}
