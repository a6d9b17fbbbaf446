"""The teacher of an ablation: a network that the user names, or one that is trained first."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluators.data import validation_pairs
from evaluators.quality import evaluate
from latency_tables.cli.console import Console
from search.cli.experiments import run_session
from search.experiments.ablations import Comparison
from search.experiments.data_specs import pictures
from search.experiments.sessions import TrainingSession
from search.experiments.teachers import teacher_named
from search.experiments.training import WEIGHTS_FILE
from search.models.model import Model
from space.command_line import parse_count
from space.errors import UserError


def check_unused(options: argparse.Namespace) -> None:
    """Raises: UserError: a teacher is named for an ablation that has none."""
    for name in ("teacher", "teacher_weights"):
        if getattr(options, name) is not None:
            option = name.replace("_", "-")
            raise UserError(f"--{option} is of ablations with a teacher, got it with {options.name}; leave it out")


def taught(
    ablation: Comparison,
    options: argparse.Namespace,
    session: TrainingSession,
    train: tuple[str, ...],
    console: Console,
) -> tuple[tuple[Comparison, str] | None, int]:
    """``ablation`` with its teacher, and who that is in a sentence; None and the exit status if it is not trained yet.

    Raises:
        UserError: the named network cannot teach, or the weights of the default one are not given.
    """
    spec, weights = options.teacher or ablation.teacher, options.teacher_weights
    trained = ""
    if options.teacher is None and weights is None:
        if not ablation.trains_teacher:
            raise UserError(
                f"{ablation.name} needs the weights of its teacher, {ablation.teacher}, got none; give them with "
                "--teacher-weights, or another network with --teacher"
            )
        steps = parse_count("--teacher-steps", options.teacher_steps, 1)
        training = ablation.teacher_training(steps, train, (options.test,))
        outcome, status = run_session([training], session, console)
        if not outcome.finished:
            return None, status
        spec = str(session.artifacts_of(training).where(WEIGHTS_FILE))
        trained = f", trained first for {steps:,} steps (`{training.plan}`)"
    for kind in ablation.taught_kinds:
        model, teacher = teacher_named(spec, weights, ablation.rules, kind)
    source = f" with {Path(weights).name}" if weights else ""
    params = sum(value.numel() for value in model.network.parameters())
    said = (
        f"The teacher: {model.name}{source}, {params:,} parameters, fingerprint {teacher.fingerprint}{trained}; "
        f"{_psnr_db(model, ablation, options, session):.2f} dB on the same pictures."
    )
    return (ablation.taught_by(teacher), said), 0


def _psnr_db(model: Model, ablation: Comparison, options: argparse.Namespace, session: TrainingSession) -> float:
    rules, device = ablation.rules, session.precision.device
    pairs = validation_pairs(pictures(options.test, session.data_root, rules, validates=True), rules)
    return evaluate(model.network.to(device), pairs, rules, device).psnr_db
