"""Two bands: for the engine's very version, and for any of its versions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from latency_tables.fitting.tables import SHIPPED
from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.estimate import DEFAULT_RESIDUAL, difference, estimate, explain, version_spread
from latency_tables.tables.relatives import Z90
from latency_tables.tables.rows import Row
from latency_tables.tables.table import load_table
from tests.latency_tests.made_tables import table

CELL = [EngineOperator("conv", 32, 32, 16, 16, 16_384, kernel=(3, 3))] * 20
# Measured over predicted, by others on a Pixel 4: with another version of TensorFlow Lite; a restoration network
# without pinning on 1, 2 and 4 threads. A Raspberry Pi 5 by clock.
OTHERS = (1 / 0.71, 1762 / 1410, 1146 / 902, 775 / 698, 0.68)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_band_of_shipped_tables_holds_for_other_versions(name: str) -> None:
    found = explain(load_table(name), CELL)
    figure = found.latency
    assert all(figure.low < ratio * figure.ms < figure.high for ratio in OTHERS)
    assert figure.low < found.version_low < figure.ms < found.version_high < figure.high


def test_the_spread_is_what_others_differ_by() -> None:
    """The same five as in latency_tables.fitting.tables, one figure a source."""
    restoration = np.mean(np.log(OTHERS[1:4]))
    logs = (math.log(OTHERS[0]), restoration, math.log(1.39), math.log(1.03), math.log(0.68))
    assert version_spread(load_table("pixel4-a76")) == pytest.approx(np.sqrt(np.mean(np.square(logs))), abs=0.01)


def test_a_common_factor_widens_no_difference() -> None:
    wide = EngineOperator("conv", 32, 32, 16, 17, 16_384, kernel=(3, 3))
    rows = {CELL[0]: Row(1.0, "measured", 0.02, "test"), wide: Row(1.1, "measured", 0.02, "test")}

    def made(**spread: float):
        provenance = {"residual": DEFAULT_RESIDUAL, **spread}
        return table(
            name=f"versions {spread}", shapes=rows, classes={}, samples=np.zeros((0, 0)), provenance=provenance
        )

    one, any_version = made(), made(version_spread=0.3)
    assert difference(one, CELL, (wide,)) == difference(any_version, CELL, (wide,))
    assert estimate(one, CELL).high == explain(one, CELL).version_high == explain(any_version, CELL).version_high
    assert estimate(any_version, CELL).high > estimate(any_version, CELL).ms * math.exp(Z90 * 0.3)
