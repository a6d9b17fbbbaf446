"""Networks with the authors' own weights: names mapped, and the authors' pixel range changed to [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from space.build import build, deploy_form
from space.errors import UserError
from space.papers import paper
from space.papers.released import ReleasedLayout, released_names
from space.papers.released_restore import RELEASED_RESTORE
from space.papers.released_slwsr import RELEASED_SLWSR
from space.papers.released_sr import RELEASED_SR

# Every layout that is stated by public code; one file per family of networks.
LAYOUTS: dict[str, ReleasedLayout] = {**RELEASED_SLWSR, **RELEASED_SR, **RELEASED_RESTORE}
PARALLEL = "module."  # what torch's DataParallel puts before every name


def load_published(name: str, state_dict: Mapping[str, Tensor], scale: int | None = None) -> nn.Module:
    """The network ``name`` with the authors' weights, from images in [0, 1] to [0, 1], in eval mode.

    Args:
        name: a key of ``PAPERS`` whose released key layout is known.
        state_dict: tensors under the authors' key names and shapes.
        scale: the upscaling factor; read off the state dict if None, where that is possible.

    Raises:
        UserError: no key map is known for ``name``, or the state dict does not fit; the message names the first
            differing key and both shapes.
    """
    entry = paper(name)
    if name not in LAYOUTS:
        raise UserError(f"no released weight layout is known for {name!r}; known: {', '.join(LAYOUTS)}")
    layout = LAYOUTS[name]
    if layout.network is not None:
        entry = paper(layout.network)
    if state_dict and all(key.startswith(PARALLEL) for key in state_dict):
        state_dict = {key.removeprefix(PARALLEL): value for key, value in state_dict.items()}
    if scale is None:
        scale = layout.scale_of(state_dict) if layout.scale_of else entry.architecture.shape.scale
    network = build(entry.at_scale(scale))
    if layout.folded:
        deploy_form(network)
    own = network.state_dict()
    names = released_names(own, layout.renamed(entry, scale))
    given = {key: value for key, value in state_dict.items() if not key.startswith(layout.unused(scale))}
    check_fit(name, {theirs: tuple(own[ours].shape) for ours, theirs in names.items()}, given)
    loaded = {ours: given[theirs].to(torch.float32) for ours, theirs in names.items()}
    if layout.pixel_range != 1:
        # A network whose activations are ReLU scales with its input: same weights, every bias divided by the range.
        loaded = {key: value / layout.pixel_range if key.endswith("bias") else value for key, value in loaded.items()}
    network.load_state_dict(loaded)
    return network.eval()


def check_fit(name: str, expected: Mapping[str, tuple[int, ...]], state_dict: Mapping[str, Tensor]) -> None:
    """Refuse a state dict whose keys or shapes differ from ``expected``, naming the first that does."""
    for key, shape in expected.items():
        if key not in state_dict:
            raise UserError(f"weights do not fit {name}: key {key!r} must have shape {shape}, but it is missing")
        given = tuple(state_dict[key].shape)
        if given != shape:
            raise UserError(f"weights do not fit {name}: key {key!r} must have shape {shape}, got {given}")
    for key, value in state_dict.items():
        if key not in expected:
            raise UserError(f"weights do not fit {name}: it has no key {key!r}, got one of shape {tuple(value.shape)}")
