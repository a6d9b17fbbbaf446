"""int8 for ONNX: ONNX Runtime's static quantization into QuantizeLinear and DequantizeLinear around each operator."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.export.formats import Exportable
from evaluators.export.quantization import SILENT, end_ranges, is_silent
from evaluators.export.traced import quiet

# They move values and keep them, so that their input and output have the same scale.
MOVING = ("DepthToSpace", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")


def quantized_onnx(model: Any, what: Exportable) -> Any:
    """``model``, the ``onnx.ModelProto`` of ``what`` in float32, in int8."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, quiet():
        source, inferred, target = (Path(folder, f"{name}.onnx") for name in ("float", "inferred", "int8"))
        onnx.save(model, source)
        quant_pre_process(source, inferred, skip_symbolic_shape=True)
        graph = onnx.load(inferred).graph
        image, output = end_ranges(what)
        ranges = dict.fromkeys(_silent_tensors(inferred, Path(folder, "observed.onnx"), what), SILENT)
        ranges |= {graph.input[0].name: image} | dict.fromkeys(_output_tensors(graph), output)
        overrides = {
            name: [{"rmin": np.float32(low), "rmax": np.float32(high)}] for name, (low, high) in ranges.items()
        }
        quantize_static(
            inferred,
            target,
            _Pictures(graph.input[0].name, what.calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"TensorQuantOverrides": overrides},
        )
        return onnx.load(target)


class _Pictures:
    """A ``CalibrationDataReader``: one picture at a time, then None."""

    def __init__(self, name: str, calibration: Sequence[np.ndarray]) -> None:
        self._left = iter([{name: np.ascontiguousarray(picture, dtype=np.float32)} for picture in calibration])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


def _silent_tensors(source: Path, observed: Path, what: Exportable) -> list[str]:
    """The values that are zero on all calibration pictures; ``observed`` is written."""
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    calibrator = create_calibrator(
        source, augmented_model_path=str(observed), calibrate_method=CalibrationMethod.MinMax
    )
    calibrator.collect_data(_Pictures(calibrator.model.graph.input[0].name, what.calibration))
    found = calibrator.compute_data().items()
    return [name for name, data in found if is_silent(*(np.asarray(limit).item() for limit in data.range_value))]


def _output_tensors(graph: Any) -> list[str]:
    """The output, and the values that it is moved from."""
    producers = {name: node for node in graph.node for name in node.output}
    names = [graph.output[0].name]
    while (node := producers.get(names[-1])) is not None and node.op_type in MOVING:
        names.append(node.input[0])
    return names
