"""Model folders: whole or not at all, verified, and added to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

import search
from search.models import card, folder
from search.models.folder import CHECK_FILE, add_files, exported_files, read_check, read_model
from search.models.model import Model
from search.models.named import model_named
from space.errors import UserError
from tests.space_tests import own_networks

IMAGE = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
FEW_TABLES = ("pixel4-a76", "pixel4-a76-int8")


@pytest.fixture(autouse=True)
def few_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards price on two of the shipped tables: to read all takes seconds."""
    monkeypatch.setattr(card, "table_names", lambda: FEW_TABLES)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    search.write_model(tmp_path / "model", model_named("s-lwsr16+skip"))
    return tmp_path / "model"


def names(where: Path) -> set[str]:
    return {path.name for path in where.iterdir()}


def test_a_folder_gives_back_its_network(written: Path) -> None:
    model = model_named("s-lwsr16+skip")
    found = read_model(written)
    with torch.no_grad():
        wanted = model.network(IMAGE)
        assert torch.equal(found.network(IMAGE), wanted)
        assert torch.equal(search.load_model(written)(IMAGE), wanted)
    assert (found.name, found.rules, found.architecture) == ("model", model.rules, model.architecture)
    assert (found.has_weights, found.facts) == (False, model.facts)
    assert names(written) == {"model.safetensors", "architecture.json", "card.md", "check.json", "manifest.json"}
    assert names(written.parent) == {"model"}
    assert read_check(written) == {}


def test_the_card_says_task_costs_times_and_how_to_run(written: Path) -> None:
    text = (written / "card.md").read_text("utf-8")
    for words in (
        "# s-lwsr16+skip",
        "Task: sr ×4. Input `(1, 3, H, W)`, output `(1, 3, 4·H, 4·W)`, float32 in [0, 1].",
        "Not trained",
        "- 143,755 params",
        "At an input of 320x180",
        "fp32, TensorFlow Lite",
        "network = search.load_model(",
        "MIT licence",
    ):
        assert words in text
    assert "int8" not in text
    assert "onnxruntime" not in text


def test_a_card_says_training_data_and_metrics(tmp_path: Path) -> None:
    model = model_named("espcn")
    facts = {
        "training": {"run": "mine", "trial": 3, "steps": 800, "environment": {"commit": "abc"}},
        "data": {"training": "embedded photographs, 169 images, 90bf", "validation": "Set5 | five"},
        "metrics": [{"data": "Set5", "metric": "PSNR on Y", "psnr_db": 30.123, "ssim": 0.9, "others_db": {"x": 1.0}}],
    }
    search.write_model(tmp_path / "m", Model("mine#3", model.network, model.rules, model.architecture, True, facts))
    text = (tmp_path / "m" / "card.md").read_text("utf-8")
    for words in ("- steps: 800", "- with: commit abc", "| Set5 | PSNR on Y | 30.123 | 0.9000 | x 1.00 dB |", "CC-BY"):
        assert words in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda where: (where / "card.md").write_text("other"), "must hold card.md as it was written"),
        (lambda where: (where / "model.safetensors").unlink(), "must hold model.safetensors, as its manifest says"),
        (lambda where: (where / "more.onnx").write_bytes(b""), "only what its manifest lists, got more.onnx"),
        (lambda where: (where / "more").mkdir(), "only what its manifest lists, got more"),
        (lambda where: (where / "manifest.json").write_text("{"), "must be a JSON object"),
        (lambda where: (where / "manifest.json").write_text('{"format": 9}'), "of format 1, got another"),
        (lambda where: (where / "manifest.json").unlink(), "must hold manifest.json"),
    ],
)
def test_a_tampered_folder_is_refused_by_name(written: Path, change, message: str) -> None:
    change(written)
    with pytest.raises(UserError, match=message) as caught:
        search.load_model(written)
    assert "\n" not in str(caught.value)


