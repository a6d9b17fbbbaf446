"""Swaps: each changes its network and leaves one that runs; what it saves is counted round by round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from latency_tables.lowering.fusion import network_operators
from reports.networks.swap_variants import SCALE, SWAPS, Replacement, Swap, parameters
from reports.networks.swaps import COLUMNS, Result, Written, middle_half, page, reference, results, rows, written
from space.errors import UserError
from space.zoo import ZOO

SIZE = (88, 84)  # of several windows of channel attention, and of sides that the coarse map does not divide


def base_of(swap: Swap) -> Swap:
    return next(each for each in SWAPS if each.network == swap.network)


def outline(swap: Swap) -> list[str]:
    """What an engine runs."""
    return list(map(str, network_operators(swap.build(), 3, SIZE)))


@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: swap.key)
def test_a_swapped_network_runs_and_is_another_one(swap: Swap) -> None:
    network = swap.build()
    with torch.inference_mode():
        output = network(torch.rand(1, 3, *reversed(SIZE), generator=torch.Generator().manual_seed(0)))
    assert output.shape == (1, 3, SCALE * SIZE[1], SCALE * SIZE[0])
    assert output.isfinite().all()
    assert (outline(swap) == outline(base_of(swap))) == (swap is base_of(swap))


def test_names_are_unique_and_the_published_network_comes_first() -> None:
    assert len({swap.key for swap in SWAPS}) == len(SWAPS)
    for name in {swap.network for swap in SWAPS}:
        first = next(swap for swap in SWAPS if swap.network == name)
        assert not first.parts
        assert not first.settings
        published = ZOO[name].module(ZOO[name].at_scale(SCALE).shape, ZOO[name].at_scale(SCALE).settings)
        assert parameters(first.build()) == parameters(published)


def test_parts_are_found_by_class_and_path() -> None:
    network = nn.Sequential(nn.GELU(), nn.Sequential(nn.GELU(), nn.Conv2d(3, 3, 1)))
    Replacement(lambda part: nn.ReLU(), nn.GELU, "1.*").apply(network, "it")
    assert [type(module) for module in (network[0], network[1][0])] == [nn.GELU, nn.ReLU]
    with pytest.raises(UserError, match=r"it must have a GELU at '2\.\*' to be swapped, got none"):
        Replacement(lambda part: nn.ReLU(), nn.GELU, "2.*").apply(network, "it")


def result(name: str, *rounds_ms: float) -> Result:
    return Result(Swap("smfanet", name, settings={"width": 32}), 1000, rounds_ms, (10.0, 20.0, 12.0), 5.0, 20.0)


def test_savings_are_of_medians_with_what_the_rounds_leave_open() -> None:
    each = result("narrow", 8.0, 17.0, 9.0)
    assert each.ms == 9.0
    assert each.saved_ms == 3.0
    low, high = each.saved_band_ms
    assert -7 <= low < 3 < high <= 12
    assert result("even", 9.0, 9.0, 9.0).saved_band_ms == (1.0, 11.0)
    assert each.share == pytest.approx(3 / 12)
    assert each.least_share == pytest.approx(0.2)
    assert each.table_share == pytest.approx(0.75)
    assert middle_half(each.rounds_ms) == (8.5, 13.0)
    assert middle_half((4.0,)) == (4.0, 4.0)


def test_every_network_is_compared_with_the_published_one_of_its_name() -> None:
    networks = [Written(swap, 1, b"", 2.0) for swap in SWAPS]
    ms = {swap.key: (float(index), float(index)) for index, swap in enumerate(SWAPS)}
    for each in results(networks, ms):
        assert each.base_ms == ms[base_of(each.swap).key]
        assert each.rounds_ms == ms[each.swap.key]


def test_the_page_and_the_rows() -> None:
    published = Result(Swap("smfanet", "as published"), 2000, (10.0, 20.0, 12.0), (10.0, 20.0, 12.0), 20.0, 20.0)
    found = (published, result("wider", 11.0, 21.0, 13.0), result("narrow", 8.0, 17.0, 9.0))
    text = page(found, {"engine_version": "1.0", "cpu": "a processor"}, "the command")
    assert "LiteRT 1.0" in text
    assert "3 rounds" in text
    assert "not measured" in text
    assert "As published: **12 ms** (11 to 16; fastest round 10), 2,000 parameters" in text
    assert "| 9 (8 to 13) | 3 (" in text
    assert text.index("| narrow |") < text.index("| wider |")  # what saves most first
    header, *lines = rows(found)
    assert header == COLUMNS
    assert all(len(line) == len(COLUMNS) for line in lines)
    assert lines[2][COLUMNS.index("saved_ms")] == "3.0"


def test_the_reference_is_a_convolution_of_the_input_size() -> None:
    assert reference().macs == 9 * 32 * 32 * 320 * 180


@pytest.mark.long
def test_a_file_is_written_once(tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    swap = Swap("smfanet", "small", settings={"width": 8, "blocks": 1})
    first = written(swap, SIZE, tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.name == "smfanet-small.tflite"
    path.write_bytes(b"kept")
    again = written(swap, SIZE, tmp_path)
    assert (first.model[4:8], again.model) == (b"TFL3", b"kept")
    assert np.isfinite(first.table_ms)
