"""The layers at the image: the fixed mean shift at both ends, and the input that is added to the output."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.bicubic import ConvolvedBicubic
from space.layers.full_precision import autocast_runs, raised
from space.layers.hole_fill import LEVELS, push_pull
from space.layers.protocols import DividesSides, ExportForm, StartsItself
from space.layers.weight_and_bias import weight_and_bias

# RGB mean of DIV2K on a scale of 1, as in the released s-LWSR code (`common.py`, MeanShift; first used by EDSR).
DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


class MeanShift(nn.Conv2d, StartsItself):
    """Adds ``sign`` times the DIV2K mean by a fixed 1x1 convolution with the identity as weight.

    It cannot be folded exactly into a zero-padded 3x3 convolution, so it stays an operator, and its 12 fixed
    numbers are stored and counted. It computes in float32 under autocast too: the whole image
    passes through it.
    """

    def __init__(self, sign: int) -> None:
        super().__init__(3, 3, 1)
        self.sign = sign
        self.requires_grad_(False)
        self.reset()

    def reset(self) -> None:
        if self.weight.is_meta:  # where only shapes count; torch would load its compiler to make the identity
            return
        weight, bias = weight_and_bias(self)
        with torch.no_grad():
            weight.copy_(torch.eye(3)[:, :, None, None])
            bias.copy_(self.sign * torch.tensor(DIV2K_MEAN))

    def forward(self, image: Tensor) -> Tensor:
        if not autocast_runs(image):
            return super().forward(image)
        with torch.autocast(image.device.type, enabled=False):
            return super().forward(image.float())


class InputSkip(nn.Module, ExportForm, DividesSides):
    """The first ``channels`` of the input, as they are, resized to the output size or with filled holes.

    `(N, in, H, W)` to `(N, channels, scale*H, scale*W)`, in float32 under autocast too. ``mode`` is ``identity`` or
    ``push-pull`` (for scale 1), ``nearest``, ``bilinear`` or ``bicubic``; ``push-pull`` takes the last channel of the
    input for the mask of the holes. The input has more channels than the output where a mask or a noise map follows
    the image. Bicubic uses the a = -0.5 kernel that super-resolution data are made with (torch's antialiased form,
    which for enlargement is plain interpolation); torch's own default is a = -0.75.
    """

    def __init__(self, mode: str, scale: int, channels: int) -> None:
        super().__init__()
        self.mode = mode
        self.scale = scale
        self.channels = channels

    def forward(self, image: Tensor) -> Tensor:
        image = raised(image)
        if self.mode == "push-pull":
            return push_pull(image[:, : self.channels], image[:, -1:])
        if image.shape[1] > self.channels:
            image = image[:, : self.channels]
        if self.mode == "identity" or self.scale == 1:
            return image
        if self.mode == "nearest":
            return F.interpolate(image, scale_factor=self.scale, mode="nearest")
        # torch resizes a plain image about twice as fast as a channels-last one.
        return F.interpolate(
            image.contiguous(),
            scale_factor=self.scale,
            mode=self.mode,
            align_corners=False,
            antialias=self.mode == "bicubic",
        )

    @property
    def multiple(self) -> int:
        return 2**LEVELS if self.mode == "push-pull" else 1

    def export_form(self, size: tuple[int, int] | None) -> nn.Module:
        """Bicubic as a convolution: LiteRT has no bicubic resize, and others have it with another kernel."""
        if self.mode != "bicubic" or self.scale == 1:
            return self
        return _BicubicSkip(self.scale, self.channels, size)


class _BicubicSkip(nn.Module):
    """The first ``channels`` of the input, enlarged by a convolution."""

    def __init__(self, scale: int, channels: int, size: tuple[int, int] | None) -> None:
        super().__init__()
        self.enlarge = ConvolvedBicubic(channels, scale, size)

    def forward(self, image: Tensor) -> Tensor:
        return self.enlarge(image[:, : self.enlarge.channels])
