"""Models by name: every way in which a person names a network, and which of them a name means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from evaluators.tasks import TaskRules
from evaluators.training.weights import load_weights
from search.experiments.network_specs import channels_of, entry_of, named_architecture
from search.models import trials
from search.models.files import model_of_file
from search.models.folder import is_model_folder, read_model
from search.models.model import Model
from search.models.task_options import fitted, read_rules
from search.models.zoo_weights import network_from_file, origin
from search.storage import is_run
from search.storage.runs_here import RUNS
from space.build import build
from space.errors import UserError
from space.named_network import NamedNetwork, named_network
from space.zoo import ZOO, PublishedNetwork, known_names

WAYS = "RUN#TRIAL, a model folder, a weights file, a published network's name, FILE.pt2 or MODULE:FACTORY"


def model_named(
    spec: str,
    weights: Path | str | None = None,
    scale: int | None = None,
    task_options: Mapping[str, Any] | None = None,
) -> Model:
    """The network that ``spec`` names.

    Args:
        spec: a key of ``KINDS`` says what it may be.
        weights: a file for a published network (its authors' layouts, or ours) or for MODULE:FACTORY.
        scale: the upscaling factor of a published network; of others only theirs.
        task_options: the task's options, as in a record or as text; None of them is the model's own. The model must be
            made for what is given (``search.models.task_options.fitted``).

    >>> import search
    >>> model = search.model_named("s-lwsr16+skip", scale=2)
    >>> model.rules.title, model.has_weights
    ('sr ×2', False)
    >>> search.model_named("example#0").facts["training"]["steps"]
    2

    Raises:
        UserError: the name means nothing, or several things; the weights do not fit; an option does not.
    """
    kind = KINDS[kind_of(spec)]
    if weights is not None and not kind.takes_weights:
        raise UserError(
            f"--weights are for a published network or MODULE:FACTORY, got {weights} with {spec!r}, {kind.said}, which "
            "has its own; leave them out"
        )
    return kind.read(Named(spec, Path(weights) if weights is not None else None, scale, task_options))


def kind_of(spec: str) -> str:
    """The key of ``KINDS`` that ``spec`` is a name of.

    Raises:
        UserError: the name means nothing, or several things.
    """
    means = [name for name, kind in KINDS.items() if kind.is_meant(spec)]
    if not means:
        raise UserError(_unknown(spec))
    if len(means) > 1:
        raise UserError(
            f"{spec!r} must name one thing, got {' and '.join(KINDS[name].said for name in means)}; write ./{spec} for "
            "the one in this folder"
        )
    return means[0]


@dataclass(frozen=True)
class Named:
    """The arguments of ``model_named``."""

    spec: str
    weights: Path | None
    scale: int | None
    task_options: Mapping[str, Any] | None


@dataclass(frozen=True)
class Kind:
    """One way of naming a network; ``said`` calls it in messages."""

    said: str
    is_meant: Callable[[str], bool]
    read: Callable[[Named], Model]
    takes_weights: bool = False


def _is_trial(spec: str) -> bool:
    head = spec.rpartition("#")[0]
    return "#" in spec and not Path(spec).exists() and not Path(head).is_file()


def _is_file(spec: str) -> bool:
    """Whether it is a file, or a place in one: ``net.pth#params``."""
    head = spec.rpartition("#")[0]
    is_there = Path(spec).is_file() or (bool(head) and not Path(spec).exists() and Path(head).is_file())
    return is_there and not spec.endswith(".pt2")


def _is_published(spec: str) -> bool:
    return spec.partition(":")[0].removesuffix("+skip") in ZOO


def _is_factory(spec: str) -> bool:
    module, colon, factory = spec.partition(":")
    return bool(colon and module and factory) and not (_is_published(spec) or "#" in spec or Path(spec).exists())


def _trial(named: Named) -> Model:
    return trials.model_of_spec(named.spec, named.scale, named.task_options)


def _folder(named: Named) -> Model:
    model = read_model(Path(named.spec))
    return _narrowed(model, named)


def _file(named: Named) -> Model:
    return model_of_file(named.spec, named.scale, named.task_options)


def _narrowed(model: Model, named: Named) -> Model:
    specialists = model.architecture.shape.specialists if model.architecture is not None else 1
    if model.rules is None:
        _check_unsaid(named)
        return model
    rules = fitted(named.spec, model.rules, named.scale, named.task_options, specialists)
    return Model(model.name, model.network, rules, model.architecture, model.has_weights, model.facts)


def _check_unsaid(named: Named) -> None:
    """Raises: UserError: a scale or option of a task for a network that does not say its task."""
    given = {"scale": named.scale, **(named.task_options or {})}
    name = next((name for name, value in given.items() if value is not None), None)
    if name is not None:
        raise UserError(f"--{name} is for networks that say their task, got it with {named.spec!r}; leave it out")


def _published(named: Named) -> Model:
    entry = entry_of(named.spec)
    own_scale = named.scale or entry.architecture.shape.scale
    rules = published_rules(entry, own_scale, named.task_options)
    facts: dict[str, Any] = {"published": {"title": entry.title, "source": entry.source, "note": entry.note}}
    if named.weights is None:
        arch = named_architecture(named.spec, own_scale)
        network = build(arch, torch.Generator().manual_seed(0)).eval()
        return Model(named.spec, network, rules, arch, False, facts)
    loaded = network_from_file(named.spec, named.weights, named.scale)
    rules = published_rules(entry, loaded.scale, named.task_options)
    facts["weights"] = origin(loaded)
    if loaded.layout is not None:
        facts["licence"] = f"weights by their authors ({loaded.layout.source}); see there"
    return Model(loaded.name, loaded.network, rules, loaded.architecture, True, facts)


def published_rules(entry: PublishedNetwork, scale: int, options: Mapping[str, Any] | None) -> TaskRules:
    """The rules of a published network's task: with its channels, and the options given.

    Raises:
        UserError: the task has no such option, or the network takes other channels.
    """
    values = dict(options or {})
    fitting = channels_of(entry)
    if values.get("channels") is None:
        values["channels"] = fitting
    rules = read_rules(entry.task, scale, values)
    if rules.channels != fitting:
        raise UserError(
            f"--channels of {entry.name} must be {fitting or 'among its task'}, got {rules.channels}; "
            "choose another network"
        )
    return rules


def _exported(named: Named) -> Model:
    return _own(named, named_network(named.spec), has_weights=True)


def _factory(named: Named) -> Model:
    own = named_network(named.spec)
    if named.weights is not None:
        load_weights(named.weights, own.network)
    return _own(named, own, named.weights is not None)


def _own(named: Named, own: NamedNetwork, has_weights: bool) -> Model:
    _check_unsaid(named)
    facts: dict[str, Any] = {
        "input": {"channels": own.in_channels, "size": list(own.input_size), "only_this_size": own.only_this_size},
        "source": named.spec,
    }
    if named.weights is not None:
        facts["weights"] = named.weights.name
    network = own.network if named.spec.endswith(".pt2") else own.network.eval()
    return Model(own.name, network, None, None, has_weights, facts)


KINDS: dict[str, Kind] = {
    "RUN#TRIAL": Kind("a trial of a run", _is_trial, _trial),
    "FOLDER": Kind("a model folder", lambda spec: bool(spec) and is_model_folder(Path(spec)), _folder),
    "FILE": Kind("a weights file", _is_file, _file),
    "FILE.pt2": Kind("an exported file", lambda spec: spec.endswith(".pt2"), _exported),
    "NAME": Kind("a published network", _is_published, _published, takes_weights=True),
    "MODULE:FACTORY": Kind("your own network", _is_factory, _factory, takes_weights=True),
}
OWN = ("FILE.pt2", "MODULE:FACTORY")  # of them, those of a user's own networks


def _unknown(spec: str) -> str:
    for folder in (Path(spec), RUNS / spec):
        if is_run(folder):
            return f"a run has many networks, got {spec!r} alone; name one by its number on the page, {spec}#TRIAL"
    if spec and Path(spec).is_dir():
        return f"a model folder must hold manifest.json, got {spec!r} without it; names may be {WAYS}"
    if spec.endswith((".safetensors", ".pth", ".pt")):
        return f"weights {spec} must be a file, got none; check the name"
    return f"unknown network {spec!r}; {known_names(spec)}; or give {WAYS}"
