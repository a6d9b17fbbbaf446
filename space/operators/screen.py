"""Costs of an architecture in a fraction of a millisecond.

Every distinct part (a block, an upsampler) is traced once per input shape and cached. The network is then assembled
from cached parts, and its own ``forward`` runs on values that are only shapes. The result equals a full trace; a test
compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import nn

from space.architecture import Architecture
from space.assembly import assemble
from space.deploy import deploy_form
from space.operators.operator import Operator, OperatorList, Shape
from space.operators.shapes import made_on_meta
from space.operators.trace import trace_shadow
from space.operators.weight_bytes import int8_weight_bytes


@dataclass(frozen=True, slots=True)
class Screening:
    """Parameters, multiply-accumulates, and peak activation elements at one input size; and all operators on demand.

    ``int8_weight_bytes`` is that of ``space.operators.weight_bytes``.
    """

    params: int
    int8_weight_bytes: int
    macs: int
    peak_elements: int
    events: tuple[_Event, ...]

    output: int

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Every operator in running order, as a full trace gives them; ``part`` is the path within the known part."""
        first_free = 1 + max((event.write for event in self.events), default=0)
        listed: list[Operator] = []
        same: dict[int, int] = {}  # a part that wrote over its input, or did nothing, hands that value on
        for event in self.events:
            operators, first_free = event.renamed(first_free, same)
            listed += operators
        return tuple(listed)


