"""Which network, in whose names and in which form, the tensors of a file are: compared by name and shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from space.architecture import Architecture
from space.build import build
from space.deploy import deploy_form
from space.errors import UserError
from space.tasks import TASKS
from space.weights.state_dicts import StateDict, is_counter
from space.zoo import ZOO, PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, released_names

FRESH = "num_batches_tracked"  # batch norm's counter, which inference does not read and older files do not have


@dataclass(frozen=True)
class Form:
    """One way in which a file may hold a network: the ``layout`` of its authors, or our own names if None.

    ``name`` is what the user calls the network, ``arch`` what is built, and ``scales`` those that the file may have
    where nothing in it says.
    """

    name: str
    entry: PublishedNetwork | None
    layout: ReleasedLayout | None
    architectures: Mapping[int, Architecture]

    def scales(self, tensors: Mapping[str, Tensor], asked: int | None) -> tuple[int, ...]:
        """The scales to try: the one that is asked for, or that the tensors say, or all, the network's own first."""
        if asked is not None:
            return (asked,) if asked in self.architectures else ()
        if self.layout is not None and self.layout.scale_of is not None:
            told = self.layout.scale_of(tensors)
            return (told,) if told in self.architectures else ()
        return tuple(self.architectures)

    def expected(self, scale: int) -> dict[str, tuple[str, tuple[int, ...]]]:
        """By our name, the name in the file and the shape of every tensor at ``scale``."""
        layout = self.layout
        shapes = _shapes(self.architectures[scale], layout is not None and layout.folded)
        if layout is None:
            return {ours: (ours, shape) for ours, shape in shapes.items()}
        assert self.entry is not None
        names = released_names(shapes, layout.renamed(self.entry, scale))
        return {ours: (names[ours], shape) for ours, shape in shapes.items()}


@dataclass(frozen=True, eq=False)
class Fit:
    """Tensors of ``state``, below ``prefix``, against ``form`` at ``scale``; ``expected`` as ``Form.expected``.

    ``matched`` counts those that have the name and shape; ``fits`` where all have and no other is left.
    """

    state: StateDict
    prefix: str
    tensors: Mapping[str, Tensor]
    form: Form
    scale: int
    expected: Mapping[str, tuple[str, tuple[int, ...]]]
    matched: int
    difference: str

    @property
    def fits(self) -> bool:
        return not self.difference


@cache
def _shapes(arch: Architecture, folded: bool) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in the state dict of ``arch``, in its deploy form if ``folded``."""
    with torch.device("cpu" if folded else "meta"):  # folding is arithmetic, for which meta loads torch's compiler
        network = build(arch)
    if folded:
        deploy_form(network)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def forms_of(name: str) -> list[Form]:
    """Every form in which a file may hold the published network ``name``: our own names, and its authors' layouts."""
    entry = ZOO[name]
    forms = [Form(name, entry, None, _by_scale(entry))]
    for layout in entry.layouts:
        built = ZOO[layout.network] if layout.network else entry
        forms.append(Form(name, built, layout, _by_scale(built)))
    return forms


def _by_scale(entry: PublishedNetwork) -> dict[int, Architecture]:
    own = entry.architecture.shape.scale
    return {scale: entry.at_scale(scale) for scale in dict.fromkeys((own, *TASKS[entry.task].input_sizes))}


def fits(states: Iterable[StateDict], forms: Sequence[Form], scale: int | None) -> Iterator[Fit]:
    """Every comparison of a state dict, most wanted first, with each form and scale."""
    for state in states:
        for prefix, tensors in state.forms():
            counted = {name: value for name, value in tensors.items() if not is_counter(name)}
            if not counted:
                continue
            for form in forms:
                for each in form.scales(counted, scale):
                    yield _compared(state, prefix, counted, form, each)


def _compared(state: StateDict, prefix: str, tensors: Mapping[str, Tensor], form: Form, scale: int) -> Fit:
    expected = form.expected(scale)
    unused = form.layout.unused(scale) if form.layout else ()
    given = {name: value for name, value in tensors.items() if not (unused and name.startswith(unused))}
    shapes = dict(expected.values())
    matched = sum(name in given and tuple(given[name].shape) == shape for name, shape in shapes.items())
    return Fit(state, prefix, given, form, scale, expected, matched, _difference(shapes, given))


def _difference(shapes: Mapping[str, tuple[int, ...]], given: Mapping[str, Tensor]) -> str:
    """The first tensor that differs, in words; nothing where all fit."""
    for name, shape in shapes.items():
        if name not in given:
            if name.endswith(FRESH):
                continue
            return f"key {name!r} must have shape {shape}, but it is missing"
        if tuple(given[name].shape) != shape:
            return f"key {name!r} must have shape {shape}, got {tuple(given[name].shape)}"
    other = next((name for name in given if name not in shapes), None)
    return "" if other is None else f"it has no key {other[:60]!r}, got one of shape {tuple(given[other].shape)}"


def only_fit(found: Sequence[Fit], where: str) -> Fit | None:
    """The first fit, unless another of the same rank fits too; None if none does.

    Raises:
        UserError: the file holds several that fit, and nothing says which is meant.
    """
    fitting = [fit for fit in found if fit.fits]
    if not fitting:
        return None
    rank = fitting[0].state.rank
    places = dict.fromkeys(fit.state.place for fit in fitting if fit.state.rank == rank)
    if len(places) > 1:
        listed = ", ".join(list(places)[:8]) + (", …" if len(places) > 8 else "")
        raise UserError(
            f"weights {where} must be of one network, got {len(places)} that fit: {listed}; name one as "
            f"FILE#{next(iter(places))}"
        )
    return fitting[0]
