"""A network as a value: frozen, validated, hashable, JSON in and out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar, TypeAlias, TypeVar

from space.errors import UserError

# What a field of a dataclass holds, by its name: the dataclass of a nested value, or by its kind, the ``Tagged`` one.
Nested: TypeAlias = "Mapping[str, type | Mapping[str, type[Tagged]]]"
Spec = TypeVar("Spec")

# Of a pruned network: groups of channels, and how many are left of each.
Widths: TypeAlias = "tuple[tuple[str, int], ...]"

# Metadata of a field that stored architectures may lack. At its default it is left out of ``to_dict``, so that the keys
# of older architectures stay as they were.
LATER = {"later": True}


class Tagged:
    """A value of one of several kinds, stored together with its kind."""

    __slots__ = ()
    kind: ClassVar[str]


class CarriesInput:
    """Settings of a trunk that itself carries the input to the output: its networks start as their input."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class IOShape:
    """Input and output of a network: channels, and how many times larger the output is per side.

    ``specialists`` networks share a range of noise levels and take the level with the image (``space.specialists``);
    1 means one network for all levels. In the shape of a search it is the maximum. ``masked`` tells a search that the
    last input channel is the mask of holes. It decides which knobs are offered and is not part of a network: it is
    ignored in comparisons and not stored.
    """

    in_channels: int
    out_channels: int
    scale: int = 1
    specialists: int = field(default=1, metadata=LATER)
    masked: bool = field(default=False, metadata=LATER, compare=False)


@dataclass(frozen=True, slots=True)
class UpsamplerSpec:
    """How features become the output image.

    ``width`` is the number of feature channels at the output size (unused by kinds that shuffle directly to the
    image). Kinds are the keys of ``space.layers.upsamplers.UPSAMPLERS``.
    """

    kind: str
    width: int


