"""Weights out of a file or out of memory: every state dict that is there, read without running any code from it."""

from __future__ import annotations

import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from space.errors import UserError
from space.weights.file_kinds import TORCH_MAGIC, foreign_kind, is_safetensors
from space.weights.stand_ins import STAND_INS, allowed
from space.weights.state_dicts import StateDict, as_weights, is_counter, state_dicts

TORCH_RULE = "must hold only tensors and plain values"


@dataclass(frozen=True)
class Stored:
    """What was read: state dicts, most wanted first, and what a safetensors file says of itself.

    ``where`` names it in messages: the path, or nothing.
    """

    where: str
    found: Sequence[StateDict]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> dict[str, Tensor]:
        """The most wanted state dict, as numbers (``as_weights``), without a profiler's counters."""
        tensors = self.found[0].tensors
        return as_weights({name: value for name, value in tensors.items() if not is_counter(name)}, self.where)


def stored_in_memory(content: Any, where: str = "given") -> Stored:
    """Of a state dict, or of a checkpoint that holds one at any depth.

    Raises:
        UserError: there is none.
    """
    found = state_dicts(content)
    if not found:
        kind = "an empty dict" if content == {} else type(content).__name__
        if isinstance(content, Mapping) and content:
            kind = f"a dict of {', '.join(repr(str(key)[:20]) for key in list(content)[:4])} without any"
        raise UserError(f"weights {where} must hold named tensors, got {kind}; save the state dict")
    return Stored(where, found)


def read_stored(path: Path | str) -> Stored:
    """Read a torch file (zip or older) or a safetensors file, known by its content and not by its name.

    ``FILE#PLACE`` takes the state dict at one place alone, such as ``net.pth#params``. torch files go through torch's
    weights-only reader, so that nothing in them runs; see ``space.weights.stand_ins`` for what may lie beside tensors.

    Raises:
        UserError: the file is missing, of another kind, damaged, or holds no state dict; what it is instead is said.
    """
    path, place = Path(path), ""
    try:
        if not path.exists() and "#" in path.name:
            head, _, place = str(path).rpartition("#")
            path = Path(head)
        stored = _read(path)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = getattr(error, "strerror", None) or str(error).split("\n", 1)[0]
        raise UserError(f"weights {path} must be a file that can be read, got: {reason}; check it") from None
    if not place:
        return stored
    chosen = [state for state in stored.found if state.place == place]
    if not chosen:
        known = ", ".join(state.place or "the top" for state in stored.found[:12])
        raise UserError(f"weights {path} must hold tensors at {place!r}, got none there; they are at: {known}")
    return Stored(stored.where, chosen, stored.metadata)


def _read(path: Path) -> Stored:
    if not path.exists():
        raise UserError(f"weights {path} must be a file, got none; check the name")
    kind = foreign_kind(path)
    if kind is not None:
        raise UserError(f"weights {path} must be a torch or safetensors file, got {kind[0]}; {kind[1]}")
    if is_safetensors(path):
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            return Stored(str(path), [StateDict("", safetensors.torch.load_file(path))], metadata)
        except (SafetensorError, KeyError, TypeError) as error:
            raise UserError(
                f"weights {path} must be a whole safetensors file, got: {_line(error)}; copy it again"
            ) from None
    return stored_in_memory(_torch_content(path), str(path))


def _torch_content(path: Path) -> Any:
    try:
        with warnings.catch_warnings(), allowed(), path.open("rb") as file:  # by its path, torch would go by its name
            warnings.simplefilter("ignore")  # torch warns of what it then refuses
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile file makes of the reader; nothing in it has run
        if isinstance(error, OSError):
            raise
        raise UserError(f"weights {path} {_refused(path)}") from None


def _refused(path: Path) -> str:
    """Why torch's reader did not take the file: its own message spans many lines and recommends to unlock it."""
    try:
        names, protocol = _pickled_names(path)
    except Exception:
        return f"{TORCH_RULE}, got a damaged file or one that is cut short; download it again"
    other = [name for name in names if name not in STAND_INS and not _is_torch_data(name)]
    if any(name.startswith("torch.nn.modules.") for name in names):
        network = next((name for name in other if not name.startswith("torch.")), "torch.nn")
        return (
            f"{TORCH_RULE}, got a whole pickled network ({_shown(network)}), which runs its own code when it is "
            "opened; where that code is, save its tensors: torch.save(network.state_dict(), FILE)"
        )
    if other:
        return (
            f"{TORCH_RULE}, got Python objects ({', '.join(_shown(name) for name in other[:3])}), which could run code "
            "when they are opened; save the state dict alone, best as .safetensors"
        )
    if protocol > 2:
        return f"{TORCH_RULE} in pickle protocol 2, got protocol {protocol}; save it again without pickle_protocol"
    return f"{TORCH_RULE}, got a damaged file or one that is cut short; download it again"


def _is_torch_data(name: str) -> bool:
    return bool(
        re.fullmatch(
            r"torch\.(\w+Storage|\w*Tensor|Size|device|storage\.\w+|_utils\._rebuild\w+|nn\.parameter\.Parameter|"
            r"_tensor\._rebuild_from_type_v2|b?float\d+|u?int\d+|bool)|collections\.(OrderedDict|Counter)|_codecs\.encode",
            name,
        )
    )


def _pickled_names(path: Path) -> tuple[list[str], int]:
    """Names of all objects that the pickle in a torch file asks for, and its protocol; nothing is loaded."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            if file.read(len(TORCH_MAGIC)) != TORCH_MAGIC:
                raise ValueError("no torch file")
            _asked(file), _asked(file)  # the protocol's number and the writer's byte order
            return _asked(file)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.rsplit("/", 1)[-1] == "data.pkl")
        with archive.open(name) as file:
            return _asked(file)


def _asked(file: BinaryIO | Any) -> tuple[list[str], int]:
    """Of one pickle."""
    names: list[str] = []
    strings: list[str] = []
    protocol = 0
    for code, argument, _ in pickletools.genops(file):
        if code.name == "PROTO" and isinstance(argument, int):
            protocol = argument
        elif code.name == "GLOBAL":
            names.append(str(argument).replace(" ", "."))
        elif code.name == "STACK_GLOBAL":
            names.append(".".join(strings[-2:]))
        elif isinstance(argument, str):
            strings.append(argument)
    return list(dict.fromkeys(names)), protocol


def _shown(name: str) -> str:
    """A name out of a stranger's file, short and without control characters."""
    return repr(name.replace("__builtin__", "builtins"))[1:-1][:60]


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
