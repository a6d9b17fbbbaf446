"""The budget grammar, and what an impossible budget is answered with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluators.costs import Costs, architecture_costs
from latency_tables.tables.estimate import Latency, MissingOperatorError
from latency_tables.tables.table import TRAFFIC, LatencyTable, load_table
from search.candidates.smallest import check_possible, smallest
from search.request.budget import parse_budget
from search.request.request import request_from_options
from search.request.tables import load_used, measured_dtype, tables_of
from search.sessions.session import check_and_read
from search.storage.study import Study
from space import TASKS, SearchSpace, UserError
from space.architecture import Architecture
from tests.random_networks import random_architecture
from tests.small_table import write_small_table

TIMES = {"pixel4-a76": Latency(1400.0, 1200.0, 1700.0, "fitted"), "my-phone": Latency(9.0, 8.0, 10.0, "measured")}
COSTS = Costs(
    params=150_000, macs=9_000_000_000, peak_activation_bytes=120_000_000, weight_bytes=600_000, latency=TIMES
)


@pytest.mark.parametrize(
    ("text", "canonical", "values"),
    [
        ("200k-params", "200k-params", [200_000]),
        ("0.2M-params", "0.2m-params", [200_000]),
        ("11g-macs,200k-params", "200k-params,11g-macs", [200_000, 11e9]),
        ("128mb-memory, 0.5mb-weights", "128mb-memory,0.5mb-weights", [128e6, 0.5e6]),
        ("1mib-weights", "1mib-weights", [2**20]),
        ("150000-params", "150000-params", [150_000]),
        ("1300ms@pixel4-a76", "1300ms@pixel4-a76", [1300]),
        ("1300MS@pixel4-a76,200K-params", "200k-params,1300ms@pixel4-a76", [200_000, 1300]),
        ("1.3s@pixel4-a76", "1300ms@pixel4-a76", [1300]),
        ("12.5ms@pixel4-a76 , 80ms@a03s-a53", "80ms@a03s-a53,12.5ms@pixel4-a76", [80, 12.5]),
        ("1e3ms@pixel4-a76-4t-int8", "1000ms@pixel4-a76-4t-int8", [1000]),
        ("20ms@here/My_Board.2.csv", "20ms@My_Board.2", [20]),
    ],
)
def test_budgets_are_read(text: str, canonical: str, values: list[float]) -> None:
    budget = parse_budget(text)
    assert budget.text == canonical
    assert [limit.value for limit in budget.limits] == values
    assert parse_budget(budget.text) == budget


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("200k", "got '200k'"),
        ("", "got ''"),
        ("-5k-params", "positive finite number, got -5"),
        ("nan-params", "positive finite number, got nan"),
        ("inf-macs", "positive finite number, got inf"),
        ("0-params", "positive finite number, got 0"),
        ("5k-params,6k-params", "params twice"),
        ("5q-params", "unit of params must be one of k, m, g, got 'q'"),
        ("5mb-params", "got 'mb'"),
        ("5k-wheels", "quantity must be one of params, macs, memory, weights, got 'wheels'"),
        ("1.2.3k-params", "must be a number, got '1.2.3'"),
        ("800ms", "needs a device, got '800ms'; try 800ms@TABLE"),
        ("800ms", "see: python -m latency_tables list"),
        ("0.8s", "needs a device, got '0.8s'"),
        ("800ms-", "needs a device, got '800ms-'"),
        ("800ms@", "must name a latency table after @, got nothing"),
        ("800ms-pixel4-a76", "got '800ms-pixel4-a76'"),
        ("ms@pixel4-a76", "got 'ms@pixel4-a76'"),
        ("800@pixel4-a76", "got '800@pixel4-a76'"),
        ("800us@pixel4-a76", "got '800us@pixel4-a76'"),
        ("-1ms@pixel4-a76", "positive finite number, got -1"),
        ("0ms@pixel4-a76", "positive finite number, got 0"),
        ("nanms@pixel4-a76", "positive finite number, got nan"),
        ("infs@pixel4-a76", "positive finite number, got inf"),
        ("1.2.3ms@pixel4-a76", "must be a number, got '1.2.3'"),
        ("800ms@pixel4-a76,0.9s@pixel4-a76", "latency table once, got pixel4-a76 twice"),
        ("8ms@a/board.csv,9ms@b/board.csv", "latency table once, got board twice"),
        ("8ms@some folder/", "got 'some folder/'"),
        ("8ms@some/my board.csv", "got 'some/my board.csv'"),
        ("200k-params@pixel4-a76", "got '200k-params@pixel4-a76'"),
        ("200k-params,", "got ''"),
    ],
)
def test_bad_budgets_are_refused_with_the_value(text: str, message: str) -> None:
    with pytest.raises(UserError, match=r"^--budget") as caught:
        parse_budget(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_limits_are_checked_one_by_one() -> None:
    budget = parse_budget("200k-params,8g-macs")
    assert [limit.quantity for limit in budget.broken(COSTS)] == ["macs"]
    assert not budget.allows(COSTS)
    assert parse_budget("150k-params,9g-macs,120mb-memory,0.6mb-weights").allows(COSTS)


def test_milliseconds_are_limited_per_table() -> None:
    budget = parse_budget("1300ms@pixel4-a76,9ms@my-phone")
    assert [limit.text for limit in budget.broken(COSTS)] == ["1300ms@pixel4-a76"]
    assert budget.sources == ("my-phone", "pixel4-a76")
    assert parse_budget("1.4s@pixel4-a76,9ms@my-phone").allows(COSTS)


def test_a_figure_that_is_not_known_is_an_error() -> None:
    with pytest.raises(UserError, match="no milliseconds on a03s-a53 are known"):
        parse_budget("5s@a03s-a53").allows(COSTS)


def test_costs_go_to_json_and_back_and_old_ones_too() -> None:
    assert Costs.from_dict(COSTS.to_dict()) == COSTS
    old = {"params": 1, "macs": 2, "peak_activation_bytes": 3, "weight_bytes": 4}
    assert Costs.from_dict(old).to_dict() == old


def test_tables_are_found_once_and_by_their_file(tmp_path: Path) -> None:
    path = write_small_table(tmp_path, "board-x1")
    (use,) = tables_of("--budget", [str(path), str(path)])
    assert (use.name, use.source, use.dtype) == ("board-x1", str(path), "fp32")
    assert use.caption == "Board X, Cortex-X, 1 thread, fp32, Engine 1.0"
    assert load_used((use,)) == (load_table(str(path)),)


def test_unusable_tables_are_refused_in_one_line(tmp_path: Path) -> None:
    path = write_small_table(tmp_path, "board-x1")
    other = tmp_path / "other"
    other.mkdir()
    twin = write_small_table(other, "board-x1")
    for sources, part in (
        (["pixel-9000"], "unknown latency table 'pixel-9000'"),
        ([str(tmp_path / "none.csv")], "none.csv"),
        ([str(path), str(twin)], "two tables 'board-x1'"),
    ):
        with pytest.raises(UserError, match=r"^--device") as caught:
            tables_of("--device", sources)
        assert part in str(caught.value)
        assert "\n" not in str(caught.value)
    path.write_text("device\n")
    with pytest.raises(UserError, match="line 1"):
        tables_of("--device", [str(path)])


def test_a_changed_table_is_noticed(tmp_path: Path) -> None:
    path = write_small_table(tmp_path)
    used = tables_of("--budget", [str(path)])
    write_small_table(tmp_path, scale=2.0)
    with pytest.raises(UserError, match=f"board-x1 must be the one that the run used, {used[0].fingerprint}, got"):
        load_used(used)
    path.unlink()
    load_used.cache_clear()
    with pytest.raises(UserError, match="cannot be read again"):
        load_used(used)


def test_what_is_searched_by_milliseconds_is_measured_in_their_format(tmp_path: Path) -> None:
    other = write_small_table(tmp_path, "board-x1-int8", dtype="int8")
    tables = tables_of("--budget", [str(other), str(write_small_table(tmp_path))])
    assert measured_dtype("--budget", ["params"], tables) is None
    assert measured_dtype("--budget", ["params", "ms@board-x1-int8"], tables) == "int8"
    assert measured_dtype("--budget", ["ms@board-x1"], tables) == "fp32"
    with pytest.raises(UserError, match=r"tables of one number format.*board-x1 \(fp32\).*board-x1-int8 \(int8\)"):
        measured_dtype("--budget", ["ms@board-x1", "ms@board-x1-int8"], tables)


def test_an_impossible_time_names_the_fastest_network(tmp_path: Path) -> None:
    task, size = TASKS["sr"], (64, 36)
    tables = (load_table(str(write_small_table(tmp_path))),)
    with pytest.raises(
        UserError, match=r"0.1ms@board-x1 fits no network; the smallest takes [\d.]+ ms \(90 %: "
    ) as caught:
        check_possible(parse_budget("0.1ms@board-x1"), SearchSpace(task, task.shape(4)), size, tables)
    assert "\n" not in str(caught.value)
    _, least = smallest(
        lambda costs: costs.of("ms@board-x1"),
        SearchSpace(task, task.shape(4)),
        lambda arch: architecture_costs(arch, size, tables),
    )
    generator = np.random.default_rng(0)
    for _ in range(100):
        arch = random_architecture(task.shape(4), task.backbones, generator)
        assert architecture_costs(arch, size, tables).of("ms@board-x1") >= least.of("ms@board-x1")


def _without(table: LatencyTable, *classes: str) -> LatencyTable:
    """``table`` as one that was measured before the space had operators of these classes."""
    kept = [index for index, (kind, _) in enumerate(table.classes) if kind not in classes]
    rows = {entry: row for entry, row in table.classes.items() if entry[0] not in classes}
    return replace(table, name="early", classes=rows, samples=table.samples[kept], fingerprint="")


def test_networks_that_a_table_cannot_price_do_not_fit(tmp_path: Path) -> None:
    """A walk passes over them; it ended with "no figure for transposed_conv" on tables of earlier versions."""
    task, size = TASKS["sr"], (64, 36)
    whole = load_table(str(write_small_table(tmp_path)))
    space = SearchSpace(task, task.shape(4))
    early = _without(whole, "transposed_conv", "grouped_conv", "depthwise_conv 3x3")
    check_possible(parse_budget("50ms@early"), space, size, (early,))
    with pytest.raises(UserError, match=r"0.1ms@early fits no network; the smallest takes [\d.]+ ms"):
        check_possible(parse_budget("0.1ms@early"), space, size, (early,))
    nothing = _without(whole, *(kind for kind, _ in whole.classes if kind != TRAFFIC))
    with pytest.raises(MissingOperatorError, match=r"early has no figure for .*measure them"):
        check_possible(parse_budget("50ms@early"), space, size, (nothing,))


def test_an_impossible_budget_names_the_smallest_network() -> None:
    task = TASKS["sr"]
    with pytest.raises(UserError, match=r"0.1k-params fits no network; the smallest has 1,399 params"):
        check_possible(parse_budget("0.1k-params"), SearchSpace(task, task.shape(4)), (320, 180))
    check_possible(parse_budget("2.05k-params"), SearchSpace(task, task.shape(4)), (320, 180))


def test_the_smallest_network_is_smaller_than_any_random_one() -> None:
    task, generator = TASKS["sr"], np.random.default_rng(0)
    _, least = smallest(
        lambda costs: costs.macs, SearchSpace(task, task.shape(2)), lambda arch: architecture_costs(arch, (64, 36))
    )
    for _ in range(500):
        arch = random_architecture(task.shape(2), task.backbones, generator)
        assert architecture_costs(arch, (64, 36)).macs >= least.macs


def test_a_descent_ends_where_the_limit_is_met() -> None:
    task, limit = TASKS["sr"], 2_050
    priced: list[int] = []

    def price(arch: Architecture) -> Costs:
        priced.append(architecture_costs(arch, (64, 36)).params)
        return architecture_costs(arch, (64, 36))

    _, found = smallest(lambda costs: costs.params, SearchSpace(task, task.shape(4)), price, enough=limit)
    assert found.params <= limit
    assert all(params > limit for params in priced[: priced.index(found.params)])  # the first one
    ended = len(priced)
    _, least = smallest(lambda costs: costs.params, SearchSpace(task, task.shape(4)), price)
    assert least.params < found.params
    assert ended < (len(priced) - ended) / 2


def test_a_run_that_was_begun_is_not_asked_whether_its_budget_is_possible(tmp_path: Path, monkeypatch) -> None:
    options = {"task": "sr", "budget": "30k-params", "run_dir": str(tmp_path / "run"), "rungs": "1", "trials": "1"}
    asked: list[str] = []
    monkeypatch.setattr("search.sessions.session.check_possible", lambda budget, *_: asked.append(budget.text))
    first = check_and_read(request_from_options(**options))
    first.request.folder.mkdir()
    Study.create(first.request.folder, first.settings)
    check_and_read(request_from_options(**options))
    assert asked == ["30k-params"]
    with pytest.raises(UserError, match="budget 30k-params, got 20k-params"):
        check_and_read(request_from_options(**{**options, "budget": "20k-params"}))


def test_limits_that_exclude_each_other_are_refused() -> None:
    task = TASKS["sr"]
    tight = "2.66k-params,22.2mb-memory"
    with pytest.raises(UserError, match="fits no network"):
        check_possible(parse_budget(tight), SearchSpace(task, task.shape(4)), (320, 180))
