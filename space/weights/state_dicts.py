"""Which parts of a checkpoint are state dicts, in the order in which they are wanted, and their tensors as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from space.errors import UserError
from space.weights.stand_ins import Array

# Where published checkpoints keep a network's state dict, most wanted first. Averaged weights go before all of them:
# they are the ones that papers report (BasicSR writes ``params_ema`` beside ``params``).
WRAPPERS = (
    "params",
    "state_dict",
    "model_state_dict",
    "model",
    "network",
    "net",
    "netG",
    "net_g",
    "generator",
    "weights",
    "net_state_dict",
    "network_state_dict",
    "model_weights",
    "module",
)
AVERAGED = re.compile(r"(^|[_.-])(ema|averaged?|swa)($|[_.-])", re.IGNORECASE)
OTHERS = re.compile(
    r"optim|^opt($|_)|sched|scaler|discrim|^net_?d($|_)|^d($|_)|loss|criterion|moment", re.IGNORECASE
)  # parts of a checkpoint that are no network, or not the one that restores
PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "net.",
    "netG.",
    "net_g.",
    "network.",
    "generator.",
    "ema_model.",
    "ema.",
)
"""What wrappers of a network put before all of its names, also one in another, also beside names of other parts."""
COUNTERS = ("total_ops", "total_params", "n_averaged")  # of thop's profiler, and of torch's averaged model
SMALL = 0.02  # of the numbers in a checkpoint's largest state dict: a step or a loss history, not a network
DEEPEST = 8  # levels of nesting that are searched, and wrappers that are taken off a name
MOST = 100  # state dicts of one file that are looked at


@dataclass(frozen=True)
class StateDict:
    """Named tensors of a checkpoint. ``place`` is the keys that lead to them, joined by ``/``; empty at the top."""

    place: str
    tensors: Mapping[str, Tensor]

    @property
    def numbers(self) -> int:
        """How many numbers all tensors hold together."""
        return sum(value.numel() for value in self.tensors.values())

    @property
    def rank(self) -> tuple[int, int, int]:
        """Smaller is more wanted: averaged first, then by the known words, then what lies higher."""
        words = [word for word in self.place.split("/") if word]
        known = [WRAPPERS.index(word) for word in words if word in WRAPPERS]
        return (
            0 if any(AVERAGED.search(word) for word in words) else 1,
            known[-1] if known else len(WRAPPERS),
            len(words),
        )

    def forms(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """The tensors as named in the file, then without each prefix that wrappers put before them.

        Yields the prefix and the tensors under it. Names of other parts beside it, such as a discriminator's, are
        left out.
        """
        waiting: list[tuple[str, dict[str, Tensor]]] = [("", dict(self.tensors))]
        while waiting:
            taken, tensors = waiting.pop(0)
            yield taken, tensors
            if taken.count(".") >= DEEPEST:
                continue
            firsts = dict.fromkeys(name.partition(".")[0] + "." for name in tensors if "." in name)
            for prefix in firsts:
                under = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
                if prefix in PREFIXES or len(under) == len(tensors):
                    waiting.append((taken + prefix, under))


def state_dicts(content: Any) -> list[StateDict]:
    """All state dicts in a checkpoint, most wanted first; none of an optimizer, a discriminator or a loss."""
    found: list[StateDict] = []
    _collect(content, (), found)
    largest = max((state.numbers for state in found), default=0)
    return sorted((state for state in found if state.numbers >= SMALL * largest), key=lambda state: state.rank)


def _collect(node: Any, place: tuple[str, ...], found: list[StateDict]) -> None:
    if len(place) > DEEPEST or len(found) >= MOST or any(OTHERS.search(word) for word in place[-1:]):
        return
    items: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(node, Mapping):
        items = iter(node.items())
        tensors = {name: tensor for name, value in node.items() if (tensor := _tensor(value)) is not None}
        if all(isinstance(name, str) for name in tensors) and any(not _is_whole(v) for v in tensors.values()):
            found.append(StateDict("/".join(place), tensors))
    elif isinstance(node, list | tuple) and len(node) <= MOST:
        items = iter(enumerate(node))
    for name, value in items:
        if isinstance(value, Mapping | list | tuple):
            _collect(value, (*place, str(name)), found)


def _tensor(value: Any) -> Tensor | None:
    return value.tensor() if isinstance(value, Array) else value if isinstance(value, Tensor) else None


def _is_whole(value: Tensor) -> bool:
    """Whether it counts, as the state of a random generator does."""
    return not (value.is_floating_point() or value.is_complex() or value.is_quantized)


def is_counter(name: str) -> bool:
    return name.rpartition(".")[2] in COUNTERS


def as_weights(tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Copies of ``tensors`` as inference wants them: dense, float32 where they are floating point, all finite.

    Raises:
        UserError: a quantized, complex or empty-shelled (meta) tensor, or one with NaN or infinity.
    """
    weights = {}
    for name, value in tensors.items():
        if value.is_quantized or value.is_complex() or value.is_meta:
            kind = "quantized" if value.is_quantized else "complex" if value.is_complex() else "without its values"
            raise UserError(f"weights {where} must be ordinary numbers, got {name!r} {kind}; give the float32 file")
        dense = value.detach().to("cpu")
        dense = dense.to_dense() if dense.layout != torch.strided else dense
        if dense.is_floating_point():
            dense = dense.to(torch.float32)
            if not torch.isfinite(dense).all():
                what = "NaN" if torch.isnan(dense).any() else "infinity"
                raise UserError(
                    f"weights {where} must be finite, got {what} in {name!r}; the training that wrote them diverged: "
                    "give an earlier checkpoint"
                )
        weights[name] = dense
    return weights
