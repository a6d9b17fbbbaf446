"""MalleConv: spatially varying depthwise kernels, predicted on a small map and applied by on-the-fly slicing.

Jiang et al., ECCV 2022, arXiv 2201.00392 (abstract and project page). The predictor and the gate are those of an
unofficial port (`Jensen-JZ/MalleNet-PyTorch`), whose kernels are 1x1: one scale and one offset per channel. Kernels of
3x3 follow a second re-implementation for tomography. How far either is the paper's is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import MalleSpec
from space.blocks.inverted_prelu import EXPANSION, PReluInvertedSpec
from space.layers.batch_norm import Normed, factor_and_mean
from space.layers.full_precision import raised
from space.layers.protocols import ExportForm, Foldable
from space.layers.weight_and_bias import weight_and_bias


def offsets(kernel: int) -> Iterator[tuple[int, int]]:
    """Rows and columns from the output pixel to the pixel that each tap reads."""
    reach = kernel // 2
    return ((y, x) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1))


def sliced(x: Tensor, kernels: Tensor, kernel: int) -> Tensor:
    """Convolve every pixel with its own kernel, interpolated bilinearly out of a coarse map.

    y_c(p) = sum over offsets o of W_c,o(p) x_c(p + o), plus b_c(p); outside the image x is zero. Tap after tap is
    enlarged, used and forgotten, so that the kernels never stand at full resolution, not even for the gradient.
    Under autocast too it sums in float32: interpolated weights and ten terms rounded to 8 bits would add up.

    Args:
        x: `(N, C, H, W)`.
        kernels: `(N, (kernel**2 + 1) * C, h, w)`, tap by tap, the offset b last.
        kernel: taps per side, odd.
    """
    x, kernels = raised(x), raised(kernels)
    if torch.is_grad_enabled() and (x.requires_grad or kernels.requires_grad):
        return _Sliced.apply(x, kernels, kernel)
    return _apply(x, kernels, kernel)


def _apply(x: Tensor, kernels: Tensor, kernel: int) -> Tensor:
    *taps, shift = kernels.chunk(kernel**2 + 1, 1)
    size = x.shape[-2:]
    products = (
        _enlarged(tap, size) * _moved(x, -down, -right)
        for (down, right), tap in zip(offsets(kernel), taps, strict=True)
    )
    return reduce(torch.add, products) + _enlarged(shift, size)


def _enlarged(tap: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(tap, size=size, mode="bilinear", align_corners=False)


def _moved(x: Tensor, down: int, right: int) -> Tensor:
    """``x`` moved by whole pixels; zeros come in."""
    return x if (down, right) == (0, 0) else F.pad(x, (right, -right, down, -down))


class _Sliced(torch.autograd.Function):
    """``_apply`` whose gradient keeps the inputs only and enlarges each tap again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Tensor, kernel: int) -> Tensor:
        ctx.save_for_backward(x, kernels)
        ctx.kernel = kernel
        return _apply(x, kernels, kernel)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, kernels = ctx.saved_tensors
        *taps, shift = kernels.chunk(ctx.kernel**2 + 1, 1)
        for_x, for_kernels = torch.zeros_like(x), []
        for (down, right), tap in zip(offsets(ctx.kernel), taps, strict=True):
            for_x += _moved(gradient * _enlarged(tap, x.shape[-2:]), down, right)
            for_kernels.append(_enlarged_backward(gradient * _moved(x, -down, -right), tap))
        for_kernels.append(_enlarged_backward(gradient, shift))
        return for_x, torch.cat(for_kernels, 1).to(kernels.dtype), None


def _enlarged_backward(gradient: Tensor, tap: Tensor) -> Tensor:
    """The gradient of ``_enlarged`` with respect to ``tap``."""
    return torch.ops.aten.upsample_bilinear2d_backward(
        gradient.contiguous(), list(gradient.shape[-2:]), list(tap.shape), False
    )


