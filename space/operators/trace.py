"""The operator list of any network, read off one run on the meta device: shapes only, no arithmetic."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from space.errors import UserError
from space.operators.kinds import UnknownOperatorError, kind_of
from space.operators.operator import Operator, OperatorList, Shape
from space.specialists import networks_of


def trace(network: nn.Module, *input_shapes: Shape) -> OperatorList:
    """The operators that ``network`` runs on inputs of ``input_shapes``, such as `(1, 3, 180, 320)`.

    The network is copied to the meta device and put in eval mode; its own weights and mode are left alone. Shared
    modules appear once per call. Of specialists one is traced: they are alike, and one runs for a picture.

    Raises:
        UnknownOperatorError: it runs an operator whose cost is not known.
        UserError: it cannot run on shapes alone, or not at this size; the message carries torch's reason.
    """
    shadow = meta_copy(networks_of(network)[0]).eval()
    inputs = [torch.empty(shape, device="meta") for shape in input_shapes]
    recorder = _Recorder(shadow, inputs)
    try:
        with torch.no_grad(), _module_paths(shadow, recorder.path), recorder:
            output = shadow(*inputs)
    except UnknownOperatorError:
        raise
    except (RuntimeError, NotImplementedError, ValueError, AssertionError) as error:
        sizes = ", ".join("x".join(map(str, shape)) for shape in input_shapes)
        raise UserError(f"the network cannot be traced at input {sizes}: {str(error).splitlines()[0]}") from error
    outputs = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
    return OperatorList(
        operators=tuple(recorder.operators),
        sizes=recorder.sizes,
        inputs=tuple(recorder.value(tensor) for tensor in inputs),
        outputs=tuple(recorder.value(tensor) for tensor in outputs),
        output_shape=tuple(outputs[0].shape),
    )


def meta_copy(network: nn.Module) -> nn.Module:
    """A copy of ``network`` without its weights' values, on the meta device."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's own, when an exported program is copied
        return copy.deepcopy(network).to("meta")


class _Recorder(TorchDispatchMode):
    """Writes down every ATen operator, with activations told apart by their storage: a view is the same value."""

    def __init__(self, network: nn.Module, inputs: list[Tensor]) -> None:
        super().__init__()
        self.operators: list[Operator] = []
        self.sizes: dict[int, int] = {}
        self.path: list[str] = []
        self._weights = {_storage(tensor) for tensor in (*network.parameters(), *network.buffers())}
        self._values: dict[int, int] = {}
        self._kept_alive: list[Tensor] = []  # a freed storage's address would be taken by a later one
        for tensor in inputs:
            self.value(tensor)

    def value(self, tensor: Tensor) -> int:
        storage = _storage(tensor)
        if storage not in self._values:
            self._values[storage] = len(self._values)
            self.sizes[self._values[storage]] = tensor.untyped_storage().nbytes() // tensor.element_size()
            self._kept_alive.append(tensor)
        return self._values[storage]

    def _begin(self, tensor: Tensor) -> int | None:
        """Where a slice begins in its value; None of a whole value, however it is viewed or broadcast."""
        spanned = [length for length, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride]
        return tensor.storage_offset() if math.prod(spanned) < self.sizes[self.value(tensor)] else None

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = kind_of(function)
        result = _resized(*args) if kind == "resize" else function(*args, **(kwargs or {}))
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        activations = [tensor for tensor in read if _storage(tensor) in self._values]
        written = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if not activations:  # arithmetic on weights alone is done once, before any image
            self._weights.update(_storage(tensor) for tensor in written)
            self._kept_alive.extend(written)
            return result
        if kind is not None:
            self.operators.append(self._operator(kind, function, args, activations, written))
        return result

    def _operator(self, kind: str, function: Any, args: Any, read: list[Tensor], written: list[Tensor]) -> Operator:
        name = function._schema.name.removeprefix("aten::")
        described: dict[str, Any] = {}
        if kind == "conv":
            weight, transposed = args[1], args[6]
            pixels = math.prod((args[0] if transposed else written[0]).shape[2:])
            described = {
                "macs": args[0].shape[0] * pixels * weight.numel(),
                "kernel": tuple(weight.shape[2:]),
                "stride": tuple(args[3]),
                "dilation": tuple(args[5]),
                "groups": args[8],
            }
            kind = "conv_transpose" if transposed else kind
        elif kind == "matmul":
            left = args[0] if name in ("mm", "bmm") else args[1]
            described = {"macs": written[0].numel() * left.shape[-1]}
        elif kind == "pool" and name != "_adaptive_avg_pool2d" and name != "adaptive_max_pool2d":
            described = {"kernel": tuple(args[1]), "stride": tuple(args[2]) if len(args) > 2 and args[2] else ()}
        elif name == "channel_shuffle":
            described = {"groups": args[1]}
        elif kind == "norm" and any(arg is True for arg in args):  # statistics of the image itself, not stored ones
            name = "instance_norm"
        elif kind == "copy":
            described = {"permuted": _is_permuted(read[-1])}
        slices = tuple(self._begin(tensor) for tensor in read)
        return Operator(
            kind,
            name,
            tuple(tuple(tensor.shape) for tensor in read),
            tuple(written[0].shape),
            tuple(self.value(tensor) for tensor in read),
            tuple(self.value(tensor) for tensor in written),
            slices=slices if any(begin is not None for begin in slices) else (),
            part=self.path[-1] if self.path else "",
            **described,
        )


def _resized(image: Tensor, size: list[int], *_: Any) -> Tensor:
    """What any resize gives on shapes alone: torch's own way takes milliseconds, for it computes the coordinates."""
    return image.new_empty((*image.shape[:2], *size))


def _is_permuted(tensor: Tensor) -> bool:
    """Whether its elements lie in memory in another order than its axes say, slices and broadcasts aside."""
    strides = [step for step, length in zip(tensor.stride(), tensor.shape, strict=True) if step and length > 1]
    return strides != sorted(strides, reverse=True)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


@contextmanager
def _module_paths(network: nn.Module, path: list[str]) -> Iterator[None]:
    """Keep the path of the module that is running on top of ``path``."""

    def leave(*_: Any) -> None:
        path.pop()

    handles = []
    for name, module in network.named_modules():
        handles.append(module.register_forward_pre_hook(lambda _module, _inputs, name=name: path.append(name)))
        handles.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
