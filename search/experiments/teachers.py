"""Teachers by name: found, checked against the task of the student, and found again by the process that trains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import nn

from evaluators.tasks import TaskRules
from evaluators.training.distillation import Distillation
from evaluators.training.feature_loss import FeatureLoss, feature_layers
from evaluators.training.spectrum_loss import SpectrumLoss
from evaluators.training.trainer import Loss
from search.experiments.loss_spec import Distil, LossSpec, TeacherName, parse_weight
from search.experiments.start_network import check_output, fingerprint
from search.models.model import Model
from search.models.named import KINDS, model_named
from space.architecture import Architecture
from space.errors import UserError
from space.specialists import Specialists


def teacher_named(spec: str, weights: str | None, rules: TaskRules, kind: str) -> tuple[Model, TeacherName]:
    """The network that ``spec`` names, to teach one of ``rules`` what ``kind`` says, and how it is found again.

    Raises:
        UserError: there is none of that name, it was never trained, it is of another task, scale or channels, or made
            for other options; or it cannot teach that.
    """
    model = _model(spec, weights, rules)
    if kind == "features":
        _check_features(spec, model, rules)
    return model, TeacherName(spec, weights or "", teacher_fingerprint(model))


def added_loss(texts: Mapping[str, str], rules: TaskRules) -> LossSpec:
    """What the options of ``train`` add to the task's own loss; ``texts`` are as typed, by their names with ``_``.

    Raises:
        UserError: one is of a teacher and none is given, or as ``teacher_named``.
    """
    spectrum = parse_weight("--spectrum-weight", texts.get("spectrum_weight", "0"))
    if "teacher" not in texts:
        for option in ("teacher_weights", "distil", "distil_weight"):
            if option in texts:
                name = option.replace("_", "-")
                raise UserError(f"--{name} is of a teacher, got {texts[option]!r} without one; give --teacher NAME")
        return LossSpec(spectrum_weight=spectrum)
    weight = parse_weight("--distil-weight", texts.get("distil_weight", "1"))
    distil = Distil(texts.get("distil", "output"), weight)
    _, teacher = teacher_named(texts["teacher"], texts.get("teacher_weights"), rules, distil.kind)
    return LossSpec(replace(distil, teacher=teacher), spectrum)


def loss_of(spec: LossSpec, rules: TaskRules) -> Loss:
    """The loss that ``spec`` says, with its teacher read from its files.

    Raises:
        UserError: the teacher's files are gone, or hold another network than the training was begun with.
    """
    loss: Loss = rules.measure.loss
    if spec.distil is not None:
        loss = _distilling(spec.distil, rules, loss)
    return SpectrumLoss(loss, spec.spectrum_weight) if spec.spectrum_weight else loss


def teacher_of(distil: Distil, rules: TaskRules) -> nn.Module:
    """The teacher that a training was begun with; raises as ``loss_of``."""
    assert distil.teacher is not None
    own = distil.teacher
    model, found = teacher_named(own.name, own.weights or None, rules, distil.kind)
    if found.fingerprint != own.fingerprint:
        raise UserError(
            f"the teacher {own.name} must stay what training was begun with (fingerprint {own.fingerprint}), got "
            f"{found.fingerprint}; put its weights back, or train in another folder"
        )
    return model.network


def teacher_fingerprint(model: Model) -> str:
    """Sixteen hex digits: two networks of the same tensors that compute another thing have others."""
    key = model.architecture.key if isinstance(model.architecture, Architecture) else model.name
    return hashlib.sha256(f"{key} {fingerprint(model.network)}".encode()).hexdigest()[:16]


def _distilling(distil: Distil, rules: TaskRules, pixels: Loss) -> nn.Module:
    network = teacher_of(distil, rules)
    if distil.kind == "features":
        return FeatureLoss(pixels, network, distil.weight)
    return Distillation(pixels, network, distil.weight)


def _model(spec: str, weights: str | None, rules: TaskRules) -> Model:
    path = Path(weights) if weights else None
    if KINDS["FILE.pt2"].is_meant(spec):
        raise UserError(
            f"--teacher must be a network that Python code makes, got {spec}, a graph that is fixed; give the "
            "MODULE:FACTORY that it was exported from"
        )
    model = model_named(spec, path)
    if KINDS["MODULE:FACTORY"].is_meant(spec):
        check_output(spec, model.network, rules)
        return model
    own = model.rules
    if own is None or model.architecture is None:
        raise UserError(f"--teacher must be a network that says its task, got {spec!r}, which does not; choose another")
    if not model.has_weights:
        raise UserError(f"--teacher must be a trained network, got {spec!r} without weights; give --teacher-weights")
    asked = {"task": rules.task, "scale": rules.scale, "channels": rules.channels}
    for name, wanted in asked.items():
        if getattr(own, name) != wanted:
            raise UserError(
                f"--teacher must be for {name} {wanted}, as the network that it teaches, got {spec!r}, which is for "
                f"{getattr(own, name)}; choose another"
            )
    if isinstance(model.network, Specialists):
        raise UserError(
            f"--teacher must be one network for all noise levels, got {spec!r}, {len(model.network.networks)} "
            "specialists; choose another"
        )
    return model_named(spec, path, rules.scale if rules.scale != 1 else None, rules.options)


def _check_features(spec: str, model: Model, rules: TaskRules) -> None:
    shape = rules.shape
    if shape.in_channels != shape.out_channels or shape.scale != 1:
        raise UserError(
            f"--distil features is for tasks whose networks take what they give, got {rules.title}, which takes "
            f"{shape.in_channels} channels and gives {shape.out_channels}"
            + (f" at {shape.scale} times the size" if shape.scale != 1 else "")
            + "; give --distil output"
        )
    try:
        feature_layers(model.network)
    except ValueError as error:
        raise UserError(
            f"--distil features needs a teacher whose layers are known, got {spec!r} ({error}); give --distil output"
        ) from None
