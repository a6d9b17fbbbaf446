"""A front after several seeds: means and pooled spread, ties, what changed, and the table and page that show it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from reports.run.confirm_files import CONFIRM_FILE, confirm_frame, read_confirmed, write_confirmed
from reports.run.confirm_table import confirm_table
from reports.run.confirmed import Repeated, changes, confirmed_front, noise_db
from reports.run.html import report_html
from search.pareto import front
from space.errors import UserError
from tests.report_tests.conftest import BICUBIC_DB


def repeated(run, values: dict[int, tuple[float, float]], seeds: int = 3) -> list[Repeated]:
    """By the place of a trial by MACs: its mean above bicubic, and its standard deviation."""
    trials = sorted((trial for trial in run.trials if trial.rungs), key=lambda trial: trial.costs.macs)
    on_front = {trial.trial for trial in front(run)}
    return [
        Repeated(trials[place], 480, seeds, BICUBIC_DB + mean, spread, trials[place].trial in on_front)
        for place, (mean, spread) in values.items()
    ]


def test_the_spread_is_pooled_and_decides_what_is_a_tie(run) -> None:
    """Standard deviations of 0.01 and 0.02 dB, two degrees of freedom each; 2.776 is Student's t for four."""
    found = confirmed_front(run, repeated(run, {0: (0.1, 0.01), 9: (0.13, 0.02)}))
    assert found.degrees == 4
    assert found.sd_db == pytest.approx(math.sqrt((0.01**2 + 0.02**2) / 2))
    one, other = found.networks
    assert found.noise_db(one.repeated, other.repeated) == pytest.approx(2.776 * found.sd_db * math.sqrt(2 / 3), 1e-3)
    assert [each.on_front for each in found.networks] == [True, True]
    assert [each.tied_with for each in found.networks] == [(other.trial.trial,), (one.trial.trial,)]
    apart = confirmed_front(run, repeated(run, {0: (0.1, 0.01), 9: (0.14, 0.02)}))
    assert [each.tied_with for each in apart.networks] == [(), ()]


def test_networks_with_fewer_seeds_weigh_less() -> None:
    assert noise_db(0.01, 4, 3, 3) < noise_db(0.01, 4, 3, 1)
    assert math.isnan(noise_db(0.01, 0, 1, 1))


def test_a_single_seed_has_no_spread_and_no_ties(run) -> None:
    found = confirmed_front(run, repeated(run, {0: (0.1, math.nan), 9: (0.1001, math.nan)}, seeds=1))
    assert math.isnan(found.sd_db)
    assert [each.tied_with for each in found.networks] == [(), ()]
    assert changes(run, found)[0] == "No network has two trainings yet: what is a tie is not known."


def test_it_says_what_stayed_and_what_fell_off(run) -> None:
    means = {0: 0.2, 3: 0.3, 6: 0.299, 9: 0.1, 12: 0.4, 15: -0.1}
    was_on_front = (True, False, True, True, True, True)
    trained = repeated(run, {place: (mean, 0.01) for place, mean in means.items()})
    trained = [replace(each, was_on_front=was) for each, was in zip(trained, was_on_front, strict=True)]
    cheapest, new, tied, worse, best, worst = (f"#{each.trial.trial}" for each in trained)
    assert changes(run, confirmed_front(run, trained)) == (
        "Seeds spread by 0.010 dB (pooled standard deviation, 12 degrees of freedom); means of 3 seeds less than "
        "0.018 dB apart are a tie.",
        f"Still on the front: 2 of 5, {cheapest}, {best}; new on it: {new}.",
        f"{tied} fell off: {new} is no dearer and 0.001 dB better, within the noise.",
        f"{worse} fell off: {new} is no dearer and 0.200 dB better.",
        f"{worst} fell off: {best} is no dearer and 0.500 dB better.",
    )
    alone = confirmed_front(run, trained[-1:])
    assert changes(run, alone)[1:] == ("Still on the front: 0 of 1.", f"{worst} fell off: no better than bicubic.")


def test_what_is_no_better_than_the_baseline_is_not_on_the_front(run) -> None:
    found = confirmed_front(run, repeated(run, {0: (-0.1, 0.01)}))
    assert [each.on_front for each in found.networks] == [False]


def test_the_file_is_read_back_as_it_was(run, tmp_path) -> None:
    found = confirmed_front(run, repeated(run, {0: (0.1, 0.01), 4: (0.12, math.nan), 9: (0.13, 0.02)}))
    assert read_confirmed(run, tmp_path) is None
    write_confirmed(found, tmp_path)
    again = read_confirmed(run, tmp_path)
    assert confirm_frame(again).equals(confirm_frame(found))
    assert list(confirm_frame(found)) == [
        "trial", "source", "params", "macs", "steps", "seeds", "psnr_db", "sd_db", "gain_db", "was_on_front",
        "on_front", "tied_with",
    ]  # fmt: skip


@pytest.mark.parametrize("damage", ["99999,", "x,"])
def test_a_file_of_another_run_is_refused(run, tmp_path, damage: str) -> None:
    path = write_confirmed(confirmed_front(run, repeated(run, {0: (0.1, 0.01)})), tmp_path)
    header, row = path.read_text().splitlines()
    path.write_text(f"{header}\n{damage}{row.partition(',')[2]}\n")
    with pytest.raises(UserError, match=r"line 2: must be a network of demo as confirm writes it"):
        read_confirmed(run, tmp_path)


def test_over_milliseconds_that_are_the_first_cost(timed_run) -> None:
    found = confirmed_front(timed_run, repeated(timed_run, {0: (0.1, 0.01), 9: (0.3, 0.02)}))
    assert list(confirm_frame(found))[3] == "ms@board-x1"
    params = replace(timed_run, settings=replace(timed_run.settings, objectives=("psnr", "params")))
    assert list(confirm_frame(confirmed_front(params, repeated(params, {0: (0.1, 0.01)}))))[2:4] == ["params", "steps"]


def test_page_and_terminal_show_it(run, tmp_path) -> None:
    found = confirmed_front(run, repeated(run, {0: (0.1, 0.01), 9: (0.101, 0.02)}))
    table = confirm_table(run, found)
    assert table.row_count == 2
    before = report_html(run, folder=tmp_path)
    write_confirmed(found, tmp_path)
    page = report_html(run, folder=tmp_path)
    assert (tmp_path / CONFIRM_FILE).exists()
    assert "several seeds" not in before
    assert "The front again, with several seeds" in page
    assert f"{BICUBIC_DB + 0.1:.3f} ± 0.010" in page
    assert "several seeds" not in report_html(run, folder=tmp_path, is_brief=True)
