"""Protocols: how the steps of a training are made, by a name that says how long it is meant to be."""

from __future__ import annotations

from dataclasses import replace

from evaluators.tasks import TaskRules
from evaluators.training.plan import TrainingPlan


def _short_protocol(rules: TaskRules, steps: int) -> TrainingPlan:
    """As the search trains its candidates: small patches, and a rate that has no end in view."""
    return rules.degrade.plan


def _long_protocol(rules: TaskRules, steps: int) -> TrainingPlan:
    """For trainings of many thousand steps: patches of twice the side, and a rate that falls to zero at the end."""
    return replace(rules.degrade.plan, patch_px=2 * rules.degrade.plan.patch_px, decay_steps=steps)


def _large_batch_protocol(rules: TaskRules, steps: int) -> TrainingPlan:
    """As ``_long_protocol``, with four times the batch, for GPUs: a phone-sized network leaves one idle otherwise.

    The rate is that of the small batch; what a large one would allow beyond that was not measured.
    """
    plan = _long_protocol(rules, steps)
    return replace(plan, batch=4 * plan.batch)


PROTOCOLS = {"short": _short_protocol, "long": _long_protocol, "large-batch": _large_batch_protocol}
