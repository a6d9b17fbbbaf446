"""What a benchmark's table says: rank correlations that can be counted by hand, and a page from two CSV files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluators.training.plan import TrainingPlan
from reports.benchmark.known import known_signal
from reports.benchmark.page import _best, write_signals
from reports.benchmark.ranking import Ranking, ranked
from reports.benchmark.surrogate import left_out
from reports.benchmark.table import COST, PROXY, TRAINED, TUNED, Signal, read_benchmark
from reports.run.html import report_html
from search.experiments import benchmark_inherited, benchmark_proxies
from search.experiments.benchmark import COSTS, QUALITY, Benchmark
from search.experiments.benchmark_designs import BENCHMARKS
from space.errors import UserError

PUBLISHED = Path(__file__).parents[2] / "reports/published/benchmark"
NAMES = [f"design-{index}" for index in range(12)]


def write(path: Path, columns: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="0")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve designs, of which the cheaper half is random: quality rises with cost, and 100 steps swap two of them."""
    designs = [
        {
            "name": name,
            "source": "random" if index < 6 else "paper",
            "backbone": "plain",
            "params": 1000 * 2**index,
            "macs": 10**8 * 2**index,
            **{column: 2**index for column in COSTS if column.startswith("ms_")},
        }
        for index, name in enumerate(NAMES)
    ]
    swapped = [*NAMES[:10], NAMES[11], NAMES[10]]
    quality = [
        {
            "name": name,
            "seed": seed,
            "steps": steps,
            "psnr_db": 28 + 0.1 * order.index(name) + 0.02 * seed,
            "train_s": 9,
        }
        for steps, order in ((100, swapped), (1600, NAMES))
        for seed in (0, 1)
        for name in (NAMES if seed == 0 else NAMES[:2])
    ]
    proxies = [
        {"name": name, **dict.fromkeys(benchmark_proxies.COLUMNS[2:], -index), "synflow": index if index < 3 else ""}
        for index, name in enumerate(NAMES)
    ]
    write(tmp_path / "designs.csv", COSTS, designs)
    write(tmp_path / "quality.csv", QUALITY, quality)
    write(tmp_path / "proxies.csv", benchmark_proxies.COLUMNS, proxies)
    return tmp_path


def signal(values: list[float]) -> Signal:
    return Signal("a signal", COST, dict(zip(NAMES, values, strict=False)))


def test_tau_counts_pairs_in_order() -> None:
    """Of the 66 pairs of 12 designs, swapping two neighbours turns one: tau is (65 - 1) / 66."""
    reference = dict(zip(NAMES, range(12), strict=True))
    same = ranked(signal([*range(12)]), reference)
    assert (same.tau, same.low, same.high) == pytest.approx((1, 1, 1))
    assert (same.overlap, same.regret_db) == (8, 0)
    swapped = ranked(signal([*range(10), 11, 10]), reference)
    assert swapped.tau == pytest.approx(64 / 66)
    assert swapped.low < swapped.tau < swapped.high == pytest.approx(1)
    against = ranked(signal([-each for each in range(12)]), reference)
    assert (against.tau, against.overlap, against.regret_db) == (pytest.approx(-1), 4, 4)
    assert against.by_chance == pytest.approx(64 / 12)


def test_designs_without_a_value_do_not_count() -> None:
    reference = dict(zip(NAMES, range(12), strict=True))
    assert ranked(signal([*range(6), *[np.nan] * 6]), reference).designs == 6
    assert ranked(signal([1.0, 2.0]), reference) is None
    few = ranked(signal([*range(5), *[np.nan] * 7]), reference)
    assert (few.low, few.high) == pytest.approx((1, 1))  # though some samples are of one design alone


def test_the_surrogate_learns_from_the_others() -> None:
    rows = [
        {"name": name, "backbone": "plain", "params": 10.0**index, "macs": 5.0, "ms_phone": 3.0}
        for index, name in enumerate(NAMES)
    ]
    found = left_out(pd.DataFrame(rows), {name: float(index) for index, name in enumerate(NAMES)})
    assert [*found] == NAMES
    assert all(abs(found[name] - index) < 2 for index, name in enumerate(NAMES))
    assert left_out(pd.DataFrame(rows), {NAMES[0]: 1.0}) == {}


