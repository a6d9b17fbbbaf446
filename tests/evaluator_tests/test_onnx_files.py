"""ONNX files: the same counts as the network that was exported, and what is said of those that cannot be read."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluators.costs import architecture_costs, network_costs
from evaluators.onnx_files.network import read_onnx
from latency_tables.tables.table import load_table
from search.cli import main
from space import ZOO, build
from space.deploy import deploy_form
from space.errors import UserError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

SIZE = (64, 48)
IN_DEFAULT = ("espcn", "s-lwsr32-depth", "smfanet")  # the rest takes minutes
ONE_TO_ONE = ("espcn", "s-lwsr32-depth")  # torch's exporter writes a node for each of their operators


def exported(network: nn.Module, channels: int, path: Path, dynamic: bool = False) -> Path:
    free = ({2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},) if dynamic else None
    image = torch.rand(1, channels, SIZE[1], SIZE[0])
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network, (image,), dynamo=True, opset_version=20, dynamic_shapes=free, verbose=False
        )
    path.write_bytes(program.model_proto.SerializeToString())
    return path


@pytest.mark.parametrize(
    "name", [name if name in IN_DEFAULT else pytest.param(name, marks=pytest.mark.long) for name in ZOO]
)
def test_counts_are_those_of_the_network(name: str, tmp_path: Path) -> None:
    arch = ZOO[name].architecture
    path = exported(deploy_form(build(arch)).eval(), arch.shape.in_channels, tmp_path / "net.onnx")
    own = read_onnx(path)
    table = load_table("pixel4-a76")
    wanted, found = architecture_costs(arch, SIZE), network_costs(own.network, SIZE, own.in_channels)
    assert (found.params, found.macs) == (wanted.params, wanted.macs)
    if name in ONE_TO_ONE:
        ms = architecture_costs(arch, SIZE, (table,)).latency["pixel4-a76"].ms
        assert network_costs(own.network, SIZE, own.in_channels, tables=(table,)).latency["pixel4-a76"].ms == ms
    assert (own.input_size, own.only_this_size) == (SIZE, True)


class Everything(nn.Module):
    """Operators that the zoo does not have, or has in one form alone."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, padding=1, groups=2, stride=2)
        self.up = nn.ConvTranspose2d(8, 4, 4, 2, 1)
        self.slopes, self.norm, self.group = nn.PReLU(4), nn.BatchNorm2d(4), nn.GroupNorm(2, 4)
        self.row = nn.Linear(4, 4)

    def forward(self, image: Tensor) -> Tensor:
        x = self.slopes(self.up(self.grouped(image)))
        x = self.group(self.norm(x)) + F.leaky_relu(x, 0.1) * torch.sigmoid(x)
        left, right = (x - image).chunk(2, 1)
        x = torch.cat((left.tanh(), F.gelu(right)), 1)
        x = x * F.hardsigmoid(F.adaptive_avg_pool2d(x, 1)) + x.mean((2, 3), keepdim=True)
        x = F.pixel_unshuffle(F.pad(x, (1, 1, 1, 1), mode="reflect"), 2)
        x = F.pixel_shuffle(F.max_pool2d(x, 3, 1, 1) + F.avg_pool2d(x, 2, 2, 0, False).amax((2, 3), keepdim=True), 2)
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)[..., ::2, 1:-1]
        flat = x.flatten(2).transpose(1, 2)
        attention = (flat @ flat.transpose(1, 2)).softmax(-1) @ self.row(flat)
        return torch.clamp(attention.transpose(1, 2).reshape(x.shape) / 2 + F.silu(x).abs().sqrt(), 0, 1)


def test_a_graph_computes_what_the_network_does(tmp_path: Path) -> None:
    network = Everything().eval()
    own = read_onnx(exported(network, 4, tmp_path / "net.onnx"))
    image = torch.rand(1, 4, SIZE[1], SIZE[0])
    with torch.no_grad():
        (found,) = own.network(image)
        assert torch.allclose(found, network(image), atol=1e-5)
    assert network_costs(own.network, SIZE, 4).macs == network_costs(network, SIZE, 4).macs


def test_free_sides_take_an_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arch = ZOO["espcn"].architecture
    path = exported(build(arch).eval(), arch.shape.in_channels, tmp_path / "net.onnx", dynamic=True)
    assert main(["cost", str(path), "--input", "100x60", "--device", "pixel4-a76", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = architecture_costs(arch, (100, 60), (load_table("pixel4-a76"),))
    assert (told["params"], told["macs"], told["input"]) == (wanted.params, wanted.macs, "100x60")
    assert told["latency"]["pixel4-a76"]["ms"] == wanted.latency["pixel4-a76"].ms


def made(path: Path, *nodes: onnx.NodeProto, inputs: tuple = (1, 3, 8, 8), opset: int = 20) -> Path:
    """A file of ``nodes`` from ``image`` to ``output``."""
    kind = onnx.TensorProto.FLOAT
    image = onnx.helper.make_tensor_value_info("image", kind, inputs)
    output = onnx.helper.make_tensor_value_info("output", kind, None)
    graph = onnx.helper.make_graph(list(nodes), "graph", [image], [output])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)]), path)
    return path


def test_what_cannot_be_read_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = onnx.helper.make_node
    relu = node("Relu", ["image"], ["output"])
    cases = {
        made(tmp_path / "unknown.onnx", node("NonZero", ["image"], ["output"])): "ONNX operator 'NonZero' is not known",
        made(tmp_path / "domain.onnx", node("Fast", ["image"], ["output"], domain="com.me")): "'Fast' of 'com.me'",
        made(tmp_path / "flat.onnx", relu, inputs=(3, 8)): "must take an image (N, C, H, W) first",
        made(tmp_path / "open.onnx", relu, inputs=(1, "c", 8, 8)): "--channels must say those of",
        tmp_path / "gone.onnx": "got no such file",
        tmp_path / "page.onnx": "must be an ONNX file, got",
    }
    (tmp_path / "page.onnx").write_text("<!doctype html>")
    for path, words in cases.items():
        assert main(["cost", str(path)]) == 2
        err = capsys.readouterr().err
        assert words in err
        assert err.count("\n") == 1
    assert main(["cost", str(tmp_path / "open.onnx"), "--channels", "3", "--device", "pixel4-a76"]) == 0
    capsys.readouterr()
    assert main(["cost", str(tmp_path / "flat.onnx"), "--scale", "2"]) == 2
    assert "--scale is for published networks" in capsys.readouterr().err


def test_without_onnx_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "net.onnx", onnx.helper.make_node("Relu", ["image"], ["output"]))
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"needs onnx to be read, got none installed; pip install 'litefront\[export"):
        read_onnx(path)
