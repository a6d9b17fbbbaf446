"""Pictures for a model: pairs to measure it on, and images from which int8 takes its ranges."""

from __future__ import annotations

import numpy as np

from evaluators import data
from evaluators.export.pictures import fitted, network_image
from evaluators.images.pair_folders import NamedPair
from evaluators.tasks import Pair, TaskRules
from search.experiments.data_specs import DataSpec
from space.errors import UserError

MOST_CALIBRATED = 16  # pictures, which bounds the time of a calibration


def pairs_of(rules: TaskRules | None, spec: DataSpec, validates: bool) -> tuple[TaskRules | None, tuple[Pair, ...]]:
    """The pairs of ``spec``, and the rules by which they are measured; neither of a network without a task.

    Raises:
        UserError: the pictures cannot be used.
    """
    if rules is None:
        return None, ()
    images = spec.pictures(rules, validates)
    given = isinstance(images[0], NamedPair)
    rules = rules.of_pairs(training=given, validation=given)
    return rules, data.validation_pairs(images, rules)


def calibration_images(rules: TaskRules | None, spec: DataSpec | None, size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Inputs `(1, C, h, w)` of ``size`` (width, height), float32, of pictures on which a network may be trained.

    Raises:
        UserError: there is no task or no spec, or the pictures cannot be used.
    """
    if rules is None or spec is None:
        raise UserError(
            "--dtype int8 needs pictures of the network's task for its ranges, got a network without a task"
        )
    _, pairs = pairs_of(rules, spec, validates=False)
    chosen = pairs[:: -(-len(pairs) // MOST_CALIBRATED)]
    cut = [fitted(pair, size, 1) for pair in chosen]
    return tuple(network_image(rules.degrade.network_input(pair.degraded)) for pair in cut)