def test_one_changed_bit_of_the_weights_is_seen(written: Path) -> None:
    content = bytearray((written / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (written / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors as it was written"):
        read_model(written)


def test_exported_files_are_added_with_their_check_to_card_and_manifest(written: Path, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"graph")
    check = {"net.onnx": {"psnr_db": 99.0, "files": ["net.onnx"]}}
    said = json.dumps(check).encode()
    add_files(written, {"net.onnx": tmp_path / "a.onnx", "net-int8.tflite": b"x", CHECK_FILE: said})
    assert exported_files(written) == ("net-int8.tflite", "net.onnx")
    assert read_check(written) == check
    text = (written / "card.md").read_text("utf-8")
    assert 'onnxruntime.InferenceSession("net.onnx")' in text
    assert "int8, TensorFlow Lite" in text
    assert "Exported: `net.onnx`. What" in text
    assert "Beside it: `net-int8.tflite`." in text  # nothing says that it was checked
    assert read_model(written).name == "model"
    add_files(written, {"net.onnx": b"another"})
    assert (written / "net.onnx").read_bytes() == b"another"
    assert (tmp_path / "a.onnx").read_bytes() == b"graph"
    read_model(written)
    with pytest.raises(ValueError, match="must have a name of its own"):
        add_files(written, {"card.md": b""})


def test_a_folder_that_cannot_be_written_whole_is_not_there(tmp_path: Path, written: Path, monkeypatch) -> None:
    before = {path.name: path.read_bytes() for path in written.iterdir()}

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "card", full)
    with pytest.raises(OSError, match="No space"):
        search.write_model(tmp_path / "other", model_named("espcn"))
    with pytest.raises(OSError, match="No space"):
        search.write_model(written, model_named("espcn"), overwrite=True)
    with pytest.raises(OSError, match="No space"):
        add_files(written, {"net.onnx": b"x"})
    assert names(tmp_path) == {"model"}
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before


def test_only_a_model_folder_is_replaced_and_only_when_asked(tmp_path: Path, written: Path) -> None:
    with pytest.raises(UserError, match="must not exist yet"):
        search.write_model(written, model_named("espcn"))
    add_files(written, {"net.onnx": b"x"})
    search.write_model(written, model_named("espcn"), overwrite=True)
    assert "net.onnx" not in names(written)
    assert read_model(written).architecture.backbone == "espcn"
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="only a model folder is replaced"):
        search.write_model(tmp_path / "photos", model_named("espcn"), overwrite=True)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="only a model folder is replaced"):
        search.write_model(tmp_path / "file", model_named("espcn"), overwrite=True)
    with pytest.raises(UserError, match="must be one that can be written"):
        search.write_model(tmp_path / "file" / "model", model_named("espcn"))


def test_a_users_own_network_is_there_without_its_code(tmp_path: Path) -> None:
    model = model_named(f"{own_networks.__name__}:plain")
    search.write_model(tmp_path / "own", model)
    found = read_model(tmp_path / "own")
    with torch.no_grad():
        assert torch.allclose(found.network(IMAGE), model.network(IMAGE), atol=1e-6)
        assert found.network(IMAGE[..., :20, :]).shape[-2] == model.network(IMAGE[..., :20, :]).shape[-2]
    assert found.facts["source"] == f"{own_networks.__name__}:plain"
    add_files(tmp_path / "own", {"net.onnx": b"x"})
    assert exported_files(tmp_path / "own") == ("net.onnx",)


class Refused(nn.Module):
    """What ``torch.export`` cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.conv(image) if float(image.sum()) > 0 else image


def test_weights_alone_say_where_their_network_is(tmp_path: Path) -> None:
    facts = {"source": "mypackage.nets:make", "input": {"channels": 3, "size": [32, 24], "only_this_size": False}}
    search.write_model(tmp_path / "own", Model("own", Refused(), None, None, True, facts))
    assert "model.pt2" not in names(tmp_path / "own")
    with pytest.raises(UserError, match=r"where that code is, give mypackage\.nets:make with --weights"):
        search.load_model(tmp_path / "own")


def test_a_copied_folder_is_the_same_model(tmp_path: Path, written: Path) -> None:
    shutil.copytree(written, tmp_path / "copy")
    assert read_model(tmp_path / "copy").name == "copy"
