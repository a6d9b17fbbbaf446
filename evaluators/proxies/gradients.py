"""Proxies from the gradients of the weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from evaluators.proxies.batch import Batch, copied


def grad_norm(network: nn.Module, batch: Batch) -> float:
    """Sum over the parameters of the L2 norm of the loss's gradient, on one batch.

    Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021 (arXiv 2101.08134), section 3.1.
    """
    own = copied(network, torch.float32, train=True)
    batch.loss(own(batch.inputs), batch.targets, batch.inputs).backward()
    return sum(float(value.grad.norm()) for value in own.parameters() if value.grad is not None)


def synflow(network: nn.Module, batch: Batch) -> float:
    """Log of the sum over the parameters of |weight x gradient|, where the weights are replaced by their absolute
    values, the input by ones and the loss by the sum of the outputs.

    Tanaka et al., Pruning neural networks without any data by iteratively conserving synaptic flow, NeurIPS 2020 (arXiv
    2006.05467), algorithm 1; summed over the network as in Abdelfattah et al., equation 2. Batch norms use their first
    statistics and so change nothing. The order of networks is that of the sum; minus infinity if it is zero, as of a
    network that clips its output.
    """
    own = copied(network, torch.float64, train=False)
    with torch.no_grad():
        for value in own.parameters():
            value.abs_()
    own(torch.ones_like(batch.inputs[:1], dtype=torch.float64)).sum().backward()
    total = sum(
        float((value.detach() * value.grad).abs().sum()) for value in own.parameters() if value.grad is not None
    )
    return math.log(total) if total > 0 else -math.inf
