"""What every published network must hold to; a new one is tested by being in ``ZOO``."""

import math
import pkgutil
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from evaluators.costs import architecture_costs, network_costs, paper_counts
from latency_tables.lowering.fusion import architecture_operators, network_operators
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import LatencyTable, load_table
from space import PAPERS, TASKS, ZOO, architecture_from_dict, build, zoo
from space.architecture import Architecture
from space.backbones import BACKBONES
from space.deploy import deploy_form
from space.layers.protocols import ResidualEnd
from space.weights.fitting import forms_of
from space.weights.loading import load_network
from space.weights.state_dicts import is_counter
from space.zoo import FILES, OWN_NETWORKS
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout

NAMES = list(ZOO)
LAYOUTS = [(name, index) for name in NAMES for index in range(len(ZOO[name].layouts))]
EXPORTED = ("fsrcnn", "ecbsr-m4c8", "mallenet-port-8")  # in the default run; the others in the long one
ROUNDED = {"params": 0.01, "macs": 0.07}  # shares: SMFANet prints 6 % more multiply-adds than its convolutions have


def small(entry: PublishedNetwork) -> Architecture:
    """Its design at the smallest scale: the same blocks, fewer pixels to give out."""
    return entry.at_scale(min(TASKS[entry.task].input_sizes))


@pytest.fixture(scope="module", autouse=True)
def built_once() -> Iterator[None]:
    """A network is built and drawn once; whoever asks for it gets a copy."""
    yield
    _randomised.cache_clear()


def randomised(arch: Architecture) -> nn.Module:
    return deepcopy(_randomised(arch))


def on_meta(arch: Architecture) -> nn.Module:
    with torch.device("meta"):  # torch's own, not what counts are made with
        return build(arch)


@cache
def _randomised(arch: Architecture) -> nn.Module:
    """In eval mode with every number drawn: no branch is zero, no batch norm the identity."""
    generator = torch.Generator().manual_seed(1)
    network = build(arch, generator).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                tensor.data.uniform_(0.5, 1.5, generator=generator)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.requires_grad:
            module.weight.data.normal_(0, module.weight[0].numel() ** -0.5, generator=generator)
    for tensor in network.state_dict().values():  # gates and factors that start at zero, and those that stay there
        if tensor.is_floating_point() and not tensor.any():
            tensor.fill_(0.3)
    return network


def an_image(arch: Architecture, batch: int = 1, height: int = 24, width: int = 21) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(batch, arch.shape.in_channels, height, width, generator=generator)


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_every_file_of_networks_is_listed_and_no_name_is_given_twice() -> None:
    files = {file.name for file in pkgutil.iter_modules(zoo.__path__)}
    modules = {name: import_module(f"space.zoo.{name}") for name in files}
    assert {name for name, module in modules.items() if hasattr(module, "NETWORKS")} == set(FILES)
    assert sum(len(modules[name].NETWORKS) for name in FILES) == len(ZOO)


def test_networks_of_the_five_papers_are_a_view() -> None:
    assert {name: entry for name, entry in ZOO.items() if entry.runs_with_search} == PAPERS
    assert {entry.task for entry in PAPERS.values()} == set(TASKS)


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_what_it_is_and_survives_json(name: str) -> None:
    entry = ZOO[name]
    arch = entry.architecture
    assert entry.title
    assert entry.source
    assert entry.note or not entry.approximation
    assert arch.shape.out_channels in {out for _, out in TASKS[entry.task].channels.values()}
    assert architecture_from_dict(arch.to_dict()) == arch
    if entry.module is None:
        assert arch.backbone in BACKBONES
    else:
        assert arch.backbone not in BACKBONES
        own = OWN_NETWORKS[arch.backbone]
        assert (own.network, own.settings) == (entry.module, type(arch.settings))
    assert all(result.task == entry.task and result.source for result in entry.results)
    assert all("/" in layout.source for layout in entry.layouts)


@pytest.mark.parametrize("name", [name for name in NAMES if not ZOO[name].approximation])
def test_counts_are_those_that_its_authors_print(name: str) -> None:
    entry = ZOO[name]
    for result in entry.results:
        if not result.is_own or result.network != entry.title:
            continue
        size = TASKS[entry.task].input_sizes[result.scale]
        counts = paper_counts(entry, architecture_costs(entry.at_scale(result.scale), size), size, result.scale)
        if result.params is not None:
            assert counts.params_paper_rule == pytest.approx(result.params, rel=ROUNDED["params"])
        if result.macs is not None and result.macs_output == tuple(result.scale * side for side in size):
            macs = counts.macs_paper_rule or architecture_costs(entry.at_scale(result.scale), size).macs
            assert macs == pytest.approx(result.macs, rel=ROUNDED["macs"])


@pytest.mark.parametrize("name", NAMES)
def test_costs_are_those_of_torchs_counter_and_of_a_full_trace(name: str) -> None:
    arch = ZOO[name].architecture
    size, channels = (40, 24), arch.shape.in_channels
    costs = architecture_costs(arch, size)
    network = on_meta(arch)
    with torch.device("meta"):
        assert costs == network_costs(network, size, channels)
        deploy_form(network).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            output = network(torch.empty(1, channels, 24, 40))
    assert costs.macs == counter.get_total_flops() // 2
    assert costs.params == sum(parameter.numel() for parameter in network.parameters())
    assert output.shape == (1, arch.shape.out_channels, 24 * arch.shape.scale, 40 * arch.shape.scale)


