"""Lightweight replacements of full-size convolutions (Lahiri et al., IEEE TCSVT 2021, arXiv 2007.05835).

Facts are those of the authors' repository (`avisekiit/TCSVT-LightWeight-CNNs`): its PyTorch LIST is plain, with biases
and the separable branch first; its TensorFlow LIST has batch norm and ReLU after the squeeze and after the
concatenation, and the 1x1 branch first. A dense 3x3 convolution from C to C channels has 9 C^2 weights, LIST
C^2 / 2 + 9 C / 4, and GSAT with 8 groups 1.25 C^2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.errors import UserError
from space.layers.batch_norm import fold_batch_norm
from space.layers.protocols import Foldable, NarrowsItself, TakesFactor, TakesNorm

SQUEEZE = 4  # channels per squeezed channel
SHUFFLE_GROUPS = 8  # "as in the paper", says the authors' code


class List(nn.Module, Foldable, TakesNorm, TakesFactor):
    """LIST: a 1x1 squeeze to a quarter of the channels, then a 1x1 and a separable 3x3 branch, concatenated.

    `(N, in, H, W)` to `(N, out, H, W)`. Each branch gives half of the output channels, until it is pruned.

    Args:
        bias: biases on all four convolutions, as in the PyTorch version; not used with ``norm``.
        norm: batch norm and ReLU after the squeeze and after the concatenation, and the 1x1 branch first, as in the
            TensorFlow version.

    Raises:
        UserError: fewer than 4 channels in, or an odd number out.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True, norm: bool = False) -> None:
        super().__init__()
        if in_channels < SQUEEZE:
            raise UserError(f"LIST needs at least {SQUEEZE} input channels, got {in_channels}; keep a dense 3x3 there")
        if out_channels % 2:
            raise UserError(f"LIST needs an even number of output channels, got {out_channels}")
        squeezed, half = in_channels // SQUEEZE, out_channels // 2
        bias = bias and not norm
        self.squeeze = nn.Conv2d(in_channels, squeezed, 1, bias=bias)
        self.pointwise = nn.Conv2d(squeezed, half, 1, bias=bias)
        self.depthwise = nn.Conv2d(squeezed, squeezed, 3, padding=1, groups=squeezed, bias=bias)
        self.separable = nn.Conv2d(squeezed, half, 1, bias=bias)
        self.norm_first = nn.BatchNorm2d(squeezed) if norm else None
        self.norm_last = nn.BatchNorm2d(out_channels) if norm else None
        self.activation = nn.ReLU() if norm else nn.Identity()
        self.pointwise_first = norm

    @property
    def in_channels(self) -> int:
        return self.squeeze.in_channels

    def forward(self, x: Tensor) -> Tensor:
        squeezed = self.squeeze(x)
        if self.norm_first is not None:
            squeezed = self.norm_first(squeezed)
        squeezed = self.activation(squeezed)
        branches = [self.separable(self.depthwise(squeezed)), self.pointwise(squeezed)]
        if self.pointwise_first:
            branches.reverse()
        output = torch.cat(branches, 1)
        if self.norm_last is not None:
            output = self.norm_last(output)
        return self.activation(output)

    @torch.no_grad()
    def fold(self) -> None:
        """Fold both batch norms into the convolutions before them; the last one is split between the branches."""
        if self.norm_first is None or self.norm_last is None:
            return
        fold_batch_norm(self.squeeze, self.norm_first)
        self.fold_norm(self.norm_last)
        self.norm_first = self.norm_last = None

    @torch.no_grad()
    def fold_norm(self, norm: nn.BatchNorm2d) -> None:
        """Split ``norm``, which follows the concatenation, between the last convolutions of the two branches."""
        last = (self.pointwise, self.separable) if self.pointwise_first else (self.separable, self.pointwise)
        split = last[0].out_channels  # pruned branches differ in width
        fold_batch_norm(last[0], _part(norm, slice(0, split)))
        fold_batch_norm(last[1], _part(norm, slice(split, None)))

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        """Scale the output through the last convolutions of both branches.

        Raises:
            ValueError: it still has batch norm.
        """
        if self.norm_last is not None:
            raise ValueError("a LIST with batch norm cannot take up a factor; fold it first")
        for parameter in (*self.pointwise.parameters(), *self.separable.parameters()):
            parameter.mul_(factor)


def _part(norm: nn.BatchNorm2d, channels: slice) -> nn.BatchNorm2d:
    """A batch norm of the given ``channels`` of ``norm``."""
    width = norm.weight[channels].numel()
    part = nn.BatchNorm2d(width, eps=norm.eps, device=norm.weight.device, dtype=norm.weight.dtype)
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(part, name).copy_(getattr(norm, name)[channels])
    return part


