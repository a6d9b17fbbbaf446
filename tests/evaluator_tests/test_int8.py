"""int8 as it is simulated: against LiteRT's own file, the layers that cost most, costs, and training on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluators.compression.int8 import Int8Network, most_sensitive, quantized, sensitivities
from evaluators.compression.int8.costs import int8_costs, int8_table
from evaluators.compression.int8.network import int8_ranges, placed_like, with_ranges
from evaluators.compression.int8.points import Role, layers_of, points
from evaluators.compression.int8.rounding import PRELU_PARTS, rounded, rounded_weights
from evaluators.costs import architecture_costs
from evaluators.export import FORMATS, INT8, Exportable, ExportError
from evaluators.export.deploy import export_form
from evaluators.images.embedded import validation_photographs
from evaluators.training.plan import TrainingPlan
from evaluators.training.precision import choose_precision
from evaluators.training.trainer import Trainer
from latency_tables.tables.table import load_table
from space import TASKS, ZOO, SearchSpace, build
from space.deploy import deploy_form
from space.errors import UserError
from space.search_space import first
from space.specialists import Specialists
from space.zoo import with_input_skip
from tests.small_networks import filled

SIZE = (64, 48)


def pictures(channels: int) -> list[Tensor]:
    """Three crops `(1, channels, 48, 64)`."""
    images = []
    for photograph in validation_photographs()[:3]:
        values = torch.from_numpy(photograph.pixels[100:148, 100:164].astype(np.float32) / 255).permute(2, 0, 1)[None]
        values = values.mean(1, keepdim=True) if channels == 1 else values.repeat(1, 2, 1, 1)[:, :channels]
        images.append(values.contiguous())
    return images


def whole(name: str) -> nn.Module:
    return filled(build(ZOO[name].architecture, torch.Generator().manual_seed(0))).eval()


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return -10 * math.log10(float(np.mean((first - second) ** 2)))


@pytest.mark.parametrize("name", ["ecbsr-m4c8", "fsrcnn"])  # more of them: test_int8_everywhere.py
def test_it_loses_what_litert_loses(name: str, tmp_path: Path) -> None:
    network, channels = whole(name), ZOO[name].architecture.shape.in_channels
    *calibration, image = pictures(channels)
    with torch.no_grad():
        simulated, exact = quantized(network, calibration)(image).numpy(), network(image).numpy()
    real = from_litert(network, calibration, image, tmp_path)
    assert psnr(simulated, exact) == pytest.approx(psnr(real, exact), abs=0.5)
    assert psnr(simulated, real) > psnr(real, exact) - 0.5  # not merely as far away


def from_litert(network: nn.Module, calibration: list[Tensor], image: Tensor, folder: Path) -> np.ndarray:
    """What the int8 file of ``network`` gives of ``image``."""
    channels, numbers = image.shape[1], [each.numpy() for each in calibration]
    path = folder / "model.tflite"
    FORMATS["litert"].write(
        Exportable(export_form(network, SIZE), channels, SIZE, dtype=INT8, calibration=numbers), path
    )
    return FORMATS["litert"].open(path).run(image.numpy())


def with_prelu(low: float, high: float) -> nn.Module:
    """Two convolutions and a PReLU between them, of slopes from ``low`` to ``high``."""
    network = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.PReLU(16), nn.Conv2d(16, 3, 3, padding=1))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for convolution in (network[0], network[2]):
            convolution.get_parameter("weight").uniform_(-0.2, 0.2, generator=generator)
            convolution.get_parameter("bias").uniform_(-0.1, 0.1, generator=generator)
        network[1].get_parameter("weight").uniform_(low, high, generator=generator)
    return network.eval()


@pytest.mark.parametrize(("low", "high"), [(0.05, 0.5), (-0.5, 0.5)])
def test_a_prelu_rounds_its_parts_as_litert_does(low: float, high: float, tmp_path: Path) -> None:
    network = with_prelu(low, high)
    *calibration, image = pictures(3)
    int8 = quantized(network, calibration)
    assert isinstance(int8, Int8Network)
    parts = {f"1/_prelu_kernel/1/{part}" for part in PRELU_PARTS}
    assert parts == {"1/_prelu_kernel/1/positive", "1/_prelu_kernel/1/negative", "1/_prelu_kernel/1/scaled"}
    assert parts <= set(int8.ranges)
    (stored,) = int8_ranges(int8)
    once = with_ranges(network, [{key: limits for key, limits in stored.items() if key not in parts}])
    with torch.no_grad():
        simulated, rounded_once, exact = (each(image).numpy() for each in (int8, once, network))
    real = from_litert(network, calibration, image, tmp_path)
    assert psnr(simulated, real) > LIKE_THE_FILE_DB > psnr(rounded_once, real)
    assert psnr(rounded_once, exact) > 40, "ranges stored before there were parts no longer run"


LIKE_THE_FILE_DB = 65.0
"""Of the simulation to the file: over 69 with the parts of a PReLU rounded each, under 48 with its output alone."""


@pytest.mark.parametrize("name", ["ecbsr-m4c8", "fsrcnn"])
def test_litert_keeps_the_same_layers_in_float(name: str, tmp_path: Path) -> None:
    network, channels = whole(name), ZOO[name].architecture.shape.in_channels
    *calibration, image = pictures(channels)
    int8 = quantized(network, calibration)
    assert isinstance(int8, Int8Network)
    layers = most_sensitive(int8, 2, calibration[:1])
    what = Exportable(
        export_form(network, SIZE),
        channels,
        SIZE,
        dtype=INT8,
        calibration=[each.numpy() for each in calibration],
        float_layers=layers,
    )
    FORMATS["litert"].write(what, tmp_path / "model.tflite")
    engine = FORMATS["litert"].open(tmp_path / "model.tflite")
    real, with_float = engine.run(image.numpy()), int8.with_float(layers)
    with torch.no_grad():
        simulated, exact, all_int8 = (each(image).numpy() for each in (with_float, network, int8))
    assert psnr(simulated, exact) == pytest.approx(psnr(real, exact), abs=0.5)
    assert psnr(simulated, real) > psnr(all_int8, real)
    kept = {tuple(dict(export_form(network).named_parameters())[f"{layer}.weight"].shape) for layer in layers}
    stored = [tensor for tensor in engine.interpreter.get_tensor_details() if tensor["dtype"] == np.float32]
    shapes = {tuple(sorted(tensor["shape"].tolist())) for tensor in stored if len(tensor["shape"]) == 4}
    assert {tuple(sorted(shape)) for shape in kept} <= shapes


def test_a_layer_that_litert_does_not_have_is_refused(tmp_path: Path) -> None:
    network, calibration = whole("espcn"), [each.numpy() for each in pictures(1)]
    what = Exportable(
        export_form(network, SIZE), 1, SIZE, dtype=INT8, calibration=calibration, float_layers=("nowhere",)
    )
    with pytest.raises(ExportError, match="found again in the LiteRT file, got no layer nowhere"):
        FORMATS["litert"].write(what, tmp_path / "model.tflite")


def test_values_round_to_a_grid_that_holds_zero() -> None:
    values = torch.tensor([-0.5, 0.0, 0.3, 2.0, 9.0])
    scale = 2.5 / 255
    assert torch.allclose(
        rounded(values, (-0.5, 2.0)) / scale, (rounded(values, (-0.5, 2.0)) / scale).round(), atol=1e-3
    )
    assert rounded(values, (-0.5, 2.0))[1] == 0
    assert rounded(values, (-0.5, 2.0))[-1] == pytest.approx(2.0, abs=scale)


def test_each_output_channel_has_a_scale() -> None:
    weights = torch.randn(4, 3, 3, 3) * torch.tensor([1e-3, 1.0, 10.0, 0.0]).view(4, 1, 1, 1)
    error = (rounded_weights(weights, 0) - weights).abs().amax((1, 2, 3))
    assert (error <= weights.abs().amax((1, 2, 3)) / 127 / 2 * 1.001).all()


def test_a_convolution_and_its_relu_round_once() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2)
    )
    roles = [point.role for point in points(network, (1, 3, 8, 8))]
    assert roles == [Role.INSIDE, Role.ROUNDED, Role.ROUNDED, Role.MOVED]
    ends = [point.is_end for point in points(network, (1, 3, 8, 8))]
    assert ends == [False, False, True, True]


def _unit_clip(values: Tensor) -> Tensor:
    return nn.functional.hardtanh(values, 0, 1)


def _roles(function: Callable[[Tensor], Tensor], then: nn.Module) -> list[Role]:
    """Of a convolution, ``function`` of it and ``then``."""
    network = _Between(function)
    network.last = then
    return [point.role for point in points(network, (1, 3, 8, 8))]


@pytest.mark.parametrize("clip", [_unit_clip, lambda values: values.clamp(0, 1)], ids=["hardtanh", "clamp"])
def test_a_clip_at_the_end_rounds_what_it_reads(clip: Callable[[Tensor], Tensor]) -> None:
    assert _roles(clip, nn.Identity()) == [Role.ROUNDED, Role.ROUNDED]
    assert _roles(clip, nn.PixelShuffle(2)) == [Role.ROUNDED, Role.ROUNDED, Role.MOVED]


def test_a_clip_within_a_network_is_one_operator_with_the_convolution_before_it() -> None:
    last = nn.Conv2d(8, 3, 3, padding=1)
    for clip in (_unit_clip, nn.functional.hardtanh):
        assert _roles(clip, last) == [Role.INSIDE, Role.ROUNDED, Role.ROUNDED]


def test_the_size_of_the_image_does_not_matter() -> None:
    network = whole("ecbsr-m4c8")
    int8 = quantized(network, pictures(network_channels("ecbsr-m4c8")))
    image = torch.rand(2, network_channels("ecbsr-m4c8"), 20, 28)
    with torch.inference_mode():
        together = int8(image)
        assert (together[1:] - int8(image[1:])).abs().mean() < 1e-4  # a tie may fall to the other side
        assert (together - network(image)).abs().mean() < 0.02


def network_channels(name: str) -> int:
    return ZOO[name].architecture.shape.in_channels


def test_layers_in_float_lose_nothing() -> None:
    network = whole("espcn")
    calibration = pictures(1)
    int8 = quantized(network, calibration)
    assert isinstance(int8, Int8Network)
    layers = layers_of(int8.network, (1, 1, 48, 64))
    image = calibration[0]
    with torch.no_grad():
        error = [float((int8.with_float(layers[:n])(image) - network(image)).abs().mean()) for n in (0, len(layers))]
    assert error[1] < error[0]
    ranked = sensitivities(int8, calibration[:1])
    assert {each.layer for each in ranked} == set(layers)
    assert [each.psnr_to_float_db for each in ranked] == sorted(each.psnr_to_float_db for each in ranked)
    assert most_sensitive(int8, 2, calibration[:1]) == tuple(each.layer for each in ranked[:2])
    assert most_sensitive(int8, 0, calibration) == ()


def test_specialists_are_calibrated_each() -> None:
    network = Specialists([whole("espcn"), whole("espcn")])
    int8 = quantized(network, pictures(1))
    assert isinstance(int8, Specialists)
    assert all(isinstance(each, Int8Network) for each in int8.networks)
    with pytest.raises(UserError, match="of one network, got specialists"):
        most_sensitive(int8, 1, pictures(1))


def test_pictures_go_where_the_weights_are() -> None:
    with torch.device("meta"):  # which stands for any other than the processor's own
        elsewhere = nn.Conv2d(3, 3, 1)
    assert placed_like(elsewhere, torch.rand(1, 3, 4, 4)).device.type == "meta"
    assert placed_like(nn.Identity(), torch.rand(1, 3, 4, 4)).device.type == "cpu"


def test_no_picture_is_a_mistake() -> None:
    with pytest.raises(UserError, match="calibrate on, got none"):
        quantized(whole("espcn"), [])


class _Still:
    """A pool that always gives the same patches."""

    def __init__(self, pair: tuple[Tensor, Tensor]) -> None:
        self.pair = pair

    def sample(self, *_: object) -> tuple[Tensor, Tensor]:
        return self.pair


def test_it_is_trained_on() -> None:
    network = whole("ecbsr-m4c8")
    images = pictures(network_channels("ecbsr-m4c8"))
    image = torch.cat(images)
    with torch.no_grad():
        target = 0.8 * network(image)
    int8 = quantized(network, images)
    assert isinstance(int8, Int8Network)
    with torch.no_grad():
        before = float((int8(image) - target).abs().mean())
    plan = TrainingPlan(batch=3, patch_px=16, learning_rate=2e-3, warmup_steps=1)
    trainer = Trainer(int8, [_Still((image, target))], plan, choose_precision("cpu", "fp32"), 0)  # type: ignore[list-item]
    trainer.train_to(40)
    trained = trainer.averaged_network()
    assert isinstance(trained, Int8Network)
    with torch.no_grad():
        assert float((trained(image) - target).abs().mean()) < 0.5 * before
    deployed = deploy_form(whole("ecbsr-m4c8"))
    trained.write_weights(deployed)
    again, recalibrated = quantized(deployed, images), trained.recalibrated(images)
    assert isinstance(again, Int8Network)
    own, written = recalibrated.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(written[name], own[name]) for name in own)
    for key, limits in recalibrated.ranges.items():
        assert again.ranges[key] == pytest.approx(limits, rel=1e-5, abs=1e-6)
    with torch.no_grad():
        # Two copies of the same convolution may differ in the last digit, and that may be what rounds a value up.
        differences = (again(image) - recalibrated(image)).abs()
    assert float(differences.max()) < 1.01 * step(again)
    assert float((differences > 1e-3 * step(again)).float().mean()) < 0.001


def step(network: Int8Network) -> float:
    """Between two neighbouring values of the output."""
    (end,) = {point.scale for point in network.points((1, 16, 16)) if point.is_end}
    low, high = network.ranges[end]
    return (high - low) / 255


def test_costs_in_int8() -> None:
    arch, table = ZOO["s-lwsr16"].architecture, load_table("pixel4-a76")
    exact = architecture_costs(arch, (320, 180), [table])
    int8 = int8_costs(arch, (320, 180), [table])
    assert (int8.params, int8.macs) == (exact.params, exact.macs)
    assert int8.peak_activation_bytes == exact.peak_activation_bytes // 4
    assert exact.params < int8.weight_bytes < 1.1 * exact.params
    own = architecture_costs(arch, (320, 180), [load_table("pixel4-a76-int8")])
    assert int8.latency["pixel4-a76"] == own.latency["pixel4-a76-int8"]
    mixed = int8_costs(arch, (320, 180), [table], ["stem"])
    assert int8.latency["pixel4-a76"].ms < mixed.latency["pixel4-a76"].ms < exact.latency["pixel4-a76"].ms
    assert mixed.weight_bytes == int8.weight_bytes + 3 * 9 * 16 * 3 - 4 * 16


def test_a_layer_in_float_is_never_free() -> None:
    arch, table = with_input_skip(ZOO["s-lwsr16"].architecture), load_table("pixel4-a76")
    int8 = int8_costs(arch, (64, 48), [table])
    for layer in ("skip.enlarge", "trunk.encoder.0.0.body.0"):  # the first is a convolution in an engine's form alone
        assert int8_costs(arch, (64, 48), [table], [layer]).latency[table.name].ms > int8.latency[table.name].ms
    with pytest.raises(UserError, match=r"got 'no\.such\.layer', which runs no operator"):
        int8_costs(arch, (64, 48), [table], ["no.such.layer"])


def test_a_table_without_int8_is_refused() -> None:
    table = load_table("pixel4-a76")
    with pytest.raises(UserError, match="measured in int8, got mine, which has none"):
        int8_table(replace(table, name="mine"))


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_the_order_of_memory_does_not_matter(memory: torch.memory_format) -> None:
    arch = with_input_skip(ZOO["s-lwsr16"].architecture)
    network = filled(build(arch, torch.Generator().manual_seed(0))).eval()
    images = pictures(3)
    int8 = quantized(network, [image.contiguous(memory_format=memory) for image in images])
    with torch.inference_mode():
        error = int8(images[0].contiguous(memory_format=memory)) - quantized(network, images)(images[0])
    assert error.abs().mean() < 0.005  # ties that fall to the other side go on through the network


class _Between(nn.Module):
    """Two convolutions and ``function`` between them."""

    def __init__(self, function: Callable[[Tensor], Tensor], channels: int = 8) -> None:
        super().__init__()
        self.function = function
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        output: Tensor = self.last(self.function(self.first(image)))
        return output


def _scales(network: nn.Module) -> dict[str, str]:
    return {point.key: point.scale for point in points(network, (1, 3, 8, 8))}


def test_kernels_that_prescribe_a_scale() -> None:
    enlarged = _Between(lambda x: nn.functional.avg_pool2d(nn.functional.interpolate(x, None, 2, "bilinear"), 2))
    scales = _scales(enlarged)
    assert scales["/upsample_bilinear2d/1"] == scales["/avg_pool2d/1"] == "first/convolution/1"
    joined = _Between(lambda x: torch.cat([x.tanh(), x * 2, x], 1), 24)
    scales = _scales(joined)
    assert scales["/mul/1"] == "/cat/1", "written for the concatenation alone"
    assert scales["/tanh/1"] == "/tanh/1"
    assert scales["first/convolution/1"] == "first/convolution/1", "which others read too"


@pytest.mark.parametrize(
    ("function", "low", "step"), [(torch.sigmoid, 0.0, 1 / 256), (torch.tanh, -1.0, 1 / 128)], ids=["sigmoid", "tanh"]
)
def test_functions_that_end_in_a_fixed_range(function: Callable[[Tensor], Tensor], low: float, step: float) -> None:
    int8 = quantized(_Between(function).eval(), [torch.rand(1, 3, 8, 8)])
    assert isinstance(int8, Int8Network)
    (found,) = (limits for key, limits in int8.ranges.items() if f"/{function.__name__}/" in key)
    assert found == pytest.approx((low, low + 255 * step))


def test_constants_round_as_values_do() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.tensor([1.0, 0.5001, 0.0003]).view(1, 3, 1, 1))

        def forward(self, image: Tensor) -> Tensor:
            return image * self.factor

    image = torch.ones(1, 3, 4, 4)
    output = quantized(Scaled(), [image])(image)
    assert output[0, :, 0, 0].tolist() == pytest.approx([1.0, 128 / 255, 0.0], abs=1e-6)


def test_a_hole_is_filled_in_any_order_of_memory() -> None:
    space = SearchSpace(TASKS["inpaint"], TASKS["inpaint"].shape(1))
    arch = space.decode(space.fill(first, {"backbone": "plain", "input_skip": "push-pull"}))
    image = torch.rand(1, 4, 32, 32)
    network = build(arch).eval()
    int8 = quantized(network, [image.contiguous(memory_format=torch.channels_last)])
    with torch.inference_mode():
        assert (int8(image) - network(image)).abs().mean() < 0.01
