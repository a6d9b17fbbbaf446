"""Files of networks for the engines of phones, one file per format; each is checked in its engine (``check``)."""

from __future__ import annotations

from evaluators.export.executorch import ExecuTorch
from evaluators.export.formats import FP16, FP32, INT8, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.litert import LiteRt
from evaluators.export.mnn import Mnn
from evaluators.export.ncnn import Ncnn
from evaluators.export.onnx import Onnx
from evaluators.export.pt2 import TorchExport
from space.errors import UserError

FORMATS: dict[str, Format] = {
    each.name: each for each in (TorchExport(), Onnx(), LiteRt(), Ncnn(), Mnn(), ExecuTorch())
}


def format_named(name: str) -> Format:
    """The format called ``name``.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in FORMATS:
        raise UserError(f"--format must be among {', '.join(FORMATS)}, got {name!r}")
    return FORMATS[name]


__all__ = ["FORMATS", "FP16", "FP32", "INT8", "EngineNetwork", "ExportError", "Exportable", "Format", "format_named"]
