"""The operator list of any network, from one run on the meta device: shapes only, no arithmetic."""

from __future__ import annotations

import dataclasses
import inspect
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from space.errors import UserError, first_line
from space.foreign_code import foreign_code
from space.operators.constants import Constants
from space.operators.kinds import kind_of
from space.operators.meta import MetaStorages, dtype_of, meta_copy, plain_tensors, storage_of
from space.operators.operator import Operator, OperatorList, Shape
from space.operators.shapes import ShapesMode, shapes_alone, tensors_in
from space.specialists import networks_of


def trace(network: nn.Module, *input_shapes: Shape) -> OperatorList:
    """The operators that ``network`` runs on inputs of ``input_shapes``, such as `(1, 3, 180, 320)`.

    The network is copied to the meta device and put in eval mode; its own weights and mode do not change. Shared
    modules appear once per call. Only one of several specialists is traced: they are alike, and one runs per image.

    Arithmetic on weights alone runs once and is not an operator (``space.operators.constants``).

    Raises:
        UnknownOperatorError: it runs an operator of unknown cost.
        UserError: it cannot run on shapes alone, or not at this size; the message gives the reason.
    """
    return trace_shadow(meta_copy(networks_of(network)[0]), *input_shapes)


def trace_shadow(shadow: nn.Module, *input_shapes: Shape) -> OperatorList:
    """As ``trace``, of a network that already is on the meta device (``space.operators.meta_copy``) and has no other
    use: it is not copied again, and is left in eval mode.

    Raises:
        UserError: as ``trace``.
    """
    shadow = networks_of(shadow)[0]
    _check_inputs(shadow, len(input_shapes))
    errors: list[Exception] = []
    for dtype in dict.fromkeys((dtype_of(shadow), torch.float32)):
        try:
            return _traced(shadow, input_shapes, dtype)
        except UserError:
            raise
        except Exception as error:
            errors.append(error)
    sizes = ", ".join("x".join(map(str, shape)) for shape in input_shapes)
    raise UserError(f"the network cannot be traced at input {sizes}: {first_line(errors[0])}") from errors[0]


def _traced(shadow: nn.Module, input_shapes: tuple[Shape, ...], dtype: torch.dtype) -> OperatorList:
    inputs = [torch.empty(shape, device="meta", dtype=dtype) for shape in input_shapes]
    recorder = _Recorder(shadow, inputs)
    set_eval(shadow)
    with foreign_code(), torch.no_grad(), not_compiled(), module_paths(shadow, recorder.path), recorder:
        output = shadow(*inputs)
    outputs = list(_tensors(output))
    if not outputs:
        raise UserError(
            "the network must return a tensor, or a tuple, dict or dataclass of tensors, got "
            f"{'nothing' if output is None else type(output).__name__}"
        )
    return OperatorList(
        operators=tuple(recorder.operators),
        sizes=recorder.sizes,
        inputs=tuple(recorder.value(tensor) for tensor in inputs),
        outputs=tuple(recorder.value(tensor) for tensor in outputs),
        output_shape=tuple(outputs[0].shape),
        change_of_params=recorder.constants.change_of_params(),
    )


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors of what a network returns, in order."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for inner in output.values():
            yield from _tensors(inner)
    elif isinstance(output, list | tuple):
        for inner in output:
            yield from _tensors(inner)
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        for field in dataclasses.fields(output):
            yield from _tensors(getattr(output, field.name))


def _check_inputs(network: nn.Module, given: int) -> None:
    """Raises: UserError: ``forward`` takes fewer or more than ``given`` inputs."""
    try:
        parameters = list(inspect.signature(network.forward).parameters.values())
    except (TypeError, ValueError):
        return
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [each for each in parameters if each.kind in by_place]
    needed = [each.name for each in taken if each.default is inspect.Parameter.empty]
    any_number = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
    if len(needed) > given:
        raise UserError(
            f"the network takes {len(needed)} inputs ({', '.join(needed)}), got {given}; give the channels of each, "
            f"such as --channels {','.join(['3'] + ['1'] * (len(needed) - 1))}"
        )
    if len(taken) < given and not any_number:
        raise UserError(f"the network takes {len(taken)} inputs, got {given}; give --channels of so many")


def set_eval(network: nn.Module) -> None:
    try:
        network.eval()
    except NotImplementedError:
        pass  # an exported program was put in its mode when it was exported


@contextmanager
def not_compiled() -> Iterator[None]:
    """Functions that the user's code compiles run as they are written; torch's compiler is not imported for this."""
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


class _Recorder(ShapesMode):
    """Writes down every ATen operator, with activations told apart by their storage: a view is the same value."""

    def __init__(self, network: nn.Module, inputs: list[Tensor]) -> None:
        super().__init__()
        self.operators: list[Operator] = []
        self.sizes: dict[int, int] = {}
        self.path: list[str] = []
        self.constants = Constants(network.parameters(), plain_tensors(network))
        self._moved = MetaStorages()
        self._values: dict[int, int] = {}
        self._kept_alive: list[Tensor] = []  # a freed storage's address would be taken by a later one
        for tensor in inputs:
            self.value(tensor)

    def value(self, tensor: Tensor) -> int:
        storage = storage_of(tensor)
        if storage not in self._values:
            self._values[storage] = len(self._values)
            self.sizes[self._values[storage]] = tensor.untyped_storage().nbytes() // tensor.element_size()
            self._kept_alive.append(tensor)
        return self._values[storage]

    def _begin(self, tensor: Tensor) -> int | None:
        """Where a slice begins in its value; None of a whole value, however it is viewed or broadcast."""
        spanned = [length for length, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride]
        return int(tensor.storage_offset()) if math.prod(spanned) < self.sizes[self.value(tensor)] else None

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs, read = self._on_meta(args, kwargs or {})
        activations = [tensor for tensor in read if storage_of(tensor) in self._values]
        is_random = torch.Tag.nondeterministic_seeded in function.tags  # drawn anew for each image
        kind = kind_of(function) if activations or is_random else None
        result = shapes_alone(function, args, read, kwargs)
        if result is None:
            result = function(*args, **kwargs)
        written = tensors_in(result)
        constants = [tensor for tensor in read if storage_of(tensor) not in self._values]
        if not activations:  # arithmetic on weights alone is done once, before any image
            self.constants.computed(function, args, kwargs, constants, written)
        elif kind is not None:
            self.constants.used(constants)
            self.operators.append(self._operator(kind, function, args, activations, written))
        return result

    def _on_meta(self, args: Any, kwargs: Any) -> tuple[Any, Any, list[Tensor]]:
        """What an operator gets, and the tensors among it: shapes only, wherever it meets shapes. Constants alone keep
        their values."""
        tensors = tensors_in(args) + tensors_in(kwargs)
        on_meta = [tensor.is_meta for tensor in tensors]
        if not any(on_meta):
            return args, kwargs, tensors
        if not all(on_meta):
            args, kwargs = tree_map_only(Tensor, lambda t: t if t.is_meta else self._moved.alike(t), (args, kwargs))
            tensors = tensors_in(args) + tensors_in(kwargs)
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": torch.device("meta")}
        return args, kwargs, tensors

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


def _is_permuted(tensor: Tensor) -> bool:
    """Whether its elements lie in memory in another order than its axes say, slices and broadcasts aside."""
    strides = [step for step, length in zip(tensor.stride(), tensor.shape, strict=True) if step and length > 1]
    return strides != sorted(strides, reverse=True)


@contextmanager
def module_paths(network: nn.Module, path: list[str]) -> Iterator[None]:
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
