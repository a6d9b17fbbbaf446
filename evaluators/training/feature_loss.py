"""Feature matching, as the Feature-Align network's RAW-domain loss (Young et al., arXiv 2103.01524), for every task
whose networks take what they give.

Known of the paper, from its abstracts alone: the first version has a perceptual feature loss in the RAW domain, to keep
high frequencies; the second calls it feature matching and takes the features from a large denoiser, the teacher. Not
known are the teacher, its layers, the distance and the weights. This is the plain reading

    loss = the task's own loss + weight x mean over layers of L1(teacher's features of output, of target)

with the levels of the teacher's encoder, or the blocks of its chain, each counted alike, and a weight that the caller
chooses. The loss of raw-denoise is in dB, so there the weight is in dB per unit of the features.

The teacher looks at restored pictures, which are inputs to it only where its task's inputs and outputs are alike:
denoise and deblur, and raw-denoise, without a noise map. A super-resolution network takes small pictures; its features
of a large, sharp one would be those of something that it was never trained on. There ``Distillation`` compares outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from evaluators.training.teacher import Teacher
from evaluators.training.trainer import Loss
from space.backbones.encoder_decoder import EncoderDecoderTrunk
from space.backbones.plain import PlainTrunk
from space.backbones.progressive import ProgressiveTrunk
from space.backbones.pyramid import PyramidTrunk
from space.backbones.symmetric import SymmetricTrunk
from space.zoo.dncnn import DnCnn
from space.zoo.pmrid import Pmrid

FEATURES: dict[type[nn.Module], str] = {
    EncoderDecoderTrunk: "deepen",
    PyramidTrunk: "first",
    Pmrid: "encoder",
    SymmetricTrunk: "encoder",
    PlainTrunk: "blocks",
    ProgressiveTrunk: "blocks",
    DnCnn: "middle",
}
"""The list whose modules' outputs are compared: one for each level of an encoder, or each block of a chain."""


class FeatureLoss(nn.Module):
    """A ``Loss`` of ``Trainer``: of output, target and network input to a scalar.

    Output, target and input are float32 `(N, C, h, w)` of one shape, in the values that the teacher was trained on: of
    raw-denoise, RAW times its ``EXPOSURE``. The teacher is copied, put in eval mode and never trained; gradients pass
    through it to the output. Each step runs the whole teacher twice.

    Args:
        pixels: the task's own loss, ``TaskRules.measure.loss``.
        teacher: a trained network of the task, `(N, C, h, w)` to the same shape.
        weight: of the features against the pixels, at least 0.
        layers: names of the teacher's modules whose outputs are compared; ``feature_layers`` if None.

    Raises:
        ValueError: the teacher has no such module, no layers are named and those of its kind are not known, or it is
            several specialists.
    """

    def __init__(self, pixels: Loss, teacher: nn.Module, weight: float, layers: Sequence[str] | None = None) -> None:
        super().__init__()
        if weight < 0:
            raise ValueError(f"weight must be at least 0, got {weight}")
        self.pixels = pixels
        self.weight = weight
        self.layers = tuple(feature_layers(teacher) if layers is None else layers)
        modules = dict(teacher.named_modules())
        if not self.layers or not modules.keys() >= set(self.layers):
            raise ValueError(
                f"layers must be modules of the teacher, one or more, got {', '.join(self.layers) or 'none'}"
            )
        self.teacher = Teacher(teacher)

    def forward(self, output: Tensor, target: Tensor, network_input: Tensor) -> Tensor:
        """Raises: ValueError: the input has another shape than the output, which the teacher then cannot take."""
        if output.shape != network_input.shape:
            raise ValueError(
                f"features are compared where a network gives what it takes, got an output of {tuple(output.shape)} "
                f"for an input of {tuple(network_input.shape)}; compare outputs (Distillation)"
            )
        return self.pixels(output, target, network_input) + self.weight * self.distance(output, target)

    def distance(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean over the layers of the mean absolute difference of the teacher's features; 0 for equal inputs."""
        with torch.no_grad():
            wanted = self.features(target)
        given = self.features(output)
        return torch.stack([F.l1_loss(given[name].float(), wanted[name].float()) for name in self.layers]).mean()

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs of the teacher's ``layers`` for `(N, C, h, w)`, by name: the last where one runs twice."""
        found: dict[str, Tensor] = {}

        def keep(name: str) -> RemovableHandle:
            return self.teacher.network.get_submodule(name).register_forward_hook(
                lambda _module, _inputs, result: found.update({name: result})
            )

        hooks = [keep(name) for name in self.layers]
        try:
            self.teacher(image)
        finally:
            for hook in hooks:
                hook.remove()
        return found


def feature_layers(network: nn.Module) -> tuple[str, ...]:
    """Names of the modules that end the levels of ``network``'s encoder, finest first, or the blocks of its chain.

    Raises:
        ValueError: no module of ``network`` is one of ``FEATURES``.
    """
    found = [(path, module) for path, module in network.named_modules() if type(module) in FEATURES]
    if not found:
        known = ", ".join(kind.__name__ for kind in FEATURES)
        raise ValueError(f"the layers to compare are known of {known}, got {type(network).__name__}; name the layers")
    path, module = found[0]
    name = FEATURES[type(module)]
    names = []
    for index, part in enumerate(module.get_submodule(name).children()):
        last = f".{len(part) - 1}" if isinstance(part, nn.ModuleList) else ""  # a level's blocks, which are run singly
        names.append(f"{path}.{name}.{index}{last}".lstrip("."))
    return tuple(names)
