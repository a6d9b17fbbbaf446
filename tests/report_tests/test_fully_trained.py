"""The page's table of fully trained networks: the zoo's own costs, and whose figure its PSNR is."""

import dataclasses

import pytest

from evaluators.costs import architecture_costs
from evaluators.quantities import ms_text
from latency_tables.tables.table import load_table
from reports.run.fully_trained import MEASURED, PUBLISHED, fully_trained
from reports.run.html import report_html
from reports.run.published_view import results_for
from search.request.tables import tables_of
from space.zoo import ZOO

HEADING = "Fully trained networks to compare with"


def with_tables(run, *names):
    return dataclasses.replace(run, settings=dataclasses.replace(run.settings, tables=tables_of("--latency", names)))


def test_costs_are_this_project_s_own_at_the_run_s_input(run):
    rows = {row.name: row for row in fully_trained(with_tables(run, "pixel4-a76"))}
    assert len(rows) <= 40
    for name in ("s-lwsr16", "carn-m", "zenosr"):
        own = architecture_costs(ZOO[name].architecture, run.settings.input_size, [load_table("pixel4-a76")])
        assert rows[name].ms == own.latency
        assert rows[name].costs == dataclasses.replace(own, latency={})
    assert rows["carn-m"].costs.params == 294_171  # not the 412,000 of its paper


def test_the_quality_is_published_or_measured_here(run):
    rows = fully_trained(run)
    found = {row.name: (row.result.psnr_db, row.origin) for row in rows}
    assert found["s-lwsr16"] == (31.62, PUBLISHED)
    assert found["smfanet"] == (32.25, PUBLISHED)
    assert found["span-28"] == (31.75, MEASURED)
    assert "span-48" not in found  # neither
    assert [row.costs.macs for row in rows] == sorted(row.costs.macs for row in rows)


@pytest.mark.parametrize(("scale", "expected"), [(2, {"fsrcnn", "carn-m", "imdn", "smfanet", "safmn"}), (4, None)])
def test_networks_are_those_of_the_run_s_scale(run, scale, expected):
    rows = fully_trained(dataclasses.replace(run, settings=dataclasses.replace(run.settings, scale=scale)))
    assert {row.result.scale for row in rows} == {scale}
    assert expected is None or {row.name for row in rows} == expected


def test_a_task_without_published_results_has_no_table(run):
    settings = dataclasses.replace(run.settings, task="inpaint", scale=1)
    assert fully_trained(dataclasses.replace(run, settings=settings)) == ()


def test_a_table_that_is_gone_has_no_milliseconds(run):
    both = with_tables(run, "pixel4-a76", "a03s-a53")
    changed = dataclasses.replace(both.settings.tables[0], fingerprint="0123")
    tables = (changed, both.settings.tables[1])
    rows = fully_trained(dataclasses.replace(both, settings=dataclasses.replace(both.settings, tables=tables)))
    assert {tuple(row.ms) for row in rows} == {(tables[1].name,)}


def test_the_page_has_the_table(run):
    page = report_html(run)
    table = page[page.index(HEADING) :]
    table = table[: table.index("</table>")]
    assert table.count("<tr>") == 1 + len(fully_trained(run))
    assert table.count(MEASURED) == 9
    assert "Amazingren/NTIRE2026_ESR 4592ce6" in table
    assert "Stars are published results; diamonds nobody has published" in page


def test_milliseconds_of_every_table_have_their_band(timed_run):
    page = report_html(timed_run)
    rows = {row.name: row for row in fully_trained(timed_run)}
    table = page[page.index('id="fully-trained-table"') :]
    table = table[: table.index("</table>")]
    for name, figure in rows["fsrcnn"].ms.items():
        assert f"ms on {name}" in table
        assert f"{ms_text(figure.low)}–{ms_text(figure.high)}" in table
    assert set(rows["fsrcnn"].ms) == {"board-x1", "board-y2"}


def test_a_page_with_the_caller_s_results_or_of_costs_alone_has_none(run):
    assert HEADING not in report_html(run, published=results_for(run))
    assert HEADING not in report_html(run, is_brief=True)
