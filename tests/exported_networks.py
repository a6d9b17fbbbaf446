"""Networks through a converter and its engine, against torch."""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.export import FORMATS, Exportable
from evaluators.export.deploy import export_form
from space.architecture import Architecture

SIZE = (48, 32)


def assert_exports(arch: Architecture, network: nn.Module, name: str) -> None:
    form = FORMATS[name]
    for package in form.needs:
        pytest.importorskip(package)
    network = copy.deepcopy(network)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    image = torch.rand(1, arch.shape.in_channels, SIZE[1], SIZE[0], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(image).numpy()
    with TemporaryDirectory() as folder:
        path = Path(folder, f"model{form.suffix}")
        form.write(Exportable(export_form(network, SIZE), arch.shape.in_channels, SIZE), path)
        found = form.open(path).run(image.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1.0, float(np.abs(expected).max())))
