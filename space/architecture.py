"""A network as a value: frozen, validated, hashable, JSON in and out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property, lru_cache
from typing import Any

from space.errors import UserError

CONVS = ("dense", "list")
# Metadata of a field that stored architectures may lack. At its default it is left out of ``to_dict``, so that the keys
# of older architectures stay as they were.
LATER = {"later": True}


@dataclass(frozen=True, slots=True)
class IOShape:
    """What goes in and comes out: channels, and how many times larger the output is per side.

    ``specialists`` networks share a range of noise levels, and the level goes in with the image
    (``space.specialists``); 1 is one network for all. The shape that a search is made for states the most.
    ``masked`` tells a search that the last channel of the input is the mask of holes. It decides which knobs are
    offered and is no part of a network: shapes that differ in it are equal, and architectures are stored without it.
    """

    in_channels: int
    out_channels: int
    scale: int = 1
    specialists: int = field(default=1, metadata=LATER)
    masked: bool = field(default=False, metadata=LATER, compare=False)


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One residual block of a trunk.

    ``kind`` is a key of ``space.blocks.residual.BLOCKS``: ``residual`` (conv, ReLU, conv, plus input: the released EDSR
    form), ``preactivated`` (s-LWSR equation 1), ``inverted`` (MobileNetV2), ``gsat`` (``space.blocks.lightweight``).
    ``hidden`` is the number of
    channels between its first and last convolution. ``activated=False`` means that the block really has no activation.
    ``conv`` is the 3x3 convolution of the first two kinds: ``dense`` or ``list``; ``dilation`` is that of ``gsat``.
    """

    kind: str
    width: int
    hidden: int
    activated: bool = True
    conv: str = field(default="dense", metadata=LATER)
    dilation: int = field(default=1, metadata=LATER)

    def __post_init__(self) -> None:
        if self.width < 1 or self.hidden < 1:
            raise UserError(f"block channels must be positive, got width {self.width} and hidden {self.hidden}")
        if self.conv not in CONVS:
            raise UserError(f"unknown 3x3 convolution {self.conv!r}; known: {', '.join(CONVS)}")
        if self.dilation < 1 or (self.dilation > 1 and self.kind != "gsat"):
            raise UserError(f"dilation must be 1, or more of a gsat block, got {self.dilation} of {self.kind!r}")


@dataclass(frozen=True, slots=True)
class UpsamplerSpec:
    """How features become the output image.

    ``width`` is the number of feature channels at the output size (unused by kinds that shuffle straight to the
    image); known kinds are the keys of ``space.blocks.upsamplers.UPSAMPLERS``.
    """

    kind: str
    width: int


@dataclass(frozen=True, slots=True)
class MalleSpec:
    """One MalleConv: where it stands, and how it predicts its kernels (``space.blocks.malle``).

    ``placement`` is a word of the backbone's knob ``malle``. Features are reduced ``pool`` times per side before the
    predictor, and halved between its ``stages`` groups of ``blocks`` inverted residuals at ``width`` channels, which
    double from group to group if ``doubling``.
    """

    placement: str
    kernel: int = 1
    pool: int = 1
    stages: int = 3
    width: int = 16
    blocks: int = 3
    doubling: bool = False

    def __post_init__(self) -> None:
        if self.kernel not in (1, 3):
            raise UserError(f"a MalleConv's kernel must be 1 or 3, got {self.kernel}")
        if min(self.pool, self.stages, self.width, self.blocks) < 1:
            raise UserError(f"pool, stages, width and blocks of a MalleConv must be positive, got {self}")


@dataclass(frozen=True)
class Architecture:
    """Everything that determines a network, and nothing else.

    ``settings`` is the frozen settings dataclass of the backbone called ``backbone``. Equal architectures build
    equal networks; numeric precision and weights are values beside it.
    """

    shape: IOShape
    backbone: str
    settings: Any

    def to_dict(self) -> dict[str, Any]:
        return {"shape": _as_dict(self.shape), "backbone": self.backbone, "settings": _as_dict(self.settings)}

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits that name this architecture; stable between versions and machines."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _as_dict(value: Any) -> Any:
    """As ``dataclasses.asdict``, without the ``LATER`` fields that have their default."""
    if isinstance(value, tuple):
        return tuple(_as_dict(item) for item in value)
    if not is_dataclass(value):
        return value
    kept = (
        item for item in fields(value) if not ("later" in item.metadata and getattr(value, item.name) == item.default)
    )
    return {item.name: _as_dict(getattr(value, item.name)) for item in kept}


def from_dict(data: dict[str, Any], kind: type) -> Any:
    """Build the frozen dataclass ``kind`` from ``data``, as written by ``Architecture.to_dict``.

    Lists become tuples. Nested specs are rebuilt by the ``NESTED`` class attribute of ``kind``: a map from field
    name to the spec's class. ``LATER`` fields may be missing.

    Raises:
        UserError: a field is missing or unknown.
    """
    known, needed = _field_names(kind)
    if not needed <= data.keys() <= known:
        missing, unknown = sorted(needed - data.keys()), sorted(data.keys() - known)
        raise UserError(f"{kind.__name__} must have the fields {sorted(known)}; missing {missing}, unknown {unknown}")
    nested = getattr(kind, "NESTED", {})
    return kind(
        **{
            name: _value(value, nested.get(name)) if isinstance(value, dict | list | tuple) else value
            for name, value in data.items()
        }
    )


def _value(value: Any, spec: type | None) -> Any:
    if isinstance(value, list | tuple):
        return tuple([_value(item, spec) if isinstance(item, dict | list | tuple) else item for item in value])
    if isinstance(value, dict) and spec is not None:
        try:
            return _leaf(spec, tuple(value.items()))
        except TypeError:  # it holds lists or further specs
            return from_dict(value, spec)
    return value


@lru_cache(maxsize=4096)
def _leaf(spec: type, items: tuple[tuple[str, Any], ...]) -> Any:
    """A spec of plain values; networks of one run have few different ones."""
    return from_dict(dict(items), spec)


@lru_cache(maxsize=256)
def _field_names(kind: type) -> tuple[frozenset[str], frozenset[str]]:
    """The fields of a dataclass, and those of them that may not be missing."""
    known = frozenset(item.name for item in fields(kind))
    return known, frozenset(item.name for item in fields(kind) if "later" not in item.metadata)
