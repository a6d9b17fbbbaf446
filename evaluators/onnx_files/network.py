"""An ONNX graph as a module: its nodes in order, each by the function of its operator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.onnx_files.operators import HOW, OPERATORS, STATISTICS
from space.errors import UserError, first_line
from space.named_network import DEFAULT_INPUT, NamedNetwork, OtherInput
from space.operators.kinds import UnknownOperatorError

SUFFIX = ".onnx"
TORCH_NODE = "pkg.torch.onnx.fx_node"  # metadata of a node: the call in torch's graph that it was made of
_TORCH_WEIGHT = re.compile(r"%(?:p|b)_(\w+)")
_TORCH_BUFFER = re.compile(r"%b_(\w+)")
EXTRA = "pip install 'litefront[export]'"
DEFAULT_DOMAINS = ("", "ai.onnx")


def read_onnx(path: Path | str, channels: tuple[int, ...] = ()) -> NamedNetwork:
    """The network in an ONNX file, for ``cost``; it is read, and nothing of it is run.

    ``channels`` are those of its image inputs, where the file leaves them open.

    Raises:
        UserError: onnx is not installed; the file cannot be read, or takes no image; an operator is not known.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} must be an ONNX file, got no such file; check the name")
    model = _loaded(path)
    network = OnnxNetwork(model.graph, {each.domain: each.version for each in model.opset_import})
    shapes = [_shape(each) for each in model.graph.input if each.name in network.input_names]
    if not shapes or len(shapes[0]) != 4:
        raise UserError(f"{path} must take an image (N, C, H, W) first, got inputs {shapes}")
    counts = _channels(path, shapes, channels)
    own = _size(shapes[0])
    others = tuple(_other(path, shape, count) for shape, count in zip(shapes[1:], counts[1:], strict=True))
    return NamedNetwork(path.stem, network, counts[0], own or DEFAULT_INPUT, own is not None, others)


@dataclass(frozen=True)
class Node:
    """One operator of the graph; ``part`` is where it stands in the network that was exported, as far as it says."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    how: Mapping[str, Any]
    proto: Any


class OnnxNetwork(nn.Module):
    """The nodes of a graph, run on images.

    What nodes compute from constants alone, such as sizes for a Reshape, is computed as NumPy arrays, by ONNX's own
    reference; so it is with what they compute from an image's sizes.

    Raises:
        UnknownOperatorError: a node that meets an image is of an unknown operator.
    """

    def __init__(self, graph: Any, opsets: Mapping[str, int]) -> None:
        super().__init__()
        import onnx.numpy_helper

        arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
        self.input_names = [each.name for each in graph.input if each.name not in arrays]
        self.output_names = [each.name for each in graph.output]
        self._opsets = dict(opsets)
        self._nodes: list[Node] = []
        for node in map(_node, graph.node):
            if all(name in arrays for name in node.inputs if name):
                arrays |= dict(zip(node.outputs, self._computed(node, arrays), strict=True))
            else:
                self._nodes.append(node)
        self._nodes = [_unmerged(node, arrays) for node in self._nodes]
        self._constants = self._stored(arrays)
        self._check_known()

    def _stored(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray | float]:
        """Weights become parameters, buffers stay buffers, and what says how to compute is a constant."""
        constants: dict[str, np.ndarray | float] = {}
        weights = {
            name: place in STATISTICS.get(node.operator, ()) or _is_no_weight(node, name, arrays[name])
            for node in self._nodes
            for place, name in enumerate(node.inputs)
            if name in arrays and place not in HOW.get(node.operator, ())
        }
        self._tensors: dict[str, str] = {}
        for name, array in arrays.items():
            if name not in weights or not np.issubdtype(array.dtype, np.floating):
                constants[name] = array
            elif not array.ndim:
                constants[name] = float(array)
            else:
                value = torch.from_numpy(np.array(array))
                self._tensors[name] = f"weight_{len(self._tensors)}"
                if weights[name]:
                    self.register_buffer(self._tensors[name], value)
                else:
                    self.register_parameter(self._tensors[name], nn.Parameter(value, requires_grad=False))
        return constants

    def _check_known(self) -> None:
        known = {*OPERATORS, "Shape", "Size"}
        for node in self._nodes:
            if node.operator not in known:
                raise UnknownOperatorError(
                    f"ONNX operator {node.operator!r} is not known to the cost model; known: {', '.join(OPERATORS)}"
                )

    def forward(self, *images: Tensor) -> tuple[Tensor, ...]:
        values: dict[str, Any] = {**self._constants, "": None}
        values |= {name: getattr(self, attribute) for name, attribute in self._tensors.items()}
        values |= dict(zip(self.input_names, images, strict=True))
        left = Counter(name for node in self._nodes for name in node.inputs)
        for node in self._nodes:
            given = [values[name] for name in node.inputs]
            values |= dict(zip(node.outputs, self._results(node, given), strict=False))
            for name in node.inputs:
                left[name] -= 1
                if not left[name] and name not in self.output_names and name:
                    del values[name]
        return tuple(values[name] for name in self.output_names)

    def _results(self, node: Node, given: list[Any]) -> tuple[Any, ...]:
        if node.operator in ("Shape", "Size"):
            shape = np.array(given[0].shape, np.int64)
            if node.operator == "Size":
                return (np.array(shape.prod()),)
            return (shape[node.how.get("start", 0) : node.how.get("end", len(shape))],)
        if not any(isinstance(value, Tensor) for value in given):
            named = {name: np.asarray(value) for name, value in zip(node.inputs, given, strict=True) if name}
            return tuple(self._computed(node, named))
        try:
            result = OPERATORS[node.operator](node.how, *given)
        except (RuntimeError, TypeError, IndexError, KeyError) as error:
            raise UserError(f"ONNX operator {node.operator} of {node.outputs[0]!r} {first_line(error)}") from error
        return result if isinstance(result, tuple) else (result,)

    def _computed(self, node: Node, arrays: Mapping[str, np.ndarray]) -> Iterator[np.ndarray]:
        """What a node gives for constants."""
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(node.proto, opsets=self._opsets)
        try:
            found = evaluator.run(None, {name: arrays[name] for name in node.inputs if name})
        except Exception as error:  # whatever the reference says of a node that it cannot compute
            raise UserError(f"ONNX operator {node.operator} of constants: {first_line(error)}") from error
        return map(np.asarray, found)


def _loaded(path: Path) -> Any:
    try:
        import onnx
        from onnx.inliner import inline_local_functions
    except ImportError:
        raise UserError(f"{path} needs onnx to be read, got none installed; {EXTRA}") from None
    try:
        model = onnx.load(path)
        return inline_local_functions(model) if model.functions else model
    except Exception as error:  # whatever a damaged or hostile file makes of the reader
        raise UserError(f"{path} must be an ONNX file, got: {first_line(error)[:200]}; export it again") from None


def _node(proto: Any) -> Node:
    import onnx.helper

    if proto.domain not in DEFAULT_DOMAINS:
        raise UnknownOperatorError(
            f"ONNX operator {proto.op_type!r} of {proto.domain!r} is not known to the cost model; export without it"
        )
    how = {each.name: _attribute(onnx.helper.get_attribute_value(each)) for each in proto.attribute}
    return Node(proto.op_type, tuple(proto.input), tuple(proto.output), {**how, "outputs": len(proto.output)}, proto)


def _unmerged(node: Node, arrays: dict[str, np.ndarray]) -> Node:
    """``node`` reading weights of its own where torch's exporter has merged equal ones of several modules, or left out
    a convolution's bias that is zero.

    A fresh network has many of both, and mean shifts are alike: the network stores each, and is counted so.
    """
    written = _said(node, _TORCH_WEIGHT)
    inputs = []
    for name in node.inputs:
        owner = _torch_name(name)
        if written and name in arrays and owner not in written:
            there = {_torch_name(each) for each in node.inputs}
            others, last = [each for each in written if each not in there], owner.rpartition("_")[2]
            alike = [each for each in others if each.endswith(f"_{last}")] if len(others) > 1 else others
            owner = next(iter(alike), owner)
            if owner != _torch_name(name):
                arrays[owner] = arrays[name]
                name = owner
        inputs.append(name)
    left_out = [name for name in written if name.endswith("bias") and name not in map(_torch_name, inputs)]
    if node.operator == "Conv" and len(inputs) == 2 and inputs[1] in arrays and left_out:
        arrays[left_out[0]] = np.zeros(len(arrays[inputs[1]]), arrays[inputs[1]].dtype)
        inputs.append(left_out[0])
    return replace(node, inputs=tuple(inputs))


def _said(node: Node, kind: re.Pattern[str]) -> list[str]:
    """The weights that torch's exporter says that ``node`` reads."""
    said = next((each.value for each in node.proto.metadata_props if each.key == TORCH_NODE), "")
    return list(dict.fromkeys(kind.findall(said.lower())))