def test_the_table_gives_every_signal_and_inherited_quality_where_it_is_there(folder: Path) -> None:
    table = read_benchmark(folder)
    names = [each.name for each in table.signals]
    assert names[:4] == ["100 steps alone", "params", "MACs", "ms on pixel4-a76"]
    assert {"zen", "synflow", "surrogate, leave-one-out"} <= set(names)
    synflow = next(each for each in table.signals if each.name == "synflow")
    assert synflow.kind == PROXY
    assert [*synflow.values] == NAMES[:3]
    assert table.reference[NAMES[3]] == pytest.approx(28.3)
    assert table.seed_deviation_db == pytest.approx(0.02 / 2**0.5)

    rows = [
        {
            **dict.fromkeys(benchmark_inherited.COLUMNS, "1"),
            "name": name,
            "psnr_db": 28,
            "steps_after": steps,
            "seconds": 1 + steps,
        }
        for steps in (0, 50)
        for name in NAMES
    ]
    write(folder / "inherited.csv", benchmark_inherited.COLUMNS, rows)
    signals = read_benchmark(folder).signals
    assert [each.name for each in signals][1:3] == ["inherited", "inherited + 50 steps"]
    assert signals[2].seconds == 51


def test_the_page_says_what_the_table_says(folder: Path) -> None:
    write_signals(Benchmark(folder, BENCHMARKS["sr"], (), TrainingPlan()), "the command")
    rows = pd.read_csv(folder / "signals.csv")
    steps = rows[(rows["signal"] == "100 steps alone") & (rows["designs"] == "all")].iloc[0]
    assert (steps["tau"], steps["top_8_overlap"], steps["seconds"]) == (pytest.approx(64 / 66, abs=1e-4), 8, 9)
    assert set(rows["designs"]) == {"all", "random"}
    page = (folder / "README.md").read_text()
    assert "| 100 steps alone | trained alone | 12 | 0.97 |" in page
    assert "at most 6 G MACs at an input of 320x180 (s-lwsr16, s-lwsr16+skip cost more)" in page
    assert "12 of 0 designs are trained, 2 of them with several seeds" in page
    assert "Below 16 designs the table says little" in page
    assert "`the command` continues the table" in page
    assert (folder / "signals.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("tau", "words"),
    [
        (0.5, "MACs ranks best (tau 0.50); the shortest training that ranks better is 400 steps alone (tau 0.70)."),
        (0.9, "MACs ranks best (tau 0.90); no shorter training ranks better."),
    ],
)
def test_the_first_sentence_names_the_best_signal_and_the_training_that_beats_it(tau: float, words: str) -> None:
    steps = [
        Ranking(Signal(f"{steps} steps alone", TRAINED, {}, steps / 10), 40, own, 0, 1, 8, 1.6, 0)
        for steps, own in ((100, 0.2), (400, 0.7), (800, 0.8))
    ]
    costs = [
        Ranking(Signal(name, COST, {}), 40, own, 0, 1, 8, 1.6, 0) for name, own in (("params", 0.1), ("MACs", tau))
    ]
    assert _best([*steps, *costs]).endswith(words)
    tuned = Ranking(Signal("inherited + 50 steps", TUNED, {}, 5.0), 40, 0.95, 0, 1, 8, 1.6, 0)
    shortest = "the shortest training that ranks better is inherited + 50 steps (tau 0.95)."
    assert _best([*steps, tuned, *costs]).endswith(shortest)


def test_too_few_designs_are_told_in_one_line(folder: Path) -> None:
    benchmark = Benchmark(folder, replace(BENCHMARKS["sr"]), (), TrainingPlan())
    write(folder / "quality.csv", QUALITY, [])
    with pytest.raises(UserError, match="must hold a finished training, got none yet"):
        write_signals(benchmark, "")
    row = {"name": NAMES[0], "seed": 0, "steps": 1600, "psnr_db": 28, "train_s": 1}
    write(folder / "quality.csv", QUALITY, [row])
    with pytest.raises(UserError, match="at least five designs must be trained, got 1"):
        write_signals(benchmark, "")


def test_a_run_s_page_says_what_the_published_table_says_of_its_first_rung(make_run, monkeypatch) -> None:
    published = pd.read_csv(PUBLISHED / "sr-x4/signals.csv")
    run = make_run()
    assert known_signal(run.settings) is None  # no table has 120 steps
    row = published[(published["designs"] == "all") & (published["signal"] == "100 steps alone")].iloc[0]
    run = replace(run, settings=replace(run.settings, rungs=(100, 200, 400)))
    known = known_signal(run.settings)
    assert known is not None
    assert (known.designs, known.tau, known.low, known.high) == (
        row["count"],
        row["tau"],
        row["tau_low"],
        row["tau_high"],
    )
    page = report_html(run)
    assert "(100 steps alone) ranks" in page
    assert f"Kendall's tau {row['tau']:.2f} (95 %: {row['tau_low']:.2f} to {row['tau_high']:.2f})" in " ".join(
        page.split()
    )
    assert known_signal(replace(run.settings, task="deblur", scale=1)) is None  # it has no table
