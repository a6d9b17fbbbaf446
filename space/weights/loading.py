"""Networks with weights from files: maps parameter names, and converts the authors' pixel range to [0, 1]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from space.architecture import Architecture
from space.build import build
from space.deploy import deploy_form
from space.errors import UserError
from space.weights.fitting import FRESH, Fit, Form, fits, forms_of, only_fit
from space.weights.reading import Stored, read_stored, stored_in_memory
from space.weights.state_dicts import as_weights, is_counter
from space.zoo import ZOO, published_network
from space.zoo.released_layout import ReleasedLayout

ALIKE = 0.3  # share of a network's tensors that a file must have for its first difference to be worth saying


@dataclass(frozen=True)
class LoadedNetwork:
    """A network in eval mode with the weights of a file, and notes on how they were read.

    ``name`` is the published network that was built from ``architecture``, not always the requested one. ``layout`` is
    that of its authors, or None for this project's names; where that is ``folded``, the network is in its deploy form.
    """

    network: nn.Module
    name: str
    architecture: Architecture
    scale: int
    layout: ReleasedLayout | None
    notes: tuple[str, ...]


def load_published(name: str, weights: Path | str | Mapping[str, Any], scale: int | None = None) -> nn.Module:
    """Load the network ``name`` with the authors' weights or ours; maps images in [0, 1] to [0, 1], in eval mode.

    Args:
        name: a key of ``ZOO``.
        weights: a torch or safetensors file, a state dict, or a checkpoint that holds one at any depth; names as in
            the authors' code or ours, with or without the prefixes of wrappers such as ``DataParallel``.
        scale: the upscaling factor; if None, inferred from the weights where possible.

    Raises:
        UserError: the file cannot be read, or the weights do not fit; the message names the first differing key and
            both shapes, or the network that the weights belong to.
    """
    return load_network(name, weights, scale).network


def load_network(name: str, weights: Path | str | Mapping[str, Any], scale: int | None = None) -> LoadedNetwork:
    """As ``load_published``, but returns the network with its name, layout and notes."""
    published_network(name)
    stored = read_stored(weights) if isinstance(weights, Path | str) else _in_memory(name, weights)
    return load_stored(name, stored, forms_of(name), scale)


def load_stored(name: str, stored: Stored, forms: Sequence[Form], scale: int | None = None) -> LoadedNetwork:
    """Load stored weights into the first of ``forms`` that they fit.

    Raises:
        UserError: as ``load_published``; ``name`` is the name of the network in the message.
    """
    found = list(fits(stored.found, forms, scale))
    fit = only_fit(found, stored.where)
    if fit is None:
        raise UserError(_misfit(name, stored, found, scale))
    ambiguous = {other.scale for other in found if other.fits and other.form is fit.form} - {fit.scale}
    return _loaded(fit, stored, bool(ambiguous) and scale is None)


def _in_memory(name: str, weights: Mapping[str, Any]) -> Stored:
    if not weights and not ZOO[name].layouts:
        known = ", ".join(entry.name for entry in ZOO.values() if entry.layouts)
        raise UserError(f"no released weight layout is known for {name!r}; known: {known}")
    return stored_in_memory(weights)


def _loaded(fit: Fit, stored: Stored, scale_unsaid: bool) -> LoadedNetwork:
    layout = fit.form.layout
    arch = fit.form.architectures[fit.scale]
    network = build(arch)
    if layout is not None and layout.folded:
        deploy_form(network)
    named = {ours: theirs for ours, (theirs, _) in fit.expected.items() if theirs in fit.tensors}
    loaded = as_weights({ours: fit.tensors[theirs] for ours, theirs in named.items()}, stored.where)
    if layout is not None and layout.pixel_range != 1:
        # A network whose activations are ReLU scales with its input: same weights, every bias divided by the range.
        # In any other, the first convolution multiplies by the range and the last one divides by it.
        loaded = {key: value / layout.divisor(key) for key, value in loaded.items()}
    fresh = {key: value for key, value in network.state_dict().items() if key.endswith(FRESH) and key not in loaded}
    network.load_state_dict({**loaded, **fresh})
    name = fit.form.entry.name if fit.form.entry is not None else fit.form.name
    return LoadedNetwork(network.eval(), name, arch, fit.scale, layout, _notes(fit, stored, scale_unsaid))


def _notes(fit: Fit, stored: Stored, scale_unsaid: bool) -> tuple[str, ...]:
    """What a user should know of how the weights were found, a line each."""
    notes = []
    beside = [state.place or "the top" for state in stored.found if state is not fit.state]
    if fit.state.place:
        notes.append(f"taken from {fit.state.place}" + (f", not from {', '.join(beside[:4])}" if beside else ""))
    if fit.prefix:
        notes.append(f"without {fit.prefix!r} before the names")
    under = [name for name in fit.state.tensors if name.startswith(fit.prefix)]
    counters = sum(is_counter(name) for name in fit.state.tensors)
    if counters:
        notes.append(f"without {counters} counters that a profiler or an average left")
    others = sum(not is_counter(name) for name in fit.state.tensors if not name.startswith(fit.prefix))
    if others:
        notes.append(f"without {others} tensors of other parts")
    kinds = {str(fit.state.tensors[name].dtype).removeprefix("torch.") for name in under if not is_counter(name)}
    converted = sorted(kinds & {"float16", "bfloat16", "float64", "float8_e4m3fn", "float8_e5m2"})
    if converted:
        notes.append(f"{' and '.join(converted)} read as float32")
    if scale_unsaid:
        notes.append(f"nothing in them says the scale: x{fit.scale} taken; --scale says another")
    return tuple(notes)


def _misfit(name: str, stored: Stored, found: Sequence[Fit], scale: int | None) -> str:
    nearest = max(found, key=lambda fit: fit.matched / max(len(fit.expected), len(fit.tensors)), default=None)
    other = identified(stored)
    if other is not None:
        form, at = other.form, f" at x{other.scale}" if len(other.form.architectures) > 1 else ""
        fitting = f"; these weights fit {form.name}{at}"
        if nearest is not None and nearest.matched:
            return f"weights do not fit {name}: {nearest.difference}{fitting}"
        return f"weights do not fit {name}{fitting}"
    if nearest is not None and nearest.matched >= ALIKE * len(nearest.expected):
        return f"weights do not fit {name}: {nearest.difference}"
    if name in ZOO and not ZOO[name].layouts:
        rule = f"no released weight layout is known for {name!r}, and these are not its tensors in this project's names"
        return f"{rule}: {described(stored)}"
    return f"weights do not fit {name}: {described(stored)}; {_like(stored)}"


def identified(stored: Stored) -> Fit | None:
    """The published network that the weights fit, whatever the file is called; None if there is none."""
    return next((fit for name in ZOO for fit in _all_fits(name, stored) if fit.fits), None)


def _all_fits(name: str, stored: Stored) -> list[Fit]:
    return list(fits(stored.found[:1], forms_of(name), None))


def described(stored: Stored) -> str:
    """A short description of the state dict of an unknown network: its size and first names."""
    first = stored.found[0]
    names = ", ".join(repr(name)[1:-1][:40] for name in list(first.tensors)[:3])
    return f"got {len(first.tensors)} tensors with {first.numbers:,} numbers ({names}, …)"


def _like(stored: Stored) -> str:
    """The published network that most of the tensors could be of, in words."""
    matches = [fit for name in ZOO for fit in _all_fits(name, stored)]
    nearest = max(matches, key=lambda fit: fit.matched / max(len(fit.expected), len(fit.tensors)), default=None)
    none = f"they match none of the {len(ZOO)} networks that are built here"
    if nearest is None or nearest.matched < 2:
        shapes = Counter(tuple(value.shape) for value in stored.found[0].tensors.values())
        by_shape = {fit: (shapes & Counter(shape for _, shape in fit.expected.values())).total() for fit in matches}
        nearest = max(by_shape, key=lambda fit: by_shape[fit] / max(len(fit.expected), len(fit.tensors)), default=None)
        of = max(len(nearest.expected), len(nearest.tensors)) if nearest else 0
        if nearest is None or 2 * by_shape[nearest] < of:
            return f"{none} (see: python -m search list)"
        return f"{none}; nearest by shapes is {nearest.form.name} with {by_shape[nearest]} of {of} tensors"
    of = max(len(nearest.expected), len(nearest.tensors))
    return f"{none}; nearest is {nearest.form.name} with {nearest.matched} of {of} tensors alike"