def screen(arch: Architecture, width_px: int, height_px: int, known: Known | None = None) -> Screening:
    """Costs of ``arch`` in its deploy form on an input of ``width_px`` by ``height_px`` pixels, batch 1.

    For specialists: the parameters of all of them and the work of one. Of a pruned architecture it sees the whole
    width, unless ``known`` gives narrower parts, as ``space.channels.screening`` does.
    """
    params = weight_bytes = 0
    known = known or known_part

    def make(factory: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
        nonlocal params, weight_bytes
        part = known(factory, args, tuple(options.items()))
        params += part.params
        weight_bytes += part.int8_weight_bytes
        return part

    network = assemble(arch, make)
    record = _Record()
    image = record.new((1, arch.shape.in_channels, height_px, width_px))
    output = network(image)
    return Screening(
        params * arch.shape.specialists,
        weight_bytes * arch.shape.specialists,
        sum([event.macs for event in record.events]),
        record.peak_elements(image, output),
        tuple(record.events),
        output.id,
    )


class _Event:
    """One known part, or one operator of the backbone's own ``forward``, at work."""

    __slots__ = ("elementwise", "known", "macs", "operator", "reads", "size", "slices", "write")

    def __init__(
        self,
        values: tuple[_ShapeValue, ...],
        write: int,
        size: int,
        known: _KnownShape | None,
        operator: tuple[Any, ...] | None = None,
        elementwise: bool = False,
    ) -> None:
        # Most have one value, and a list costs as much as all else here.
        one = values[0] if len(values) == 1 else None
        self.reads: tuple[int, ...] = (one.id,) if one else tuple([value.id for value in values])
        self.slices: tuple[int | None, ...] = (one.begin,) if one else tuple([value.begin for value in values])
        self.write, self.size = write, size
        self.known, self.operator, self.elementwise = known, operator, elementwise
        self.macs = known.macs if known else 0

    def renamed(self, first_free: int, same: dict[int, int]) -> tuple[list[Operator], int]:
        """The operators with ids of the whole network: ``first_free`` and up for what only this part sees.

        ``same`` maps values to the one whose place they share, and learns of this part's. Returns the operators and the
        first id that is free afterwards.
        """
        reads = tuple(same.get(value, value) for value in self.reads)
        if self.known is None:
            assert self.operator is not None
            kind, name, input_shapes, output_shape = self.operator
            sliced = self.slices if any(begin is not None for begin in self.slices) else ()
            operator = Operator(kind, name, input_shapes, output_shape, reads, (self.write,), slices=sliced)
            return [operator], first_free
        listed = self.known.listed
        names = {value: first_free + value for value in listed.sizes}
        names.update(zip(listed.inputs, reads, strict=True))
        if listed.outputs[0] in listed.inputs:
            same[self.write] = names[listed.outputs[0]]
        else:
            names[listed.outputs[0]] = self.write
        cut = {value: begin for value, begin in zip(listed.inputs, self.slices, strict=True) if begin is not None}
        operators = [
            replace(
                op,
                reads=tuple(names[v] for v in op.reads),
                writes=tuple(names[v] for v in op.writes),
                slices=tuple(cut.get(v) for v in op.reads) if cut.keys() & set(op.reads) else op.slices,
            )
            for op in listed.operators
        ]
        return operators, first_free + len(listed.sizes)


class _Record:
    """What happened to the shapes, in order."""

    def __init__(self) -> None:
        self.events: list[_Event] = []
        self.sizes: list[int] = []

    def new(self, shape: Shape) -> _ShapeValue:
        self.sizes.append(math.prod(shape))
        return _ShapeValue(shape, len(self.sizes) - 1, self)

    def peak_elements(self, image: _ShapeValue, output: _ShapeValue) -> int:
        """As ``OperatorList.peak_elements``, with each part's inside already known."""
        last_read: dict[int, int] = {}
        for position, event in enumerate(self.events):
            for value in event.reads:
                last_read[value] = position
        last_read[output.id] = len(self.events)
        sizes = self.sizes
        live = peak = sizes[image.id]
        for position, event in enumerate(self.events):
            freed, reused, reads = 0, False, event.reads
            for value in reads if len(reads) == 1 else set(reads):
                if last_read[value] == position:
                    freed += sizes[value]
                    reused = reused or sizes[value] == event.size
            if event.known:
                outside = live - sum([sizes[value] for value in reads])
                kept = tuple([last_read[value] != position for value in reads])
                needed = outside + event.known.peak_elements(kept)
            else:
                needed = live + (0 if event.elementwise and reused else event.size)
            peak = needed if needed > peak else peak
            live += event.size - freed
        return peak


class _ShapeValue:
    """Stands for an activation in a backbone's ``forward``; knows the operators that backbones use between parts.

    ``begin`` is 0 where it is only the first channels of the value that it stands on; None of a whole value.
    """

    __slots__ = ("begin", "id", "record", "shape")

    def __init__(self, shape: Shape, identity: int, record: _Record, begin: int | None = None) -> None:
        self.shape, self.id, self.record, self.begin = shape, identity, record, begin

    def _elementwise(self, kind: str, other: _ShapeValue | float) -> _ShapeValue:
        operands = (self, other) if isinstance(other, _ShapeValue) else (self,)
        if any(operand.shape != self.shape for operand in operands):
            raise ValueError(f"shapes must be equal, got {[operand.shape for operand in operands]}")
        return self._write(kind, "mul" if kind == "multiply" else "add", operands, self.shape, elementwise=True)

    def _write(
        self, kind: str, name: str, operands: tuple[_ShapeValue, ...], shape: Shape, elementwise: bool = False
    ) -> _ShapeValue:
        result = self.record.new(shape)
        described = (kind, name, tuple(operand.shape for operand in operands), shape)
        size = self.record.sizes[result.id]
        self.record.events.append(_Event(operands, result.id, size, None, described, elementwise))
        return result

    def __add__(self, other: _ShapeValue) -> _ShapeValue:
        return self._elementwise("add", other)

    def __mul__(self, other: _ShapeValue | float) -> _ShapeValue:
        return self._elementwise("multiply", other)

    __radd__, __rmul__ = __add__, __mul__

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> _ShapeValue:
        if function is not torch.cat:
            raise TypeError(f"screening does not know {function} in a backbone; put it in a part of its own")
        values, axis = args[0], args[1] if len(args) > 1 else (kwargs or {}).get("dim", 0)
        shape = list(values[0].shape)
        shape[axis] = sum(value.shape[axis] for value in values)
        return values[0]._write("concat", "cat", tuple(values), tuple(shape))


class _KnownShape:
    """A part at one input shape."""

    __slots__ = ("is_view", "listed", "macs", "output_shape", "peaks", "size", "viewed")

    def __init__(self, listed: OperatorList) -> None:
        self.listed = listed
        self.macs = listed.macs
        self.output_shape = listed.output_shape
        self.size = math.prod(listed.output_shape)
        self.peaks: dict[tuple[bool, ...], int] = {}
        self.is_view = not listed.operators and listed.outputs[0] in listed.inputs
        self.viewed = listed.inputs.index(listed.outputs[0]) if self.is_view else 0

    def peak_elements(self, kept: tuple[bool, ...]) -> int:
        """``kept`` says of each input whether it is still needed afterwards."""
        if kept not in self.peaks:
            inputs = (value for value, is_kept in zip(self.listed.inputs, kept, strict=True) if is_kept)
            self.peaks[kept] = self.listed.peak_elements(tuple(inputs))
        return self.peaks[kept]


class KnownPart(nn.Module):
    """A part, in its deploy form on the meta device, whose costs are known for every input shape that it has met."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.params = sum(parameter.numel() for parameter in part.parameters())
        self.int8_weight_bytes = int8_weight_bytes(part)
        self._part = (part,)  # in a tuple, so that it is not registered as a submodule
        self._shapes: dict[tuple[Shape, ...], _KnownShape] = {}

    def forward(self, *values: _ShapeValue) -> _ShapeValue:
        shapes = (values[0].shape,) if len(values) == 1 else tuple([value.shape for value in values])
        try:
            known = self._shapes[shapes]
        except KeyError:
            known = self._shapes[shapes] = _KnownShape(trace_shadow(self._part[0], *shapes))
        record = values[0].record
        if known.is_view:
            viewed = values[known.viewed].id
            return _ShapeValue(known.output_shape, viewed, record, 0 if known.size < record.sizes[viewed] else None)
        written = len(record.sizes)
        record.sizes.append(known.size)
        record.events.append(_Event(values, written, known.size, known))
        return _ShapeValue(known.output_shape, written, record)

    __call__ = forward


Options: TypeAlias = tuple[tuple[str, Any], ...]
Known: TypeAlias = Callable[[Callable[..., nn.Module], tuple[Any, ...], Options], KnownPart]
_PARTS: dict[tuple[Any, ...], KnownPart] = {}


def known_part(factory: Callable[..., nn.Module], args: tuple[Any, ...], options: Options) -> KnownPart:
    """The part ``factory(*args, **dict(options))``, the same one every time."""
    key = (factory, args, options)
    part = _PARTS.get(key)
    if part is None:
        with made_on_meta():
            made = deploy_form(factory(*args, **dict(options)))
        part = _PARTS[key] = KnownPart(made)
    return part
