"""The figure of kinds of blocks at equal milliseconds, and the trunks that it compares."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from reports.experiments import blocks_figure
from reports.networks.counts import PHONES
from search.experiments.ablations import Comparison, comparison
from search.experiments.block_ablation import DENSE, KINDS, TABLE, _ms
from space.search_space import BACKBONE
from space.tasks import TASKS


@pytest.fixture(scope="module", params=blocks_figure.NAMES)
def study(request: pytest.FixtureRequest) -> Comparison:
    return comparison(request.param)


def kinds_of(study: Comparison) -> list[str]:
    """Of ``KINDS``, those whose trunk the task has."""
    backbones = TASKS[study.rules.task].backbones
    return [name for name, knobs in KINDS.items() if knobs.get(BACKBONE, "plain") in backbones]


def test_trunks_take_about_as_long_as_the_dense_one(study: Comparison) -> None:
    """As near as whole blocks allow: half a block of the dearest kind is a sixth of the time."""
    assert list(study.variants) == kinds_of(study)
    dense_ms = _ms(study.rules, study.variants[DENSE])
    for name, arch in study.variants.items():
        assert _ms(study.rules, arch) == pytest.approx(dense_ms, rel=0.18), name
    for name in ("residual, Conv3XC", "residual, edge filters"):  # folded when deployed
        assert _ms(study.rules, study.variants[name]) == dense_ms


def table(study: Comparison, seeds: int, diverged: str = "") -> pd.DataFrame:
    rows = []
    for place, name in enumerate(study.variants):
        for seed in range(seeds):
            psnr_db = 20.0 if name == diverged and seed == 1 else 29 + 0.01 * place + 0.003 * seed
            costs = {
                "params": 1,
                "true_macs": 2,
                "peak_activation_bytes": 3,
                **{f"ms_{phone}": 200.0 for phone in PHONES},
            }
            rows.append(
                {"variant": name, "seed": seed, "steps": 5, "psnr_db": psnr_db, "baseline_psnr_db": 28.0, **costs}
            )
    return pd.DataFrame(rows)


def test_a_row_a_kind_and_a_panel_a_task(tmp_path: Path) -> None:
    folders = []
    for name in blocks_figure.NAMES:
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        table(comparison(name), 2, "BSConv").to_csv(folders[-1] / "psnr.csv", index=False)
    assert blocks_figure.main([*map(str, folders), str(tmp_path / "blocks.png")]) == 0
    assert (tmp_path / "blocks.png").read_bytes().startswith(b"\x89PNG")


def test_what_diverged_is_said_and_in_no_mean(study: Comparison) -> None:
    found = blocks_figure.stored_variants(study, table(study, 2, "BSConv"))
    drawn = blocks_figure.figure([(study, found)])
    (axes,) = drawn.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == kinds_of(study)
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("◂ diverged") == 1
    assert texts.count("200 ms") == len(kinds_of(study))
    assert "2 seeds" in axes.get_title()
    row = kinds_of(study).index("BSConv")
    marks = [line.get_xdata() for line in axes.lines if list(line.get_ydata()) == [row]]
    assert marks
    assert all(abs(value) < 1 for mark in marks for value in mark)
    assert TABLE in drawn.get_suptitle()


def test_what_a_task_does_not_offer_and_what_is_not_trained_are_told_apart() -> None:
    both = [comparison(name) for name in blocks_figure.NAMES]
    begun = [table(study, 1) for study in both]
    begun[1] = begun[1][begun[1]["variant"] != "SPAB"]
    drawn = blocks_figure.figure(
        [(study, blocks_figure.stored_variants(study, each)) for study, each in zip(both, begun, strict=True)]
    )
    lacking = len(kinds_of(both[0])) - len(kinds_of(both[1]))
    texts = [[text.get_text() for text in axes.texts] for axes in drawn.axes]
    assert [each.count("not offered for this task") for each in texts] == [0, lacking]
    assert lacking == 1
    assert "0.045 dB" in drawn.get_supxlabel()
