"""The comparison of both precisions: pairs of one seed, and nothing that was trained otherwise."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from reports.experiments.precision_quality import interval_db, pairs, write
from search.experiments.ablations import comparison
from search.experiments.training import SetResult, TrainingRecord
from space.errors import UserError

DIFFERENCES_DB = (-0.01, 0.02, 0.02)  # bf16 minus fp32, of seeds 0, 1, 2


def records_in_precision(word: str, steps: int = 400) -> list[TrainingRecord]:
    """The narrowest network of the ablation: 28 dB and the seed in float32."""
    ablation = comparison("precision")
    found = []
    for training in ablation.trainings(steps, len(DIFFERENCES_DB), ("embedded",), ("embedded",)):
        if training.name == "plain, 8 channels":
            psnr_db = 28 + training.seed + (DIFFERENCES_DB[training.seed] if word == "bf16" else 0)
            results = {"embedded": SetResult(psnr_db, 0.9, 20.0, 0.5, 6, "embedded: six pictures")}
            environment = {"device": "a CPU", "torch": "2", "commit": "abc", "workers": "1 x 1 threads"}
            environment["precision"] = f"training {'bfloat16' if word == 'bf16' else 'float32'} (asked for), and so on"
            found.append(
                TrainingRecord(
                    training,
                    13_656,
                    10**9,
                    10**6,
                    (320, 180),
                    results,
                    60.0,
                    "photographs",
                    environment,
                    f"python -m search ablation precision --precision {word}",
                    "2026-01-01T00:00:00+00:00",
                )
            )
    return found


FP32, BF16 = records_in_precision("fp32"), records_in_precision("bf16")


def test_differences_are_those_of_one_seed() -> None:
    (pair,) = pairs(FP32, BF16)
    assert pair.differences_db == pytest.approx(DIFFERENCES_DB)
    mean, half = interval_db(pair.differences_db)
    assert (mean, half) == (pytest.approx(0.01), pytest.approx(4.302652729911275 * 0.03**0.5 / 10 / 3**0.5))
    (short,) = pairs(FP32, BF16[1:])
    assert short.differences_db == pytest.approx(DIFFERENCES_DB[1:])
    assert interval_db(short.differences_db[:1]) == (pytest.approx(0.02), None)


@pytest.mark.parametrize(
    ("fp32", "bf16", "reason"),
    [
        (BF16, FP32, "trainings in fp32 are needed, got plain, 8 channels in bf16"),
        (FP32, FP32, "trainings in bf16 are needed"),
        (FP32, records_in_precision("bf16", 100), "the same number of steps"),
        (FP32[:1], BF16[1:], "in both precisions"),
        ([], [], "in both precisions"),
    ],
)
def test_what_cannot_be_compared_is_refused(fp32: list, bf16: list, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        pairs(fp32, bf16)


def test_the_page_and_its_rows(tmp_path: Path) -> None:
    write(tmp_path, FP32, BF16)
    text = (tmp_path / "README.md").read_text()
    assert "| plain, 8 channels | 13,656 | 29.000 ± 1.000 | 29.010 ± 1.01" in text
    assert "| +0.010 ± 0.043 | -0.010, +0.020, +0.020 |" in text
    assert "largest single difference is +0.020 dB" in text
    assert "--precision fp32`; `python" in text
    rows = pd.read_csv(tmp_path / "psnr.csv")
    assert list(rows.precision) == ["fp32"] * 3 + ["bf16"] * 3
    assert list(rows.psnr_db) == pytest.approx([28, 29, 30, 27.99, 29.02, 30.02])


def test_the_ablation_is_of_six_networks_that_begin_as_their_input() -> None:
    ablation = comparison("precision")
    assert len(ablation.variants) == 6
    assert {arch.settings.width for arch in ablation.variants.values()} == {8, 16, 24, 32}
    assert {arch.ends.input_skip for arch in ablation.variants.values()} == {"bicubic"}
    assert ablation.base in ablation.variants
