"""The released layout of s-LWSR (MIT-licensed repository Sudo-Biao/s-LWSR, `lwsr.py`)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from space.papers.paper import Paper
from space.papers.released import ReleasedLayout
from space.papers.slwsr import SLWSR


def slwsr_names(entry: Paper, scale: int) -> dict[str, str]:
    """Our module names to those of the released `lwsr.py`.

    Encoder bunch i, block j is `feat{i+1}_{j}`; decoder stage s is `feat{s+6}_1` (with the 1x1 that fuses),
    `feat{s+6}_2` and `conv{s+6}`; the released first and second convolutions of a block are `body.0` and `body.2`.
    """
    settings = entry.architecture.settings
    modules = {"shift_in": "sub_mean", "stem": "head.0", "upsampler.last": "tail.1", "shift_out": "add_mean"}
    for bunch, blocks in enumerate(settings.encoder):
        for position in range(len(blocks)):
            modules[f"trunk.encoder.{bunch}.{position}"] = f"feat{bunch + 2}_{position + 1}"
    for stage in range(len(settings.decoder)):
        modules[f"trunk.fuses.{stage}"] = f"feat{stage + 7}_1.conv"
        for position, theirs in enumerate((f"feat{stage + 7}_1", f"feat{stage + 7}_2", f"conv{stage + 7}")):
            modules[f"trunk.decoder.{stage}.{position}"] = theirs
    for step in range(2 if scale == 4 else 1):
        modules[f"upsampler.steps.{step}.0"] = f"tail.0.{2 * step}"
    return modules | {"trunk.pool": "conv1"}


def slwsr_scale(state_dict: Mapping[str, Tensor]) -> int:
    """4 with two upsampling convolutions; else 2 or 3 from the ratio of channels of the only one."""
    if "tail.0.2.weight" in state_dict or "tail.0.0.weight" not in state_dict:
        return 4
    weight = state_dict["tail.0.0.weight"]
    return 3 if weight.ndim == 4 and weight.shape[0] == 9 * weight.shape[1] else 2


RELEASED = ReleasedLayout(slwsr_names, "Sudo-Biao/s-LWSR, lwsr.py", slwsr_scale, pixel_range=255)
# All of one design share a layout.
RELEASED_SLWSR: dict[str, tuple[ReleasedLayout, ...]] = {
    entry.name: (RELEASED,) for entry in SLWSR if entry.reproducible
}
