"""Weights: exact there and back, helpful when they do not fit, and no code from a file is ever run."""

import pathlib
import pickle
import re

import pytest
import safetensors
import torch
from torch import nn

from evaluators.training.weights import load_weights, read_state_dict, save_weights
from space.errors import UserError
from space.weights.state_dicts import WRAPPERS


def _network(width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Conv2d(width, 3, 1, bias=False))


class TouchesAFile:
    """What a hostile pickle does: it runs a function of its choice when it is opened."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return pathlib.Path.touch, (self.path,)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_saved_weights_come_back_exactly(tmp_path, memory_format: torch.memory_format) -> None:
    ours, theirs = _network().to(memory_format=memory_format), _network()
    save_weights(tmp_path / "w.safetensors", ours, {"architecture": "abc"})
    load_weights(tmp_path / "w.safetensors", theirs)
    for name, value in ours.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name]), name
    with safetensors.safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        assert file.metadata() == {"architecture": "abc"}


def test_shared_weights_can_be_saved(tmp_path) -> None:
    layer = nn.Linear(2, 2)
    recursive = nn.Sequential(layer, layer)
    save_weights(tmp_path / "w.safetensors", recursive, {})
    target = nn.Sequential(*[nn.Linear(2, 2)] * 2)
    load_weights(tmp_path / "w.safetensors", target)
    assert torch.equal(target[1].weight, layer.weight)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrapper", [None, *WRAPPERS])
def test_torch_files_are_read(tmp_path, legacy: bool, wrapper: str | None) -> None:
    network = _network()
    content = network.state_dict() if wrapper is None else {wrapper: network.state_dict(), "epoch": 3}
    torch.save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=not legacy)
    tensors = read_state_dict(tmp_path / "w.pt")
    assert list(tensors) == list(network.state_dict())
    load_weights(tmp_path / "w.pt", _network())


def test_pickle_with_code_is_refused_and_not_run(tmp_path) -> None:
    mark = tmp_path / "ran"
    torch.save({"w": torch.ones(1), "x": TouchesAFile(mark)}, tmp_path / "new.pt")
    torch.save(TouchesAFile(mark), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(TouchesAFile(mark)))
    for name, part in (
        ("new.pt", "hold only tensors and plain values, got Python objects ("),
        ("old.pt", "got Python objects"),
        ("bare.pth", "got a plain pickle that torch.save did not write"),
    ):
        with pytest.raises(UserError, match=rf"{name} must .*{re.escape(part)}") as caught:
            read_state_dict(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content", [_network(), {"w": 1.0, "epoch": 3}, [torch.ones(1)], torch.ones(1), {3: torch.ones(1)}, {}]
)
def test_anything_but_named_tensors_is_refused(tmp_path, content: object) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w\.pt must hold"):
        read_state_dict(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x80", b"PK\x03\x04 not a zip", b"some text, long enough to be a header"])
def test_damaged_file_is_refused_in_one_line_with_its_name(tmp_path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name) as caught:
        read_state_dict(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_cut_torch_file_is_refused(tmp_path) -> None:
    torch.save(_network().state_dict(), tmp_path / "w.pt")
    content = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"w\.pt"):
        read_state_dict(tmp_path / "w.pt")


def test_missing_file_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"w\.pt must be a file, got none"):
        read_state_dict(tmp_path / "w.pt")


def test_first_difference_is_named_with_both_shapes(tmp_path) -> None:
    save_weights(tmp_path / "w.safetensors", _network(4), {})
    with pytest.raises(UserError, match=r"'0.weight' with \(4, 3, 3, 3\) in the file and \(6, 3, 3, 3\) in the"):
        load_weights(tmp_path / "w.safetensors", _network(6))
    with pytest.raises(UserError, match=r"'3.weight' with nothing in the file and \(2, 3\) in the network"):
        load_weights(tmp_path / "w.safetensors", nn.Sequential(*_network(4), nn.Linear(3, 2)))
    with pytest.raises(UserError, match=r"'2.weight' with \(3, 4, 1, 1\) in the file and nothing in the network"):
        load_weights(tmp_path / "w.safetensors", _network(4)[:2])
