"""The layout choices of the symmetric backbone: which blocks keep their activation, which layers the pool reads."""

import pytest

from space.backbones.row import inverted_flags, kept_flags
from space.backbones.symmetric import RELEASED_KEPT, bunch_sizes, pool_sources
from space.zoo.slwsr import released


def test_half_kept_is_the_released_pattern() -> None:
    _, arch = released(width=16, activation_kept="1/2")
    blocks = [spec for row in (*arch.settings.encoder, *arch.settings.decoder) for spec in row]
    assert [i for i, spec in enumerate(blocks) if spec.activated] == list(RELEASED_KEPT)
    assert len(RELEASED_KEPT) == 12
    assert len(blocks) == 26


@pytest.mark.parametrize(("kept", "number"), [("rare", 2), ("1/3", 9), ("2/3", 17), ("all", 26)])
def test_kept_share_of_26_blocks(kept: str, number: int) -> None:
    flags = kept_flags(26, kept)
    assert sum(flags) == number
    assert flags[0]
    assert flags[-1]


def test_pool_reads_six_layers_as_published_or_eleven() -> None:
    sizes = bunch_sizes(3)
    assert sizes == (3, 3, 3, 3, 2)
    assert pool_sources(sizes, "normal") == (0, 4, 7, 10, 13, 14)  # x1, b1, c1, d1, e1, e2
    assert len(pool_sources(sizes, "wide")) == 11
    assert pool_sources(sizes, "none") == ()


@pytest.mark.parametrize("at", ["first", "last", "spread"])
@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("count", [4, 9, 26])
def test_a_ratio_between_none_and_all_replaces_some_but_not_all(count: int, ratio: float, at: str) -> None:
    flags = inverted_flags(count, ratio, at)
    assert 0 < sum(flags) < count
    assert sum(flags) == pytest.approx(ratio * count, abs=1)