class _Predictor(nn.Sequential):
    """From `(N, C, H, W)` features to `(N, out, h, w)` kernels, each pooling rounding the size up.

    Average pooling, conv3x3 and PReLU, then ``stages`` groups of inverted residuals with max pooling between them, and
    a 1x1 convolution: "Policy" in the port. With ``doubling`` each later group starts with a convolution to twice the
    width ("LargePolicy").
    """

    def __init__(self, channels: int, out_channels: int, spec: MalleSpec, norm: bool, activations: int) -> None:
        layers: list[nn.Module] = []
        if spec.pool > 1:
            layers.append(nn.AvgPool2d(spec.pool, ceil_mode=True))
        width = spec.width
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.PReLU(init=0)]
        for stage in range(spec.stages):
            if stage:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            if stage and spec.doubling:
                widen = nn.Conv2d(width, 2 * width, 3, padding=1)
                width *= 2
                layers += [Normed(widen, width) if norm else widen, nn.PReLU(init=0)]
            block = PReluInvertedSpec(width=width, hidden=EXPANSION * width, norm=norm, activations=activations)
            layers += [block.residual() for _ in range(spec.blocks)]
        layers.append(nn.Conv2d(width, out_channels, 1))
        super().__init__(*layers)


class MalleConv(nn.Module, Foldable, ExportForm):
    """A depthwise convolution whose kernels vary over the image: `(N, C, H, W)` to the same shape.

    Elementwise work of the slicing, (4 taps of interpolation + 1) multiplications per kernel weight, is no convolution
    and not in the MACs.

    Args:
        norm: batch norm after the slicing, and in the predictor's blocks.
        activations: PReLUs per block of the predictor.
    """

    def __init__(self, channels: int, spec: MalleSpec, norm: bool = False, activations: int = 2) -> None:
        super().__init__()
        self.kernel = spec.kernel
        self.predictor = _Predictor(channels, channels * (spec.kernel**2 + 1), spec, norm, activations)
        self.norm = nn.BatchNorm2d(channels) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        y = sliced(x, self.predictor(x), self.kernel)
        return y if self.norm is None else self.norm(y)

    @torch.no_grad()
    def fold(self) -> None:
        """Batch norm into the kernels: their prediction is scaled, and the offsets shifted."""
        if self.norm is None:
            return
        weight, bias = weight_and_bias(self.predictor[-1])
        scale, mean = factor_and_mean(self.norm)
        every_tap = scale.repeat(self.kernel**2 + 1)
        weight.mul_(every_tap.view(-1, 1, 1, 1))
        bias.mul_(every_tap)
        bias[-len(scale) :] += self.norm.bias - mean * scale
        self.norm = None

    def export_form(self, size: tuple[int, int] | None) -> nn.Module:
        """Pixels moved by cutting: ncnn has no padding by less than nothing, and MNN computes another one."""
        return self if self.kernel == 1 else _CutMalleConv(self)


class _CutMalleConv(nn.Module):
    """A ``MalleConv`` that moves pixels by cutting windows out of its input with zeros around it."""

    def __init__(self, malle: MalleConv) -> None:
        super().__init__()
        self.kernel, self.predictor, self.norm = malle.kernel, malle.predictor, malle.norm

    def forward(self, x: Tensor) -> Tensor:
        size, reach = x.shape[-2:], self.kernel // 2
        height, width = size
        *taps, shift = self.predictor(x).chunk(self.kernel**2 + 1, 1)
        padded = F.pad(x, (reach, reach, reach, reach))
        products = (
            _enlarged(tap, size) * padded[..., reach + down :, reach + right :][..., :height, :width]
            for (down, right), tap in zip(offsets(self.kernel), taps, strict=True)
        )
        y = reduce(torch.add, products) + _enlarged(shift, size)
        return y if self.norm is None else self.norm(y)


class MalleResidual(nn.Module):
    """Input plus MalleConv, for trunks: `(N, C, H, W)` to the same shape."""

    def __init__(self, channels: int, spec: MalleSpec) -> None:
        super().__init__()
        self.malle = MalleConv(channels, spec)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.malle(x)


class GatedMalle(nn.Module):
    """x + g * clip(PReLU(BN(MalleConv(x))), -1, 1) with a gate g that starts at 0: a level of the port's MalleNet.

    Args:
        norm: with batch norm.
        learned_gate: in the port the gate is no parameter and stays 0, so that its branch does nothing but cost.
        activations: PReLUs per block of the predictor.
    """

    def __init__(self, channels: int, spec: MalleSpec, norm: bool, learned_gate: bool, activations: int) -> None:
        super().__init__()
        self.malle = MalleConv(channels, spec, norm, activations)
        self.activation = nn.PReLU(init=0)
        gate = torch.zeros(1)
        if learned_gate:
            self.gate = nn.Parameter(gate)
        else:
            self.register_buffer("gate", gate)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gate * F.hardtanh(self.activation(self.malle(x)))
