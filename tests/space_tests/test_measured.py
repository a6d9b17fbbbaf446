"""What authors' weights gave here: as the page of released weights says, and nobody's published result."""

from pathlib import Path

import pytest

from evaluators.costs import architecture_costs
from reports.networks.released_weights import COLUMNS, EXPECTED
from space import ZOO
from space.zoo.literature import measured_results, published_results
from space.zoo.measured_result import MeasuredResult, measured

MEASURED = measured_results("sr")
PAGE = Path(__file__).parents[2] / "reports/published/released-weights/README.md"


def rows_of_the_page() -> dict[str, dict[str, str]]:
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {cells[0]: dict(zip(COLUMNS, cells, strict=True)) for cells in lines}


@pytest.mark.parametrize("result", MEASURED, ids=lambda result: f"{result.network} {result.dataset}")
def test_a_figure_is_that_of_the_page_of_released_weights(result):
    row = rows_of_the_page()[result.file]
    assert (row["from"], row["parameters"]) == (result.source, f"{result.params:,}")
    assert float(row[f"{result.dataset}: got"]) == pytest.approx(result.psnr_db, abs=0.0051)  # three digits, two here
    expected = EXPECTED[result.file]
    assert not expected.published
    assert result.dataset != "Set5" or result.psnr_db == pytest.approx(expected.psnr_db[0], abs=0.02)


def test_they_are_of_the_networks_as_built_and_not_published():
    published = {(result.network, result.scale, result.dataset) for result in published_results("sr")}
    assert not [r for r in MEASURED if (r.network, r.scale, r.dataset) in published]
    for entry in ZOO.values():
        costs = architecture_costs(entry.architecture, (64, 48)) if entry.measured else None
        for result in entry.measured:
            assert (result.network, result.task) == (entry.title, entry.task)
            assert (result.scale, result.params) == (entry.architecture.shape.scale, costs.params)


def test_results_are_found_by_task_scale_and_dataset():
    assert {result.dataset for result in MEASURED} == {"Set5", "Set14"}
    assert len(measured_results("sr", 4, "Set5")) == 9
    assert measured_results("sr", 2) == measured_results("denoise") == ()


def test_one_row_a_dataset():
    rows = measured("X", "x.pth", "owner/x 0123abc", {"Set5": 31.5, "Set14": 28.2}, params=9)
    assert rows[1] == MeasuredResult("X", "sr", 4, "Set14", "x.pth", "owner/x 0123abc", 28.2, 9)
    with pytest.raises(ValueError, match="params must be positive, got 0"):
        measured("X", "x.pth", "owner/x 0123abc", {"Set5": 31.5}, params=0)