def _is_no_weight(node: Node, name: str, array: np.ndarray) -> bool:
    """Whether torch's exporter says that it is a buffer, or has made it: a recurrent network's first state of zeros."""
    if _torch_name(name) in _said(node, _TORCH_BUFFER):
        return True
    comes_from_torch = any(each.key == TORCH_NODE for each in node.proto.metadata_props)
    is_filled = array.size > 1 and bool((array == array.flat[0]).all())
    return comes_from_torch and is_filled and _torch_name(name) not in _said(node, _TORCH_WEIGHT)


def _torch_name(name: str) -> str:
    """As ``torch.export`` calls the weight ``name`` in a graph."""
    return re.sub(r"\W", "_", name).lower()


def _attribute(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [_attribute(each) for each in value] if isinstance(value, list | tuple) else value


def _shape(value: Any) -> tuple[int | None, ...]:
    """Of an input; None where a side is free."""
    sides = value.type.tensor_type.shape.dim
    return tuple(int(side.dim_value) if side.HasField("dim_value") and side.dim_value > 0 else None for side in sides)


def _size(shape: tuple[int | None, ...]) -> tuple[int, int] | None:
    *_, height, width = shape
    return None if height is None or width is None else (width, height)


def _channels(path: Path, shapes: list[tuple[int | None, ...]], asked: tuple[int, ...]) -> tuple[int, ...]:
    own = tuple(shape[1] if len(shape) == 4 else 0 for shape in shapes)
    fits = len(asked) == len(own) and all(side in (None, count) for side, count in zip(own, asked, strict=True))
    if asked and not fits:
        said = ",".join("?" if side is None else str(side) for side in own)
        raise UserError(f"--channels of {path} must be {said}, as exported, got {','.join(map(str, asked))}")
    counts = asked or own
    if None in counts:
        raise UserError(f"--channels must say those of {path}, which leaves them open; for example --channels 3")
    return tuple(int(count or 0) for count in counts)


def _other(path: Path, shape: tuple[int | None, ...], channels: int) -> OtherInput:
    if len(shape) == 4:
        return OtherInput(channels, _size(shape))
    sides = tuple(1 if side is None and not place else side for place, side in enumerate(shape))
    if None in sides:
        raise UserError(f"{path} must take images (N, C, H, W) and tensors of fixed shape, got {shape}")
    return OtherInput(shape=tuple(side for side in sides if side is not None))
