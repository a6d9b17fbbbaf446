"""What torch's weights-only reader puts in place of Python objects that lie beside the weights in a file.

Checkpoints hold the arguments of their training, numpy scalars, paths and dates. None of them is wanted, and none is
made: each allowed name stands for a class here that takes what the file gives it and does nothing, so that allowing
it runs no code of another package. Any other name stays refused by the reader.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor

NUMBERS = re.compile(r"(b1|[iu][1248]|f[248])")  # numpy's type codes of plain numbers


class _Opaque:
    """An object that nobody reads."""

    def __new__(cls, *_: Any) -> _Opaque:
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


class _ArrayType(_Opaque):
    """numpy's description of an array's elements: ``code`` such as ``f4``, and byte order."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.order = state[1]


class Array(_Opaque):
    """A numpy array: its bytes as they lie in the file, made a tensor only if they are plain numbers."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def tensor(self) -> Tensor | None:
        """The array as a tensor of its own; None where it does not hold plain numbers."""
        try:
            _, shape, kind, column_major, content = self.state
            if not NUMBERS.fullmatch(kind.code):
                return None
            values = np.frombuffer(content, np.dtype(kind.order + kind.code))
            shaped = values.reshape(shape, order="F" if column_major else "C")
            return torch.from_numpy(shaped.astype(shaped.dtype.newbyteorder("="), order="C", copy=True))
        except (TypeError, ValueError, AttributeError):
            return None


def _a_dict(*_: Any) -> dict[Any, Any]:
    """For a defaultdict: the reader fills a plain dict."""
    return {}


def _a_list(*items: Any) -> list[Any]:
    """For a deque or another sequence, which the reader fills or gives whole."""
    return list(items[0]) if items and isinstance(items[0], list | tuple | set) else []


STAND_INS: dict[str, Any] = {
    "collections.defaultdict": _a_dict,
    **dict.fromkeys(("collections.deque", "builtins.frozenset", "builtins.list", "builtins.tuple"), _a_list),
    "builtins.dict": _a_dict,
    "numpy.dtype": _ArrayType,
    **{
        f"numpy.{core}.{name}": stand_in
        for core in ("core", "_core")
        for name, stand_in in (
            ("multiarray._reconstruct", Array),
            ("multiarray.scalar", _Opaque),
            ("numeric._frombuffer", _Opaque),
        )
    },
    **dict.fromkeys(
        (
            "numpy.ndarray",
            *(f"builtins.{name}" for name in ("int", "float", "bool", "str", "bytes", "range", "slice", "object")),
            "argparse.Namespace",
            "types.SimpleNamespace",
            *(
                f"pathlib.{local}{name}"
                for local in ("", "_local.")
                for name in ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")
            ),
            *(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone")),
            "decimal.Decimal",
            "fractions.Fraction",
            "uuid.UUID",
            "zoneinfo.ZoneInfo",
            "numpy.random._pickle.__randomstate_ctor",
            "numpy.random._pickle.__generator_ctor",
            "numpy.random._pickle.__bit_generator_ctor",
            "numpy.random._mt19937.MT19937",
            "numpy.random._pcg64.PCG64",
            "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
            "torch.torch_version.TorchVersion",
            "torch.memory_format",
            "torch.serialization._get_layout",
            "torch._C.Generator",
        ),
        _Opaque,
    ),
}
"""By the name in a file, what is made instead. ``builtins`` are here for types that a checkpoint mentions as values."""


def allowed() -> AbstractContextManager[None]:
    """While it is open, torch's weights-only reader makes the stand-ins and still refuses every other name."""
    return torch.serialization.safe_globals([(stand_in, name) for name, stand_in in STAND_INS.items()])