class Gsat(nn.Module, Foldable, NarrowsItself):
    """GSAT: a dilated 3x3 convolution in groups, channel shuffle, a 1x1 convolution in groups, plus input, ReLU.

    `(N, channels, H, W)` to the same shape. No bias on the dilated convolution, as in the authors' TensorFlow code.

    Args:
        norm: batch norm after the 1x1 convolution, as in that code.
        bias: of the 1x1 convolution; that code has none, but what a folded batch norm leaves is one.
        activated: with the ReLU.
        scale: factor on what is added to the input.

    Raises:
        UserError: ``channels`` is not a multiple of ``groups``.
    """

    def __init__(
        self,
        channels: int,
        dilation: int = 1,
        groups: int = SHUFFLE_GROUPS,
        norm: bool = True,
        bias: bool = False,
        activated: bool = True,
        scale: float = 1,
    ) -> None:
        super().__init__()
        if channels % groups:
            raise UserError(f"GSAT channels must be a multiple of its {groups} groups, got {channels}")
        self.groups = groups
        self.dilated = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, groups=groups, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, groups=groups, bias=bias)
        self.norm = nn.BatchNorm2d(channels) if norm else None
        self.activated = activated
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        y = self.pointwise(F.channel_shuffle(self.dilated(x), self.groups))
        if self.norm is not None:
            y = self.norm(y)
        y = x + (y if self.scale == 1 else self.scale * y)
        return F.relu(y) if self.activated else y

    @torch.no_grad()
    def fold(self) -> None:
        """Fold batch norm and ``scale`` into the 1x1 convolution."""
        if self.norm is not None:
            fold_batch_norm(self.pointwise, self.norm)
            self.norm = None
        for parameter in self.pointwise.parameters():
            parameter.mul_(self.scale)
        self.scale = 1

    @torch.no_grad()
    def narrowed(self, kept: Sequence[int]) -> Gsat:
        """With as many groups as ``groups_at`` says for the channels that are left.

        The channel shuffle couples every channel of both convolutions, so that none can go without the others. What
        stays of a weight is what the fewer or smaller groups still connect; connections that they add start at zero.
        """
        count = len(kept)
        groups = groups_at(count)
        small = Gsat(
            count,
            self.dilated.dilation[0],
            groups,
            self.norm is not None,
            self.pointwise.bias is not None,
            self.activated,
            self.scale,
        )
        device, dtype = self.dilated.weight.device, self.dilated.weight.dtype
        small = small.to(device=device, dtype=dtype).train(self.training)
        places = torch.tensor(list(kept), device=device)
        # After the shuffle, channel c of the narrow part is what ``order[c]`` of its first convolution wrote.
        order, old_order = _shuffled(count, groups, device), _shuffled(len(self.dilated.weight), self.groups, device)
        first = _as_dense(self.dilated)[places][:, places]
        second = torch.zeros_like(_as_dense(self.pointwise))
        second[:, old_order] = _as_dense(self.pointwise)  # by what the first convolution wrote
        second = second[places][:, places][:, order]
        small.dilated.weight.copy_(_in_groups(first, groups))
        small.pointwise.weight.copy_(_in_groups(second, groups))
        if self.pointwise.bias is not None and small.pointwise.bias is not None:
            small.pointwise.bias.copy_(self.pointwise.bias[places])
        if self.norm is not None and small.norm is not None:
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(small.norm, name).copy_(getattr(self.norm, name)[places])
        for old, new in zip(self.parameters(), small.parameters(), strict=True):
            new.requires_grad_(old.requires_grad)
        return small


def groups_at(width: int) -> int:
    """8 as in the paper where they divide the width and hold more than one channel each; else 4, 2 or 1."""
    return next((n for n in (SHUFFLE_GROUPS, 4, 2) if width % n == 0 and width > n), 1)


def _shuffled(channels: int, groups: int, device: torch.device) -> Tensor:
    """Which channel stands at each place after a channel shuffle."""
    return torch.arange(channels, device=device).view(groups, -1).t().reshape(-1)


def _as_dense(conv: nn.Conv2d) -> Tensor:
    """The weights `(out, in, h, w)` of a convolution in groups, zero between them."""
    blocks = conv.weight.chunk(conv.groups)
    out, into = blocks[0].shape[:2]
    dense = conv.weight.new_zeros(conv.out_channels, conv.in_channels, *conv.kernel_size)
    for index, block in enumerate(blocks):
        dense[index * out : (index + 1) * out, index * into : (index + 1) * into] = block
    return dense


def _in_groups(dense: Tensor, groups: int) -> Tensor:
    """What ``groups`` keep of `(out, in, h, w)`: `(out, in / groups, h, w)`."""
    into = dense.shape[1] // groups
    rows = dense.chunk(groups)
    return torch.cat([row[:, index * into : (index + 1) * into] for index, row in enumerate(rows)])


class ResampledList(nn.Sequential):
    """Bilinear resize, then LIST: instead of a strided (``factor`` 1/2) or a transposed (``factor`` 2) convolution.

    `(N, in, H, W)` to `(N, out, factor*H, factor*W)`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, factor: float, bias: bool = True, norm: bool = False
    ) -> None:
        resize = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
        super().__init__(resize, List(in_channels, out_channels, bias, norm))
