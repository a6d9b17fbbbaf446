"""What a run leaves behind: weights of the front, tables, plots, pictures and the page."""

from __future__ import annotations

import math
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.text import Text

from evaluators import data
from evaluators.evaluate import restore
from evaluators.tasks import TaskRules
from evaluators.training.weights import load_weights
from latency_tables.cli.console import Console
from search.pareto import front, front_rung
from search.records import RunResult, TrialRecord
from search.run_files import read_run
from search.session import Session
from search.storage import is_run
from search.storage.artifacts import LocalArtifacts, measured_weights_name
from space.build import build
from space.errors import UserError
from space.specialists import network_at

MAX_PICTURES = 12


def finish(
    folder: Path,
    console: Console,
    status: int,
    as_json: bool,
    session: Session | None = None,
    frames: Sequence[data.Pair] = (),
) -> int:
    """Write everything, show the front and the page's path; returns ``status``, or 1 if nothing was measured yet.

    The page also shows ``frames`` (``evaluators.data.frame_pairs``), or those of ``session``.
    """
    from reports.run.tables import front_table

    run = read_run(folder)
    if not any(trial.rungs for trial in run.trials):
        console.print("No network has completed its first rung yet; the same command continues.")
        return status or 1
    page = write_outputs(run, folder, session, frames or (session.data.frames if session else ()))
    if as_json:
        print((folder / "front.json").read_text("utf-8"))
    else:
        console.print(front_table(run, console.width))
    console.print(f"page: {page}", soft_wrap=True, highlight=False)
    print_advice(run, folder, console)
    return status


def print_advice(run: RunResult, folder: Path, console: Console) -> None:
    """Which network to take, and what to type next; the Python that loads it last, ready to be pasted."""
    from reports.run.advice import alternatives, recommendation
    from reports.run.next_steps import next_steps
    from reports.text import printable

    console.print(Text("\n".join(("", recommendation(run), *alternatives(run)))))
    for step in next_steps(run, folder):
        lines = textwrap.indent(step.text.rstrip(), "    ")
        console.print(Text(printable(f"\n{step.purpose}:\n{lines}")), soft_wrap=True)


def write_outputs(
    run: RunResult, folder: Path, session: Session | None = None, frames: Sequence[data.Pair] = ()
) -> Path:
    """Write the front's weights and all reports into ``folder``; returns the path of the page.

    The page has pictures where the validation images can be had: from ``session``, or the embedded ones.
    """
    from reports.run.report import write_all

    keep_weights(run, folder)
    strips = picture_strips(run, folder, validation_images(run, session))
    return write_all(run, folder, strips, frame_strips=frame_strips(run, folder, frames))


def keep_weights(run: RunResult, folder: Path) -> None:
    """Copy the averaged weights of the front's members, as measured on the front's rung, to ``weights/``."""
    target = folder / "weights"
    target.mkdir(exist_ok=True)
    rung, wanted = front_rung(run), {}
    for trial in front(run):
        source = LocalArtifacts(folder).get(measured_weights_name(trial.trial, rung))
        if source is not None:
            wanted[f"trial-{trial.trial}.safetensors"] = source
    for stale in set(target.iterdir()) - {target / name for name in wanted}:
        stale.unlink()
    for name, source in wanted.items():
        shutil.copyfile(source, target / name)


def validation_images(run: RunResult, session: Session | None) -> Sequence[data.NamedImage]:
    if session is not None:
        return session.data.val
    if run.settings.val_data.startswith(data.EMBEDDED):
        return data.validation_images(None, run.settings.rules)
    return ()


def picture_strips(run: RunResult, folder: Path, images: Sequence[data.NamedImage]) -> tuple:
    """Strips of input, baseline, classical methods, networks and truth, without networks that cannot be run
    (``_restored``)."""
    from reports.run.pictures import make_strips

    rules = run.settings.rules
    pairs = data.validation_pairs(images, rules)[:MAX_PICTURES]
    restored, notes = _shown(run, folder, pairs, rules)
    if not notes or not pairs:
        return ()
    return make_strips(pairs, restored, rules, notes)


def frame_strips(run: RunResult, folder: Path, pairs: Sequence[data.Pair]) -> tuple:
    """Strips of real frames, noisy and restored; ``pairs`` have no truth."""
    from reports.run.pictures import make_frame_strips

    rules = run.settings.rules
    restored, notes = _shown(run, folder, pairs, rules)
    pictures = {
        label: [rules.picture(output, pair) for output, pair in zip(outputs, pairs, strict=True)]
        for label, outputs in restored.items()
    }
    return make_frame_strips([pair.name for pair in pairs], pictures, notes) if notes else ()


def _shown(
    run: RunResult, folder: Path, pairs: Sequence[data.Pair], rules: TaskRules
) -> tuple[dict[str, list[np.ndarray]], dict[str, str]]:
    """By label, the outputs of the baseline, of classical methods and of the networks worth a picture, and the
    networks' costs in words."""
    from reports.run.quantities import all_costs
    from reports.run.shown import shown_members

    methods = {rules.baseline_name: rules.baseline, **rules.yardsticks}
    restored = {label: [method(pair.low) for pair in pairs] for label, method in methods.items()}
    notes = {}
    for label, trial in shown_members(run).items():
        outputs = _restored(trial, folder, front_rung(run), pairs, rules)
        if outputs is not None:
            restored[label], notes[label] = outputs, all_costs(trial.costs)
    return restored, notes


def _restored(
    trial: TrialRecord, folder: Path, rung: int, pairs: Sequence[data.Pair], rules: TaskRules
) -> list[np.ndarray] | None:
    """Its outputs; None where its weights are gone, or where specialists cannot know the noise level."""
    path = LocalArtifacts(folder).get(measured_weights_name(trial.trial, rung))
    is_shared = trial.architecture.shape.specialists > 1
    if path is None or (is_shared and any(math.isnan(pair.level) for pair in pairs)):
        return None
    network = build(trial.architecture).eval()
    load_weights(path, network)
    return [restore(network_at(network, pair.level), pair.low, rules) for pair in pairs]


def run_folder(name: str) -> Path:
    """The folder of a run that is given by its path, or by its name below ``runs/``.

    Raises:
        UserError: there is neither.
    """
    for folder in (Path(name), Path("runs") / name):
        if is_run(folder):
            return folder
    raise UserError(f"{name!r} must be a run's folder or its name in runs/, got neither; see: python -m search list")


def known_runs() -> list[Path]:
    """Folders of runs below ``runs/``."""
    return sorted(folder for folder in Path("runs").glob("*") if is_run(folder))
