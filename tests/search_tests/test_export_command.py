"""``export``: what is written, what is said, and what is refused in one line."""

import errno
import json
import sys
from pathlib import Path

import pytest
import torch

import search
from evaluators.export import FORMATS
from evaluators.export.pt2 import TorchExport
from search.cli import main
from search.models.folder import exported_files, read_check, read_model
from space import UserError
from tests.small_networks import small_model

PT2 = ("--format", "pt2", "--input", "24x20")


def refused(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 2) -> str:
    assert main(["export", *map(str, arguments)]) == status
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_file_is_written_checked_and_told(tmp_path: Path, capsys) -> None:
    out = tmp_path / "phone"
    assert main(["export", "espcn", *PT2, "--dtype", "fp32,fp16", "--out", str(out), "--device", "pixel4-a76"]) == 0
    shown = capsys.readouterr().out
    assert "espcn as pt2 fp32, pt2 fp16 for images of 24x20" in shown
    assert "its weights are as they are initialised" in shown
    assert exported_files(out) == ("model-pt2-fp16-24x20.pt2", "model-pt2-fp32-24x20.pt2")
    figures = read_check(out)["model-pt2-fp32-24x20.pt2"]
    assert figures["largest_error"] < 1e-6
    assert figures["psnr_db"] == pytest.approx(figures["torch_psnr_db"], abs=1e-3)
    assert figures["predicted"]["table"] == "pixel4-a76"
    assert (figures["input"], figures["bytes"] > 0, figures["pictures"]) == ("24x20", True, 6)

    network = torch.export.load(out / "model-pt2-fp32-24x20.pt2").module()
    image = torch.rand(1, 1, 20, 24)
    torch.testing.assert_close(network(image), read_model(out).network(image), rtol=0, atol=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"phone"}

    said = refused(capsys, out, *PT2, "--out", out)
    assert "must not hold model-pt2-fp32-24x20.pt2 yet; give --overwrite" in said
    assert main(["export", str(out), *PT2, "--out", str(out), "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["name"] == "model-pt2-fp32-24x20.pt2"
    assert main(["export", str(out), "--format", "pt2", "--input", "32x20", "--out", str(out)]) == 0
    assert len(exported_files(out)) == 3
    assert set(read_check(out)) == set(exported_files(out))


def test_any_size_from_a_program(tmp_path: Path) -> None:
    model = small_model("denoise", "colour", backbone="pyramid", levels=3)
    (file,) = search.export(model, tmp_path / "phone", ["pt2"], input_size="dynamic")
    assert (file.failure, file.figures["input"], file.figures["multiple"]) == ("", "any", 4)
    network = torch.export.load(tmp_path / "phone" / file.name).module()
    for size in ((8, 8), (20, 44)):
        image = torch.rand(1, 3, *size)
        torch.testing.assert_close(network(image), model.network(image), rtol=0, atol=1e-5)


def test_each_specialist_has_a_file(tmp_path: Path) -> None:
    model = small_model("denoise", specialists=2, sigma=(5.0, 45.0))
    files = search.export(model, tmp_path / "phone", ["pt2"], input_size="24x20")
    assert [file.name for file in files] == ["model-part1of2-pt2-fp32-24x20.pt2", "model-part2of2-pt2-fp32-24x20.pt2"]
    assert [file.figures["pictures"] for file in files] == [3, 3]
    parts = json.loads((tmp_path / "phone" / "specialists.json").read_text())["parts"]
    assert [part["files"] for part in parts] == [[file.name] for file in files]
    assert [(part["from"], part["to"]) for part in parts] == [(0, 0.5), (0.5, 1)]
    image = torch.rand(1, 3, 20, 24)
    for file, level in zip(files, (0.2, 0.9), strict=True):
        network = torch.export.load(tmp_path / "phone" / file.name).module()
        torch.testing.assert_close(network(image), model.network(image, level), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "tensorrt"), "--format must be among pt2, onnx, "),
        (("--format", "pt2", "--dtype", "fp8"), "--dtype must be among fp32, fp16, int8, got 'fp8'"),
        (("--format", "pt2", "--dtype", "int8"), "--dtype int8 is for "),
        (("--format", "pt2", "--input", "8x8"), "--input must be at least 16x16"),
        (("--format", "pt2", "--input", "320"), "--input must be WIDTHxHEIGHT in pixels, each 8 to 8192, got '320'"),
        (("--format", "pt2", "--calibration", "."), "--calibration is for --dtype int8, got .; leave it out"),
        (("--format", "pt2", "--data", "nowhere"), "nowhere"),
        (("--format", "pt2", "--device", "phone"), "phone"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str, tmp_path: Path, capsys) -> None:
    assert message in refused(capsys, "espcn", *arguments, "--out", tmp_path / "phone")
    assert not any(tmp_path.iterdir())


def test_a_format_of_one_size_is_not_dynamic(tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    with pytest.raises(UserError, match=r"--input dynamic is for pt2, onnx.*, got --format litert; give WIDTHxHEIGHT"):
        search.export("espcn", tmp_path / "phone", ["litert"], input_size="dynamic")


def test_an_engine_that_is_not_installed(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    said = refused(capsys, "espcn", "--format", "onnx", "--out", tmp_path / "phone")
    assert "--format onnx needs onnxruntime, which is not installed; pip install 'litefront[export]'" in said


class OneSize(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.map = torch.nn.Parameter(torch.zeros(1, 3, 20, 24))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.conv(image) + self.map


def test_a_size_that_the_network_cannot_take(tmp_path: Path) -> None:
    model = search.Model("mine", OneSize().eval(), None, None, True)
    with pytest.raises(UserError, match="--input of mine must be a size that the network takes, got 32x20: "):
        search.export(model, tmp_path / "phone", ["pt2"], input_size="32x20")


def test_int8_without_a_task_has_no_pictures(tmp_path: Path) -> None:
    form = next((form for form in FORMATS.values() if "int8" in form.dtypes), None)
    if form is None:
        pytest.skip("no format has int8")
    for package in form.needs:
        pytest.importorskip(package)
    model = search.Model("mine", OneSize().eval(), None, None, True)
    with pytest.raises(UserError, match="--dtype int8 needs pictures of the network's task, got mine without a task"):
        search.export(model, tmp_path / "phone", [form.name], ["int8"], "24x20")


def test_what_is_there_is_kept(tmp_path: Path, capsys) -> None:
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "mine.txt").write_text("mine")
    assert "--out must be new, or the model folder of espcn" in refused(
        capsys, "espcn", *PT2, "--out", tmp_path / "phone"
    )
    assert (tmp_path / "phone" / "mine.txt").read_text() == "mine"


def test_a_file_outside_its_tolerance_is_not_left(tmp_path: Path, capsys, monkeypatch) -> None:
    right = TorchExport.open

    def wrong(self, path, threads=1):
        engine = right(self, path, threads)
        run = engine.run
        engine.run = lambda image: run(image) + (0.5 if "fp16" in path.name else 0)
        return engine

    monkeypatch.setattr(TorchExport, "open", wrong)
    out = tmp_path / "phone"
    said = refused(capsys, "espcn", *PT2, "--dtype", "fp32,fp16", "--out", out, status=1)
    assert "model-pt2-fp16-24x20.pt2 is not there: pt2 fp16 is not what torch computes: largest error 0.5" in said
    assert exported_files(out) == ("model-pt2-fp32-24x20.pt2",)
    said = refused(capsys, "espcn", *PT2, "--dtype", "fp16", "--out", tmp_path / "none", status=1)
    assert {path.name for path in tmp_path.iterdir()} == {"phone"}


@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_full_disk_leaves_nothing_half_written(where: str, tmp_path: Path, capsys, monkeypatch) -> None:
    out = tmp_path / "phone"

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "file":
        monkeypatch.setattr("torch.export.save", full)
    else:
        monkeypatch.setattr("search.models.folder.shutil.copyfile", full)
    assert "No space left on device" in refused(capsys, "espcn", *PT2, "--out", out, status=1)
    assert not any(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path, monkeypatch) -> None:
    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("torch.export.save", stopped)
    assert main(["export", "espcn", *PT2, "--out", str(tmp_path / "phone")]) == 130
    assert not any(tmp_path.iterdir())
