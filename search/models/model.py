"""``Model``: a network with its weights, its task, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from evaluators.tasks import TaskRules
from space.architecture import Architecture


@dataclass(frozen=True, eq=False)
class Model:
    """A network as ``search.models.named.model_named`` finds it.

    Attributes:
        name: what a person calls it: ``mine#12``, ``smfanet``, the name of a model folder.
        network: float32, in eval mode, on the CPU, in its training form (not folded); ``Specialists`` where several
            networks share a range of noise levels.
        rules: the task that it restores, with its options; None of a user's own module or file that does not say.
        architecture: what ``network`` is built from; None of a user's own module or file.
        has_weights: whether the weights come from a training or a file; False where they are only initialised.
        facts: what is known besides, as JSON values, for cards: ``training`` (run, trial, rung, steps, plan, seed),
            ``data``, ``metrics``, ``weights`` (whose file), ``licence``, ``compression`` of
            a trial, ``compressed`` by the command ``compress``.
    """

    name: str
    network: nn.Module
    rules: TaskRules | None
    architecture: Architecture | None
    has_weights: bool
    facts: Mapping[str, Any] = field(default_factory=dict)


def float_layers(model: Model) -> tuple[str, ...]:
    """Paths of the modules that an int8 file of ``model`` computes in float, as its search or ``compress`` chose."""
    compressed = model.facts.get("compressed") or {}
    chosen = compressed.get("int8") or model.facts.get("compression") or {}
    return tuple(chosen.get("float_layers") or ())