@dataclass(frozen=True, slots=True)
class MalleSpec:
    """One MalleConv: its place, and how it predicts its kernels (``space.layers.malle``).

    ``placement`` is a value of the backbone's knob ``malle``. Features are reduced ``pool`` times per side before the
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


@dataclass(frozen=True, slots=True)
class EndsSpec:
    """The parts around a trunk and at its places (``space.backbones.restoration_net``).

    ``input_skip`` is what is added to the output: ``none`` or a mode of ``space.layers.image_ends.InputSkip``.
    ``attention`` is a key of ``space.layers.attention.ATTENTIONS``. ``mean_shift`` is that of the released EDSR code;
    ``clipped`` clips the output to [0, 1], also in training.
    """

    NESTED: ClassVar[Nested] = {"upsampler": UpsamplerSpec, "malle": MalleSpec}

    upsampler: UpsamplerSpec
    input_skip: str
    malle: MalleSpec | None = None
    attention: str = "none"
    mean_shift: bool = False
    clipped: bool = False


@dataclass(frozen=True)
class Architecture:
    """Everything that determines a network, and nothing else.

    ``settings`` is the frozen settings dataclass of ``backbone``, and ``ends`` describes the parts around its trunk; a
    network that is not searched has no ``ends``. Equal architectures build equal networks. Numeric precision and
    weights are separate values.

    ``widths`` says of a pruned network how many channels are left, by group (``space.channels``); groups that it does
    not name are whole.
    """

    shape: IOShape
    backbone: str
    settings: Any
    ends: EndsSpec | None = None
    widths: Widths = ()

    @property
    def unpruned(self) -> Architecture:
        """The same with all its channels."""
        return replace(self, widths=()) if self.widths else self

    @property
    def lacks_input_skip(self) -> bool:
        """Whether the network could have an input skip and has none, nor a trunk that carries the input."""
        skips = self.ends is None or self.ends.input_skip != "none"
        return not skips and not isinstance(self.settings, CarriesInput)

    def with_ends(self, **changes: Any) -> Architecture:
        """The same with ``changes`` of its ends, which it must have."""
        if self.ends is None:
            raise ValueError(f"{self.backbone} must have ends to change them")
        return replace(self, ends=replace(self.ends, **changes))

    def to_dict(self) -> dict[str, Any]:
        stored = {"shape": _as_dict(self.shape), "backbone": self.backbone, "settings": _as_dict(self.settings)}
        if self.ends is not None:
            stored["ends"] = _as_dict(self.ends)
        if self.widths:
            stored["widths"] = dict(self.widths)
        return stored

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits that identify this architecture; stable across versions and machines."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def widths_from(data: Any) -> Widths:
    """The widths of a pruned network, as stored.

    Raises:
        UserError: they are no numbers of channels by name.
    """
    if not isinstance(data, Mapping) or not all(type(count) is int and count > 0 for count in data.values()):
        raise UserError(f"widths must be positive numbers of channels by name of their group, got {data!r}")
    return tuple(sorted(data.items()))


def _as_dict(value: Any) -> Any:
    """As ``dataclasses.asdict``, with the kind of what is ``Tagged``, without ``LATER`` fields at their default."""
    if isinstance(value, tuple):
        return tuple(_as_dict(item) for item in value)
    if not is_dataclass(value):
        return value
    found: dict[str, Any] = {"kind": value.kind} if isinstance(value, Tagged) else {}
    kind: Any = type(value)  # mypy does not know that it is hashable
    for name, is_later, default in _stored_fields(kind):
        own = getattr(value, name)
        if not (is_later and own == default):
            found[name] = _as_dict(own) if isinstance(own, tuple) or is_dataclass(own) else own
    return found


@cache
def _stored_fields(kind: Any) -> tuple[tuple[str, bool, Any], ...]:
    """Of each field its name, whether it is left out at its default, and that."""
    return tuple((item.name, "later" in item.metadata, item.default) for item in fields(kind))


def from_dict(data: Mapping[str, Any], kind: type[Spec]) -> Spec:
    """Build the frozen dataclass ``kind`` from ``data``, as written by ``Architecture.to_dict``.

    Lists become tuples. Nested values are rebuilt as the class attribute ``NESTED`` of ``kind`` says. Fields in
    ``LATER`` may be missing.

    Raises:
        UserError: a field is missing or unknown, or a nested value is of an unknown kind.
    """
    hashable: type = kind  # mypy does not know that the class of a type variable is
    known, needed = _field_names(hashable)
    if not needed <= data.keys() <= known:
        missing, unknown = sorted(needed - data.keys()), sorted(data.keys() - known)
        raise UserError(f"{kind.__name__} must have the fields {sorted(known)}; missing {missing}, unknown {unknown}")
    nested: Nested = getattr(kind, "NESTED", {})
    return kind(
        **{
            name: _value(value, name, nested) if isinstance(value, dict | list | tuple) else value
            for name, value in data.items()
        }
    )


def _value(value: Any, name: str, nested: Nested) -> Any:
    if isinstance(value, list | tuple):
        return tuple([_value(item, name, nested) if isinstance(item, dict | list | tuple) else item for item in value])
    spec = nested.get(name)
    if not isinstance(value, dict) or spec is None:
        return value
    if isinstance(spec, Mapping):
        value = dict(value)
        kind = value.pop("kind", None)
        if kind not in spec:
            raise UserError(f"unknown kind {kind!r} of {name}; known: {', '.join(spec)}")
        spec = spec[kind]
    try:
        return _leaf(spec, tuple(value.items()))
    except TypeError:  # it holds lists or further specs
        return from_dict(value, spec)


@lru_cache(maxsize=4096)
def _leaf(spec: type, items: tuple[tuple[str, Any], ...]) -> Any:
    """A spec of plain values; networks of one run have few different ones."""
    return from_dict(dict(items), spec)


@lru_cache(maxsize=256)
def _field_names(kind: type) -> tuple[frozenset[str], frozenset[str]]:
    """The fields of a dataclass, and those of them that may not be missing."""
    known = frozenset(item.name for item in fields(kind))
    return known, frozenset(item.name for item in fields(kind) if "later" not in item.metadata)
