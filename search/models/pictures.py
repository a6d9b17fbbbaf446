"""Pictures for a model: pairs to measure it on, and images from which int8 takes its ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluators import data
from evaluators.data import Picture
from evaluators.export.pictures import fitted, network_image
from evaluators.images.pair_folders import NamedPair
from evaluators.tasks import Pair, TaskRules
from search.experiments.data_specs import DataSpec
from space.errors import UserError

MOST_CALIBRATED = 16  # pictures, which bounds the time of a calibration


@dataclass(frozen=True)
class Calibration:
    """Inputs `(1, C, h, w)` of one size, float32, and of which pictures they are, in words."""

    images: tuple[np.ndarray, ...] = ()
    described: str = ""


def pairs_of(rules: TaskRules | None, spec: DataSpec, validates: bool) -> tuple[TaskRules | None, tuple[Pair, ...]]:
    """The pairs of ``spec``, and the rules by which they are measured; neither of a network without a task.

    Raises:
        UserError: the pictures cannot be used.
    """
    return (None, ()) if rules is None else pairs_made(rules, spec.pictures(rules, validates))


def pairs_made(rules: TaskRules, found: Sequence[Picture]) -> tuple[TaskRules, tuple[Pair, ...]]:
    """As ``pairs_of``, of pictures that are read."""
    given = isinstance(found[0], NamedPair)
    rules = rules.of_pairs(training=given, validation=given)
    return rules, data.validation_pairs(found, rules)


def calibration_of(rules: TaskRules | None, spec: DataSpec | None, size: tuple[int, int]) -> Calibration:
    """Of ``size`` (width, height), of pictures on which a network may be trained.

    Raises:
        UserError: there is no task or no spec, or the pictures cannot be used.
    """
    if rules is None or spec is None:
        raise UserError(
            "--dtype int8 needs pictures of the network's task for its ranges, got a network without a task"
        )
    found = spec.pictures(rules, validates=False)
    _, pairs = pairs_made(rules, found)
    chosen = pairs[:: -(-len(pairs) // MOST_CALIBRATED)]
    cut = [fitted(pair, size, 1) for pair in chosen]
    images = tuple(network_image(rules.degrade.network_input(pair.degraded)) for pair in cut)
    return Calibration(images, spec.describe(found, rules, validates=False))
