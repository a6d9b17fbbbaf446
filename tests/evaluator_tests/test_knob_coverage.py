"""Random networks of every task's space build, run forward and backward, and survive being stored."""

from pathlib import Path

import numpy as np
import pytest
import torch

from evaluators.training.weights import load_weights, save_weights
from space import TASKS, build
from tests.random_networks import random_architecture

HEIGHT, WIDTH = 7, 10  # no multiple of the sides that pyramids and encoder-decoders need


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("count", [6, pytest.param(1_000, marks=[pytest.mark.long, pytest.mark.timeout(3_600)])])
def test_random_architectures_run_learn_and_are_stored(name: str, count: int, tmp_path: Path) -> None:
    task, generator = TASKS[name], np.random.default_rng(count)
    words = tuple(task.channels)
    scales = tuple(task.input_sizes)
    for index in range(count):
        shape = task.shape(scales[index % len(scales)], words[index % len(words)])
        arch = random_architecture(shape, task.backbones, generator)
        weights = torch.Generator().manual_seed(index)
        network = build(arch, weights)
        with torch.no_grad():  # away from the zero start, at which gradients of inner layers vanish
            for parameter in network.residual_end.parameters() if network.residual_end is not None else ():
                parameter.uniform_(-0.02, 0.02, generator=weights)

        image = torch.rand(1, shape.in_channels, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(index))
        output = network(image)
        assert output.shape == (1, shape.out_channels, HEIGHT * shape.scale, WIDTH * shape.scale), arch
        assert torch.isfinite(output).all(), arch
        output.square().mean().backward()
        for parameter in network.parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, arch
                assert torch.isfinite(parameter.grad).all(), arch

        network.eval()
        again = build(arch, torch.Generator().manual_seed(index + 1)).eval()
        save_weights(tmp_path / "weights.safetensors", network, {})
        load_weights(tmp_path / "weights.safetensors", again)
        with torch.no_grad():
            assert torch.equal(again(image), network(image)), arch
