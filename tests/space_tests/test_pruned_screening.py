"""Costs of pruned architectures from parts that are narrowed one by one."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluators.costs import architecture_costs, network_costs
from latency_tables.tables.table import load_table
from space import TASKS, ZOO, SearchSpace, build
from space.architecture import Architecture
from space.channels.widths import architecture_channels
from space.errors import UserError
from space.layers.lightweight import Gsat
from space.operators import screen, trace
from space.search_space import first
from space.specialists import networks_of
from tests.pruned_networks import halved

SIZE = (64, 48)


def _smallest(task: str, **knobs: object) -> Architecture:
    space = SearchSpace(TASKS[task], TASKS[task].shape(TASKS[task].default_scale))
    return space.decode(space.fill(first, knobs))


def _uneven(arch: Architecture, seed: int) -> Architecture:
    """Some groups whole, some with one unit, others with any number."""
    generator = np.random.default_rng(seed)
    sizes = {name: group.size for name, group in architecture_channels(arch).groups.items()}
    counts = {name: int(generator.choice((1, size, generator.integers(1, size + 1)))) for name, size in sizes.items()}
    return replace(arch, widths=tuple(sorted((name, n) for name, n in counts.items() if n < sizes[name])))


PARENTS = {
    **{name: ZOO[name].architecture for name in ("s-lwsr16", "carn-m", "feature-align", "glcic-lite", "ecbsr-m4c8")},
    "gsat": _smallest("denoise", backbone="plain", block="gsat", width=16),
    "pyramid": _smallest("inpaint", backbone="pyramid", malle="every-level"),
    "progressive": _smallest("deblur", backbone="progressive", attention="both"),
}


@pytest.mark.parametrize("name", PARENTS)
def test_they_are_those_of_a_full_trace(name: str) -> None:
    tables = [load_table("pixel4-a76")]
    for arch in (halved(PARENTS[name]), _uneven(PARENTS[name], 0)):
        with torch.device("meta"):
            network = networks_of(build(arch))[0]
        traced = network_costs(network, SIZE, arch.shape.in_channels, tables=tables)
        assert architecture_costs(arch, SIZE, tables) == traced


def test_a_part_that_loses_nothing_stays_as_it_is() -> None:
    """A GSAT has 8 groups of a channel each at width 8, where one that is narrowed to it has 4 of two."""
    whole = _smallest("sr", backbone="plain", block="ar", ar_convolution="gsat", width=8, malle="head")
    arch = replace(whole, widths=(("malle.head.malle.predictor.0", 8),))
    network = build(arch)
    assert [m.groups for m in network.modules() if isinstance(m, Gsat)] == [
        m.groups for m in build(whole).modules() if isinstance(m, Gsat)
    ]
    counted = network_costs(network, SIZE, 3)
    assert architecture_costs(arch, SIZE) == counted
    assert counted.macs < architecture_costs(whole, SIZE).macs


def test_specialists_store_each_and_run_one() -> None:
    one = halved(_smallest("raw-denoise", backbone="plain"))
    both = replace(one, shape=replace(one.shape, specialists=2))
    alone, together = architecture_costs(one, SIZE), architecture_costs(both, SIZE)
    assert (together.params, together.macs) == (2 * alone.params, alone.macs)


def test_only_parts_that_lose_channels_are_traced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal blocks of a row are one part, wherever they stand."""
    arch = ZOO["s-lwsr16"].architecture
    traced: list[object] = []

    def counting(network: torch.nn.Module, *shapes: tuple[int, ...]) -> object:
        traced.append(network)
        return trace(network, *shapes)

    groups = architecture_channels(arch).groups
    inner = [name for name in groups if name.startswith("trunk.encoder.0.")]
    architecture_costs(arch, SIZE)
    monkeypatch.setattr(sys.modules[screen.__module__], "trace_shadow", counting)
    architecture_costs(replace(arch, widths=((inner[0], 5),)), SIZE)
    assert len(traced) <= 1
    architecture_costs(replace(arch, widths=((inner[1], 5),)), SIZE)
    assert len(traced) <= 1


def test_widths_that_a_network_does_not_have() -> None:
    with pytest.raises(UserError, match="got 'nothing'; known: stem"):
        architecture_costs(replace(ZOO["s-lwsr16"].architecture, widths=(("nothing", 4),)), SIZE)
