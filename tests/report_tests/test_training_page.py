"""The page of a training: its sentence, its table with published figures, its curve, its costs."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from html import unescape

import pytest

from evaluators.costs import architecture_costs
from evaluators.tasks import rules_of
from latency_tables.tables.table import load_table
from reports.training.curve_figure import curve_figure
from reports.training.page import TrainedNetwork, outcome, set_rows, training_html
from search.experiments.curve import Point
from search.experiments.network_specs import named_architecture
from search.experiments.training import SetResult, Training, TrainingRecord
from search.pareto import SEED_NOISE_DB
from space.zoo.literature import published_results

NETWORK = "s-lwsr16"
ARCHITECTURE = named_architecture(NETWORK, 4)
VALIDATION = SetResult(26.5, 0.75, 26.0, 0.72, 6, "embedded photographs, 6 images, 0", {}, 26.1, 0.73)
SET5 = SetResult(31.2, 0.88, 28.42, 0.81, 5, "Set5/HR: folder HR, 5 images, 1", {}, 31.0, 0.87)
POINTS = (
    Point(0, None, 4e-5, 26.1, 0.5),
    Point(1, 0.9, 4e-5, None, 1.0),
    Point(2, 0.04, 8e-5, None, 2.0),
    Point(100, 0.03, 0.0, 26.5, 60.0),
)


def record(start: str = "0123", **results: SetResult) -> TrainingRecord:
    training = Training(
        NETWORK, ARCHITECTURE, rules_of("sr", 4), "long", 100, 0, ("photos",), tuple(results),
        start=start, validation="embedded", validate_every=100,
    )  # fmt: skip
    costs = architecture_costs(ARCHITECTURE, (320, 180))
    environment = {"device": "CPU of a test", "precision": "training float32 (test), evaluation float32"}
    found = TrainingRecord(
        training, costs.params, costs.macs, costs.peak_activation_bytes, (320, 180), dict(results), 60.0,
        "photos: folder photos, 3 images, 2", environment, "python -m search train s-lwsr16", "2026-01-01T00:00:00",
        VALIDATION,
    )  # fmt: skip
    if start:
        return found
    random = {name: replace(result, start_psnr_db=None, start_ssim=None) for name, result in results.items()}
    return replace(found, results=random, validation=replace(VALIDATION, start_psnr_db=None, start_ssim=None))


def trained(of: TrainingRecord) -> TrainedNetwork:
    table = load_table("pixel4-a76")
    costs = architecture_costs(ARCHITECTURE, (320, 180), (table,))
    return TrainedNetwork(of, POINTS, "the weights of a test", costs, (table,), (), {"Next": "python -m search x"})


def test_the_sentence_says_the_gain_over_the_start_and_over_no_network() -> None:
    assert outcome(trained(record())) == (
        "PSNR on Y 26.50 dB on validation pictures: +0.40 dB over what it started from, +0.50 dB over bicubic."
    )
    assert outcome(trained(record(start=""))) == "PSNR on Y 26.50 dB on validation pictures, +0.50 dB over bicubic."
    near = replace(VALIDATION, psnr_db=26.1 + SEED_NOISE_DB / 2)
    assert "within the seed noise of what it started from" in outcome(trained(replace(record(), validation=near)))


def test_a_published_figure_stands_beside_the_same_set_alone() -> None:
    rows = list(set_rows(trained(record(**{"Set5/HR": SET5, "own/HR": SET5}))))
    assert [row.title for row in rows] == ["validation pictures", "Set5", "own"]
    published = {row.psnr_db for row in published_results("sr", 4, "Set5") if row.network == "s-LWSR16"}
    assert rows[1].published_db in published
    assert rows[0].published_db is None
    assert rows[2].published_db is None
    assert rows[1].gain_db == pytest.approx(0.2)
    fewer = record(**{"Set5/HR": replace(SET5, images=4)})
    assert list(set_rows(trained(fewer)))[1].published_db is None


def test_a_network_of_a_run_has_no_published_figure() -> None:
    of = record(**{"Set5/HR": SET5})
    of = replace(of, training=replace(of.training, name="mine#12"))
    assert list(set_rows(trained(of)))[1].published_db is None


def test_the_page_has_every_figure() -> None:
    page = unescape(training_html(trained(record(**{"Set5/HR": SET5}))))
    for text in ("31.200", "0.8800", "+0.200", "28.420", "31.000", "photos: folder photos", "CPU of a test"):
        assert text in page, text
    assert "fingerprint 0123" in page
    assert "params, " in page
    assert "Pixel 4" in page
    assert " ms on " not in page  # the table says it
    random = unescape(training_html(trained(record(start=""))))
    assert "Start, dB" not in random
    unknown = training_html(replace(trained(record()), costs=None, tables=()))
    assert "whose cost is not known" in unknown


def test_the_curve_shows_what_was_measured() -> None:
    figure = curve_figure(POINTS, "PSNR on Y", {"bicubic": 26.0})
    above, below = figure.axes
    assert above.lines[0].get_xydata().tolist() == [[0, 26.1], [100, 26.5]]
    assert [text.get_text() for text in above.texts] == ["26.50", "bicubic 26.00"]
    assert below.lines[0].get_xydata().tolist() == [[1, 0.9], [2, 0.04], [100, 0.03]]


@pytest.mark.parametrize("points", [(), POINTS[:1], (Point(1, 0.1, 0.0, None, 1.0),), (Point(1, math.nan, 0, 1, 1),)])
def test_a_short_curve_is_drawn_too(points: tuple[Point, ...]) -> None:
    page = training_html(replace(trained(record()), points=points))
    svg = base64.b64decode(page.split("data:image/svg+xml;base64,")[1].split('"')[0])
    assert svg.lstrip().startswith(b"<?xml")


def test_the_same_record_gives_the_same_page() -> None:
    assert training_html(trained(record())) == training_html(trained(record()))
