"""Prune a network in steps, each of which has to pay."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.compression.pruning.importance import IMPORTANCES, NEED_GRADIENTS, importances
from evaluators.compression.pruning.staircase import widened
from evaluators.costs import architecture_costs
from space.architecture import Architecture
from space.channels import ChannelMap, channel_map, narrow
from space.channels.multiplied import multiplied_groups
from space.errors import UserError
from space.specialists import networks_of

SCOPES = ("global", "uniform")
LARGEST_RATIO = 0.95
COSTED_AT = (320, 180)  # (width, height) of the input of which multiply-accumulates are saved, where no cost is given

Cost = Callable[[Architecture], float]


@dataclass(frozen=True)
class Step:
    """One round of removing channels: how many units are left of those that cost, and the cost before and after."""

    units: int
    cost_before: float
    cost_after: float
    taken: bool


@dataclass(frozen=True)
class Pruned:
    """A smaller network with what is left of the weights; ``steps`` in order, those that did not pay among them."""

    architecture: Architecture
    network: nn.Module
    steps: tuple[Step, ...]


def prune(
    arch: Architecture,
    network: nn.Module,
    ratio: float,
    *,
    importance: str = "magnitude",
    scope: str = "global",
    steps: int = 1,
    cost: Cost | None = None,
    gradients: Callable[[nn.Module], None] | None = None,
    fine_tune: Callable[[nn.Module], None] | None = None,
) -> Pruned:
    """Remove the share ``ratio`` of all units of channels (``space.channels``), the least important ones first.

    Every group keeps a unit; groups that cost nothing, such as those of branches that are folded, stay whole. After a
    step, groups are widened as far as the cost stays the same: to the next stair of a latency table, never to a
    multiple of some number. A step that does not lower the cost is not taken; the next one removes a larger share.

    >>> import space, evaluators
    >>> from evaluators.compression.pruning import prune
    >>> arch = space.ZOO["espcn"].architecture
    >>> pruned = prune(arch, space.build(arch), 0.5)
    >>> evaluators.cost(pruned.network, (320, 180)).params < evaluators.cost(arch, (320, 180)).params / 2
    True

    Args:
        network: that of ``arch``; it is changed. Specialists lose the same units, by the mean of their importances.
        ratio: above 0, at most 0.95.
        importance: a measure of ``evaluators.compression.pruning.importance``.
        scope: ``global`` ranks the units of all groups together, each over the mean of its group; ``uniform`` removes
            the share of every group.
        steps: in which the share grows evenly.
        cost: what is to fall, such as predicted milliseconds (default: multiply-accumulates at 320x180).
        gradients: leaves gradients of the loss on a network's weights; ``taylor`` needs it.
        fine_tune: trains the network after each step that is taken.

    Raises:
        UserError: a value is out of range, the architecture is pruned already, it has no channels to remove, or
            the share of them is less than one.
    """
    _check(arch, ratio, importance, scope, gradients is not None)
    price = cost or _macs
    base = channel_map(network, arch.shape.in_channels)
    whole = {name: group.size for name, group in base.groups.items()}
    if not whole:
        raise UserError("a network must have channels between its image and its output to be pruned, got none")
    before, taken, base_arch = price(arch), [], arch
    sure = multiplied_groups(arch) if cost is None else frozenset()
    costly = {
        name for name in whole if name in sure or price(_with_widths(base_arch, whole, whole | {name: 1})) < before
    }
    if not costly:
        return Pruned(arch, network, (Step(0, before, before, False),))
    _check_removes({name: whole[name] for name in costly}, ratio, scope)
    channels = base
    for step in range(1, steps + 1):
        scores = _scores(network, channels, importance, gradients)
        counted = {name: scores[name] for name in scores if name in costly}
        counts = _counts(counted, {name: whole[name] for name in costly}, scope, 1 - ratio * step / steps)
        counts |= {name: len(values) for name, values in scores.items() if name not in costly}
        uneven = _uneven(channels) & costly
        # Multiply-accumulates have no stairs but those of parts that narrow themselves.
        most = {name: len(values) for name, values in counted.items() if cost is not None or name in uneven}
        if most:
            price_of = partial(_price_of, price, base_arch, whole, dict(counts))
            counts |= widened({name: counts[name] for name in most}, most, price_of, uneven)
        smaller = _with_widths(base_arch, whole, counts)
        after = price(smaller)
        pays = after < before
        taken.append(Step(sum(counts.get(name, 1) for name in costly), before, after, pays))
        if not pays:
            continue
        kept = {
            name: sorted(torch.topk(scores[name], count).indices.tolist())
            for name, count in counts.items()
            if count < channels.groups[name].size
        }
        narrow(network, channels, kept)
        channels = channels.narrowed(kept)
        arch, before = smaller, after
        if fine_tune is not None:
            fine_tune(network)
    return Pruned(arch, network, tuple(taken))


def _uneven(channels: ChannelMap) -> set[str]:
    """The groups with channels of a part that narrows itself: to a form that may cost more than that of a wider one."""
    units = {int(unit) for part in channels.parts.values() for unit in part}
    return {name for name, group in channels.groups.items() if units & set(group.units)}


def _check(arch: Architecture, ratio: float, importance: str, scope: str, has_gradients: bool) -> None:
    if not (math.isfinite(ratio) and 0 < ratio <= LARGEST_RATIO):
        raise UserError(
            f"the share of channels to prune must be above 0 and at most {LARGEST_RATIO:g}, got {ratio:g}; try 0.5"
        )
    for name, value, known in (("importance", importance, IMPORTANCES), ("scope", scope, SCOPES)):
        if value not in known:
            raise UserError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    if importance in NEED_GRADIENTS and not has_gradients:
        raise UserError(f"importance {importance} needs gradients of the loss, got none; try magnitude")
    if arch.widths:
        raise UserError("a network is pruned once, from its whole width: this one is pruned already; take its parent")


def _check_removes(whole: Mapping[str, int], ratio: float, scope: str) -> None:
    units = max(whole.values()) if scope == "uniform" else sum(whole.values())
    if round((1 - ratio) * units) >= units:
        of = f"the widest group has {units} channels" if scope == "uniform" else f"{units} channels can be pruned"
        raise UserError(f"the share to prune must remove a channel, got {ratio:g} where {of}; try {1 / units:.2g}")


def _macs(arch: Architecture) -> float:
    return architecture_costs(arch, COSTED_AT).macs


def _scores(
    network: nn.Module, channels: ChannelMap, importance: str, gradients: Callable[[nn.Module], None] | None
) -> dict[str, Tensor]:
    networks = networks_of(network)
    if importance in NEED_GRADIENTS and gradients is not None:
        network.zero_grad(set_to_none=True)
        gradients(network)
    each = [importances(one, channels, importance) for one in networks]
    network.zero_grad(set_to_none=True)
    return {name: torch.stack([scores[name] for scores in each]).mean(0) for name in channels.groups}


def _counts(scores: Mapping[str, Tensor], whole: Mapping[str, int], scope: str, share: float) -> dict[str, int]:
    """How many units of each group stay, so that ``share`` of the ``whole`` stays; at least one of each."""
    if scope == "uniform":
        return {name: min(len(values), max(1, round(share * whole[name]))) for name, values in scores.items()}
    names = list(scores)
    values = np.concatenate([np.sort(scores[name].numpy())[::-1] for name in names])
    owners = np.repeat(np.arange(len(names)), [len(scores[name]) for name in names])
    best = np.concatenate([np.arange(len(scores[name])) == 0 for name in names])  # of its group
    order = np.lexsort((-values, ~best))
    chosen = owners[order[: max(len(names), round(share * sum(whole.values())))]]
    return {name: int((chosen == index).sum()) for index, name in enumerate(names)}


def _price_of(
    price: Cost, arch: Architecture, whole: Mapping[str, int], counts: Mapping[str, int], tried: Mapping[str, int]
) -> float:
    """Of ``arch`` with ``counts`` of units, some of which are ``tried`` with others."""
    return price(_with_widths(arch, whole, {**counts, **tried}))


def _with_widths(arch: Architecture, whole: Mapping[str, int], counts: Mapping[str, int]) -> Architecture:
    widths: Sequence[tuple[str, int]] = sorted(
        (name, counts.get(name, 1)) for name, size in whole.items() if counts.get(name, 1) < size
    )
    return replace(arch, widths=tuple(widths))
