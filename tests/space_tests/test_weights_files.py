"""Files of weights as people have them: what lies beside the tensors, what is refused, what a file is said to be."""

import argparse
import collections
import datetime
import functools
import gzip
import io
import os
import pathlib
import pickle
import subprocess
import tarfile
import types
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from space import UserError, load_published
from space.weights import read_stored, stored_in_memory
from space.weights.stand_ins import Array, allowed
from tests.released_states import released_state

STATE = {"conv.weight": torch.arange(36.0).reshape(4, 1, 3, 3), "conv.bias": torch.arange(4.0)}
BESIDE: dict[str, Any] = {
    "numpy scalar": np.float64(32.2),
    "numpy array": np.arange(6, dtype=np.float32).reshape(2, 3),
    "object array": np.array([1, "a"], dtype=object),
    "numpy dtype": np.dtype("f4"),
    "numpy random state": np.random.RandomState(0).get_state(),
    "namespace": argparse.Namespace(scale=4, folder=pathlib.Path("runs"), lr=np.float32(1e-3)),
    "simple namespace": types.SimpleNamespace(scale=4),
    "path": pathlib.Path("a/b"),
    "ordered dict": collections.OrderedDict(a=1),
    "defaultdict": collections.defaultdict(list, {"psnr": [1.0, 2.0]}),
    "deque": collections.deque([1, 2], maxlen=9),
    "counter": collections.Counter("aab"),
    "set": {1, 2},
    "frozen set": frozenset({1, 2}),
    "size": torch.Size((1, 2)),
    "dtype": torch.float16,
    "device": torch.device("cpu"),
    "version": torch.__version__,
    "date": datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC),
    "duration": datetime.timedelta(seconds=3),
    "type": float,
    "bytes": b"abc",
    "complex": 1j,
    "random state": torch.get_rng_state(),
    "optimizer": torch.optim.Adam([nn.Parameter(torch.ones(2))]).state_dict(),
}


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("what", sorted(BESIDE))
def test_what_lies_beside_the_weights_is_passed_over(tmp_path: Path, what: str, older: bool) -> None:
    content = {"epoch": 3, what.replace(" ", "_"): BESIDE[what], "state_dict": STATE}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=not older)
    tensors = read_stored(tmp_path / "w.pth").first
    assert {name: value.tolist() for name, value in tensors.items()} == {k: v.tolist() for k, v in STATE.items()}


def test_all_of_it_together_at_the_top(tmp_path: Path) -> None:
    torch.save({**STATE, **{what: BESIDE[what] for what in BESIDE if "array" not in what}}, tmp_path / "w.pth")
    assert set(STATE) <= set(read_stored(tmp_path / "w.pth").first)


def test_arrays_are_read_from_their_bytes_without_numpys_own_reader(tmp_path: Path) -> None:
    arrays = {
        "rows": np.arange(6, dtype=">f4").reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "whole": np.arange(3),
    }
    torch.save(arrays, tmp_path / "w.pth")
    for name, value in read_stored(tmp_path / "w.pth").found[0].tensors.items():
        assert value.tolist() == arrays[name].tolist()
    assert Array().tensor() is None