@pytest.fixture(scope="module")
def tables() -> tuple[LatencyTable, ...]:
    return tuple(map(load_table, ("pixel4-a76", "a03s-a53", "pixel4-a55")))


@pytest.mark.parametrize("name", NAMES)
def test_every_operator_has_milliseconds_more_for_more_pixels(name: str, tables: tuple[LatencyTable, ...]) -> None:
    arch = ZOO[name].architecture
    small_input, large = (architecture_operators(arch, size) for size in ((64, 64), (256, 256)))
    with torch.device("meta"):
        assert small_input == network_operators(on_meta(arch), arch.shape.in_channels, (64, 64))
    assert "norm" not in {operator.kind for operator in small_input}
    for table in tables:
        latency = estimate(table, large)
        assert 0 < latency.low < latency.ms < latency.high < math.inf
        assert 0 < estimate(table, small_input).ms < latency.ms


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_at_odd_sizes_and_every_parameter_learns(name: str) -> None:
    arch = small(ZOO[name])
    network = randomised(arch).train()
    output = network(an_image(arch, batch=2))
    assert output.shape == (2, arch.shape.out_channels, 24 * arch.shape.scale, 21 * arch.shape.scale)
    assert output.isfinite().all()
    output.square().mean().backward()
    learned = {key: parameter.grad for key, parameter in network.named_parameters() if parameter.requires_grad}
    for key, gradient in learned.items():
        assert gradient is not None, key
        assert gradient.isfinite().all(), key
    assert sum(bool(gradient.any()) for gradient in learned.values()) > 0.8 * len(learned)


@pytest.mark.parametrize("name", NAMES)
def test_it_computes_the_same_when_loaded_again_and_when_folded(name: str, tmp_path: Path) -> None:
    arch = small(ZOO[name])
    network, image = randomised(arch), an_image(arch)
    again = build(arch).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    again.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    with torch.no_grad():
        output = network(image)
        assert output.std() > 0
        assert torch.equal(again(image), output)
        network, image = network.double(), image.double()  # what is clipped at the end may be large before
        output = network(image)
        assert close(deploy_form(deploy_form(network))(image), output)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert all(each.is_contiguous() for each in network.parameters())  # litert-torch 0.10 misreads others


@pytest.mark.parametrize("name", NAMES)
def test_what_changes_the_image_starts_as_the_image(name: str) -> None:
    arch = small(ZOO[name])
    network, image = build(arch, torch.Generator().manual_seed(0)).eval(), an_image(arch)
    if arch.shape.scale == 1 and isinstance(network, ResidualEnd) and network.residual_end is not None:
        with torch.no_grad():
            assert torch.equal(network(image), image[:, : arch.shape.out_channels])


def released(name: str, index: int) -> Iterator[tuple[nn.Module, dict[str, Tensor]]]:
    """At each scale: a network in the form of one of its layouts, and its tensors as the authors store them."""
    form = forms_of(name)[index + 1]  # after our own names
    layout = ZOO[name].layouts[index]
    for scale, arch in form.architectures.items():
        network = deploy_form(randomised(arch)) if layout.folded else _randomised(arch)
        names = {ours: theirs for ours, (theirs, _) in form.expected(scale).items()}
        own = network.state_dict()
        assert names.keys() == own.keys()
        assert len(set(names.values())) == len(names)
        ranged = {key: on_pixel_range(layout, key, value) for key, value in own.items()}
        yield network, {names[key]: value for key, value in ranged.items() if not is_counter(names[key])}


def on_pixel_range(layout: ReleasedLayout, key: str, value: Tensor) -> Tensor:
    """Our tensor as in the authors' network, which works on 0..``layout.pixel_range``."""
    if layout.ends is None:
        return value * layout.pixel_range if key.endswith("bias") else value
    first, last = layout.ends
    if key == f"{first}.weight":
        return value / layout.pixel_range
    return value * layout.pixel_range if key in (f"{last}.weight", f"{last}.bias") else value


@pytest.mark.parametrize(("name", "index"), LAYOUTS)
def test_a_file_in_each_layout_is_read_back(name: str, index: int) -> None:
    layout = ZOO[name].layouts[index]
    scales = forms_of(name)[index + 1].architectures
    for scale, (network, tensors) in zip(scales, released(name, index), strict=True):
        loaded = load_network(name, tensors, scale)
        assert loaded.layout is layout
        assert (loaded.name, loaded.scale) == (layout.network or name, scale)
        if layout.scale_of is not None:
            assert layout.scale_of(tensors) == scale
        own, read = network.state_dict(), loaded.network.state_dict()
        assert own.keys() == read.keys()
        assert all(close(read[key], own[key]) for key in own if own[key].is_floating_point())


def exports(name: str) -> None:
    arch = small(ZOO[name])
    network, image = deploy_form(randomised(arch)), an_image(arch, height=16, width=16)
    program = torch.export.export(network, (image,))
    with torch.no_grad():
        assert close(program.module()(image), network(image))


@pytest.mark.parametrize("name", EXPORTED)
def test_it_exports(name: str) -> None:
    exports(name)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in NAMES if name not in EXPORTED])
def test_all_others_export(name: str) -> None:
    exports(name)
