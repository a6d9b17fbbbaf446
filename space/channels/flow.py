"""Where every channel goes: one run on the meta device, in which each axis of each tensor carries labels.

A label is joined with another wherever an operator needs both or neither (``space.channels.rules``). What an operator
without a rule touches is fixed: its channels stay, and nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from space.channels.labelling import Labelling
from space.channels.rules import ELEMENTWISE, RULES, SAME
from space.operators.shapes import ShapesMode, shapes_alone, tensors_in

RESIZES = ("upsample_", "_upsample_")
KEPT_SPATIAL = (*RESIZES, "max_pool2d", "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d")
PADS = ("reflection_pad2d", "replication_pad2d")


class Flow(ShapesMode):
    """Follows the channels of a network on the meta device while it runs.

    Attributes:
        whole: the path of a part with a rule of its own, and the labels of its channels.
        unknown: operators without a rule that met channels.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.labelling = Labelling(network)
        self.whole: list[tuple[str, np.ndarray]] = []
        self.unknown: set[str] = set()
        self._is_inside = False  # of a part with a rule of its own

    def begin(self, image: Tensor) -> None:
        """``image`` is what the network is given: its channels stay."""
        labels = self.labelling.units.new(image.shape[1])
        self.labelling.units.fix(labels)
        self.labelling.label(image, (None, labels, *(None,) * (image.ndim - 2)))

    def end(self, output: Any) -> None:
        """``output`` is what it gives: its channels stay."""
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor):
                self.labelling.fix(tensor)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function._schema.name.removeprefix("aten::")
        read = tensors_in(args) + tensors_in(kwargs)
        result = shapes_alone(function, args, read, kwargs or {})
        if result is None:
            result = function(*args, **(kwargs or {}))
        written = tensors_in(result)
        if (
            self._is_inside
            or not written
            or not any(label is not None for tensor in read for label in self.labelling.of(tensor))
        ):
            return result
        rule = RULES.get(name)
        if rule is not None:
            rule(self.labelling, args, kwargs or {}, written)
        elif name.startswith(KEPT_SPATIAL) or name in PADS:
            self.labelling.label(written[0], (*self.labelling.of(args[0])[:-2], None, None))
        elif name.rstrip("_") in SAME or torch.Tag.pointwise in function.tags or name in ELEMENTWISE:
            self.labelling.elementwise(read, written[0])
        else:
            self.unknown.add(name)
            for tensor in read:
                self.labelling.fix(tensor)
        return result

    def pass_whole(self, path: str, part: nn.Module, run: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
        """Run a part that keeps its channels and is narrowed by a rule of its own."""
        self._is_inside = True
        output = run(image)
        self._is_inside = False
        for tensor in (*part.parameters(), *part.buffers()):
            self.labelling.label(tensor, (None,) * tensor.ndim)
        labels = self.labelling.of(image)
        if labels[1] is not None:
            self.whole.append((path, labels[1]))
        self.labelling.label(output, labels)
        return output
