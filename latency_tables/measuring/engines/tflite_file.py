"""A .tflite file built piece by piece: tensors, nodes, then the flatbuffer. The schema comes with LiteRT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]
TYPES = {"float32": "FLOAT32", "int32": "INT32", "int8": "INT8"}  # of the schema, by NumPy's name


class Quantisation(NamedTuple):
    """The real value of an integer: (integer - zero_point) x scale."""

    scale: float
    zero_point: int = 0


class TfliteFile:
    """A model of one subgraph; tensors are referred to by number."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated

        self.schema = schema_py_generated
        self._model = self.schema.ModelT()
        self._model.version = 3
        self._model.description = "operators to be timed"
        self._model.buffers = [self.schema.BufferT()]
        self._model.operatorCodes = []
        self._graph = self.schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._code_numbers: dict[str, int] = {}
        self.shapes: list[Shape] = []

    def tensor(
        self, shape: Sequence[int], constant: np.ndarray | None = None, quantisation: Quantisation | None = None
    ) -> int:
        """A new tensor of ``shape``: float32, or int8 with a ``quantisation``; a ``constant`` keeps its own type.

        Raises:
            KeyError: a constant that is neither float32, int32 nor int8.
        """
        dtype = constant.dtype.name if constant is not None else "int8" if quantisation else "float32"
        entry = self.schema.TensorT()
        entry.shape = list(shape)
        entry.type = getattr(self.schema.TensorType, TYPES[dtype])
        entry.name = f"t{len(self.shapes)}"
        if quantisation:
            entry.quantization = self.schema.QuantizationParametersT()
            entry.quantization.scale, entry.quantization.zeroPoint = [quantisation.scale], [quantisation.zero_point]
        if constant is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(constant).tobytes(), np.uint8)
            entry.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(entry)
        self.shapes.append(tuple(shape))
        return len(self.shapes) - 1

    def constant(self, values: Any, dtype: type = np.float32, quantisation: Quantisation | None = None) -> int:
        """A new tensor that holds ``values``."""
        array: np.ndarray = np.asarray(values, dtype)
        return self.tensor(array.shape, array, quantisation)

    def node(
        self,
        code: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        options: str = "",
        *,
        version: int = 1,
        quantisation: Quantisation | None = None,
        **values: Any,
    ) -> int:
        """Add builtin operator ``code`` on ``inputs``; returns its output, a tensor of ``shape``.

        ``options`` is the schema's table of the operator, with ``values`` as its fields.
        """
        if code not in self._code_numbers:
            entry = self.schema.OperatorCodeT()
            entry.builtinCode = getattr(self.schema.BuiltinOperator, code)
            entry.deprecatedBuiltinCode = min(entry.builtinCode, 127)
            entry.version = version
            self._code_numbers[code] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(entry)
        node = self.schema.OperatorT()
        node.opcodeIndex = self._code_numbers[code]
        node.inputs, node.outputs = list(inputs), [self.tensor(shape, quantisation=quantisation)]
        if options:
            node.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            node.builtinOptions = getattr(self.schema, options + "T")()
            for name, value in values.items():
                setattr(node.builtinOptions, name, value)
        self._graph.operators.append(node)
        return node.outputs[0]

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The bytes of the file, with these inputs and outputs of the model."""
        import flatbuffers

        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs)
        self._model.subgraphs = [self._graph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
