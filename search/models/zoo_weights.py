"""A published network by its spec, with the weights of a file: which state dict, whose names, at which scale."""

from __future__ import annotations

from pathlib import Path

from search.experiments.network_specs import entry_of, named_architecture
from search.models.about import key_in
from space.errors import UserError
from space.tasks import TASKS
from space.weights import read_stored
from space.weights.fitting import Form, forms_of
from space.weights.loading import LoadedNetwork, load_stored


def network_from_file(spec: str, path: Path, scale: int | None) -> LoadedNetwork:
    """The network that ``spec`` means, with the weights in ``path``; the scale is read off them if it is None.

    Raises:
        UserError: as ``load_published``, or the file says that another network was trained.
    """
    entry = entry_of(spec)
    if scale is not None:
        TASKS[entry.task].shape(scale)
    own = entry.architecture.shape.scale
    scales = dict.fromkeys((own, *TASKS[entry.task].input_sizes))
    ours = {each: named_architecture(spec, each) for each in scales}
    stored = read_stored(path)
    if spec == entry.name:
        forms = forms_of(entry.name)
    else:
        forms = [Form(spec, None, None, ours)]
    about = stored.metadata
    trained = key_in(about)
    scale = scale or next((each for each, arch in ours.items() if arch.key == trained), None)
    keys = {arch.key for each, arch in ours.items() if scale in (None, each)}
    if trained is not None and trained not in keys:
        # Also one of the same tensors: with our input skip, or without it.
        key = ours[scale or own].key
        raise UserError(
            f"weights {path} must be of {spec}, got those of {about.get('network', 'another network')} "
            f"({trained}, not {key}); give that network's name and scale"
        )
    return load_stored(spec, stored, forms, scale)


def origin(loaded: LoadedNetwork) -> str:
    """In words: what was built, and whose names and form the file has."""
    if loaded.layout is None:
        names = "this project's names"
    else:
        names = f"the layout of {loaded.layout.source}" + (f" ({loaded.layout.form})" if loaded.layout.form else "")
    return "; ".join((f"built {loaded.name} from {names}", *loaded.notes))
