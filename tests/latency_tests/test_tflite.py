"""Models that are written for LiteRT: every kind runs, and a network computes what torch's computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latency_tables.lowering.fusion import architecture_operators, network_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.tflite import chain, patterned_weights, stand_alone, write_tflite
from latency_tables.measuring.validate import draw_networks
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import load_table
from space.errors import UserError
from space.search_space import first
from space.tasks import TASKS
from tests.latency_tests.small_operators import op
from tests.random_networks import space_of

litert = pytest.importorskip("ai_edge_litert.interpreter")


def run(model: bytes, *images: np.ndarray) -> list[np.ndarray]:
    interpreter = litert.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    for entry, image in zip(interpreter.get_input_details(), images, strict=True):
        assert tuple(entry["shape"]) == image.shape
        interpreter.set_tensor(entry["index"], image)
    interpreter.invoke()
    return [interpreter.get_tensor(entry["index"]) for entry in interpreter.get_output_details()]


class Network(nn.Module):
    """Every way in which parts of our networks are connected, without a ReLU, which a written model leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.fuse = nn.Conv2d(16, 8, 1)
        self.up = nn.Conv2d(8, 12, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        stem = torch.sigmoid(self.stem(image))
        body = F.channel_shuffle(self.grouped(torch.tanh_(self.depthwise(stem))), 2) + stem
        half = F.interpolate(body, scale_factor=0.5, mode="bilinear")
        body = body + F.interpolate(half, scale_factor=2, mode="bilinear")
        body = self.fuse(torch.cat((body, stem), 1)) * stem.mean((2, 3), keepdim=True)
        return F.pixel_shuffle(self.up(body), 2) + F.interpolate(image, scale_factor=2, mode="bilinear")


def test_a_network_computes_what_torch_computes() -> None:
    torch.manual_seed(0)
    network = Network().eval()
    modules = dict(network.named_modules())

    def weights(operator: EngineOperator) -> tuple[np.ndarray, np.ndarray]:
        conv = modules[operator.part]
        values, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()
        if operator.part == "up":  # DEPTH_TO_SPACE wants the channels of a pixel together
            order = np.arange(12).reshape(3, 4).T.ravel()
            values, bias = values[order], bias[order]
        axes = (1, 2, 3, 0) if operator.kind == "depthwise_conv" else (0, 2, 3, 1)
        return np.ascontiguousarray(values.transpose(axes)), bias

    model = write_tflite(network_operators(network, 3, (12, 8)), weights)
    image = torch.rand(1, 3, 8, 12)
    (result,) = run(model, image.permute(0, 2, 3, 1).numpy())
    with torch.no_grad():
        expected = network(image).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(result, expected, atol=2e-6)


def test_values_neither_fade_nor_grow() -> None:
    layers = chain(op("conv", 16, 16, kernel=(3, 3)), 30)
    (result,) = run(write_tflite(layers), np.random.default_rng(0).uniform(0, 1, (1, 8, 12, 16)).astype(np.float32))
    assert 1e-6 < np.abs(result).mean() < 1e6


def test_a_chain_reads_what_was_written_before() -> None:
    first, second, third = chain(op("add", 8, 8, 2), 3)
    assert second.inputs == (first.output, first.inputs[1])
    assert third.inputs == (second.output, first.inputs[1])
    with pytest.raises(UserError, match="cannot be measured as a chain"):
        chain(op("conv", 3, 16), 3)


def test_weights_pack_well_and_hold_no_denormals() -> None:
    import zlib

    values, bias = patterned_weights(stand_alone(op("conv", 64, 256, kernel=(3, 3))))
    assert len(zlib.compress(values.tobytes())) < values.nbytes / 50
    assert np.abs(values).min() > 1e-3
    assert (bias > 0).all()


@pytest.mark.parametrize("name", TASKS)
def test_random_networks_of_every_task_run(name: str) -> None:
    task = TASKS[name]
    for arch in draw_networks(task, task.default_scale, 4):
        operators = architecture_operators(arch, (32, 24))
        interpreter = litert.Interpreter(model_content=write_tflite(operators), num_threads=1)
        interpreter.allocate_tensors()
        interpreter.invoke()
        (output,) = interpreter.get_output_details()
        scale = arch.shape.scale
        assert tuple(output["shape"]) == (1, 24 * scale, 32 * scale, arch.shape.out_channels)


LIGHT = [
    ("plain", {"block": "gsat", "dilation": 4, "width": 16, "upsampler": "bilinear-list"}),
    ("progressive", {"block": "gsat", "dilation": 2, "width": 16, "upsampler": "transposed"}),
    ("pyramid", {"block": "gsat", "dilation": 2, "width": 16, "resample": "strided+transposed"}),
    ("pyramid", {"resample": "bilinear-list", "attention": "both"}),
    ("encoder_decoder", {"ar_convolution": "gsat", "resample": "strided+transposed"}),
    ("plain", {"block": "spab", "gate": "sigmoid", "residual_scale": 0.5}),
    ("encoder_decoder", {"ar_convolution": "list", "resample": "bilinear-list"}),
]


@pytest.mark.parametrize(("name", "wanted"), LIGHT)
def test_lightweight_choices_are_priced_and_run(name: str, wanted: dict) -> None:
    space = space_of(TASKS["sr"].shape(2), name)
    values = space.fill(first, {"backbone": name, **wanted})
    assert wanted.items() <= values.items()
    operators = architecture_operators(space.decode(values), (32, 24))
    assert all(estimate(load_table(table), operators).ms > 0 for table in ("pixel4-a76", "a03s-a53-int8"))
    (output,) = run(write_tflite(operators), np.full((1, 24, 32, 3), 0.5, np.float32))
    assert output.shape == (1, 48, 64, 3)
    assert np.isfinite(output).all()
