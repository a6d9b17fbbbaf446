"""The page of an ablation: means over seeds, differences seed by seed with their interval, costs of three phones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluators.costs import architecture_costs
from reports.experiments.ablation_page import page, variants, write_ablation
from reports.networks.counts import PHONES
from search.experiments.ablations import Comparison, comparison
from search.experiments.training import SetResult, TrainingRecord
from space.tasks import TASKS

GAINS_DB = {"none": (0.0, 0.0, 0.0), "head, 1x1": (0.1, 0.2, 0.3)}  # of seeds 0, 1, 2


def records_of(ablation: Comparison, seeds: int = 3) -> list[TrainingRecord]:
    """Of the variants in ``GAINS_DB``: seed s of the base has 30 + s dB."""
    size = TASKS[ablation.rules.task].input_sizes[ablation.rules.scale]
    found = []
    for training in ablation.trainings(1000, seeds, ("embedded",), ("embedded",)):
        if training.name in GAINS_DB:
            costs = architecture_costs(training.architecture, size)
            psnr_db = 30 + training.seed + GAINS_DB[training.name][training.seed]
            results = {"embedded": SetResult(psnr_db, 0.9, 20.0, 0.5, 6, "embedded: six pictures")}
            environment = {"device": "a CPU", "torch": "2", "commit": "abc"}
            found.append(
                TrainingRecord(
                    training,
                    costs.params,
                    costs.macs,
                    costs.peak_activation_bytes,
                    size,
                    results,
                    60.0,
                    "photographs",
                    environment,
                    "python -m search ablation malleconv",
                    "2026-01-01T00:00:00+00:00",
                )
            )
    return found


@pytest.fixture(scope="module")
def ablation() -> Comparison:
    return comparison("malleconv")


def test_differences_are_taken_seed_by_seed(ablation: Comparison) -> None:
    base, head = variants(ablation, records_of(ablation), "embedded")
    assert (base.name, head.name) == ("none", "head, 1x1")
    assert head.mean_db == pytest.approx(31.2)
    assert head.deviation_db == pytest.approx(np.std([30.1, 31.2, 32.3], ddof=1))
    gain, half = head.gain_over(base)
    assert gain == pytest.approx(0.2)
    assert half == pytest.approx(4.302652729911275 * 0.1 / 3**0.5)  # Student's t of two degrees of freedom
    assert base.gain_over(base) == (0.0, None)


def test_one_seed_has_no_spread(ablation: Comparison) -> None:
    base, head = variants(ablation, records_of(ablation, seeds=1), "embedded")
    assert head.deviation_db is None
    assert head.gain_over(base) == (pytest.approx(0.1), None)
    text = page(ablation, (base, head), records_of(ablation, seeds=1), "embedded")
    assert "| 30.100 | +0.100 | 1 | 60 |" in text


def test_the_page_holds_claim_costs_and_command(ablation: Comparison, tmp_path: Path) -> None:
    records = records_of(ablation)
    write_ablation(tmp_path, ablation, records, "embedded")
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "psnr.csv", "malleconv.png"}
    text = (tmp_path / "README.md").read_text()
    assert "arXiv 2201.00392" in text
    assert "against none" in text
    assert "| 31.200 ± 1.100 | +0.200 ± 0.248 | 3 | 60 |" in text
    assert "by `python -m search ablation malleconv`" in text
    table = pd.read_csv(tmp_path / "psnr.csv")
    assert len(table) == 6
    assert (table[[f"ms_{name}" for name in PHONES]] > 0).all(axis=None)


def test_a_study_that_went_on_elsewhere_names_every_place(ablation: Comparison) -> None:
    records = records_of(ablation)
    elsewhere = {"device": "another CPU", "torch": "3", "commit": "def"}
    records[-1] = replace(records[-1], environment=elsewhere)
    text = page(ablation, variants(ablation, records, "embedded"), records, "embedded")
    assert "on a CPU, another CPU, torch 2, 3, commit abc, def, by" in text


def test_a_training_that_diverged_is_in_no_mean(ablation: Comparison, tmp_path: Path) -> None:
    records = records_of(ablation)
    broken = next(record for record in records if (record.training.name, record.training.seed) == ("head, 1x1", 1))
    records[records.index(broken)] = broken.with_result(
        "embedded", replace(broken.results["embedded"], psnr_db=9.33)
    )  # doing without: 20 dB
    base, head = variants(ablation, records, "embedded")
    assert head.psnr_db.keys() == {0, 2}
    assert head.diverged_db == {1: 9.33}
    assert head.gain_over(base)[0] == pytest.approx(0.2)
    write_ablation(tmp_path, ablation, records, "embedded")
    text = (tmp_path / "README.md").read_text()
    assert "| 31.200 ± 1.556 | +0.200 ± 1.271 | 2, 1 diverged | 60 |" in text
    assert "head, 1x1 with seed 1 (9.33 dB)" in text
    assert 9.33 in set(pd.read_csv(tmp_path / "psnr.csv").psnr_db)


def test_every_ablation_compares_with_one_of_its_variants() -> None:
    for name in ("upsamplers", "recursion", "malleconv"):
        ablation = comparison(name)
        assert ablation.base in ablation.variants
        assert len(set(ablation.variants.values())) == len(ablation.variants)
