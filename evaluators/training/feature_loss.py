"""The RAW-domain feature loss of the Feature-Align network (Young et al., arXiv 2103.01524).

Known of the paper, from its abstracts alone: the first version has a perceptual feature loss in the RAW domain, to keep
high frequencies; the second calls it feature matching and takes the features from a large denoiser, the teacher. Not
known are the teacher, its layers, the distance and the weights. This is the plain reading

    loss = the task's own loss + weight x mean over layers of L1(teacher's features of output, of target)

with the layers of the teacher's encoder by default, each counted alike, and a weight that the caller chooses. The loss
of raw-denoise is in dB, so there the weight is in dB per unit of the features.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from evaluators.training.trainer import Loss
from space.backbones.encoder_decoder import EncoderDecoderTrunk
from space.zoo.pmrid import Pmrid

PACKED = 4  # channels of packed RGGB
ENCODERS: dict[type[nn.Module], str] = {
    EncoderDecoderTrunk: "deepen",
    Pmrid: "encoder",
}  # a list with a module per level


class FeatureLoss(nn.Module):
    """A ``Loss`` of ``Trainer``: of output, target and network input to a scalar.

    Output and target are float32 packed RGGB `(N, 4, h, w)`, in the values that the teacher was trained on: of
    raw-denoise, RAW times its ``EXPOSURE``. The teacher is copied, put in eval mode and never trained; gradients pass
    through it to the output. Each step runs the whole teacher twice.

    Args:
        pixels: the task's own loss, ``TaskRules.loss``.
        teacher: a trained RAW denoiser of packed frames (without a noise map), `(N, 4, h, w)` to the same shape.
        weight: of the features against the pixels, at least 0.
        layers: names of the teacher's modules whose outputs are compared; its encoder's levels if None.

    Raises:
        ValueError: the teacher has no such module, or no layers are named and its encoder is not known.
    """

    def __init__(self, pixels: Loss, teacher: nn.Module, weight: float, layers: Sequence[str] | None = None) -> None:
        super().__init__()
        if weight < 0:
            raise ValueError(f"weight must be at least 0, got {weight}")
        self.pixels = pixels
        self.weight = weight
        self.layers = tuple(encoder_layers(teacher) if layers is None else layers)
        modules = dict(teacher.named_modules())
        if not self.layers or not modules.keys() >= set(self.layers):
            raise ValueError(
                f"layers must be modules of the teacher, one or more, got {', '.join(self.layers) or 'none'}"
            )
        self.teacher = copy.deepcopy(teacher).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> FeatureLoss:
        """As for every module, except that the teacher stays in eval mode: its norms keep their statistics."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, output: Tensor, target: Tensor, network_input: Tensor) -> Tensor:
        return self.pixels(output, target, network_input) + self.weight * self.distance(output, target)

    def distance(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean over the layers of the mean absolute difference of the teacher's features; 0 for equal inputs.

        Raises:
            ValueError: ``output`` or ``target`` is not packed RAW.
        """
        if output.shape != target.shape or output.shape[1] != PACKED:
            raise ValueError(
                f"output and target must be packed RAW (N, {PACKED}, h, w) of one shape, got {tuple(output.shape)} and "
                f"{tuple(target.shape)}"
            )
        with torch.no_grad():
            wanted = self.features(target)
        given = self.features(output)
        return torch.stack([F.l1_loss(given[name], wanted[name]) for name in self.layers]).mean()

    def features(self, packed: Tensor) -> dict[str, Tensor]:
        """Outputs of the teacher's ``layers`` for `(N, 4, h, w)`, by name."""
        found: dict[str, Tensor] = {}

        def keep(name: str) -> RemovableHandle:
            return self.teacher.get_submodule(name).register_forward_hook(
                lambda _module, _inputs, result: found.update({name: result})
            )

        hooks = [keep(name) for name in self.layers]
        try:
            self.teacher(packed)
        finally:
            for hook in hooks:
                hook.remove()
        return found


def encoder_layers(network: nn.Module) -> tuple[str, ...]:
    """Names of the modules that end the levels of ``network``'s encoder, finest first.

    Raises:
        ValueError: no module of ``network`` is one of ``ENCODERS``.
    """
    found = [(path, module) for path, module in network.named_modules() if type(module) in ENCODERS]
    if not found:
        known = ", ".join(kind.__name__ for kind in ENCODERS)
        raise ValueError(f"the encoder is known of {known}, got {type(network).__name__}; name the layers")
    path, module = found[0]
    name = ENCODERS[type(module)]
    levels = len([*module.get_submodule(name).children()])
    return tuple(f"{path}.{name}.{level}".lstrip(".") for level in range(levels))
