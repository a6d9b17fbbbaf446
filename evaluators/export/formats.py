"""What a format of exported files declares: how a file is written, and how it is run in its engine."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import nn

from space.errors import UserError

FP32, FP16, INT8 = "fp32", "fp16", "int8"
_PYTHON_FOLDER = re.compile(r"/[^\s:'\"]*/site-packages/")
_MODEL_FOLDER = re.compile(r"(?:/[^\s:'\"/]+)*/(?=model[-.])")  # where the file lies while it is checked


class ExportError(Exception):
    """A converter or an engine refuses a network: one line that says which and why. Not a mistake of the user's.

    Of the paths of this machine's Python, which converters tell, the package and what is below it stay; of the exported
    file, its name.
    """

    def __init__(self, line: str) -> None:
        super().__init__(_MODEL_FOLDER.sub("", _PYTHON_FOLDER.sub("", line)))


@dataclass(frozen=True, eq=False)
class Exportable:
    """What is to be written.

    Attributes:
        network: in its deploy form, rewritten for export (``evaluators.export.deploy.export_form``), eval mode, CPU.
        in_channels: of the image, the network's only input `(1, in_channels, height, width)`, float32 in [0, 1].
        size: (width, height) of the input in pixels; of a file for any size, the one that it is traced with.
        dynamic: whether the file is to take any height and width.
        multiple: height and width are multiples of this.
        dtype: FP32, FP16 or INT8.
        calibration: inputs `(1, C, h, w)` of ``size``, float32, for INT8.
        float_layers: paths of modules of ``network`` that an INT8 file computes in float, where its format can.
    """

    network: nn.Module
    in_channels: int
    size: tuple[int, int]
    dynamic: bool = False
    multiple: int = 1
    dtype: str = FP32
    calibration: Sequence[np.ndarray] = ()
    float_layers: Sequence[str] = ()


class EngineNetwork(ABC):
    """A file that its engine has loaded."""

    size: tuple[int, int] | None  # (width, height) that it takes; None for any

    @abstractmethod
    def run(self, image: np.ndarray) -> np.ndarray:
        """The output `(1, c, H, W)` for ``image`` `(1, C, h, w)`, both float32 in [0, 1], channels first."""

    def partitions(self) -> tuple[int, tuple[str, ...]] | None:
        """How many partitions the accelerated kernels make of it, and the operators they leave out; None: not told."""
        return None


class Format(ABC):
    """One kind of file; ``FORMATS`` has one object of each."""

    name: ClassVar[str]
    suffix: ClassVar[str]  # of the file, or of the first of its ``companions``: ".onnx", ".tflite", ".ncnn.param"
    engine: ClassVar[str]  # for people: "ONNX Runtime"
    extra: ClassVar[str]  # the extra that installs what it needs; "" for nothing
    needs: ClassVar[tuple[str, ...]]  # packages that are imported
    dtypes: ClassVar[tuple[str, ...]]
    can_be_dynamic: ClassVar[bool]
    has_float_layers: ClassVar[bool] = False  # whether an int8 file can compute some layers in float

    def require(self) -> None:
        """Raises: UserError: a package that it needs is not installed; the message names the extra."""
        missing = [name for name in self.needs if find_spec(name) is None]
        if missing:
            raise UserError(
                f"--format {self.name} needs {', '.join(missing)}, which is not installed; "
                f"pip install 'litefront[{self.extra}]'"
            )

    @abstractmethod
    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        """Write ``what`` to ``path`` (and files beside it of the same stem); returns notes for a person, mostly none.

        ``path`` lies in a new temporary folder, which the caller publishes whole or deletes.

        Raises:
            ExportError: the converter refuses, with its reason in one line.
        """

    @abstractmethod
    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        """Load what ``write`` wrote.

        Raises:
            ExportError: the engine refuses it.
        """

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Of the converter and the engine, by package."""
