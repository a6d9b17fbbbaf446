"""NASWOT: how differently a network's activations answer different inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from evaluators.proxies.batch import Batch, copied

_ACTIVATIONS = frozenset(("relu", "relu_", "_prelu_kernel", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_"))


def naswot(network: nn.Module, batch: Batch) -> float:
    """Log of the determinant of K, where K_ij is the number of activations that inputs i and j switch alike.

    An activation is a channel at a pixel; it is on where its input is positive. Mellor et al., Neural Architecture
    Search without Training, ICML 2021 (arXiv 2006.04647), equations 2 and 3. Minus infinity where two inputs switch
    all alike, or a network has no activations that switch.
    """
    patterns = _Patterns(len(batch.inputs))
    with torch.no_grad(), patterns:
        copied(network, torch.float32, train=True)(batch.inputs)
    return float(torch.linalg.slogdet(patterns.kernel).logabsdet)


class _Patterns(TorchDispatchMode):
    """Sees every activation that is computed inside it, whether a module's or a function's."""

    def __init__(self, inputs: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernel = torch.zeros(inputs, inputs, dtype=torch.float64)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func.overloadpacket.__name__ in _ACTIVATIONS and len(args[0]) == len(self.kernel):
            on = (args[0].reshape(len(self.kernel), -1) > 0).float()
            self.kernel += (on @ on.T + (1 - on) @ (1 - on).T).double()
        return func(*args, **(kwargs or {}))
