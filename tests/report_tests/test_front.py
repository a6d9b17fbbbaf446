"""The front as a table: who is on it, at which rung, and what the files say."""

import csv
import dataclasses
import io
import itertools
import json

import pytest
from rich.console import Console

from evaluators.latency import latency_difference
from evaluators.quantities import ms_text
from reports.run.describe import describe, short_label
from reports.run.front import COLUMNS, columns, front_frame, other_column, read_front, write_front
from reports.run.headline import asked, best_found, comparisons, outcome
from reports.run.html import report_html
from reports.run.ladder import ladder
from reports.run.shown import shown_members
from reports.run.tables import front_table
from reports.run.ties import SEED_NOISE_DB, same_time, tied_with, ties
from search.pareto import front, front_rung
from search.request.tables import load_used
from space.build import build
from space.errors import UserError
from space.search_space import SearchSpace, first
from space.tasks import TASKS


def trained_only_on(run, source, rungs):
    """``run`` with the results of ``source`` cut to the first ``rungs``."""
    trials = tuple(dataclasses.replace(t, rungs=t.rungs[:rungs]) if t.source == source else t for t in run.trials)
    return dataclasses.replace(run, trials=trials)


def with_front_psnr(run, psnr_db):
    """``run`` reduced to a few trials of the last rung, with the PSNR given, each dearer than the one before."""
    reached = [t for t in run.trials if t.at_rung(2) and not t.is_fixed][: len(psnr_db)]
    trials = []
    for index, (trial, value) in enumerate(zip(reached, psnr_db, strict=True)):
        costs = dataclasses.replace(trial.costs, macs=10**9 * (index + 1))
        rungs = tuple(dataclasses.replace(result, psnr_db=value) for result in trial.rungs)
        trials.append(dataclasses.replace(trial, costs=costs, rungs=rungs))
    return dataclasses.replace(run, trials=tuple(trials))


def test_one_row_per_front_member_and_fixed_trial(run):
    frame = front_frame(run)
    expected = {t.trial for t in front(run)} | {t.trial for t in run.trials if t.is_fixed}
    assert tuple(frame.columns) == COLUMNS
    assert set(frame.trial) == expected
    assert len(frame) == len(expected)
    assert frame.macs.is_monotonic_increasing


def test_quality_is_at_the_front_rung(run):
    frame = front_frame(run).set_index("trial")
    for trial in front(run):
        row = frame.loc[trial.trial]
        assert row.on_front
        assert row.rung == front_rung(run)
        assert row.psnr_db == trial.at_rung(front_rung(run)).psnr_db
        assert row.gain_db == pytest.approx(row.psnr_db - run.baseline_psnr_db)
        assert row.architecture == trial.architecture.key


def test_a_fixed_trial_below_the_front_rung_shows_its_highest_and_is_not_on_the_front(run):
    row = front_frame(trained_only_on(run, "s-lwsr16", 2)).set_index("source").loc["s-lwsr16"]
    assert (row.rung, row.steps, row.on_front) == (1, 480, False)


def test_a_fixed_trial_without_a_result_has_a_row_without_quality(run):
    row = front_frame(trained_only_on(run, "s-lwsr16", 0)).set_index("source").loc["s-lwsr16"]
    assert row.psnr_db != row.psnr_db
    assert not row.on_front


def test_files_hold_the_rows_of_the_frame(run, tmp_path):
    table, record = write_front(run, tmp_path)
    frame = front_frame(run)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    document = json.loads(record.read_text(encoding="utf-8"))
    assert [int(row["trial"]) for row in rows] == list(frame.trial)
    assert [row["psnr_db"] for row in document["rows"]] == list(frame.psnr_db)
    assert document["baseline_psnr_db"] == run.baseline_psnr_db
    assert document["settings"]["budget"] == run.settings.budget
    assert document["name"] == run.name
    assert {path.name for path in tmp_path.iterdir()} == {"front.csv", "front.json"}


