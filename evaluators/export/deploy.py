"""The form of a network that is exported: folded, and free of operators that an engine lacks."""

from __future__ import annotations

import copy
import math

from torch import nn

from evaluators.export.transposed_convolution import CutTransposedConvolution
from space.deploy import deploy_form
from space.layers.protocols import DividesSides, ExportForm


def export_form(network: nn.Module, size: tuple[int, int] | None = None) -> nn.Module:
    """A copy of ``network`` in its deploy form, with every part that an engine lacks in a form that all have.

    It computes the same as ``network`` in eval mode, up to rounding, from images `(1, C, h, w)`.

    Args:
        size: (width, height) of the image; None for any that ``multiple_of`` divides.
    """
    copied = deploy_form(copy.deepcopy(network))
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return engine_form(copied, size)


def engine_form(module: nn.Module, size: tuple[int, int] | None = None) -> nn.Module:
    """``module``, itself changed, with every part that an engine lacks in a form that all have.

    Args:
        size: as of ``export_form``.
    """
    if isinstance(module, ExportForm):
        return module.export_form(size)
    if CutTransposedConvolution.suits(module):
        assert isinstance(module, nn.ConvTranspose2d)
        return CutTransposedConvolution(module)
    for name, child in list(module.named_children()):
        form = engine_form(child, size)
        if form is not child:
            setattr(module, name, form)
    return module


def multiple_of(network: nn.Module) -> int:
    """What the sides of an image must be multiples of for ``network`` to divide them without a rest."""
    return math.lcm(*(module.multiple for module in network.modules() if isinstance(module, DividesSides)))
