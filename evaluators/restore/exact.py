"""torch's operators on a CPU so that a pixel's value does not depend on the size of the picture around it.

By itself torch differs in the last bits between a tile and the whole picture, for these reasons (torch 2.13, x86):

- a convolution takes another kernel for small or pointwise images (``ConvParams::use_mkldnn``), and another one in each
  memory layout; the kernels add in different orders. Here every convolution is oneDNN's, channels last;
- oneDNN cuts long sums (3x3 kernels over 256 channels) into blocks that depend on the size. Here they are cut before;
- a bilinear resize takes another kernel for small images, unless it has at least four channels, channels last;
- vectorised sigmoid, tanh, GELU and so on leave the last few numbers of an array to scalar code, whose exponential
  differs by one unit in the last place. Here these numbers are vectorised too;
- bilinear and bicubic weights come from float32 coordinates, which at factors such as 3 are rounded differently at each
  place. Here a place has the weights of its phase, computed in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from evaluators.restore.axis_maps import RESIZES
from evaluators.restore.axis_rules import is_exact

aten = torch.ops.aten
LONGEST_SUM = 1600  # products: 177 channels of 3x3; at 2304 oneDNN's order was seen to change, below it never was
BILINEAR_CHANNELS = 4
VECTOR = 64  # numbers; the longest vector of any processor is 16 floats
_SCALAR_TAIL = frozenset(
    getattr(aten, name).default
    for name in ("sigmoid", "tanh", "gelu", "silu", "exp", "elu", "softplus", "mish", "log", "erf", "sin", "cos")
)
_RESIZES = {getattr(aten, name).default: name for name in RESIZES if "nearest" not in name}


class _Exact(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is aten.convolution.default:
            return _convolution(*args)
        if function in _SCALAR_TAIL and args[0].dtype == torch.float32:
            return _vectorised(function, args[0], args[1:], kwargs)
        if function in _RESIZES:
            return _resized(function, args)
        return function(*args, **kwargs)


def exact_network(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """``network``, in eval mode, as a function of a picture `(1, C, H, W)`: float32, on the CPU, channels last.

    >>> import torch, space
    >>> from evaluators.restore.exact import exact_network
    >>> run = exact_network(space.build(space.ZOO["espcn"].architecture).eval())
    >>> picture = torch.rand(1, 1, 100, 120)
    >>> torch.equal(run(picture)[..., :100, :100], run(picture[..., :40, :40])[..., :100, :100])
    True
    """

    run = exact_function(network)
    return lambda picture: run(picture.float().contiguous(memory_format=torch.channels_last))


def exact_function(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """``function`` of a float32 tensor, computed so."""

    def run(picture: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", enabled=False), _Exact():  # type: ignore[no-untyped-call]
            return function(picture)

    return run


def _convolution(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    is_transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Tensor:
    if image.dim() != 4 or image.dtype != torch.float32 or is_transposed:
        if is_transposed and image.dim() == 4 and image.dtype == torch.float32:
            return _transposed_convolution(image, weight, bias, stride, padding, dilation, output_padding, groups)
        return aten.convolution.default(
            image, weight, bias, stride, padding, dilation, is_transposed, output_padding, groups
        )
    most = max(1, LONGEST_SUM // weight[0, 0].numel())
    if groups > 1 or weight.shape[1] <= most:
        return aten.mkldnn_convolution.default(_laid_out(image), weight, bias, padding, stride, dilation, groups)
    output = None
    for part, filters in zip(image.split(most, 1), weight.split(most, 1), strict=True):
        own = bias if output is None else None
        added = aten.mkldnn_convolution.default(_laid_out(part), filters, own, padding, stride, dilation, 1)
        output = added if output is None else output.add_(added)
    assert output is not None  # a convolution reads a channel
    return output


def _transposed_convolution(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    output_padding: list[int],
    groups: int,
) -> Tensor:
    """torch's own kernel, group by group; oneDNN's adds in an order that depends on the size."""
    kernel = weight.shape[2:]
    biases = [None] * groups if bias is None else list(bias.chunk(groups))
    parts = [
        aten.slow_conv_transpose2d.default(part, filters, kernel, own, stride, padding, output_padding, dilation)
        for part, filters, own in zip(image.contiguous().chunk(groups, 1), weight.chunk(groups), biases, strict=True)
    ]
    return parts[0] if groups == 1 else torch.cat(parts, 1)


def _laid_out(image: Tensor) -> Tensor:
    """Channels last; of one channel, for which both layouts are alike, always with the same strides."""
    if image.shape[1] > 1:
        return image.contiguous(memory_format=torch.channels_last)
    height, width = image.shape[2:]
    return image.contiguous().as_strided(image.shape, (height * width, height * width, width, 1))


def _vectorised(function: Any, values: Tensor, args: Any, kwargs: Any) -> Tensor:
    """An element-wise function over an array without gaps, in lengths that leave nothing to scalar code."""
    is_last = values.is_contiguous(memory_format=torch.channels_last) if values.dim() == 4 else False
    if not (is_last or values.is_contiguous()):
        values = values.contiguous()
    output = torch.empty_like(values)
    source, target = (each.as_strided((each.numel(),), (1,), each.storage_offset()) for each in (values, output))
    step = VECTOR * torch.get_num_threads()  # of which each thread takes a share
    whole = source.numel() // step * step
    if whole:
        target[:whole] = function(source[:whole], *args, **kwargs)
    if rest := source.numel() - whole:
        padded = torch.zeros(step)
        padded[:rest] = source[whole:]
        target[whole:] = function(padded, *args, **kwargs)[:rest]
    return output


def _resized(function: Any, args: Any) -> Tensor:
    image, size, corners, *scales = args
    name = _RESIZES[function]
    scales = [*scales, None, None][:2]
    ratios = [
        1 / Fraction(scale).limit_denominator(64) if scale else Fraction(before, after)
        for scale, before, after in zip(scales, image.shape[2:], size, strict=True)
    ]
    if corners or all(map(is_exact, ratios)):
        if name != "upsample_bilinear2d":
            return function(image.contiguous(), size, corners, *scales)
        channels = image.shape[1]
        if channels < BILINEAR_CHANNELS:
            image = torch.cat((image, image[:, :1].expand(-1, BILINEAR_CHANNELS - channels, -1, -1)), 1)
        return function(_laid_out(image), size, corners, *scales)[:, :channels]
    for axis, ratio, length in zip((2, 3), ratios, size, strict=True):
        if ratio != 1:
            image = _resized_axis(image, axis, ratio, length, name)
    return image


def _resized_axis(image: Tensor, axis: int, ratio: Fraction, length: int, name: str) -> Tensor:
    places, weights = _taps(image.shape[axis], length, ratio, name)
    shape = [1] * image.dim()
    shape[axis] = length
    output = None
    for place, weight in zip(places, weights, strict=True):
        part = image.index_select(axis, place) * weight.view(shape)
        output = part if output is None else output + part
    assert output is not None  # there is a tap at least
    return output


@lru_cache(maxsize=64)
def _taps(before: int, after: int, ratio: Fraction, name: str) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """For each tap, the place that every output reads and its weight."""
    is_antialiased = name.endswith("_aa")
    window = RESIZES[name](ratio)
    taps = max((o * window.step + window.last) // window.parts - (o * window.step + window.first) // window.parts
               for o in range(ratio.denominator)) + 1  # fmt: skip
    reach = max(ratio, Fraction(1)) if is_antialiased else Fraction(1)
    kernel = _linear if "bilinear" in name else _cubic_half if is_antialiased else _cubic
    places = torch.empty(taps, after, dtype=torch.long)
    weights = torch.zeros(taps, after, dtype=torch.float64)
    for o in range(after):
        first = (o * window.step + window.first) // window.parts
        centre = (o + Fraction(1, 2)) * ratio - Fraction(1, 2)
        if name == "upsample_bilinear2d":
            centre = max(centre, Fraction(0))
            first = max(first, 0)
        values = [kernel(float((first + tap - centre) / reach)) for tap in range(taps)]
        inside = [0 <= first + tap < before for tap in range(taps)]
        if is_antialiased:  # what lies outside does not count
            values = [value * ok for value, ok in zip(values, inside, strict=True)]
            total = sum(values)
            values = [value / total for value in values]
        places[:, o] = torch.tensor([min(max(first + tap, 0), before - 1) for tap in range(taps)])
        weights[:, o] = torch.tensor(values, dtype=torch.float64)
    return tuple(places), tuple(weights.float())


def _linear(x: float) -> float:
    return max(0.0, 1 - abs(x))


def _cubic(x: float, a: float = -0.75) -> float:
    """Keys 1981; torch takes a = -0.75, and -0.5 where it antialiases."""
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def _cubic_half(x: float) -> float:
    return _cubic(x, -0.5)
