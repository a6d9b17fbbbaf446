"""Ratios between operators that price what no published network has."""

from __future__ import annotations

import numpy as np
import pytest

from latency_tables.classes import TERMS, cost_class
from latency_tables.published.ratios import REFERENCES, ratios
from latency_tables.table import load_table


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
    one_pass = sum(table.classes["elementwise", term].latency_ms for term in ("M elements", "M elements beyond cache"))
    prelu = next(ratio for ratio in ratios() if (ratio.dtype, ratio.name) == ("fp32", "activation prelu"))
    row = table.classes["activation prelu", "M elements"]
    assert row.latency_ms == pytest.approx(prelu.ratio * one_pass, rel=1e-3)
    assert row.origin == "traffic-estimate"
    assert row.relative_error >= prelu.relative_error


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_every_model_runs_and_is_of_its_class(dtype: str) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    pytest.importorskip("flatbuffers")
    from latency_tables.published.measure_ratios import MEASURED

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
