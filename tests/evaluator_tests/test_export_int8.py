"""int8 by calibration: what each engine gives of a small network, and which values its two ends have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.compression.int8 import quantized
from evaluators.export import FORMATS, INT8, Exportable, ExportError, Format
from evaluators.export.check import compared, shots
from evaluators.export.deploy import export_form
from evaluators.export.litert_int8 import SMALLEST_WEIGHT, with_scales
from evaluators.export.quantization import SILENT, end_ranges
from evaluators.images.embedded import training_photographs
from tests.small_networks import small_model

SIZE = (48, 32)
# A network of few layers: what is lost is the rounding of a few tensors to 256 steps (58.9 dB for one of the range 1).
LOWEST_DB = 38.0
MODEL = small_model("denoise")
QUANTIZED = sorted(name for name, form in FORMATS.items() if INT8 in form.dtypes)


def pictures(count: int) -> tuple[np.ndarray, ...]:
    width, height = SIZE
    crops = [
        each.pixels[:height, :width].astype(np.float32) / np.float32(255) for each in training_photographs()[:count]
    ]
    return tuple(np.ascontiguousarray(crop.transpose(2, 0, 1)[None]) for crop in crops)


def exportable(**changes: object) -> Exportable:
    values = {"dtype": INT8, "calibration": pictures(6), **changes}
    return Exportable(export_form(MODEL.network, SIZE), 3, SIZE, **values)


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.long) if name == "executorch" else name for name in QUANTIZED]
)
def form(request: pytest.FixtureRequest) -> Format:
    found = FORMATS[request.param]
    for package in found.needs:
        pytest.importorskip(package)
    return found


def test_a_file_in_int8_is_near_torch(form: Format, tmp_path: Path) -> None:
    path = tmp_path / f"model{form.suffix}"
    form.write(exportable(), path)
    taken = shots(MODEL.network, 3, SIZE, 1, (), None)
    figures = compared(taken, [form.open(path).run(shot.image) for shot in taken])
    assert figures["largest_error"] > 1e-4, "nothing was rounded"
    assert figures["psnr_to_torch_db"] > LOWEST_DB
    assert max(map(abs, figures["colour_drift_levels"])) < 1


class _Silent(nn.Module):
    """The image, and what a layer adds of which no pixel of it passes the ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        with torch.no_grad():
            self.first.weight.uniform_(0, 0.02)
            self.first.bias.fill_(-10)
            self.last.bias.fill_(0.05)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + self.last(torch.relu(self.first(image)))


def test_a_layer_that_says_nothing_on_any_picture(form: Format, tmp_path: Path) -> None:
    psnr_db = figures_of(_Silent().eval(), form, tmp_path)["psnr_to_torch_db"]
    assert psnr_db is None or psnr_db > LOWEST_DB  # None: equal in every bit


def figures_of(network: nn.Module, form: Format, folder: Path) -> dict[str, Any]:
    """Of the int8 file of ``network`` against torch."""
    path = folder / f"model{form.suffix}"
    form.write(Exportable(network, 3, SIZE, dtype=INT8, calibration=pictures(2)), path)
    taken = shots(network, 3, SIZE, 1, (), None)
    return compared(taken, [form.open(path).run(shot.image) for shot in taken])


def test_the_simulation_takes_the_same_range_for_it() -> None:
    ranges = quantized(_Silent().eval(), [torch.from_numpy(each) for each in pictures(2)]).ranges
    assert list(ranges.values()).count(SILENT) >= 2  # with the image's own
    assert all(high - low > 0.01 for low, high in ranges.values())


def _with_a_channel_of(weight: float) -> nn.Module:
    """Two convolutions; all that the second's green has is its bias, but for ``weight``."""
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-0.2, 0.2, generator=generator)
        network[2].get_parameter("weight")[1] = weight
        network[2].get_parameter("bias").fill_(0.3)
    return network


@pytest.mark.parametrize("weight", [0.0, -1e-12])
def test_a_channel_without_weights_keeps_its_bias(form: Format, weight: float, tmp_path: Path) -> None:
    figures = figures_of(_with_a_channel_of(weight), form, tmp_path)
    assert figures["psnr_to_torch_db"] > LOWEST_DB
    assert max(map(abs, figures["colour_drift_levels"])) < 1  # a green that is lost drifts by 76


def test_only_channels_without_weights_are_raised_and_in_a_copy() -> None:
    usual = _with_a_channel_of(0.1)
    assert with_scales(usual) is usual
    network = _with_a_channel_of(-1e-12)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    raised = with_scales(network)
    assert raised is not network
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    changes = {name: value - before[name] for name, value in raised.state_dict().items()}
    assert [name for name, change in changes.items() if change.any()] == ["2.weight"]
    assert changes["2.weight"].nonzero()[:, 0].tolist() == [1], "one weight, of the green"
    assert float(changes["2.weight"].sum()) == pytest.approx(-SMALLEST_WEIGHT * 0.3)


def test_without_calibration_pictures_it_is_refused(form: Format, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="int8 needs calibration pictures, got none"):
        form.write(exportable(calibration=()), tmp_path / f"model{form.suffix}")


def test_ranges_of_the_ends_have_black_and_white_or_more() -> None:
    grey = np.full((1, 3, 32, 48), 0.5, np.float32)
    image, _ = end_ranges(exportable(calibration=(grey,)))
    assert image == (0.0, 1.0)
    noisy = grey.copy()
    noisy[0, 0, 0, :2] = -0.1, 1.2
    what = Exportable(torch.nn.Identity(), 3, SIZE, dtype=INT8, calibration=(grey, noisy))
    for limits in end_ranges(what):
        assert limits == pytest.approx((-0.1, 1.2))
