"""Classical methods beside the networks: a line where it fits, words in every caption, a picture in the strips."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from evaluators import data
from evaluators.quantities import QUANTITIES
from evaluators.tasks import rules_of
from reports.run.chart_labels import label_sets
from reports.run.front import write_front
from reports.run.headline import against_classical_baselines
from reports.run.html import report_html
from reports.run.pareto_plot import pareto_figure
from reports.run.pareto_view import pareto_view
from reports.run.pictures import make_strips
from reports.run.tables import front_table
from search.pareto import front, front_rung

MACS = QUANTITIES["macs"]


@pytest.fixture(scope="module")
def best_db(run) -> float:
    return max(trial.at_rung(front_rung(run)).psnr_db for trial in front(run))


def measured(run, db: float):
    return dataclasses.replace(run, classical_baselines_db={"diffusion": db})


def test_a_line_near_the_front_is_drawn_also_above_it(run, best_db) -> None:
    view = pareto_view(measured(run, best_db + 0.05), MACS)
    assert view.lines_db["diffusion"] == best_db + 0.05
    words = f"diffusion {best_db + 0.05:.2f} dB"
    assert all([words] in [each["lines"] for each in labels["labels"]] for labels in label_sets(view, 400))
    axes = pareto_figure(measured(run, best_db + 0.05)).axes[0]
    assert words in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("away_db", [-40.0, 40.0])
def test_far_from_the_front_it_is_only_in_the_caption(run, best_db, away_db: float) -> None:
    view = pareto_view(measured(run, best_db + away_db), MACS)
    assert "diffusion" not in view.lines_db
    assert f"diffusion, no network, {best_db + away_db:.2f} dB" in view.caption


@pytest.mark.parametrize(("more_db", "word"), [(1.25, "more"), (-1.25, "less")])
def test_the_page_the_terminal_and_the_files_say_it(run, best_db, tmp_path, more_db: float, word: str) -> None:
    known = measured(run, best_db + more_db)
    (sentence,) = against_classical_baselines(known)
    assert sentence.startswith(f"Diffusion, which needs no network, reaches {best_db + more_db:.2f} dB: 1.25 dB {word}")
    assert sentence in report_html(known)
    assert f"diffusion, no network: {best_db + more_db:.2f} dB" in front_table(known).caption
    _, record = write_front(known, tmp_path)
    assert json.loads(record.read_text())["classical_baselines_db"] == known.classical_baselines_db


def test_a_run_that_measured_none_says_nothing(run, best_db: float) -> None:
    assert against_classical_baselines(run) == ()
    near = dataclasses.replace(run, baseline_psnr_db=best_db + 0.5)
    assert pareto_view(near, MACS).lines_db == {"bicubic": best_db + 0.5}
    assert "no network" not in pareto_view(run, MACS).caption


def test_the_strips_show_it_and_the_window_is_the_network_s() -> None:
    rules = rules_of("inpaint")
    pair = data.validation_pairs(data.validation_images(None, rules)[:1], rules)[0]
    network = pair.degraded[..., :3].copy()
    network[100:, 100:] = pair.target[100:, 100:]  # right where diffusion is not shown to be best
    outputs = {"filled input": pair.degraded[..., :3], "diffusion": pair.target, "best: #7": network}
    (strip,) = make_strips([pair], {name: [output] for name, output in outputs.items()}, rules, {"best: #7": "1 MACs"})
    labels = [crop.label for crop in strip.crops]
    assert labels == ["filled input", "diffusion", "best: #7", "original"]
    assert strip.crops[1].sub_label.endswith("\nno network")
    (alone,) = make_strips([pair], {name: [outputs[name]] for name in labels[:3:2]}, rules, {"best: #7": "1 MACs"})
    assert np.array_equal(strip.crops[-1].pixels, alone.crops[-1].pixels)
