"""A transposed convolution with output padding as one without any padding, whose border is cut off.

TensorFlow Lite's operator pads as "same" or "valid" do, and has no output padding: FSRCNN's 9x9 deconvolution is
neither.
"""

from __future__ import annotations

from torch import Tensor, nn


class CutTransposedConvolution(nn.Module):
    """What ``conv`` computes, `(N, in, H, W)` to `(N, out, h, w)`; it shares its weights.

    Without padding the output has ``padding`` more at the start and ``padding - output_padding`` more at the end.
    """

    def __init__(self, conv: nn.ConvTranspose2d) -> None:
        super().__init__()
        unpadded = nn.ConvTranspose2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]  # a tuple of two, which torch annotates as of any length
            conv.stride,  # type: ignore[arg-type]
            dilation=conv.dilation,  # type: ignore[arg-type]
            groups=conv.groups,
            bias=conv.bias is not None,
            device="meta",
        )
        unpadded.weight, unpadded.bias = conv.weight, conv.bias
        self.unpadded = unpadded.train(conv.training)
        self.start: tuple[int, ...] = tuple(conv.padding)  # type: ignore[arg-type]  # "same" is for others
        self.end = tuple(pad - more for pad, more in zip(self.start, conv.output_padding, strict=True))

    @staticmethod
    def suits(module: nn.Module) -> bool:
        """Whether ``module`` is a transposed convolution with output padding that cutting makes up for."""
        return (
            isinstance(module, nn.ConvTranspose2d)
            and any(module.output_padding)
            and all(more <= pad for pad, more in zip(module.padding, module.output_padding, strict=True))  # type: ignore[operator]
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.unpadded(x)
        (top, left), (bottom, right) = self.start, self.end
        return y[..., top : y.shape[2] - bottom, left : y.shape[3] - right]
