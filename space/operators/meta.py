"""A network without weight values: on torch's meta device tensors are only shapes, and arithmetic is free."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from space.errors import UserError, first_line


def meta_copy(network: nn.Module) -> nn.Module:
    """A copy of ``network`` on the meta device; tensors that share a storage still do.

    Wrappers that change how a network runs and not what it computes are removed (``nn.DataParallel``, the result of
    ``torch.compile``). Tensors that are plain attributes, which ``nn.Module.to`` does not move, are included.

    Raises:
        UserError: it cannot be copied, is TorchScript, or its parameters have no shape before its first run
            (``nn.LazyConv2d``).
    """
    network = _without_wrapper(network)
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        raise UserError(
            "the network must be made of Python modules, got TorchScript, which does not run on shapes alone; give "
            "what it was made from, or a file of torch.export.save"
        )
    shapes = MetaStorages()
    known: dict[int, Any] = {}
    for tensor in (*network.parameters(), *network.buffers()):
        if is_lazy(tensor):
            raise UserError("the network must have its parameters' shapes, got lazy ones; run it once on an image")
        known[id(tensor)] = _alike(tensor, shapes)
    try:
        with warnings.catch_warnings(), _CopiesToMeta(shapes):
            warnings.simplefilter("ignore")  # torch's own, when an exported program is copied
            shadow = copy.deepcopy(network, known)
    except (RuntimeError, TypeError, AttributeError, ValueError, NotImplementedError) as error:
        raise UserError(f"the network cannot be copied ({first_line(error)})") from error
    for module in list(shadow.modules()):
        for name, child in list(module._modules.items()):
            if child is not None:
                module._modules[name] = _without_wrapper(child)
    return shadow


class MetaStorages:
    """Meta tensors in place of others: those of one storage share one again."""

    def __init__(self) -> None:
        self._storages: dict[tuple[int, torch.dtype], Tensor] = {}
        self._kept_alive: list[Tensor] = []  # a freed storage's address would be taken by a later one

    def alike(self, tensor: Tensor) -> Tensor:
        """A tensor of the same shape, strides and type on the meta device."""
        if tensor.layout != torch.strided:
            return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
        key = (storage_of(tensor), tensor.dtype)
        if key not in self._storages:
            elements = tensor.untyped_storage().nbytes() // tensor.element_size()
            self._storages[key] = torch.empty(elements, dtype=tensor.dtype, device="meta")
            self._kept_alive.append(tensor)
        return self._storages[key].as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


class _CopiesToMeta(TorchFunctionMode):
    """While a network is deeply copied, tensors that are no parameters or buffers go to the meta device as well.

    torch refuses to copy one that was computed with gradients, as ``weight_norm`` and pruning leave as attributes.
    """

    def __init__(self, shapes: MetaStorages) -> None:
        super().__init__()
        self._shapes = shapes

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is Tensor.__deepcopy__:
            tensor, known = args
            with torch._C.DisableTorchFunction(), torch.no_grad():
                known[id(tensor)] = _alike(tensor, self._shapes)
            return known[id(tensor)]
        return function(*args, **(kwargs or {}))


def _alike(tensor: Tensor, shapes: MetaStorages) -> Tensor:
    with torch.no_grad():
        found = shapes.alike(tensor)
    return nn.Parameter(found, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else found


def dtype_of(network: nn.Module) -> torch.dtype:
    """What the network computes in: half or double weights want such an image."""
    return next((tensor.dtype for tensor in network.parameters() if tensor.is_floating_point()), torch.float32)


def storage_of(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def stored_elements(tensors: Iterator[Tensor]) -> int:
    """How many numbers ``tensors`` are, each place of a storage once: tied weights are stored once."""
    parts: dict[int, dict[tuple[Any, ...], int]] = {}
    whole: dict[int, int] = {}
    for tensor in tensors:
        place = (tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
        parts.setdefault(storage_of(tensor), {})[place] = tensor.numel()
        whole[storage_of(tensor)] = tensor.untyped_storage().nbytes() // tensor.element_size()
    return sum(min(sum(places.values()), whole[storage]) for storage, places in parts.items())


def plain_tensors(network: nn.Module) -> Iterator[Tensor]:
    """Floating-point tensors that modules hold as ordinary attributes, or in lists, tuples and dicts of these."""
    registered = {id(tensor) for tensor in (*network.parameters(), *network.buffers())}
    for module in network.modules():
        for name, value in vars(module).items():
            may_hold = isinstance(value, Tensor) or (isinstance(value, dict | list | tuple) and value)
            if may_hold and name not in ("_parameters", "_buffers", "_modules"):
                for tensor in _inside(value):
                    if id(tensor) not in registered and tensor.is_floating_point():
                        yield tensor


def _inside(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _inside(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _inside(inner)


def _without_wrapper(network: nn.Module) -> nn.Module:
    """The network that DataParallel or a compiled module wraps; importing torch's compiler takes seconds, so that it
    is only asked where somebody has done it."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    compiler = sys.modules.get("torch._dynamo.eval_frame")
    while True:
        if isinstance(network, wrappers):
            network = network.module
        elif compiler is not None and isinstance(network, compiler.OptimizedModule):
            network = network._orig_mod
        else:
            return network
