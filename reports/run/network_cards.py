"""What the page tells of a network when its point or its row is chosen."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from evaluators.quantities import cost_texts
from reports.run.advice import beats_baseline, recommended
from reports.run.describe import description_parts, in_words, made_of
from search.pareto import front, front_rung
from search.records import RunResult, TrialRecord
from search.storage.artifacts import kept_weights_name

MOST_OTHERS = 300  # networks off the front that the page tells about one by one


def weights_name(trial: TrialRecord) -> str:
    """Where the weights of a front member lie in a run's folder."""
    return kept_weights_name(trial.trial)


def listed(run: RunResult) -> frozenset[int]:
    """Numbers of the networks that the page tells about one by one: the front, the papers', and the best others.

    Of a run with at most ``MOST_OTHERS`` others at the front's rung it is every network there.
    """
    rung, members = front_rung(run), {trial.trial for trial in front(run)}
    there = [trial for trial in run.trials if trial.at_rung(rung) is not None]
    others = [trial for trial in there if not trial.is_fixed and trial.trial not in members]
    best = heapq.nlargest(MOST_OTHERS, others, key=lambda trial: (trial.at_rung(rung).psnr_db, -trial.trial))
    left_off = {trial.trial for trial in others} - {trial.trial for trial in best}
    return frozenset(trial.trial for trial in there) - left_off


def network_cards(run: RunResult, shown: Mapping[str, TrialRecord], has_weights: bool = True) -> dict[str, Any]:
    """By trial number, of every network that is ``listed``: its words, figures, knobs and weights.

    Args:
        shown: the networks that the page has pictures of, by their label (``reports.run.shown.shown_members``).
        has_weights: the page lies in the folder of the run, beside ``weights/``.
    """
    rung, members, best_choice = front_rung(run), {trial.trial for trial in front(run)}, recommended(run)
    numbers = listed(run)
    pictures = {trial.trial: label for label, trial in shown.items()}
    return {
        str(trial.trial): {
            "title": f"#{trial.trial}" + (f" {in_words(trial)}" if trial.is_fixed else ""),
            "notes": _notes(trial, run, members, trial is best_choice),
            "quality": _quality(trial, run, rung),
            "costs": cost_texts(trial.costs),
            "parts": [*description_parts(trial.architecture), *filter(None, [trial.compression.words])],
            "knobs": [f"{name} {value}" for name, value in trial.knobs.items()],
            "key": trial.architecture.key,
            "weights": weights_name(trial) if has_weights and trial.trial in members else None,
            "label": pictures.get(trial.trial),
            "row": trial.trial in members or trial.is_fixed,
        }
        for trial in run.trials
        if trial.trial in numbers
    }


def _notes(trial: TrialRecord, run: RunResult, members: set[int], is_recommended: bool) -> list[str]:
    if not beats_baseline(run, trial):
        return [f"no better than {run.settings.rules.show.baseline_in_words}"]
    on_front = ["on the front"] if trial.trial in members else ["not on the front"]
    made = [made_of(trial)] if trial.descent else []
    return [*made, *(["recommended"] if is_recommended else []), *on_front]


def _quality(trial: TrialRecord, run: RunResult, rung: int) -> str:
    psnr_db = trial.at_rung(rung).psnr_db
    gain_db = psnr_db - run.baseline_psnr_db
    return f"{psnr_db:.3f} dB, {gain_db:+.2f} over {run.settings.rules.show.baseline_in_words}"