def test_json_has_null_where_there_is_no_result(run, tmp_path):
    _, record = write_front(trained_only_on(run, "s-lwsr16", 0), tmp_path)
    row = next(row for row in json.loads(record.read_text())["rows"] if row["source"] == "s-lwsr16")
    assert (row["psnr_db"], row["rung"]) == (None, None)


def test_ties_are_neighbours_within_the_noise(run):
    noise = SEED_NOISE_DB
    tied = with_front_psnr(run, [27.0, 27.0 + 0.5 * noise, 27.0 + 1.2 * noise, 27.5])
    members = front(tied)
    pairs = ties(members, front_rung(tied))
    assert [(a.trial, b.trial) for a, b in pairs] == [
        (members[0].trial, members[1].trial),
        (members[1].trial, members[2].trial),
    ]
    assert tied_with(members[1], pairs) == (members[0].trial, members[2].trial)
    assert tied_with(members[3], pairs) == ()
    assert list(front_frame(tied).within_noise_of)[3] == ""


def test_a_network_is_described_in_words(run):
    paper = next(t for t in run.trials if t.source == "s-lwsr16+skip")
    assert describe(paper.architecture) == (
        "symmetric, 16 ch, 26 blocks, pool of 6, dense-two-step upsampler, bicubic skip"
    )
    assert short_label(paper) == "s-lwsr16+skip"


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"attention": "esa"}, "2 blocks, esa attention"),
        ({"malle": "middle"}, "2 blocks, MalleConv"),
        ({"block": "modulated"}, "2 blocks (all modulated)"),
        ({"convolution": "conv3xc"}, "2 blocks (all residual conv3xc)"),
        ({"inverted_ratio": 0.5}, "2 blocks (1 inverted)"),
    ],
)
def test_networks_of_other_parts_have_other_descriptions(knobs, words):
    space = SearchSpace(TASKS["sr"], TASKS["sr"].shape(4))
    plain = {"backbone": "plain", "blocks": 2, "activation_kept": "all", "residual_scale": 1.0, **knobs}
    assert f", {words}, " in describe(space.decode(space.fill(first, plain)))


def test_settings_without_the_usual_fields_are_described_too(run):
    @dataclasses.dataclass(frozen=True)
    class Bare:
        depth: int = 3

    trial = dataclasses.replace(
        next(t for t in run.trials if not t.is_fixed),
        architecture=dataclasses.replace(run.trials[0].architecture, backbone="pyramid", settings=Bare()),
    )
    assert describe(trial.architecture) == "pyramid, dense-two-step upsampler, no input skip"
    assert short_label(trial) == f"#{trial.trial}"


def test_a_paper_is_compared_in_its_better_form(run):
    (comparison,) = comparisons(run)
    assert comparison.paper.source == "s-lwsr16+skip"
    assert comparison.is_dearer == (comparison.nearest.costs.macs > comparison.paper.costs.macs)


