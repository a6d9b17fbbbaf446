"""The check of an exported file: its figures, its pictures, and what becomes of a file outside its tolerance."""

import errno
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluators import data
from evaluators.export import FP16, FP32, INT8, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.check import Shot, check, compared, shots
from evaluators.export.files import OutsideToleranceError, write_checked
from evaluators.export.pictures import fitted, plain_photographs
from evaluators.export.tolerances import TOLERANCES
from evaluators.tasks import Pair
from tests.small_networks import small_model

SIZE = (32, 24)
MODEL = small_model("denoise")


class Engine(EngineNetwork):
    """Torch's output, changed."""

    size = SIZE

    def __init__(self, change=lambda output: output) -> None:
        self.change = change

    def run(self, image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.change(MODEL.network(torch.from_numpy(image)).numpy())

    def partitions(self) -> tuple[int, tuple[str, ...]]:
        return 2, ("GATHER",)


class Form(Format):
    """Files that nothing can be read from; the engine is given."""

    name, suffix, engine, extra, needs = "form", ".form", "an engine", "", ()
    dtypes, can_be_dynamic = (FP32,), False

    def __init__(self, engine: EngineNetwork) -> None:
        self.opened = engine

    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        path.write_bytes(b"file")
        path.with_suffix(".weights").write_bytes(b"weights")
        return ("a note",)

    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        return self.opened

    def versions(self) -> dict[str, str]:
        return {"form": "1"}


@pytest.fixture(scope="module")
def taken() -> tuple[Shot, ...]:
    pairs = data.validation_pairs(data.validation_images(None, MODEL.rules), MODEL.rules)[:2]
    return shots(MODEL.network, 3, SIZE, 1, pairs, MODEL.rules)


def test_equal_files_have_equal_figures(taken: tuple[Shot, ...]) -> None:
    figures = check(Engine(), taken, MODEL.rules)
    assert figures["largest_error"] == 0
    assert figures["psnr_to_torch_db"] is None
    assert figures["colour_drift_levels"] == [0, 0, 0]
    assert figures["psnr_db"] == figures["torch_psnr_db"] > 5
    assert figures["ssim"] == figures["torch_ssim"]
    assert figures["metric"] == MODEL.rules.measure.metric_rule
    assert figures["pictures"] == 2
    assert (figures["partitions"], figures["left_out"]) == (2, ["GATHER"])
    assert figures["ms"] > 0
    assert figures["ms_input"] == list(SIZE)


def test_a_shift_of_one_channel_is_its_drift(taken: tuple[Shot, ...]) -> None:
    shift = np.array([0, 2 / 255, 0], np.float32)[None, :, None, None]
    figures = check(Engine(lambda output: output + shift), taken, MODEL.rules)
    assert figures["colour_drift_levels"] == pytest.approx([0, 2, 0], abs=1e-4)
    assert figures["largest_error"] == pytest.approx(2 / 255, abs=1e-6)
    assert figures["psnr_to_torch_db"] == pytest.approx(-10 * math.log10((2 / 255) ** 2 / 3), abs=1e-3)
    assert figures["psnr_db"] != figures["torch_psnr_db"]


def test_another_shape_is_refused(taken: tuple[Shot, ...]) -> None:
    outputs = [shot.expected[..., 1:] for shot in taken]
    with pytest.raises(ValueError, match="the file's output must be"):
        compared(taken, outputs)


@pytest.mark.parametrize("dtype", [FP32, FP16, INT8])
def test_values_that_are_not_finite_break_every_tolerance(dtype: str, taken: tuple[Shot, ...]) -> None:
    figures = compared(taken, [shot.expected * np.float32(np.nan) for shot in taken])
    assert TOLERANCES[dtype].broken_by(figures)


def test_a_file_within_its_tolerance_is_described(tmp_path: Path, taken: tuple[Shot, ...]) -> None:
    what = Exportable(MODEL.network, 3, SIZE)
    written = write_checked(Form(Engine()), what, taken, MODEL.rules, tmp_path, "model-a")
    assert [path.name for path in written.paths] == ["model-a.form", "model-a.weights"]
    figures = written.figures
    assert figures["bytes"] == len(b"file") + len(b"weights")
    assert (figures["format"], figures["input"], figures["dtype"]) == ("form", "32x24", FP32)
    assert (figures["versions"], figures["notes"]) == ({"form": "1"}, ["a note"])


def test_a_file_outside_its_tolerance_goes(tmp_path: Path, taken: tuple[Shot, ...]) -> None:
    (tmp_path / "model-b.form").write_bytes(b"another")
    form = Form(Engine(lambda output: output + np.float32(0.01)))
    with pytest.raises(OutsideToleranceError, match=r"largest error 0\.01, at most 0\.00098.* is allowed") as caught:
        write_checked(form, Exportable(MODEL.network, 3, SIZE), taken, MODEL.rules, tmp_path, "model-a")
    assert caught.value.figures["largest_error"] == pytest.approx(0.01, rel=1e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["model-b.form"]


def test_a_file_that_does_not_run_goes(tmp_path: Path, taken: tuple[Shot, ...]) -> None:
    def fail(output: np.ndarray) -> np.ndarray:
        raise RuntimeError("no kernel\nfor this")

    with pytest.raises(ExportError, match=r"an engine cannot run model-a\.form: no kernel$"):
        write_checked(Form(Engine(fail)), Exportable(MODEL.network, 3, SIZE), taken, MODEL.rules, tmp_path, "model-a")
    assert not any(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing(tmp_path: Path, taken: tuple[Shot, ...]) -> None:
    class Full(Form):
        def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(OSError, match="No space left"):
        write_checked(Full(Engine()), Exportable(MODEL.network, 3, SIZE), taken, MODEL.rules, tmp_path, "model-a")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("size", [(5, 3), (8, 6), (20, 30), (9, 6)])
def test_a_picture_is_cut_or_mirrored_with_its_target(size: tuple[int, int]) -> None:
    degraded = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    pair = fitted(Pair("a", degraded, degraded.repeat(2, 0).repeat(2, 1)), size, 1)
    assert pair.degraded.shape == (size[1], size[0], 3)
    assert np.array_equal(pair.target, pair.degraded.repeat(2, 0).repeat(2, 1))
    assert set(map(tuple, pair.degraded.reshape(-1, 3))) <= set(map(tuple, degraded.reshape(-1, 3)))


def test_a_picture_for_any_size_keeps_its_own_up_to_multiples() -> None:
    pixels = np.zeros((50, 70, 3), np.uint8)
    assert fitted(Pair("a", pixels, pixels), None, 16).degraded.shape == (48, 64, 3)


@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_photographs_for_a_network_without_a_task(channels: int) -> None:
    images = plain_photographs(channels, SIZE, 1)
    assert {image.shape for image in images} == {(1, channels, *reversed(SIZE))}
    assert all(image.dtype == np.float32 and 0 <= image.min() < image.max() <= 1 for image in images)
    taken = shots(torch.nn.Identity(), channels, SIZE, 1, (), None)
    assert check(type("Same", (Engine,), {"run": lambda self, image: image})(), taken, None)["largest_error"] == 0
