"""The page: complete, self-contained, and honest about what was not trained."""

import dataclasses
import json
import re
import tomllib
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from evaluators.latency import explained
from evaluators.tasks import Pair, rules_of
from reports.run.front import front_frame
from reports.run.gallery import gallery_html
from reports.run.html import PARTS, report_html
from reports.run.pictures import best_window, make_frame_strips, make_strips, write_strips_png
from reports.run.report import write_all
from reports.run.shown import shown_members
from reports.run.times import time_sources
from search.request.tables import load_used

SR4 = rules_of("sr", 4)


class Page(HTMLParser):
    """Addresses that a page would load, and its words outside of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.words = ""
        self._skipped = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._skipped = tag in ("script", "style")
        self.loaded += [value for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "poster")]

    def handle_endtag(self, tag):
        self._skipped = False

    def handle_data(self, data):
        self.words += "" if self._skipped else data


@pytest.fixture(scope="module")
def picture() -> Pair:
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    return Pair("astronaut", small, small.repeat(4, axis=0).repeat(4, axis=1))


@pytest.fixture(scope="module")
def strips(picture):
    blurred = (picture.target // 2 + 60).astype(np.uint8)
    restored = {"bicubic": [blurred], "best: #7": [picture.target]}
    return make_strips([picture], restored, SR4, {"best: #7": "12,345 params"})


@pytest.fixture(scope="module")
def page(run, strips) -> str:
    return report_html(run, strips)


def test_the_page_has_every_member_and_paper(run, page):
    words = Page(page).words
    for row in front_frame(run).to_dict("records"):
        assert f"#{row['trial']}" in words
        assert row["description"] in words
        assert f"{row['psnr_db']:.3f}" in words


def test_the_page_loads_nothing(page):
    assert [address for address in Page(page).loaded if not address.startswith(("data:", "#"))] == []
    assert not re.search(r"@import|url\((?!#|data:)", re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL))


def test_every_part_of_the_page_is_installed():
    with open(Path(__file__).parents[2] / "pyproject.toml", "rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["reports.run"]
    for name in ("page.html.jinja", *PARTS.values()):
        assert any(fnmatch(name, pattern) for pattern in patterns)


def test_nothing_on_the_page_sends_the_run_away(page):
    scripts = "".join(re.findall(r"<script>.*?</script>", page, flags=re.DOTALL))
    assert len(scripts) > 1000
    assert not re.search(r"https?://(?!www\.w3\.org/)|fetch\(|XMLHttpRequest|sendBeacon|WebSocket|import\(", scripts)


def test_only_main_configurations_have_a_large_sentence(make_run):
    words = report_html(make_run(papers=("s-lwsr16", "s-lwsr16-no-pool")))
    named = re.findall(r'<p class="outcome">(?:(?!More quality|Less cost).)*?</p>', words)
    assert len(named) == 1
    assert "Against the ablations: #" in words


def test_the_page_says_how_many_candidates_lie_below_the_knobs_pictures(run):
    chosen = [t.trial for t in run.trials if not t.is_fixed and t.rungs][:2]
    lost = [
        dataclasses.replace(t, rungs=tuple(dataclasses.replace(r, psnr_db=9.0) for r in t.rungs))
        if t.trial in chosen
        else t
        for t in run.trials
    ]
    words = Page(report_html(dataclasses.replace(run, trials=tuple(lost)))).words
    assert "2 in all, down to -17.41 dB" in words


def test_settings_and_environment_are_there(run, page):
    words = Page(page).words
    for value in (run.command, *run.settings.environment.values(), run.settings.created, run.settings.train_data):
        assert value in words


def test_what_was_not_trained_is_counted_and_explained(run):
    failed = dataclasses.replace(run.trials[-1], status="failed", rungs=(), reason="loss was NaN at step <37>")
    words = Page(report_html(dataclasses.replace(run, trials=(*run.trials[:-1], failed)))).words
    assert "loss was NaN at step <37>" in words
    over = sum(t.status == "over-budget" for t in run.trials)
    assert f"{over} were over the budget" in words


def test_published_results_come_with_their_rule_and_source(page):
    words = Page(page).words
    assert "parameters x 57600" in words
    assert "Li et al., arXiv 1909.10774, Table II" in words


@pytest.mark.parametrize("objectives", [("psnr",), ("psnr", "params", "memory")])
def test_a_page_for_other_objectives(make_run, objectives):
    assert "</html>" in report_html(make_run(searched=10, objectives=objectives))


def test_a_page_of_a_run_that_has_just_begun(make_run):
    assert "No network has been trained yet." in report_html(make_run(searched=0, papers=()))


def test_everything_is_written(run, strips, tmp_path):
    path = write_all(run, tmp_path / "new", strips)
    assert path == tmp_path / "new" / "report.html"
    assert {file.name for file in path.parent.iterdir()} == {
        "front.csv",
        "front.json",
        "pareto.png",
        "pareto.svg",
        "report.html",
        "strip-astronaut.png",
    }
    assert json.loads((path.parent / "front.json").read_text())["name"] == run.name


def test_the_window_is_where_most_error_was_removed():
    truth = np.zeros((80, 90, 3), np.uint8)
    bicubic = truth.copy()
    bicubic[40:52, 60:72] = 90
    top, left = best_window(truth, bicubic, truth, size_px=24, step_px=4)
    assert top <= 40
    assert left <= 60
    assert (top + 24, left + 24) >= (52, 72)
    assert (top % 4, left % 4) == (0, 0)


def test_strips_show_input_networks_and_truth(strips, picture):
    (strip,) = strips
    assert [crop.label for crop in strip.crops] == ["input", "bicubic", "best: #7", "original"]
    assert {crop.pixels.shape for crop in strip.crops} == {(96, 96, 3)}
    assert [crop.costs for crop in strip.crops] == ["", "", "12,345 params", ""]
    assert [crop.is_baseline for crop in strip.crops] == [False, True, False, False]
    assert np.array_equal(strip.crops[0].pixels, strip.crops[-1].pixels)  # the truth is its input, enlarged
    (drawn,) = gallery_html(strips)
    assert drawn.count("data:image/webp;base64,") == 8  # of each a window and the whole
    assert "params" not in drawn


def test_a_restored_picture_of_another_size_is_refused(picture):
    with pytest.raises(ValueError, match="must have the shape"):
        make_strips([picture], {"bicubic": [picture.degraded]}, SR4)


def test_strips_without_a_baseline_are_refused(picture):
    with pytest.raises(ValueError, match="must have the baseline"):
        make_strips([picture], {}, SR4)


def test_a_picture_without_truth_is_shown_where_it_was_changed_and_has_no_figures(run, strips):
    noisy = np.random.default_rng(0).integers(100, 104, (80, 90, 3)).astype(np.uint8)
    restored = noisy.copy()
    restored[50:70, 30:50] = 90  # many pixels, a little
    restored[2:8, 2:8] = 255  # few pixels, by much
    pictures = {"noisy input": [noisy], "best: #7": [restored]}
    (strip,) = make_frame_strips(["f.raw"], pictures, {"best: #7": "5 MACs"}, 24)
    assert [(crop.label, crop.sub_label) for crop in strip.crops] == [("noisy input", ""), ("best: #7", "")]
    assert [crop.costs for crop in strip.crops] == ["", "5 MACs"]
    assert np.count_nonzero(strip.crops[1].pixels == 90) == 20 * 20 * 3
    page = report_html(run, strips, frame_strips=(strip,))
    assert "There is no clean reference" in page
    assert "<h3>f.raw</h3>" in page
    assert "Real frames" not in report_html(run, strips)


def test_strips_are_saved_as_pictures(strips, tmp_path):
    (path,) = write_strips_png(strips, tmp_path)
    assert path.name == "strip-astronaut.png"
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["my photos/one?.png"], ["strip-my_photos_one_.png"]),
        (["one.jpg", "two.png"], ["strip-one.png", "strip-two.png"]),
        (["one.jpg", "one.png"], ["strip-one.jpg.png", "strip-one.png.png"]),
    ],
)
def test_strips_are_named_by_their_pictures(strips, tmp_path, names, files):
    paths = write_strips_png([dataclasses.replace(strips[0], name=name) for name in names], tmp_path)
    assert [path.name for path in paths] == files


def test_the_page_says_where_milliseconds_come_from(timed_run):
    words = " ".join(Page(report_html(timed_run)).words.split())
    assert "Where the milliseconds come from" in words
    for part in (
        "board-x1: Board X, Cortex-X, 1 thread, fp32, Engine 1.0",
        "held-out networks: 7.1 % on average with a whole family of networks left out of the fit; bias 0.2.",
        "made up for tests",
        "Predicted latency on board-y2 (ms): Board Y",
        timed_run.settings.tables[0].fingerprint,
    ):
        assert part in words
    for source in time_sources(timed_run):
        assert source.problem is None
        assert len(source.networks) == len(shown_members(timed_run))
        for network in source.networks:
            assert 0 < network.upsampler < 1
            assert 0 < network.guessed < 1
            assert sum(share for _, share in network.kinds) <= 1 + 1e-9


def test_shares_are_of_the_figure_in_the_record(timed_run):
    (table, *_) = load_used(timed_run.settings.tables)
    for trial in shown_members(timed_run).values():
        latency = explained(trial.architecture, timed_run.settings.input_size, table).latency
        assert latency.ms == pytest.approx(trial.costs.latency["board-x1"].ms)


def test_a_page_without_its_table_says_so(timed_run):
    lost = tuple(dataclasses.replace(use, source="/nowhere/board.csv") for use in timed_run.settings.tables)
    other = dataclasses.replace(timed_run, settings=dataclasses.replace(timed_run.settings, tables=lost))
    words = Page(report_html(other)).words
    assert "cannot be read again" in words
    assert "Board X, Cortex-X" in words


def test_a_page_without_tables_has_no_such_section(page):
    assert "Where the milliseconds come from" not in page


def test_a_brief_page_has_only_what_depends_on_costs(timed_run):
    words = report_html(timed_run, is_brief=True)
    assert "Where the milliseconds come from" in words
    assert "What each knob did" not in words
    assert "own training" not in words
