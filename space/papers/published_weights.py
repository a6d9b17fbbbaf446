"""Networks with the authors' own weights: key maps, and the change from their pixel range to [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from space.build import build
from space.errors import UserError
from space.papers import PAPERS, Paper, paper

PIXEL_RANGE = 255  # the released s-LWSR computes on RGB in 0..255


def load_published(name: str, state_dict: Mapping[str, Tensor], scale: int | None = None) -> nn.Module:
    """The network ``name`` with the authors' weights, from RGB [0, 1] to [0, 1], in eval mode.

    Args:
        name: a key of ``PAPERS`` whose released key layout is known.
        state_dict: tensors under the authors' key names and shapes.
        scale: the upscaling factor; read off the state dict if None.

    Raises:
        UserError: no key map is known for ``name``, or the state dict does not fit; the message names the first
            differing key and both shapes.
    """
    entry = paper(name)
    if name not in KEY_MAPS:
        raise UserError(f"no released weight layout is known for {name!r}; known: {', '.join(KEY_MAPS)}")
    scale = scale or _slwsr_scale(state_dict)
    network = build(entry.at_scale(scale))
    keys = KEY_MAPS[name](entry, scale)
    own = network.state_dict()
    check_fit(name, {theirs: tuple(own[ours].shape) for ours, theirs in keys.items()}, state_dict)
    loaded = {ours: state_dict[theirs].to(torch.float32) for ours, theirs in keys.items()}
    # A network whose activations are ReLU scales with its input: same weights, every bias divided by the range.
    network.load_state_dict(
        {key: value / PIXEL_RANGE if key.endswith("bias") else value for key, value in loaded.items()}
    )
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


def slwsr_keys(entry: Paper, scale: int) -> dict[str, str]:
    """Our parameter names to those of the released `lwsr.py`.

    Encoder bunch i, block j is `feat{i+1}_{j}`; decoder stage s is `feat{s+6}_1` (with the 1x1 that fuses),
    `feat{s+6}_2` and `conv{s+6}`; the released first and second convolutions of a block are `body.0` and `body.2`.
    """
    settings = entry.architecture.settings
    modules = {"shift_in": "sub_mean", "stem": "head.0", "upsampler.last": "tail.1", "shift_out": "add_mean"}
    for bunch, blocks in enumerate(settings.encoder):
        for position in range(len(blocks)):
            modules |= _block(f"encoder.{bunch}.{position}", f"feat{bunch + 2}_{position + 1}")
    for stage in range(len(settings.decoder)):
        modules[f"fuses.{stage}"] = f"feat{stage + 7}_1.conv"
        for position, theirs in enumerate((f"feat{stage + 7}_1", f"feat{stage + 7}_2", f"conv{stage + 7}")):
            modules |= _block(f"decoder.{stage}.{position}", theirs)
    for step in range(2 if scale == 4 else 1):
        modules[f"upsampler.steps.{step}.0"] = f"tail.0.{2 * step}"
    keys = {f"{ours}.{leaf}": f"{theirs}.{leaf}" for ours, theirs in modules.items() for leaf in ("weight", "bias")}
    return keys | ({"pool.weight": "conv1.weight"} if settings.pool_sources else {})


def _block(ours: str, theirs: str) -> dict[str, str]:
    return {f"{ours}.body.{index}": f"{theirs}.body.{index}" for index in (0, 2)}


def _slwsr_scale(state_dict: Mapping[str, Tensor]) -> int:
    """4 with two upsampling convolutions; else 2 or 3 from the ratio of channels of the only one."""
    if "tail.0.2.weight" in state_dict or "tail.0.0.weight" not in state_dict:
        return 4
    weight = state_dict["tail.0.0.weight"]
    return 3 if weight.ndim == 4 and weight.shape[0] == 9 * weight.shape[1] else 2


# Released layouts that are known (MIT-licensed repository Sudo-Biao/s-LWSR); all of one design share a map.
KEY_MAPS: dict[str, Callable[[Paper, int], dict[str, str]]] = {
    name: slwsr_keys for name in PAPERS if PAPERS[name].reproducible and name.startswith("s-lwsr")
}
