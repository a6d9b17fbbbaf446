"""The kind of each torch operator. An operator that is not listed is refused by name, never ignored."""

from __future__ import annotations

import torch

from space.errors import UserError


class UnknownOperatorError(UserError):
    """The network runs an operator that the cost model does not cover."""


KINDS: dict[str, tuple[str, ...]] = {
    "conv": ("convolution",),
    "matmul": ("mm", "addmm", "bmm", "baddbmm"),
    "activation": (
        "relu",
        "relu_",
        "relu6",
        "leaky_relu",
        "leaky_relu_",
        "_prelu_kernel",
        "elu",
        "elu_",
        "gelu",
        "silu",
        "silu_",
        "mish",
        "sigmoid",
        "sigmoid_",
        "tanh",
        "tanh_",
        "hardswish",
        "hardswish_",
        "hardsigmoid",
        "hardsigmoid_",
        "hardtanh",
        "hardtanh_",
        "softplus",
    ),
    "add": ("add", "add_", "sub", "sub_", "rsub"),
    "multiply": ("mul", "mul_", "div", "div_"),
    "concat": ("cat", "stack"),
    "pixel_shuffle": ("pixel_shuffle", "pixel_unshuffle"),
    "resize": (
        "upsample_nearest2d",
        "upsample_bilinear2d",
        "upsample_bicubic2d",
        "_upsample_bilinear2d_aa",
        "_upsample_bicubic2d_aa",
    ),
    "pool": ("max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d"),
    "pad": ("reflection_pad2d", "replication_pad2d", "constant_pad_nd"),
    "norm": (
        "native_batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_no_training",
        "native_layer_norm",
        "native_group_norm",
    ),
    "softmax": ("_softmax", "_safe_softmax"),
    "reduce": ("mean", "sum", "var", "amax", "amin", "max", "min", "linalg_vector_norm", "var_mean"),
    "copy": ("clone", "_to_copy", "copy_", "_unsafe_view", "repeat", "channel_shuffle", "native_channel_shuffle"),
    "gather": ("grid_sampler_2d", "im2col", "col2im", "roll", "index", "index_select", "gather", "embedding", "flip"),
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}

# Make a tensor without reading one: part of the network's constants, no work per image.
CREATION = frozenset(
    {
        "empty",
        "zeros",
        "ones",
        "full",
        "arange",
        "linspace",
        "scalar_tensor",
        "zeros_like",
        "ones_like",
        "empty_like",
        "full_like",
        "new_zeros",
        "new_ones",
        "new_empty",
        "new_full",
        "lift_fresh",
        "empty_strided",
    }
)


def kind_of(function: torch._ops.OpOverload) -> str | None:
    """The kind of an ATen operator; None for views and the creation of constants, which cost nothing.

    Raises:
        UnknownOperatorError: the operator is unknown.
    """
    name = function._schema.name.removeprefix("aten::")
    if function.is_view or torch.Tag.inplace_view in function.tags or name in CREATION or name == "detach":
        return None
    if name in KIND_OF:
        return KIND_OF[name]
    if torch.Tag.pointwise in function.tags:
        return "elementwise"
    raise UnknownOperatorError(
        f"operator {name!r} is not known to the cost model; known kinds: {', '.join(sorted(KINDS))}"
    )
