"""The table of published results: loads, keeps its sources apart, and agrees with the papers."""

import pytest

from space.zoo.literature import one_per_network, published_results
from space.zoo.published_result import MACS_RULES, PublishedResult

ALL = published_results("sr")


def one(network: str, dataset: str, source: str, scale: int = 4) -> PublishedResult:
    found = [
        result
        for result in published_results("sr", scale, dataset)
        if result.network == network and source in result.source and "ablation" not in result.note
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("network", "psnr_db", "ssim", "params", "macs"),
    [
        # Li et al., arXiv 1909.10774, Table II, Set5
        ("s-LWSR16", 31.62, 0.886, 144_000, 8_300_000_000),
        ("s-LWSR32", 32.04, 0.893, 571_000, 32_900_000_000),
        ("s-LWSR64", 32.28, 0.896, 2_277_000, 131_100_000_000),
    ],
)
def test_s_lwsr_rows_are_those_of_table_ii(network, psnr_db, ssim, params, macs):
    result = one(network, "Set5", "Table II")
    assert (result.psnr_db, result.ssim, result.params, result.macs) == (psnr_db, ssim, params, macs)
    assert result.macs_rule == "parameters x 57600"
    assert result.macs == pytest.approx(result.params * 57_600, rel=0.01)
    assert result.macs_output == (1280, 720)


def test_the_same_network_counted_by_two_rules_stays_two_results():
    quoted, own = one("CARN", "Set5", "1909.10774"), one("CARN", "Set5", "CARN-pytorch")
    assert (quoted.macs, own.macs) == (65_400_000_000, 90_900_000_000)
    assert (quoted.macs_rule, own.macs_rule) == ("not stated", "convolution")


def test_the_networks_own_paper_is_preferred():
    chosen = {result.network: result for result in one_per_network(published_results("sr", 4, "Set5"))}
    assert "CARN-pytorch" in chosen["CARN"].source
    assert "Table II" in chosen["s-LWSR32"].source
    assert chosen["SAFMN"].params == 240_000  # only quoted: by the SMFANet paper


def test_every_row_is_complete():
    for result in ALL:
        assert result.source, result
        assert result.psnr_db is not None, result
        assert 20 < result.psnr_db < 40, result
        assert result.ssim is None or 0.5 < result.ssim < 1, result
        assert result.macs_rule in (None, *MACS_RULES), result


OTHERS = [result for task in ("denoise", "deblur", "raw-denoise") for result in published_results(task)]


@pytest.mark.parametrize(
    ("network", "dataset", "level", "psnr_db", "metric"),
    [
        ("DnCNN-S", "BSD68", "25", 29.23, "PSNR on grey"),
        ("FFDNet (color)", "Kodak24", "50", 28.98, "PSNR on RGB"),
        ("NAFNet-GoPro-width32", "GoPro", "", 32.8705, "PSNR on RGB"),
        ("progressive residual network, 6 recursions", "not named", "", 30.21, "PSNR"),
        ("Feature-Align network", "DND", "", 48.28, "PSNR"),
    ],
)
def test_rows_of_the_other_tasks_are_as_their_sources_print_them(network, dataset, level, psnr_db, metric):
    found = [r for r in OTHERS if (r.network, r.dataset, r.level) == (network, dataset, level)]
    (chosen,) = one_per_network(found)
    assert (chosen.psnr_db, chosen.metric) == (psnr_db, metric)


def test_rows_of_the_other_tasks_are_complete():
    for result in OTHERS:
        assert result.source, result
        assert 20 < result.psnr_db < 50, result
        assert result.level in (("15", "25", "50", "real") if result.task == "denoise" else ("",)), result
        assert result.scale == 1, result
    assert not [r for r in OTHERS if r.params and r.network == "DRUNet"]  # remembered only


def test_nothing_is_remembered_read_off_a_plot_or_measured_by_others():
    texts = [f"{result.network} {result.source} {result.note}".lower() for result in ALL]
    forbidden = ("approximate", "recalled", "1 epoch", "re-implementation")
    assert not [text for text in texts if any(word in text for word in forbidden)]


def test_self_ensembles_are_marked():
    names = {result.network for result in ALL if result.is_self_ensemble}
    assert {"s-LWSR16+", "s-LWSR32+", "s-LWSR64+"} <= names
    assert not {"s-LWSR16", "s-LWSR32", "s-LWSR64"} & names


def test_an_unknown_task_has_no_results():
    assert published_results("tea-making") == ()


def test_a_count_without_its_rule_is_refused():
    with pytest.raises(ValueError, match="given together"):
        PublishedResult("x", "sr", 4, "Set5", "somewhere", macs=1)
