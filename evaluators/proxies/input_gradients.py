"""Jacobian covariance: how differently a network depends on different inputs."""

from __future__ import annotations

import torch
from torch import nn

from evaluators.proxies.batch import Batch, copied

_K = 1e-5  # of the paper's code, for stability


def jacobian_covariance(network: nn.Module, batch: Batch) -> float:
    """Minus the sum of log(v + k) + 1 / (v + k) over the eigenvalues v of the correlations between the gradients of the
    summed outputs by each input.

    Mellor et al., Neural Architecture Search without Training, first version (arXiv 2006.04647v1), equation 2; k is
    1e-5. An input skip adds the same to the gradients of all inputs, which makes them alike.
    """
    inputs = batch.inputs.clone().requires_grad_()
    own = copied(network, torch.float32, train=True)
    (gradients,) = torch.autograd.grad(own(inputs).sum(), inputs)
    correlations = torch.corrcoef(gradients.reshape(len(inputs), -1).double())
    if not correlations.isfinite().all():
        return float("nan")
    values = torch.linalg.eigvalsh(correlations).clamp(min=0) + _K
    return -float((values.log() + 1 / values).sum())
