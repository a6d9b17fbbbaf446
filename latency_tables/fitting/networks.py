"""The operators of the published networks, as TensorFlow Lite runs them.

The published list of TensorFlow Lite has no element-wise operators: those are in PyTorch's list of the same networks.
What neither has, this module derives by three rules:

- a convolution or pooling whose input is larger than anything before it in its network has a PAD before it;
- a batch norm that does not follow a convolution (it stands before one, in pre-activation networks) is a MUL and an
  ADD with the ReLU fused; of PyTorch's batch norms of a block those are the first, and the last of the network;
- DenseNet, of which there is no list of PyTorch, has one before each 1x1 convolution and one before its pooling.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from latency_tables.fitting.source import NETWORKS
from latency_tables.lowering.operators import EngineOperator

INPUT_SIZE = 224
FAMILIES = (
    "mobilenetv3",
    "mobilenetv2",
    "mobilenet",
    "fdmobilenet",
    "preresnet",
    "sepreresnet",
    "seresnet",
    "resnet",
    "resnext",
    "regnet",
)
CONVOLUTIONS = {"CONV_2D": "conv", "DEPTHWISE_CONV_2D": "depthwise_conv", "CONV_2D_GROUP": "grouped_conv"}
POOLINGS = {"MAX_POOL_2D": "max", "AVERAGE_POOL_2D": "average"}


def family(network: str) -> str:
    """The family of a published classification network; families are held out as a whole, so that no sibling leaks.

    It is the first of FAMILIES that the name starts with, else the leading letters of the name: 27 families.
    """
    known = next((name for name in FAMILIES if network.startswith(name)), None)
    return known or re.split("[^a-z]", network, maxsplit=1)[0]


@lru_cache(maxsize=1)
def networks() -> dict[str, tuple[EngineOperator, ...]]:
    """Every published network's operators, batch 1."""
    lists: dict[str, dict[str, list[dict[str, str]]]] = {}
    with gzip.open(NETWORKS, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            lists.setdefault(row["network"], {"tflite": [], "pytorch": []})[row["list"]].append(row)
    return {
        network: (*_listed(network, rows["tflite"]), *_elementwise(network, rows["pytorch"]))
        for network, rows in lists.items()
    }


def _square(kind: str, size: int, channels: int, out_channels: int, read: int, **more: Any) -> EngineOperator:
    return EngineOperator(kind, size, size, channels, out_channels, read, **more)


def _listed(network: str, rows: Iterable[Mapping[str, str]]) -> Iterable[EngineOperator]:
    """From the list of TensorFlow Lite, with the padding that it implies."""
    sizes = {INPUT_SIZE}
    for row in rows:
        name, channels = row["operator"], int(row["in_channels"])
        if name == "FULLY_CONNECTED":
            yield EngineOperator("matmul", 1, 1, channels, int(row["filters"]), channels)
            continue
        size = int(row["in_size"])
        if name == "MEAN":
            yield from _global_mean(network, size, channels)
            continue
        out_size = int(row["out_size"])
        if name == "CONCATENATION":
            sizes.add(out_size)
            joined = int(row["filters"])
            yield _square("concat", out_size, joined, joined, out_size**2 * joined)
            continue
        kernel, stride = int(row["kernel"]), int(row["stride"])
        if kernel > 1 and size not in sizes:
            yield _square("pad", size, channels, channels, (size - kernel + 1) ** 2 * channels)
        sizes.add(out_size)
        read = size**2 * channels
        window = {"kernel": (kernel, kernel), "stride": (stride, stride)}
        if name in CONVOLUTIONS:
            kind = CONVOLUTIONS[name]
            filters = int(row["filters"]) * (channels if kind == "depthwise_conv" else 1)
            groups = int(row["groups"]) if kind == "grouped_conv" else 1
            yield from _unfused_norm(network, size, channels, kind, kernel)
            yield _square(kind, out_size, channels, filters, read, groups=groups, **window)
        elif name == "AVERAGE_POOL_2D" and out_size == 1:
            yield _square("reduce", size, channels, channels, read, function="mean")
        else:
            yield _square("pool", out_size, channels, channels, read, function=POOLINGS[name], **window)


def _global_mean(network: str, size: int, channels: int) -> Iterable[EngineOperator]:
    if network.startswith("densenet"):
        yield from _scale_and_shift(size, channels)
    yield _square("reduce", size, channels, channels, size**2 * channels, function="mean")


def _unfused_norm(network: str, size: int, channels: int, kind: str, kernel: int) -> Iterable[EngineOperator]:
    if network.startswith("densenet") and kind == "conv" and kernel == 1 and size > 1:
        yield from _scale_and_shift(size, channels)


def _scale_and_shift(size: int, channels: int) -> tuple[EngineOperator, ...]:
    read = size**2 * channels
    return tuple(_square(kind, size, channels, channels, read, function="broadcast") for kind in ("multiply", "add"))


def _elementwise(network: str, rows: Sequence[Mapping[str, str]]) -> Iterable[EngineOperator]:
    """From PyTorch's list."""
    norms = sum(row["operator"] == "run_batchnorm_context" for row in rows)
    norms_per_block = 3 if "resnetbc" in network else 2
    norm = 0
    for row in rows:
        channels, size = int(row["in_channels"]), int(row["in_size"])
        elements = size**2 * channels
        match row["operator"]:
            case "add":
                yield _square("add", size, channels, channels, 2 * elements)
            case "mul":  # squeeze-and-excitation: one factor per channel
                yield _square("multiply", size, channels, channels, elements + channels, function="broadcast")
            case "hardswish":
                yield _square("activation", size, channels, channels, elements, function="hardswish")
            case "sigmoid" | "clamp":  # of squeeze-and-excitation: of one pixel, whatever size the list gives
                yield _square("activation", 1, channels, channels, channels, function="sigmoid")
            case "run_batchnorm_context":
                if norm % norms_per_block == 0 or norm == norms - 1:
                    yield from _scale_and_shift(size, channels)
                norm += 1