class Calls:
    """What a hostile pickle does: it calls what it likes when it is opened."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


class SetsState:
    """Calls through the state that is given to an allowed class."""

    def __init__(self, allowed_class: type, payload: Any) -> None:
        self.parts = allowed_class, payload

    def __reduce__(self) -> tuple:
        return self.parts[0], (), self.parts[1]


def payloads(mark: Path) -> dict[str, Any]:
    command = f"touch {mark}"
    system = Calls(os.system, command)
    return {
        "os.system": system,
        "subprocess": Calls(subprocess.check_output, ["touch", str(mark)]),
        "eval": Calls(eval, f"open({str(mark)!r}, 'w')"),
        "exec": Calls(exec, f"open({str(mark)!r}, 'w')"),
        "a method of an allowed class": Calls(pathlib.Path.touch, mark),
        "getattr": Calls(getattr, mark, "touch"),
        "partial": functools.partial(os.system, command),
        "in a namespace": argparse.Namespace(run=system),
        "as the state of an allowed class": SetsState(argparse.Namespace, {"run": system}),
        "as a key": {"a": {"b": [system]}},
        "torch.load": Calls(torch.load, str(mark)),
        "import": Calls(__import__, "antigravity"),
        "loads": Calls(pickle.loads, pickle.dumps(system)),
    }


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("kind", sorted(payloads(Path("x"))))
def test_a_file_with_code_is_refused_and_does_not_run(tmp_path: Path, kind: str, older: bool) -> None:
    mark = tmp_path / "ran"
    content = {"state_dict": STATE, "args": payloads(mark)[kind]}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=not older)
    rule = r"w\.pth must hold only tensors and plain values, got Python objects"
    with pytest.raises(UserError, match=rule) as caught:
        read_stored(tmp_path / "w.pth")
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_allowed_classes_are_never_made(tmp_path: Path) -> None:
    made = [argparse.Namespace(a=1), pathlib.Path("a"), datetime.timedelta(1), types.SimpleNamespace(b=2)]
    torch.save({"state_dict": STATE, "args": made}, tmp_path / "w.pth")
    before = torch.serialization.get_safe_globals()
    with allowed():
        content = torch.load(tmp_path / "w.pth", weights_only=True)
    assert {type(value).__module__ for value in content["args"]} == {"space.weights.stand_ins"}
    assert torch.serialization.get_safe_globals() == before  # nothing stays allowed


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)


def zipped(names: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return out.getvalue()


def saved(content: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    torch.save(content, out, **options)
    return out.getvalue()


def scripted() -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(nn.Conv2d(1, 1, 1), torch.ones(1, 1, 2, 2)), out)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("w.pth"))
    return out.getvalue()


def arrays(write: Callable, *content: Any) -> bytes:
    out = io.BytesIO()
    write(out, *content)
    return out.getvalue()


WHOLE = saved(STATE)
OLDER = saved(STATE, _use_new_zipfile_serialization=False)
TENSORS = safetensors.torch.save(STATE)
KINDS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "an empty file"),
    "html": (lambda: b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><body>Sign in", "an HTML page"),
    "html in capitals": (lambda: b"<HTML><HEAD>", "an HTML page"),
    "xml": (lambda: b"<?xml version='1.0'?><Error>AccessDenied</Error>", "an XML document"),
    "lfs": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "a Git LFS pointer"),
    "annex": (lambda: b"/annex/objects/SHA256E-s3--00.pth\n", "a git-annex pointer"),
    "json": (lambda: b'{"message": "Not Found"}', "a JSON text that begins"),
    "text": (lambda: b"404: Not Found", "a text file that begins '404: Not Found'"),
    "zeros": (lambda: bytes(5000), "a file of zeros"),
    "matlab 5": (lambda: b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(90), "a MATLAB file"),
    "matlab 7.3": (lambda: b"MATLAB 7.3 MAT-file, Platform" + bytes(90), "a MATLAB 7.3 file"),
    "hdf5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(90), "an HDF5 file"),
    "npy": (lambda: arrays(np.save, np.ones(3)), "a numpy array (.npy)"),
    "npz": (lambda: arrays(np.savez, np.ones(3)), "numpy arrays (.npz)"),
    "tflite": (lambda: b"\x1c\0\0\0TFL3" + bytes(90), "a TensorFlow Lite model"),
    "onnx": (lambda: b"\x08\x07\x12\x07pytorch\x1a\x051.13", "an ONNX model"),
    "tf index": (
        lambda: bytes(60) + b"\x01" + bytes.fromhex("57fb808b247547db"),
        "the index of a TensorFlow checkpoint",
    ),
    "tf list": (lambda: b'model_checkpoint_path: "m.ckpt-1"\n', "the list of a TensorFlow checkpoint"),
    "keras": (lambda: zipped({"config.json": b"{}", "model.weights.h5": b""}), "a Keras model"),
    "zip": (lambda: zipped({"net/w.pth": WHOLE}), "a zip archive of net/w.pth; unpack it"),
    "gzip": (lambda: gzip.compress(WHOLE), "a gzip archive; unpack it"),
    "tar": (tarred, "a tar archive; unpack it"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(30), "a PNG picture"),
    "torchscript": (scripted, "a TorchScript program"),
    "whole network": (lambda: saved(Net()), "a whole pickled network (tests.space_tests.test_weights_files.Net)"),
    "older whole network": (
        lambda: saved({"model": Net()}, _use_new_zipfile_serialization=False),
        "a whole pickled network",
    ),
    "plain pickle": (lambda: pickle.dumps({"a": [1.0]}), "a plain pickle that torch.save did not write"),
    "protocol 4": (lambda: saved({"a": STATE}, pickle_protocol=4), "got protocol 4; save it again without"),
    "cut zip": (lambda: WHOLE[: len(WHOLE) // 2], "the beginning of a torch or zip file whose end is missing"),
    "cut older": (lambda: OLDER[: len(OLDER) - 40], "a damaged file or one that is cut short"),
    "cut older early": (lambda: OLDER[:60], "a damaged file or one that is cut short"),
    "cut safetensors": (lambda: TENSORS[:-8], "must be a whole safetensors file"),
    "changed zip": (lambda: WHOLE.replace(b"_rebuild_tensor_v2", b"_rebuild_tensor_vv"), "got"),
    "noise": (lambda: np.random.default_rng(0).bytes(3000), "a damaged file or one of another kind"),
    "no tensors": (lambda: saved({"epoch": 3, "args": "x"}), "must hold named tensors, got a dict of 'epoch', 'args'"),
    "one tensor": (lambda: saved(torch.ones(3)), "must hold named tensors, got Tensor"),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_file_of_another_kind_is_told_what_it_is_in_one_line(tmp_path: Path, kind: str, suffix: str) -> None:
    content, words = KINDS[kind]
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content())
    with pytest.raises(UserError) as caught:
        read_stored(path)
    message = str(caught.value)
    assert message.startswith(f"weights {path} must ")
    assert words in message
    assert message.isprintable()
    assert len(message) < 500 + len(str(path))


@pytest.mark.parametrize("name", ["w.onnx", "w.tflite", "w.h5", "net.ckpt.data-00000-of-00001"])
def test_what_has_no_beginning_of_its_own_is_known_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x0a\xff\xfe" * 40)
    with pytest.raises(UserError, match=r"got .*(ONNX|TensorFlow|HDF5)"):
        read_stored(tmp_path / name)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((), "an empty folder"),
        (("notes.txt",), "a folder; give a file of weights"),
        (("b.pth", "a.pth"), "a folder; give one of its files: a.pth, b.pth"),
        (("saved_model.pb",), "a TensorFlow SavedModel folder"),
        (("data.pkl",), "the unpacked folder of a torch file"),
    ],
)
def test_a_folder_is_told_what_it_is(tmp_path: Path, files: tuple[str, ...], words: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=words):
        read_stored(tmp_path)


def test_what_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "none.pth", "must be a file, got none"),
        (tmp_path / ("n" * 300), "must be a file that can be read, got: File name too long"),
        (tmp_path / "pipe", "got neither a file nor a folder"),
    ):
        with pytest.raises(UserError, match=words):
            read_stored(path)
    (tmp_path / "w.pth").write_bytes(WHOLE)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match="must be a file that can be read, got: Permission denied"):
        read_stored(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.pth", "w.bin", "w.safetensors", "weights"])
@pytest.mark.parametrize("content", [WHOLE, OLDER, TENSORS], ids=["zip", "older", "safetensors"])
def test_content_counts_and_not_the_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert sorted(read_stored(tmp_path / name).first) == sorted(STATE)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(bad: float) -> None:
    state = {"a.weight": torch.ones(3), "b.weight": torch.tensor([1.0, bad])}
    with pytest.raises(UserError, match=r"must be finite, got (NaN|infinity) in 'b.weight'"):
        _ = stored_in_memory(state).first


def test_tensors_that_are_no_ordinary_numbers_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    for tensor, words in (
        (quantized, "quantized"),
        (torch.ones(2, dtype=torch.complex64), "complex"),
        (torch.ones(2, device="meta"), "without its values"),
    ):
        with pytest.raises(UserError, match=f"'w' {words}"):
            _ = stored_in_memory({"w": tensor}).first
    assert stored_in_memory({"w": torch.eye(2).to_sparse()}).first["w"].tolist() == torch.eye(2).tolist()


def test_one_of_several_state_dicts_is_named_by_its_place(tmp_path: Path) -> None:
    other = {name: value + 1 for name, value in STATE.items()}
    torch.save({"params": STATE, "params_ema": other}, tmp_path / "w.pth")
    assert read_stored(tmp_path / "w.pth").first["conv.bias"].tolist() == other["conv.bias"].tolist()
    assert read_stored(f"{tmp_path}/w.pth#params").first["conv.bias"].tolist() == STATE["conv.bias"].tolist()
    with pytest.raises(UserError, match=r"must hold tensors at 'net', got none there; they are at: params_ema, params"):
        read_stored(f"{tmp_path}/w.pth#net")
    (tmp_path / "a#b.pth").write_bytes(WHOLE)
    assert len(read_stored(tmp_path / "a#b.pth").first) == 2


def test_several_that_fit_and_none_preferred_are_refused() -> None:
    state = released_state("ircnn", 0, 1)
    with pytest.raises(UserError, match=r"must be of one network, got 25 that fit: 0, 1, .*; name one as FILE#0"):
        load_published("ircnn", {str(index): state for index in range(25)})