@pytest.mark.parametrize(
    ("gain_db", "sentence"),
    [
        (0.25, "#{} dominates s-lwsr16+skip: +0.25 dB with 50% fewer MACs."),
        (-0.01, "#{} ties with s-lwsr16+skip (-0.01 dB is within the seed noise) with 50% fewer MACs."),
        (-0.25, "The best network found on the front, #{}, has 50% fewer MACs and is 0.25 dB below s-lwsr16+skip."),
    ],
)
def test_the_headline_says_by_how_much_a_paper_is_dominated(run, gain_db, sentence):
    rung = front_rung(run)
    paper = next(t for t in run.trials if t.source == "s-lwsr16+skip")
    found = next(t for t in run.trials if not t.is_fixed and t.at_rung(rung))
    rungs = tuple(dataclasses.replace(r, psnr_db=paper.at_rung(r.rung).psnr_db + gain_db) for r in found.rungs)
    better = dataclasses.replace(found, costs=dataclasses.replace(found.costs, macs=paper.costs.macs // 2), rungs=rungs)
    (comparison,) = comparisons(dataclasses.replace(run, trials=(paper, better)))
    assert comparison.dominates == (gain_db > 0)
    assert comparison.sentence == sentence.format(better.trial)


def test_the_headline_names_the_nearest_where_everything_is_dearer(run):
    paper = next(t for t in run.trials if t.source == "s-lwsr16+skip")
    found = next(t for t in run.trials if not t.is_fixed and t.at_rung(front_rung(run)))
    costs = dataclasses.replace(found.costs, macs=2 * paper.costs.macs)
    dearer = dataclasses.replace(found, costs=costs, rungs=paper.rungs)
    (comparison,) = comparisons(dataclasses.replace(run, trials=(paper, dearer)))
    assert not comparison.dominates
    assert comparison.sentence == (
        f"Nothing found is as cheap as s-lwsr16+skip: the closest, #{dearer.trial}, has 100% more MACs and is within "
        "the seed noise of it."
    )


def test_a_papers_ablations_are_told_from_its_main_configuration(make_run):
    papers = ("s-lwsr16", "s-lwsr16-no-pool", "s-lwsr32")
    found = comparisons(make_run(papers=papers))
    assert {comparison.paper.source.partition("+")[0]: comparison.is_ablation for comparison in found} == {
        "s-lwsr16": False,
        "s-lwsr16-no-pool": True,
        "s-lwsr32": False,
    }


def test_the_headline_says_when_the_best_is_a_papers_own_network(run):
    rung, best = front_rung(run), best_found(run)
    rungs = tuple(dataclasses.replace(r, psnr_db=best.at_rung(rung).psnr_db + 1) for r in run.trials[0].rungs)
    led = dataclasses.replace(run, trials=(dataclasses.replace(run.trials[0], rungs=rungs), *run.trials[1:]))
    assert outcome(led).startswith("The best within the budget is a paper's own network, s-lwsr16: ")
    assert f"#{best_found(led).trial}" in outcome(led)


def test_the_headline_names_the_best_found(run):
    best = best_found(run)
    assert f"#{best.trial}" in outcome(run)
    assert all(t.at_rung(2).psnr_db <= best.at_rung(2).psnr_db for t in front(run) if not t.is_fixed)


def test_a_run_without_results_has_an_empty_front(make_run):
    empty = make_run(searched=0, papers=())
    assert front_frame(empty).empty
    assert outcome(empty) == "No network has been trained yet."
    assert shown_members(empty) == {}


def test_the_ladder_counts_and_correlates(run):
    rungs = ladder(run)
    assert [rung.steps for rung in rungs] == list(run.settings.rungs)
    assert rungs[0].reached >= rungs[1].reached >= rungs[2].reached
    assert rungs[0].both == rungs[1].reached
    assert -1 <= rungs[0].correlation <= 1
    assert rungs[-1].correlation is None


def test_pictures_are_of_front_members_and_the_stronger_paper(run):
    shown = shown_members(run)
    assert list(shown)[-1] == "s-lwsr16+skip"
    assert {t.trial for t in shown.values() if not t.is_fixed} <= {t.trial for t in front(run)}
    assert any(label.startswith("best") for label in shown)


def test_the_terminal_table_has_every_row(run):
    assert front_table(run).row_count == len(front_frame(run))


@pytest.mark.parametrize("width_columns", [60, 80, 119, 120, 200])
def test_the_terminal_table_never_cuts_a_number(make_run, width_columns):
    run = make_run(papers=("s-lwsr16-no-pool",))
    console = Console(width=width_columns, record=True, file=io.StringIO())
    console.print(front_table(run, width_columns))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width_columns
    assert "…" not in text
    for row in front_frame(run).to_dict("records"):
        cells = (str(row["trial"]), f"{row['params']:,}", f"{row['psnr_db']:.2f}", f"{row['steps']:,}")
        assert any(set(cells) <= set(line.split()) for line in text.splitlines())
    assert ("network" in text) == (width_columns >= 120)
    if width_columns >= 80:
        assert "s-lwsr16-no-pool+skip" in text


def with_other_figures(run):
    """``run`` of a task that also measures the whole picture."""

    def measured(result):
        return dataclasses.replace(result, others_db={"PSNR of the whole picture": result.psnr_db + 5})

    trials = (dataclasses.replace(trial, rungs=tuple(map(measured, trial.rungs))) for trial in run.trials)
    return dataclasses.replace(run, trials=tuple(trials), baseline_others_db={"PSNR of the whole picture": 31.25})


def test_a_task_s_further_figures_have_columns_of_their_own(run, tmp_path):
    column = other_column("PSNR of the whole picture")
    assert column == "psnr_of_the_whole_picture_db"
    measured = with_other_figures(run)
    frame = front_frame(measured)
    assert tuple(frame.columns) == columns(measured)
    assert list(frame[column]) == pytest.approx(list(frame.psnr_db + 5))
    table, record = write_front(measured, tmp_path)
    document = json.loads(record.read_text())
    assert document["baseline_others_db"] == {"PSNR of the whole picture": 31.25}
    assert [row[column] for row in document["rows"]] == list(frame[column])
    assert column in table.read_text().splitlines()[0].split(",")


def test_a_network_without_a_result_has_no_further_figures(run, tmp_path):
    measured = trained_only_on(with_other_figures(run), "s-lwsr16", 0)
    _, record = write_front(measured, tmp_path)
    row = next(row for row in json.loads(record.read_text())["rows"] if row["source"] == "s-lwsr16")
    assert row["psnr_of_the_whole_picture_db"] is None


def test_the_terminal_and_the_page_show_a_task_s_further_figures(run):
    measured = with_other_figures(run)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(front_table(measured, 80))
    text, page = console.export_text(), report_html(measured)
    assert "PSNR of the whole picture: bicubic 31.25 dB" in text.replace(" \n", " ")
    assert "PSNR of the whole picture without a network: 31.250 dB" in page
    assert '<button type="button">PSNR of the whole picture, dB</button>' in page
    for row in front_frame(measured).to_dict("records"):
        assert f"{row['psnr_of_the_whole_picture_db']:.2f}" in text
        assert f">{row['psnr_of_the_whole_picture_db']:.3f}<" in page


def test_milliseconds_have_columns_of_their_own(timed_run, tmp_path):
    frame = front_frame(timed_run)
    assert tuple(frame.columns) == columns(timed_run)
    by_trial = {trial.trial: trial for trial in timed_run.trials}
    for name in ("board-x1", "board-y2"):
        for row in frame.to_dict("records"):
            figure = by_trial[row["trial"]].costs.latency[name]
            assert row[f"ms@{name}"] == figure.ms
            assert row[f"ms_low@{name}"] == figure.low < figure.ms < row[f"ms_high@{name}"] == figure.high
            assert row[f"ms_origin@{name}"] == figure.origin == "traffic-estimate"
    assert frame["ms@board-x1"].is_monotonic_increasing
    _, record = write_front(timed_run, tmp_path)
    assert json.loads(record.read_text())["rows"][0]["ms@board-x1"] == frame["ms@board-x1"][0]


def test_neighbours_whose_time_cannot_be_told_apart_are_named(timed_run):
    members = front(timed_run)
    pairs = same_time(timed_run, "board-x1", members)
    ordered = sorted(members, key=lambda trial: trial.costs.latency["board-x1"].ms)
    (table,) = load_used(timed_run.settings.tables[:1])
    for faster, slower in itertools.pairwise(ordered):
        found = latency_difference(faster.architecture, slower.architecture, timed_run.settings.input_size, table)
        assert ((faster, slower) in pairs) == (found.low <= 0 <= found.high)
    frame = front_frame(timed_run).set_index("trial")["ms_tied_with@board-x1"]
    assert {frozenset((trial, int(other))) for trial, others in frame.items() for other in others.split()} == {
        frozenset((a.trial, b.trial)) for a, b in pairs
    }


def test_two_equal_networks_are_tied_in_time(timed_run):
    first = next(trial for trial in timed_run.trials if trial.at_rung(2))
    twin = dataclasses.replace(first, trial=999)
    assert same_time(timed_run, "board-x1", (first, twin)) == ((first, twin),)


def test_ties_in_time_are_unknown_once_the_table_is_gone(timed_run):
    changed = tuple(dataclasses.replace(use, fingerprint="another") for use in timed_run.settings.tables)
    other = dataclasses.replace(timed_run, settings=dataclasses.replace(timed_run.settings, tables=changed))
    frame = front_frame(other)
    assert set(frame["ms_tied_with@board-x1"]) == {"unknown"}
    assert list(frame["ms@board-x1"]) == list(front_frame(timed_run)["ms@board-x1"])


def test_a_trial_without_a_price_has_a_row_without_milliseconds(timed_run):
    failed = dataclasses.replace(
        timed_run.trials[0],
        status="failed",
        rungs=(),
        costs=dataclasses.replace(timed_run.trials[0].costs, latency={}),
        reason="table board-x1 has no figure for gather",
    )
    other = dataclasses.replace(timed_run, trials=(failed, *timed_run.trials[1:]))
    row = front_frame(other).set_index("trial").loc[failed.trial]
    assert row["ms@board-x1"] != row["ms@board-x1"]
    assert front_table(other).row_count == len(front_frame(other))
    assert "table board-x1 has no figure for gather" in report_html(other)


def test_the_headline_says_time_and_where_it_is_a_tie(timed_run):
    rung = front_rung(timed_run)
    paper = next(t for t in timed_run.trials if t.source == "s-lwsr16+skip")
    found = next(t for t in timed_run.trials if not t.is_fixed and t.at_rung(rung))
    rungs = tuple(dataclasses.replace(r, psnr_db=paper.at_rung(r.rung).psnr_db + 0.2) for r in found.rungs)
    twin = dataclasses.replace(found, architecture=paper.architecture, costs=paper.costs, rungs=rungs)
    (comparison,) = comparisons(dataclasses.replace(timed_run, trials=(paper, twin)))
    assert comparison.sentence == (
        f"#{twin.trial} dominates s-lwsr16+skip: +0.20 dB with as much time on board-x1 (a tie: within the band of the "
        "difference) and as much time on board-y2 (a tie: within the band of the difference)."
    )
    assert asked(timed_run.settings).endswith("for the least time on board-x1 and the least time on board-y2.")


@pytest.mark.parametrize("width_columns", [80, 140])
def test_the_terminal_says_what_milliseconds_depend_on(timed_run, width_columns):
    console = Console(width=width_columns, record=True, file=io.StringIO())
    console.print(front_table(timed_run, width_columns))
    text = console.export_text()
    words = " ".join(text.split())
    assert "ms on board-x1: Board X, Cortex-X, 1 thread, fp32, Engine 1.0, 320×180 input" in words
    assert "origin at worst traffic-estimate" in words
    for row in front_frame(timed_run).to_dict("records"):
        assert ms_text(row["ms@board-y2"]) in words


def test_the_front_is_built_again_from_its_json_alone(run, tmp_path):
    _, record = write_front(run, tmp_path)
    rules, architectures = read_front(record)
    assert rules == run.settings.rules
    assert list(architectures) == list(front_frame(run).trial)
    by_number = {trial.trial: trial.architecture for trial in run.trials}
    assert architectures == {number: by_number[number] for number in architectures}
    assert build(next(iter(architectures.values()))) is not None


def test_an_older_front_says_how_it_is_written_again(run, tmp_path):
    _, record = write_front(run, tmp_path)
    document = {name: value for name, value in json.loads(record.read_text()).items() if name != "version"}
    record.write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"of version 2, got version 1; write it again: python -m search report RUN"):
        read_front(record)
    record.write_text("[]")
    with pytest.raises(UserError, match=r"must be a front\.json"):
        read_front(record)
