"""Ratios between operators that price what no published network has."""

from __future__ import annotations

import numpy as np
import pytest

from latency_tables.fitting.ratios import REFERENCES, ratios
from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.classes import TERMS, cost_class
from latency_tables.tables.estimate import price
from latency_tables.tables.table import load_table


def test_shipped_ratios_are_usable() -> None:
    for ratio in ratios():
        assert ratio.per in TERMS
        assert ratio.reference in REFERENCES
        assert ratio.ratio > 0
        assert ratio.relative_error >= 0.5
        assert ratio.source


def test_both_dtypes_price_the_same_classes() -> None:
    classes = {dtype: {ratio.name for ratio in ratios() if ratio.dtype == dtype} for dtype in ("fp32", "int8")}
    assert classes["fp32"] == classes["int8"]


def test_table_rows_are_ratio_times_reference() -> None:
    table = load_table("mi8se-a75")
    prelu = next(ratio for ratio in ratios() if (ratio.dtype, ratio.name) == ("fp32", "activation prelu"))
    for term in ("M elements", "M elements beyond cache"):
        row = table.classes["activation prelu", term]
        assert row.latency_ms == pytest.approx(prelu.ratio * table.classes["elementwise", term].latency_ms, rel=1e-3)
        assert row.origin == "traffic-estimate"
        assert row.relative_error >= prelu.relative_error


def test_a_small_relu_is_not_charged_the_way_to_memory() -> None:
    """It costs about an addition of as many elements at every size."""
    table = load_table("pixel4-a76")
    for size in (16, 32, 400):
        relu = EngineOperator("activation", size, size, 16, 16, 16 * size**2, function="relu")
        add = EngineOperator("add", size, size, 16, 16, 16 * size**2, function="scalar")
        assert price(table, relu).ms == pytest.approx(price(table, add).ms, rel=0.3)


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_every_model_runs_and_is_of_its_class(dtype: str) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    pytest.importorskip("flatbuffers")
    from latency_tables.fitting.measure_ratios import MEASURED

    for name, (terms, makers) in MEASURED.items():
        for make in makers:
            model = make(dtype, 8, 12, 16)
            assert cost_class(model.operator) == name
            assert all(TERMS[term](model.operator) > 0 for term in terms)
            runner = interpreter.Interpreter(
                model_content=model.content,
                experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            runner.allocate_tensors()
            (given,), (result,) = runner.get_input_details(), runner.get_output_details()
            runner.set_tensor(given["index"], np.ones(given["shape"], given["dtype"]))
            runner.invoke()
            op = model.operator
            assert tuple(result["shape"]) == (1, op.height, op.width, op.out_channels)
            assert op.read_elements == np.prod(given["shape"])
            assert np.isfinite(runner.get_tensor(result["index"]).astype(float)).all()
