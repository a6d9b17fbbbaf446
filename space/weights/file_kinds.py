"""What a file is by its content, in words, where it is not one that weights are read from."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

HEAD = 1024  # bytes from the start that tell a file's kind
TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the first pickle of a torch file that is no zip
ZIP = b"PK\x03\x04"
DOWNLOAD = "download it again, and look at it before you do"
AS_TORCH = "give the PyTorch file of these weights, or convert it to a state dict"

# Beginnings that name a format; (offset, bytes), what it is, what to do.
SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch it: git lfs pull"),
    (0, b"/annex/objects/", "a git-annex pointer, not the file itself", "fetch it: git annex get"),
    (0, b"MATLAB 5.0 MAT-file", "a MATLAB file", AS_TORCH),
    (0, b"MATLAB 7.3 MAT-file", "a MATLAB 7.3 file", AS_TORCH),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras and MATLAB 7.3 write", AS_TORCH),
    (0, b"\x93NUMPY", "a numpy array (.npy)", AS_TORCH),
    (4, b"TFL3", "a TensorFlow Lite model", AS_TORCH),
    (0, b"GGUF", "a GGUF file", AS_TORCH),
    (0, b"7767517\n", "an ncnn model", AS_TORCH),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it and give the file inside"),
    (0, b"\xfd7zXZ", "an xz archive", "unpack it and give the file inside"),
    (0, b"BZh", "a bzip2 archive", "unpack it and give the file inside"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unpack it and give the file inside"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it and give the file inside"),
    (0, b"Rar!", "a RAR archive", "unpack it and give the file inside"),
    (257, b"ustar", "a tar archive", "unpack it and give the file inside"),
    (0, b"\x89PNG", "a PNG picture", "give the file of the weights"),
    (0, b"\xff\xd8\xff", "a JPEG picture", "give the file of the weights"),
    (0, b"%PDF", "a PDF document", "give the file of the weights"),
)
# Formats without a beginning of their own, by what the name ends in.
SUFFIXES = {
    ".onnx": "an ONNX model",
    ".tflite": "a TensorFlow Lite model",
    ".pb": "a TensorFlow graph",
    ".h5": "an HDF5 file",
    ".mlmodel": "a Core ML model",
    ".caffemodel": "a Caffe model",
    ".pdparams": "PaddlePaddle weights",
    ".index": "the index of a TensorFlow checkpoint",
    ".meta": "the graph of a TensorFlow checkpoint",
    ".mnn": "an MNN model",
    ".ckpt.data-00000-of-00001": "the data of a TensorFlow checkpoint",
}
LEVELDB_END = bytes.fromhex("57fb808b247547db")  # the last bytes of a TensorFlow checkpoint's index


def is_safetensors(path: Path) -> bool:
    """Whether the file begins as safetensors do, whatever its name: a length, then that much JSON."""
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:] == b"{" and struct.unpack("<Q", head[:8])[0] < 100_000_000


def foreign_kind(path: Path) -> tuple[str, str] | None:
    """What the file or folder ``path`` is and what to do about it; None where it may be a torch file.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        return "neither a file nor a folder", "give a file"
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(0, 2)
        size = file.tell()
        file.seek(max(size - 8, 0))
        tail = file.read(8)
    if not head:
        return "an empty file", DOWNLOAD
    for offset, signature, kind, remedy in SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return kind, remedy
    if head.startswith(ZIP):
        return _zip(path)
    if tail == LEVELDB_END:
        return SUFFIXES[".index"], AS_TORCH
    if head.startswith(TORCH_MAGIC):
        return None
    if is_safetensors(path):
        return None
    text = _text(head)
    if text is not None:
        return text
    named = next((kind for suffix, kind in SUFFIXES.items() if path.name.lower().endswith(suffix)), None)
    if named is not None:
        return named, AS_TORCH
    if b"\x12\x07pytorch" in head[:16] or (head[:1] == b"\x08" and head[2:3] == b"\x12"):
        return SUFFIXES[".onnx"], AS_TORCH
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return (
            "a plain pickle that torch.save did not write, which could run any code when it is opened",
            "have its tensors saved with torch.save",
        )
    if not head.strip(b"\0"):
        return "a file of zeros, as a broken download leaves", DOWNLOAD
    return "a damaged file or one of another kind", "give a file that torch.save or safetensors wrote"


def _folder(path: Path) -> tuple[str, str]:
    names = sorted(entry.name for entry in path.iterdir())
    if "saved_model.pb" in names:
        return "a TensorFlow SavedModel folder", AS_TORCH
    if "data.pkl" in names:
        return "the unpacked folder of a torch file", "give the file itself, as it was downloaded"
    weights = [name for name in names if name.endswith((".pth", ".pt", ".ckpt", ".safetensors", ".bin"))]
    if weights:
        return "a folder", f"give one of its files: {_some(weights)}"
    return ("an empty folder" if not names else "a folder"), "give a file of weights"


def _zip(path: Path) -> tuple[str, str] | None:
    """Of a file that begins as a zip; a torch file is one that holds ``data.pkl``."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return "the beginning of a torch or zip file whose end is missing", DOWNLOAD
    ends = {name.rsplit("/", 1)[-1] for name in names}
    inside: Sequence[tuple[Callable[[], bool], str, str]] = (
        (
            lambda: "data.pkl" in ends and ("constants.pkl" in ends or any("/code/" in name for name in names)),
            "a TorchScript program",
            "save its weights where it runs: torch.save(torch.jit.load(FILE).state_dict(), OUT)",
        ),
        (
            lambda: any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names),
            "a program of torch.export (.pt2)",
            "save the state dict of the network that it was made from",
        ),
        (lambda: bool(names) and all(name.endswith(".npy") for name in names), "numpy arrays (.npz)", AS_TORCH),
        (lambda: "model.weights.h5" in ends, "a Keras model", AS_TORCH),
        (
            lambda: "data.pkl" not in ends,
            f"a zip archive of {_some(names) or 'nothing'}",
            "unpack it and give the file inside",
        ),
    )
    return next(((kind, remedy) for holds, kind, remedy in inside if holds()), None)


def _text(head: bytes) -> tuple[str, str] | None:
    """Of a file that begins as text does; None if it does not."""
    try:
        text = head.decode("utf-8-sig", errors="strict" if len(head) < HEAD else "ignore").strip()
    except UnicodeDecodeError:
        return None
    if not text or not all(character.isprintable() or character in "\r\n\t\f" for character in text):
        return None
    if text.lower().startswith(("<!doctype html", "<html", "<head")) or "<html" in text.lower():
        return "an HTML page, as a link to a download page gives", "download the file itself from that page"
    if text.startswith("model_checkpoint_path:"):
        return "the list of a TensorFlow checkpoint", AS_TORCH
    if text.startswith("<"):
        return "an XML document", DOWNLOAD
    try:
        json.loads(text)
    except ValueError:
        return f"a text file that begins {text[:30]!r}", DOWNLOAD
    return f"a JSON text that begins {text[:30]!r}", DOWNLOAD


def _some(names: Sequence[str]) -> str:
    """The first names, for a message."""
    shown = ", ".join(repr(name)[1:-1][:40] for name in names[:3])
    return shown + (", …" if len(names) > 3 else "")
