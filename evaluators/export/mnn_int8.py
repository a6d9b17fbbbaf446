"""int8 for MNN: the ranges of values, measured here, written into a file whose weights its converter quantizes.

MNN's own quantizer (``mnnquant``) is not used: of its three ways to find a range, one averages the extremes away, and
the others end by a memory error for a network with splits (SMFANet).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.export.formats import Exportable
from evaluators.export.quantization import SILENT, Range, end_ranges, is_silent

QUANTIZED = ("Convolution", "ConvolutionDepthwise")
MOVING = ("ConvertTensor", "DepthToSpace", "Permute", "Reshape", "Slice")  # they keep values, and so their scale
LOWEST, HIGHEST = -128, 127


def named_by_index(model: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``model`` in which every tensor can be asked for: names are not unique in a file."""
    names = [_name(index) for index in range(len(model["tensorName"]))]
    outputs = [_name(model["oplists"][-1]["outputIndexes"][0])]
    return model | {"tensorName": names, "outputName": outputs}


def quantized_mnn(model: dict[str, Any], measured: Path, what: Exportable) -> dict[str, Any]:
    """``model``, MNN's JSON form of ``what`` with int8 weights, with int8 values around its convolutions.

    Args:
        measured: the file of ``named_by_index(model)``.
    """
    convolutions = [each for each in model["oplists"] if each["type"] in QUANTIZED and "quanParameter" in each["main"]]
    indices = sorted({each[end][0] for each in convolutions for end in ("inputIndexes", "outputIndexes")})
    ranges = _measured(measured, indices, what)
    image, output = end_ranges(what)
    ranges |= dict.fromkeys(_moved_from_input(model), image) | dict.fromkeys(_moved_to_output(model), output)
    scales = {index: _scale_and_zero(*ranges[index]) for index in indices}
    for each in convolutions:
        each["main"]["symmetricQuan"] = {
            "method": "DEFAULT",
            "nbits": 8,
            "zeroPoint": scales[each["inputIndexes"][0]][1],
            "outputZeroPoint": scales[each["outputIndexes"][0]][1],
            "clampMin": LOWEST,
            "clampMax": HIGHEST,
            "outputDataType": "DT_INT8",
        }
    described = [
        {"index": index, "quantInfo": {"scale": scale, "zero": zero, "min": LOWEST, "max": HIGHEST, "type": "DT_INT8"}}
        for index, (scale, zero) in scales.items()
    ]
    return model | {"extraTensorDescribe": described}


def _name(index: int) -> str:
    return f"tensor{index}"


def _measured(path: Path, indices: list[int], what: Exportable) -> dict[int, Range]:
    """Smallest and largest value of each tensor over the calibration pictures, and zero."""
    import MNN

    network: Any = MNN.Interpreter(str(path))
    saved = tuple(_name(index) for index in indices)
    session = network.createSession({"backend": "CPU", "precision": "high", "numThread": 1, "saveTensors": saved})
    image = network.getSessionInput(session)
    caffe, kind = MNN.Tensor_DimensionType_Caffe, MNN.Halide_Type_Float
    ranges: dict[int, Range] = dict.fromkeys(indices, (0.0, 0.0))
    for picture in what.calibration:
        image.copyFrom(MNN.Tensor(picture.shape, kind, np.ascontiguousarray(picture), caffe))
        network.runSession(session)
        for index in indices:
            tensor = network.getSessionOutput(session, _name(index))
            host = MNN.Tensor(tensor.getShape(), kind, np.zeros(tensor.getShape(), np.float32), caffe)
            tensor.copyToHostTensor(host)
            values = np.array(host.getData())
            low, high = ranges[index]
            ranges[index] = min(low, float(values.min())), max(high, float(values.max()))
    return {index: SILENT if is_silent(*limits) else limits for index, limits in ranges.items()}


def _scale_and_zero(low: float, high: float) -> tuple[float, int]:
    scale = max(high - low, 1e-8) / (HIGHEST - LOWEST)
    return scale, int(np.clip(round(LOWEST - low / scale), LOWEST, HIGHEST))


def _moved_from_input(model: dict[str, Any]) -> Iterator[int]:
    moved: set[int] = set()
    for each in model["oplists"]:
        if each["type"] == "Input" or (each["type"] in MOVING and each["inputIndexes"][0] in moved):
            moved.update(each["outputIndexes"])
    yield from moved


def _moved_to_output(model: dict[str, Any]) -> Iterator[int]:
    producers = {index: each for each in model["oplists"] for index in each["outputIndexes"]}
    index = model["oplists"][-1]["outputIndexes"][0]
    yield index
    while producers[index]["type"] in MOVING:
        index = producers[index]["inputIndexes"][0]
        yield index


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(model: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(model), encoding="utf-8")
