"""The outputs of a run: weights of the front, tables, plots, pictures and the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluators import data
from evaluators.quality import restore
from evaluators.quantities import cost_texts
from evaluators.tasks import Pair, TaskRules
from reports.run.network_cards import weights_name
from reports.run.pictures import Strip, make_frame_strips, make_strips
from reports.run.report import write_all
from reports.run.shown import shown_members
from search.models.trials import trained_network
from search.pareto import front, front_rung
from search.records import RunResult, TrialRecord
from search.storage.artifacts import LocalArtifacts, measured_weights_name
from space.files import write_atomically
from space.specialists import network_at

MAX_PICTURES = 12


def write_outputs(
    run: RunResult, folder: Path, images: Sequence[data.Picture] | None = None, frames: Sequence[Pair] = ()
) -> Path:
    """Write the front's weights and all reports into ``folder``; return the path of the page.

    The page has pictures if validation images are available: ``images``, or the embedded ones. It also shows
    ``frames`` (``evaluators.data.frame_pairs``).
    """
    _keep_weights(run, folder)
    if images is None:
        images = _embedded(run)
    strips = _picture_strips(run, folder, images)
    return write_all(run, folder, strips, frame_strips=_frame_strips(run, folder, frames))


def _keep_weights(run: RunResult, folder: Path) -> None:
    """Copy the averaged weights of the front's members, as measured on the front's rung, to ``weights/``.

    A copy whose original is gone stays, as long as its network is on the front.
    """
    target = folder / "weights"
    target.mkdir(exist_ok=True)
    rung, artifacts = front_rung(run), LocalArtifacts(folder)
    copies = {folder / weights_name(trial): measured_weights_name(trial.trial, rung) for trial in front(run)}
    for stale in set(target.iterdir()) - copies.keys():
        stale.unlink()
    for copy, name in copies.items():
        if (source := artifacts.get(name)) is not None:
            write_atomically(copy, source.read_bytes())


def _embedded(run: RunResult) -> Sequence[data.Picture]:
    """The embedded validation photographs, if that is what the run was measured on."""
    if run.settings.val_data.startswith(data.EMBEDDED):
        return data.validation_images(None, run.settings.rules)
    return ()


def _picture_strips(run: RunResult, folder: Path, images: Sequence[data.Picture]) -> tuple[Strip, ...]:
    """Strips of input, baseline, classical methods, networks and truth, without networks that cannot be run
    (``_restored``)."""
    rules = run.settings.rules
    pairs = data.validation_pairs(images, rules)[:MAX_PICTURES]
    restored, notes = _shown(run, folder, pairs, rules)
    if not notes or not pairs:
        return ()
    return make_strips(pairs, restored, rules, notes)


def _frame_strips(run: RunResult, folder: Path, pairs: Sequence[Pair]) -> tuple[Strip, ...]:
    """Strips of real frames, noisy and restored; ``pairs`` have no truth."""
    rules = run.settings.rules
    restored, notes = _shown(run, folder, pairs, rules)
    pictures = {
        label: [rules.show.picture(output, pair) for output, pair in zip(outputs, pairs, strict=True)]
        for label, outputs in restored.items()
    }
    return make_frame_strips([pair.name for pair in pairs], pictures, notes) if notes else ()


def _shown(
    run: RunResult, folder: Path, pairs: Sequence[Pair], rules: TaskRules
) -> tuple[dict[str, list[np.ndarray]], dict[str, str]]:
    """By label, the outputs of the baseline, of classical methods and of the networks worth a picture, and the
    networks' costs in words."""
    methods = {rules.measure.baseline_name: rules.measure.baseline, **rules.measure.classical_baselines}
    restored = {label: [method(pair.degraded) for pair in pairs] for label, method in methods.items()}
    notes = {}
    for label, trial in shown_members(run).items():
        outputs = _restored(trial, folder, front_rung(run), pairs, rules)
        if outputs is not None:
            restored[label], notes[label] = outputs, " · ".join(cost_texts(trial.costs))
    return restored, notes


def _restored(
    trial: TrialRecord, folder: Path, rung: int, pairs: Sequence[Pair], rules: TaskRules
) -> list[np.ndarray] | None:
    """Its outputs; None where its weights are gone, or where specialists cannot know the noise level."""
    is_shared = trial.architecture.shape.specialists > 1
    if is_shared and any(math.isnan(pair.level) for pair in pairs):
        return None
    network = trained_network(trial, folder, rung)
    if network is None:
        return None
    return [restore(network_at(network, pair.level), pair.degraded, rules) for pair in pairs]
