"""Operators of every kind that a published table prices, at any size."""

from latency_tables.lowering.operators import EngineOperator

KERNELS = ((1, 1), (3, 3), (5, 5), (7, 7))
KINDS = (
    ("conv", ""),
    ("depthwise_conv", ""),
    ("grouped_conv", ""),
    ("transposed_conv", ""),
    ("matmul", ""),
    ("add", ""),
    ("multiply", "broadcast"),
    ("concat", ""),
    ("pad", ""),
    ("pool", "max"),
    ("reduce", "mean"),
    ("resize", "nearest"),
    ("resize", "bilinear"),
    ("pixel_shuffle", ""),
    ("pixel_unshuffle", ""),
    ("softmax", ""),
    ("copy", ""),
    ("activation", "relu"),
    ("activation", "prelu"),
    ("activation", "sigmoid"),
    ("activation", "gelu"),
    ("activation", "hardswish"),
    ("norm", "layer_norm"),
    ("elementwise", "neg"),
)


def operator(kind: str, function: str, channels: tuple[int, int], size: tuple[int, int], kernel: int) -> EngineOperator:
    """One of ``kind`` at ``size`` (height, width), with the channels that it can have."""
    into, out = channels
    if (not kind.endswith("conv") and kind != "matmul") or kind == "depthwise_conv":
        out = into
    groups = 4 if kind == "grouped_conv" else 1
    window = {"kernel": KERNELS[kernel]} if kind.endswith("conv") else {}
    height, width = size
    return EngineOperator(
        kind,
        height,
        width,
        groups * into,
        groups * out,
        groups * into * height * width,
        function=function,
        groups=groups,
        **window,
    )
