"""The fronts of several runs: their hypervolumes, what dominates what, and what may be compared."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from evaluators.costs import Costs
from evaluators.training.precision import Precision
from reports.run.compare_page import compared_frame, compared_html, headline, write_compared
from reports.run.compare_plot import comparison_figure, look, protocol_in_words
from reports.run.comparing import ComparedFronts, Member, compare_fronts, dominated_share
from reports.run.hypervolume import hypervolume
from reports.run.same_protocol import common_steps
from search.records import RunResult, TrialRecord
from space import ZOO
from space.errors import UserError


@pytest.fixture(scope="module")
def runs(make_run: Callable[..., RunResult]) -> dict[str, RunResult]:
    return {name: replace(make_run(seed=seed), name=name) for seed, name in enumerate(("first", "a $b$", "third"))}


@pytest.fixture(scope="module")
def compared(runs: dict[str, RunResult]) -> ComparedFronts:
    (over,) = compare_fronts(runs)
    return over


def member(cost: float, psnr_db: float) -> Member:
    trial = TrialRecord(0, "search", "trained", ZOO["s-lwsr16"].architecture, {}, Costs(1, int(cost), 1, 1))
    return Member(trial, cost, psnr_db)


def changed(run: RunResult, **settings: object) -> RunResult:
    return replace(run, settings=replace(run.settings, **settings))


def test_hypervolume_is_an_area_over_the_cost_s_logarithm() -> None:
    reference = 1000.0, 20.0
    assert hypervolume([], reference) == 0
    assert hypervolume([(10, 21)], reference) == pytest.approx(1 * 2)
    assert hypervolume([(10, 21), (100, 23)], reference) == pytest.approx(1 + 3)


def test_dominated_members_are_counted_by_weak_dominance() -> None:
    ours = (member(10, 21), member(100, 23))
    assert dominated_share(ours, ours) == 0
    assert dominated_share(ours, (member(9, 21),)) == 0.5
    assert dominated_share(ours, (member(10, 23.01),)) == 1
    assert dominated_share(ours, (member(10, 23.01),), by_db=0.045) == 0.5
    assert dominated_share((), ours) == 0


def test_each_front_is_the_run_s_own(compared: ComparedFronts, runs: dict[str, RunResult]) -> None:
    assert [front.name for front in compared.fronts] == list(runs)
    assert compared.quantity.key == "macs"
    for front in compared.fronts:
        for one, two in zip(front.members, front.members[1:], strict=False):
            assert one.cost < two.cost
            assert one.psnr_db < two.psnr_db
        assert front.members[0].psnr_db > front.run.baseline_psnr_db


def test_shares_are_of_all_fronts_together(compared: ComparedFronts) -> None:
    assert all(0 < front.share <= 1 for front in compared.fronts)
    assert compared.joint >= max(front.hypervolume for front in compared.fronts)
    dearest = max(front.members[-1].cost for front in compared.fronts)
    assert compared.reference == (pytest.approx(1.1 * dearest), compared.fronts[0].run.baseline_psnr_db)
    assert "a tenth more than the most expensive network here, and 26.41 dB, bicubic" in compared.reference_in_words
    for front in compared.fronts:
        others = {other.name for other in compared.fronts} - {front.name}
        assert front.dominated.keys() == front.clearly.keys() == others
        assert all(front.clearly[name] <= front.dominated[name] for name in others)


def test_budgets_seeds_samplers_and_precision_may_differ(runs: dict[str, RunResult]) -> None:
    precision = Precision("cpu", "bfloat16", False, "asked for").to_dict()
    other = changed(runs["third"], budget="1m-params", sampler="random", seed=7, precision=precision)
    (over,) = compare_fronts({"a": runs["first"], "b": other})
    assert "after 1,920 training steps in bf16 and fp32 on" in protocol_in_words(over)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"task": "denoise", "scale": 1}, r"different task \(a: sr; b: denoise\)$"),
        ({"scale": 2}, r"different scale \(a: ×4; b: ×2\); metric"),
        ({"options": {"channels": "y"}}, r"different option channels \(a: colour; b: y\)"),
        ({"train_data": "folder x, 3 images, 0123456789ab"}, r"different training data \(a: .*; b: folder x, 3 images"),
        ({"val_data": "folder x, 3 images, 0123456789ab"}, r"different validation data \(a: .*; b: folder x, 3 images"),
        (
            {"training": {"batch": 16, "patch_px": 48, "learning_rate": 0.001}},
            r"different training patch_px \(a: 32; b: 48\)$",
        ),
        ({"input_size": (64, 64)}, r"different network input \(a: 320x180; b: 64x64\)$"),
        ({"rungs": (10, 20, 30)}, r"different steps of training \(a: 120,480,1920; b: 10,20,30\)$"),
    ],
)
def test_other_protocols_are_refused_by_name(runs: dict[str, RunResult], settings: Mapping, part: str) -> None:
    with pytest.raises(UserError, match=rf"^runs to compare must share task, data, metric and steps, got {part}"):
        compare_fronts({"a": runs["first"], "b": changed(runs["third"], **settings)})


def test_everything_that_differs_is_named(runs: dict[str, RunResult]) -> None:
    other = changed(runs["third"], val_data="folder x, 3 images, 0123456789ab", input_size=(64, 64))
    with pytest.raises(UserError, match=r"validation data \(.*\); network input \(a: 320x180; b: 64x64; c: 320x180\)$"):
        compare_fronts({"a": runs["first"], "b": other, "c": runs["a $b$"]})


def test_the_same_pictures_in_another_folder_are_the_same_data(runs: dict[str, RunResult]) -> None:
    folders = ("folder photos, 3 images, 0123456789ab", "folder copies, 3 images, 0123456789ab")
    one, two = (changed(runs["first"], val_data=folder) for folder in folders)
    assert compare_fronts({"a": one, "b": replace(two, name="b")})


def test_the_input_does_not_matter_to_parameters(runs: dict[str, RunResult]) -> None:
    one = changed(runs["first"], objectives=("psnr", "params"))
    two = changed(runs["third"], objectives=("psnr", "params"), input_size=(64, 64))
    (over,) = compare_fronts({"a": one, "b": two})
    assert over.quantity.key == "params"


def test_other_costs_are_compared_over_those_shared_or_over_macs(runs: dict[str, RunResult]) -> None:
    both = changed(runs["first"], objectives=("psnr", "params", "memory"))
    memory, weights = (changed(runs["third"], objectives=("psnr", key)) for key in ("memory", "weights"))
    assert [over.quantity.key for over in compare_fronts({"a": both, "b": memory})] == ["memory"]
    assert [over.quantity.key for over in compare_fronts({"a": both, "b": weights})] == ["macs"]


def test_another_version_of_a_table_is_refused(timed_run: RunResult) -> None:
    uses = tuple(replace(use, fingerprint=f"{use.fingerprint}x") for use in timed_run.settings.tables)
    with pytest.raises(UserError, match=r"latency table board-x1 \(a: \w+; b: \w+x\); latency table board-y2"):
        compare_fronts({"a": timed_run, "b": changed(timed_run, tables=uses)})


def test_a_longer_run_is_compared_at_the_steps_that_both_have(runs: dict[str, RunResult]) -> None:
    run = runs["third"]
    trials = tuple(replace(trial, rungs=trial.rungs[:2]) for trial in run.trials)
    shorter = replace(changed(run, rungs=run.settings.rungs[:2]), trials=trials)
    assert common_steps({"a": runs["first"], "b": shorter}) == 480
    (over,) = compare_fronts({"a": runs["first"], "b": shorter})
    assert over.steps == 480
    for front in over.fronts:
        for each in front.members:
            assert each.psnr_db == each.trial.at_rung(1).psnr_db


def test_runs_that_cannot_be_compared_yet(runs: dict[str, RunResult]) -> None:
    with pytest.raises(UserError, match="compare needs two different runs or more, got first"):
        compare_fronts({"first": runs["first"]})
    with pytest.raises(UserError, match="third must have a trained network, got none yet"):
        compare_fronts({"a": runs["first"], "b": replace(runs["third"], trials=())})
    bad = {name: replace(runs[name], baseline_psnr_db=40.0) for name in ("first", "third")}
    with pytest.raises(UserError, match="better than bicubic, got none after 1,920 steps in first and third"):
        compare_fronts(bad)


def test_a_front_without_members_beside_one_with(runs: dict[str, RunResult]) -> None:
    """The baseline counts as free: what is no better is on no front."""
    worse = tuple(
        replace(trial, rungs=tuple(replace(result, psnr_db=20.0) for result in trial.rungs))
        for trial in runs["third"].trials
    )
    (over,) = compare_fronts({"a": runs["first"], "b": replace(runs["third"], trials=worse)})
    assert [front.share for front in over.fronts] == [1.0, 0.0]
    assert comparison_figure([over])
    assert "b 0 %" in headline(over)


def test_an_unknown_baseline_leaves_the_worst_member_as_reference(runs: dict[str, RunResult]) -> None:
    unknown = {name: replace(runs[name], baseline_psnr_db=math.nan) for name in ("first", "third")}
    (over,) = compare_fronts(unknown)
    assert over.reference[1] == min(m.psnr_db for front in over.fronts for m in front.members)
    assert "the worst network here" in over.reference_in_words


def test_within_the_noise_shares_are_said_to_say_nothing(runs: dict[str, RunResult], compared: ComparedFronts) -> None:
    level_db = max(m.psnr_db for front in compared.fronts for m in front.members) - 0.02
    close = {name: replace(run, baseline_psnr_db=level_db) for name, run in runs.items()}
    (over,) = compare_fronts(close)
    assert over.says_nothing
    assert headline(over).endswith("No network here is clearly better than bicubic: these shares are noise")
    assert not compared.says_nothing


def test_files_agree(compared: ComparedFronts, tmp_path: Path) -> None:
    page = write_compared([compared], tmp_path / "new" / "folder")
    names = sorted(path.name for path in page.parent.iterdir())
    assert names == ["compare.csv", "compare.html", "compare.json", "compare.png", "compare.svg"]
    rows = list(csv.DictReader((page.parent / "compare.csv").open(encoding="utf-8")))
    assert len(rows) == sum(len(front.members) for front in compared.fronts) == len(compared_frame([compared]))
    told = json.loads((page.parent / "compare.json").read_text("utf-8"))["comparisons"][0]
    for front, run in zip(compared.fronts, told["runs"], strict=True):
        mine = [row for row in rows if row["run"] == front.name]
        assert [row["trial"] for row in mine] == [str(each["trial"]) for each in run["members"]]
        beaten = [row for row in mine if row["dominated_by"]]
        assert (len(beaten) > 0) is any(run["dominated_by"].values())
    text = page.read_text("utf-8")
    assert "a $b$" in text
    assert headline(compared).replace(" %", "\N{NO-BREAK SPACE}%") in text


def test_names_of_runs_are_text(runs: dict[str, RunResult]) -> None:
    (over,) = compare_fronts({"<i>x</i>": runs["first"], "\udcff": runs["third"]})
    text = compared_html([over])
    assert "<i>x" not in text
    text.encode()


@pytest.mark.parametrize("count", [2, 3])
def test_labels_do_not_cover_each_other(runs: dict[str, RunResult], count: int) -> None:
    figure = comparison_figure(compare_fronts(dict(list(runs.items())[:count])))
    figure.canvas.draw()
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) > count
    assert not any(one.overlaps(two) for one, two in combinations(boxes, 2))
    legend = figure.legends[0].get_window_extent()
    below = [text.get_window_extent() for text in figure.texts]
    assert not any(legend.overlaps(box) for box in (*boxes, *below, axes.xaxis.label.get_window_extent()))
    assert legend.x1 <= figure.bbox.x1


def test_runs_are_told_apart_by_colour_and_marker() -> None:
    assert len({look(index) for index in range(56)}) == 56
    assert len({look(index)[0] for index in range(7)}) == 7
    assert len({look(index)[1] for index in range(8)}) == 8
