"""The int8 study: what is measured of a small network, and what its page, its CSV and its picture say of it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from reports.networks import int8_measured
from reports.networks.int8_figure import figure, label, loss_db
from reports.networks.int8_measured import KEPT, RATES, measured, subject
from reports.networks.int8_study import page, rows_of
from space.errors import UserError
from tests.small_networks import small_model

SIZE = (32, 16)


def record(**changes: Any) -> dict[str, Any]:
    """Of a made-up network."""
    costs = {"ms": 4.0, "ms_low": 3.0, "ms_high": 5.0, "weight_bytes": 4000, "peak_activation_bytes": 8_000_000}
    checked = {"psnr_db": 28.5, "torch_psnr_db": 28.75, "ms": 1.5, "bytes": 5000}
    names = ["stem", "blocks.0", "blocks.1", "tail"]
    return {
        "task": "sr ×4",
        "metric": "PSNR on Y",
        "params": 1234,
        "psnr_db": {"float": 29.0, "int8": 28.6},
        "drift_levels": [0.1, -0.4, 0.2],
        "kept_in_float": [
            {"layers": names[:count], "psnr_db": 28.6 + count / 20, "ms": 2.0 + count, "weight_bytes": 2000}
            for count in KEPT
        ],
        "costs": {"input": [320, 180], "float": costs, "int8": {**costs, "ms": 2.0}},
        "crops": {
            "size": [96, 64],
            "simulated": {**checked, "psnr_db": 28.53},
            "fp32": {**checked, "psnr_db": 28.75},
            "int8": checked,
            "simulated_to_file_db": 50.0,
        },
        "seconds": 3.0,
        **changes,
    }


TUNED = [{"rate": rate, "steps": 200, "psnr_db": {"float": 29.2, "int8": 29.1}} for rate in RATES]
RECORDS = {
    "s-lwsr16+skip:upsampler=nearest": record(fine_tuned=TUNED),
    "espcn": record(params=99),
    "refused": record(crops={**record()["crops"], "int8": {"failure": "LiteRT refuses it: a | b"}}),
}


def test_every_column_has_a_value_in_every_row() -> None:
    text = io.StringIO()
    csv.writer(text).writerows(rows_of(RECORDS))
    text.seek(0)
    first, plain, refused = csv.DictReader(text)
    assert None not in first
    assert None not in first.values()
    assert (float(first["psnr_2_in_float_db"]), first["layer_4"]) == (pytest.approx(28.7), "tail")
    assert (float(first[f"psnr_tuned_{RATES[0]:g}_int8_db"]), plain[f"psnr_tuned_{RATES[0]:g}_int8_db"]) == (29.1, "")
    assert (first["crop_litert_db"], refused["crop_litert_db"]) == ("28.5", "")
    assert refused["failure"] == "LiteRT refuses it: a | b"


def test_the_page_has_every_network_in_every_table() -> None:
    text = "\n".join(page(RECORDS, "COMMAND", 9.0))
    assert text.count("| espcn |") == 3
    assert text.count("s-lwsr16+skip, nearest + convolution |") == 3 + len(RATES)
    assert "| 28.530 | 28.500 | +0.030 | 50.0 |" in text
    assert "refused: LiteRT refuses it: a \\| b" in text
    assert "+0.10 -0.40 +0.20" in text


def test_the_picture_has_a_bar_a_network_as_long_as_its_loss() -> None:
    drawn = figure(RECORDS)
    FigureCanvasAgg(drawn).draw()
    losses, drifts = drawn.axes
    assert [bar.get_width() for bar in losses.patches] == pytest.approx([loss_db(each) for each in RECORDS.values()])
    assert [bar.get_width() for bar in drifts.patches] == pytest.approx([-0.4] * len(RECORDS))
    assert [text.get_text() for text in losses.get_yticklabels()] == [label(name) for name in RECORDS]


@pytest.fixture
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("training_images", "validation_images"):
        whole = getattr(int8_measured, name)
        monkeypatch.setattr(int8_measured, name, lambda *given, whole=whole: whole(*given)[:3])


@pytest.mark.usefixtures("few_pictures")
def test_what_is_measured_of_a_small_network() -> None:
    pytest.importorskip("litert_torch")
    found = measured(small_model("denoise"), SIZE, fine_tunes=False)
    assert found["psnr_db"]["float"] != found["psnr_db"]["int8"]
    assert [len(each["layers"]) for each in found["kept_in_float"]] == list(KEPT)
    bytes_kept = [each["weight_bytes"] for each in found["kept_in_float"]]
    assert found["costs"]["int8"]["weight_bytes"] < bytes_kept[0] < bytes_kept[-1]
    crops = found["crops"]
    assert crops["fp32"]["psnr_db"] == pytest.approx(crops["simulated"]["torch_psnr_db"], abs=1e-3)
    assert crops["int8"]["psnr_db"] == pytest.approx(crops["simulated"]["psnr_db"], abs=0.05)
    assert crops["int8"]["bytes"] < crops["fp32"]["bytes"]


@pytest.mark.usefixtures("few_pictures")
def test_fine_tuning_moves_the_weights_that_are_measured() -> None:
    about = subject(small_model("denoise"), SIZE)
    still, moved = (int8_measured.fine_tuned(about, rate, steps=2)["psnr_db"] for rate in (1e-9, 1e-2))
    assert still["float"] == pytest.approx(about.quality(about.network), abs=1e-3)
    assert abs(moved["float"] - still["float"]) > 1e-3


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(UserError, match="specialists of"):
        subject(small_model("denoise", sigma=(0.0, 50.0), specialists=2), SIZE)
