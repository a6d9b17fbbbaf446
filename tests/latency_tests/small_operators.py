"""An operator of every kind that a model can be written of, small enough to run at once."""

from latency_tables.lowering.operators import EngineOperator


def op(kind: str, in_channels: int, out_channels: int, reads: int = 1, **options: object) -> EngineOperator:
    """At 12x8 output pixels, reading ``reads`` tensors of as many pixels."""
    stride = options.get("stride", (1, 1))
    pixels = 96 * stride[0] * stride[1] if kind != "transposed_conv" else 96 // stride[0] // stride[1]
    return EngineOperator(kind, 8, 12, in_channels, out_channels, reads * pixels * in_channels, **options)


OPERATORS = (
    op("conv", 3, 16, kernel=(3, 3)),
    op("conv", 4, 8, kernel=(3, 3), stride=(2, 2)),
    op("conv", 4, 8, kernel=(3, 3), dilation=(2, 2)),
    op("grouped_conv", 16, 16, kernel=(3, 3), dilation=(4, 4), groups=8),
    EngineOperator("conv", 6, 10, 4, 8, 8 * 12 * 4, kernel=(3, 3)),  # without padding
    op("depthwise_conv", 8, 8, kernel=(3, 3)),
    op("grouped_conv", 8, 16, kernel=(3, 3), groups=4),
    op("transposed_conv", 8, 3, kernel=(4, 4), stride=(2, 2)),
    EngineOperator("matmul", 96, 1, 8, 4, 96 * 8),
    EngineOperator("matmul", 96, 1, 8, 4, 96 * 8 + 8 * 4),
    EngineOperator("matmul", 96, 1, 8, 4, 96 * 8 + 3 * 8 * 4),  # three products
    *(op("activation", 8, 8, function=name) for name in ("relu", "relu6", "prelu", "leaky_relu", "elu", "gelu")),
    *(op("activation", 8, 8, function=name) for name in ("silu", "sigmoid", "tanh", "hardswish", "hardsigmoid")),
    op("add", 8, 8, 2),
    op("add", 8, 8, function="scalar"),
    op("multiply", 8, 8, 2),
    EngineOperator("multiply", 8, 12, 8, 8, 96 * 8 + 8, "broadcast"),
    EngineOperator("multiply", 8, 12, 8, 8, 96 * 8 + 96, "broadcast"),
    EngineOperator("multiply", 8, 12, 8, 8, 96 * 8 + 2 * 8, "broadcast"),  # of two images, each by its own factors
    op("elementwise", 8, 8, function="abs"),
    op("elementwise", 8, 8, function="clamp_min"),
    op("elementwise", 8, 8, function="clamp_max"),
    op("elementwise", 8, 8, 2, function="maximum"),
    op("copy", 8, 8, function="slice"),
    op("copy", 8, 8, function="plain"),
    op("copy", 16, 16, function="channel_shuffle", groups=8),
    op("concat", 12, 12, function="of 2"),
    op("concat", 33, 33, function="of 11"),
    op("concat", 4, 4, function="of 3 along height"),
    op("concat", 4, 4, function="of 5 along width"),
    op("pool", 8, 8, function="max", kernel=(2, 2), stride=(2, 2)),
    op("pool", 8, 8, function="average", kernel=(3, 3)),
    EngineOperator("resize", 8, 12, 4, 4, 24 * 4, "nearest", factor=2),
    EngineOperator("resize", 8, 12, 4, 4, 24 * 4, "bilinear", factor=2),
    EngineOperator("resize", 8, 12, 4, 4, 384 * 4, "bilinear"),
    EngineOperator("pixel_shuffle", 8, 12, 16, 4, 24 * 16, factor=2),
    EngineOperator("pixel_unshuffle", 8, 12, 4, 16, 384 * 4, factor=2),
    EngineOperator("pad", 8, 12, 4, 4, 6 * 10 * 4),
    op("reduce", 8, 8, function="mean"),
    op("reduce", 8, 8, 2, function="sum"),  # of two images
    op("reduce", 8, 1, 2, function="sum"),
    op("softmax", 8, 8),
    op("norm", 8, 8, function="batch_norm"),
)
