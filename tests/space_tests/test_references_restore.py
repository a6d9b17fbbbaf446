"""Reference networks of denoising, RAW denoising, deblurring and inpainting: counts, costs, forms, released weights."""

import io
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from evaluators.costs import architecture_costs, network_costs, paper_counts
from latency_tables.estimate import estimate
from latency_tables.fusion import architecture_operators, network_operators
from latency_tables.table import LatencyTable, load_table
from space import PAPERS, TASKS, UserError, architecture_from_dict, build, load_published
from space.architecture import IOShape
from space.blocks.batch_norm import Normed
from space.blocks.lightweight import List
from space.blocks.padding import pad_to_multiple
from space.build import deploy_form
from space.papers.published_weights import load_network
from space.papers.references_restore import REFERENCES_RESTORE
from space.papers.released_restore import RELEASED_RESTORE
from space.references.cbdnet import CbdNetSettings
from space.references.dncnn import DnCnnSettings
from space.references.glcic import GlcicSettings

NAMES = [entry.name for entry in REFERENCES_RESTORE]
RUN_WITH_SEARCH = ("dncnn-list", "dncnn-list-color", "cbdnet-lite", "glcic-lite")  # of the five papers, one form each

# Parameters as deployed, and by the source's rule; MACs at 256x256 in units of 10^9, rounded as the source rounds them.
# From the fact sheets of the papers: counted from the released codes, or identified by count.
COUNTS = {
    "dncnn": (555_072, 556_032, 36.31),
    "dncnn-list": (35_472, 37_392, 2.23),
    "dncnn-color": (557_376, 558_336, 36.47),
    "dncnn-list-color": (37_776, 39_696, 2.38),
    "dncnn-s": (555_137, 555_137, 36.31),
    "dncnn-b": (665_921, 665_921, None),
    "dncnn-b-color": (668_227, 668_227, None),
    "ffdnet": (485_316, 485_316, 7.94),
    "ffdnet-color": (852_108, 852_108, 13.9),
    "ircnn": (185_857, 185_857, 12.2),
    "ircnn-color": (188_163, 188_163, None),
    "cbdnet": (4_365_382, 4_362_496, 37.06),
    "cbdnet-non-blind": (4_335_875, 4_333_120, None),
    "cbdnet-lite": (432_390, 428_352, None),
    "cbdnet-lite-non-blind": (402_883, 398_976, None),
    "cbdnet-lite-bilinear": (300_326, 296_096, None),
    "glcic": (6_066_179, 6_063_200, 32.55),
    "glcic-lite": (537_795, 534_336, None),
    "glcic-lite-strided": (1_514_275, 1_510_960, None),
    "glcic-lite-list": (343_747, 340_032, None),
    "pmrid": (1_031_908, 1_031_908, 0.981),
    "prn-r": (21_123, 21_123, None),
    "prn": (95_107, 95_107, None),
    "prenet-r": (94_979, 94_979, None),
    "prenet": (168_963, 168_963, None),
}


def randomised(name: str) -> nn.Module:
    """The network in eval mode with every number drawn: no branch is zero, no batch norm the identity."""
    generator = torch.Generator().manual_seed(1)
    network = build(PAPERS[name].architecture, generator).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                tensor.data.uniform_(0.5, 1.5, generator=generator)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.data.normal_(0, (2 / module.weight[0].numel()) ** 0.5, generator=generator)
    return network


def an_input(name: str, height: int = 24, width: int = 21) -> Tensor:
    channels = PAPERS[name].architecture.shape.in_channels
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(2))


def meta_network(name: str) -> nn.Module:
    with torch.device("meta"):
        return build(PAPERS[name].architecture)


def test_every_network_has_its_counts_here() -> None:
    assert list(COUNTS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_the_sources_and_of_torchs_counter(name: str) -> None:
    deployed, by_rule, macs_g = COUNTS[name]
    costs = architecture_costs(PAPERS[name].architecture, (256, 256))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        meta_network(name)(torch.empty(1, PAPERS[name].architecture.shape.in_channels, 256, 256, device="meta"))
    assert counter.get_total_flops() == 2 * costs.macs
    assert (costs.params, paper_counts(PAPERS[name], costs, (256, 256)).params_paper_rule) == (deployed, by_rule)
    if macs_g is not None:
        digits = len(str(macs_g).partition(".")[2])
        assert round(costs.macs / 1e9, digits) == macs_g


def test_training_forms_of_the_identified_baselines_count_as_their_ports() -> None:
    trained = {name: sum(p.numel() for p in meta_network(name).parameters()) for name in ("glcic", "cbdnet", "dncnn-s")}
    assert trained == {"glcic": 6_072_131, "cbdnet": 4_365_382, "dncnn-s": 557_057}


@pytest.mark.parametrize(("name", "macs_g"), [("prn-r", 523.9), ("prn", 523.9), ("prenet-r", 931.6), ("prenet", 931.6)])
def test_recursive_networks_cost_what_is_stated_at_720p_and_more_with_every_stage(name: str, macs_g: float) -> None:
    arch = PAPERS[name].architecture
    assert round(architecture_costs(arch, (1280, 720)).macs / 1e9, 1) == macs_g
    stages = {n: replace(arch, settings=replace(arch.settings, stages=n)) for n in (1, 2, 4)}
    costs = {n: architecture_costs(stages[n], (16, 16)) for n in stages}
    assert {c.macs for n, c in costs.items()} == {n * costs[1].macs for n in stages}
    assert {c.params for c in costs.values()} == {COUNTS[name][0]}


def test_prn_at_64x64_by_stages() -> None:
    arch = PAPERS["prn"].architecture
    macs = [
        architecture_costs(replace(arch, settings=replace(arch.settings, stages=n)), (64, 64)).macs for n in (5, 6, 7)
    ]
    assert [round(value / 1e9, 2) for value in macs] == [1.94, 2.33, 2.72]


@pytest.mark.parametrize("name", ["dncnn-list", "glcic-lite", "cbdnet-lite-bilinear", "prenet"])
def test_costs_are_those_of_a_full_trace(name: str) -> None:
    arch = PAPERS[name].architecture
    network = meta_network(name)
    assert architecture_costs(arch, (64, 48)) == network_costs(network, (64, 48), arch.shape.in_channels)
    assert architecture_operators(arch, (64, 48)) == network_operators(network, arch.shape.in_channels, (64, 48))


@pytest.mark.parametrize("name", NAMES)
def test_networks_run_at_odd_sizes_and_learn(name: str) -> None:
    network = randomised(name).train()
    output = network(an_input(name).expand(2, -1, -1, -1))
    assert output.shape == (2, PAPERS[name].architecture.shape.out_channels, 24, 21)
    assert output.isfinite().all()
    output.square().mean().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    assert sum(bool(parameter.grad.any()) for parameter in network.parameters()) > 0.8 * len([*network.parameters()])


@pytest.mark.parametrize("name", NAMES)
def test_deploy_form_computes_the_same_without_batch_norm_and_saves_and_loads(name: str) -> None:
    network, image = randomised(name), an_input(name)
    with torch.no_grad():
        trained = network(image)
        stored = io.BytesIO()
        torch.save(network.state_dict(), stored)
        deploy_form(network)
        assert torch.allclose(network(image), trained, rtol=1e-4, atol=1e-4 * trained.abs().max())
        again = build(PAPERS[name].architecture).eval()
        again.load_state_dict(torch.load(io.BytesIO(stored.getvalue()), weights_only=True))
        assert torch.equal(again(image), trained)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.fixture(scope="module")
def tables() -> tuple[LatencyTable, ...]:
    return tuple(map(load_table, ("pixel4-a76", "a03s-a53", "pixel4-a55")))


@pytest.mark.parametrize("name", NAMES)
def test_networks_have_milliseconds_more_for_more_pixels(name: str, tables: tuple[LatencyTable, ...]) -> None:
    arch = PAPERS[name].architecture
    small, large = (architecture_operators(arch, size) for size in ((64, 64), (256, 256)))
    assert "norm" not in {op.kind for op in small}
    for table in tables:
        assert 0 < estimate(table, small).ms < estimate(table, large).ms


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("ffdnet", "glcic"))])
def test_networks_that_change_the_image_start_as_the_image(name: str) -> None:
    image, out = an_input(name), PAPERS[name].architecture.shape.out_channels
    with torch.no_grad():
        assert torch.equal(build(PAPERS[name].architecture).eval()(image), image[:, :out])


@pytest.mark.parametrize("name", NAMES)
def test_entries_say_what_they_are_and_survive_json(name: str) -> None:
    entry = PAPERS[name]
    assert entry.runs_with_search == (name in RUN_WITH_SEARCH)
    assert entry.source
    assert entry.reproducible or entry.note
    assert entry.architecture.shape.out_channels in {out for _, out in TASKS[entry.task].channels.values()}
    assert architecture_from_dict(entry.architecture.to_dict()) == entry.architecture


def test_cost_names_a_reference(capsys: pytest.CaptureFixture[str]) -> None:
    from search.cli import main

    assert main(["cost", "dncnn-list", "--input", "256x256", "--device", "pixel4-a76"]) == 0
    shown = capsys.readouterr().out
    assert "35,472" in shown
    assert "37,392" in shown
    assert "batch norm included" in shown


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (lambda: DnCnnSettings(64, 17, "gsat", False), "must be dense or list, got 'gsat'"),
        (lambda: DnCnnSettings(64, 2, "dense", False), "at least 3 layers, got 2"),
        (lambda: CbdNetSettings("dense", "nearest", True), "transposed or bilinear-list, got 'nearest'"),
        (lambda: CbdNetSettings("gsat", "transposed", True), "dense or list, got 'gsat'"),
        (lambda: GlcicSettings("list", "gsat", "nearest"), "resampling of GLCIC must be one of dense, bilinear-list"),
    ],
)
def test_settings_off_their_values_are_refused(factory, message: str) -> None:
    with pytest.raises(UserError, match=message):
        factory()


@pytest.mark.parametrize("layer", [nn.Conv2d(8, 6, 3), nn.ConvTranspose2d(8, 6, 2), List(8, 6)])
def test_a_norm_folds_into_the_layer_before_it(layer: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    normed = Normed(layer, 6).eval()
    for tensor in (*normed.norm.parameters(), normed.norm.running_mean, normed.norm.running_var):
        tensor.data.uniform_(0.5, 1.5, generator=generator)
    x = torch.rand(1, 8, 9, 7, generator=generator)
    with torch.no_grad():
        before = normed(x)
        normed.fold()
        normed.fold()
        torch.testing.assert_close(normed(x), before)
    assert normed.norm is None


def test_padding_repeats_the_border_and_does_nothing_where_nothing_is_missing() -> None:
    image = torch.rand(1, 2, 5, 8)
    padded = pad_to_multiple(image, 4)
    assert padded.shape == (1, 2, 8, 8)
    assert torch.equal(padded[..., :5, :], image)
    assert torch.equal(padded[..., 7, :], image[..., 4, :])
    assert pad_to_multiple(padded, 4) is padded


# Released weights: state dicts under the authors' names, and their graphs written out over these names.


class Released:
    """A random state dict under the authors' names, and convolutions by name."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(3)
        self.state: dict[str, Tensor] = {}

    def add(self, name: str, *shape: int, bias: int | None = None) -> None:
        fan_in = shape[1] * shape[2] * shape[3]
        self.state[f"{name}.weight"] = torch.randn(shape, generator=self.generator) * fan_in**-0.5
        self.state[f"{name}.bias"] = torch.randn(bias or shape[0], generator=self.generator) * 0.1

    def conv(self, name: str, x: Tensor, dilation: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        padding = dilation * (weight.shape[-1] // 2)
        return F.conv2d(x, weight, self.state[f"{name}.bias"], padding=padding, dilation=dilation)


def kair(name: str, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The row of convolutions of KAIR's DnCNN, IRCNN and FFDNet; ``image`` has the noise level map behind it."""
    settings, shape = PAPERS[name].architecture.settings, PAPERS[name].architecture.shape
    dilations = getattr(settings, "dilations", None) or (1,) * settings.layers
    released, halved, out = Released(), name.startswith("ffdnet"), shape.out_channels
    ends = (4 * out + 1, 4 * out) if halved else (out, out)
    widths = (ends[0], *[settings.width] * (len(dilations) - 1), ends[1])
    for index in range(len(dilations)):
        released.add(f"model.{2 * index}", widths[index + 1], widths[index], 3, 3)
    x = image
    if halved:
        level = image[:, -1:, :1, :1].expand(-1, -1, image.shape[2] // 2, image.shape[3] // 2)
        x = torch.cat((F.pixel_unshuffle(image[:, :-1], 2), level), 1)
    for index, dilation in enumerate(dilations):
        x = released.conv(f"model.{2 * index}", x if index == 0 else F.relu(x), dilation)
    return released.state, F.pixel_shuffle(x, 2) if halved else image - x


@pytest.mark.parametrize("name", ["dncnn-s", "dncnn-b-color", "ircnn", "ircnn-color", "ffdnet", "ffdnet-color"])
def test_kairs_weights_compute_what_kairs_graph_computes(name: str) -> None:
    image = an_input(name, 16, 14)
    if name.startswith("ffdnet"):
        image[:, -1] = 25 / 255
    state, expected = kair(name, image)
    with torch.no_grad():
        torch.testing.assert_close(load_published(name, state)(image), expected, rtol=1e-4, atol=1e-4)


def test_the_released_dncnn_loads_under_the_papers_name_with_its_biases() -> None:
    image = an_input("dncnn", 9, 8)
    state, expected = kair("dncnn-s", image)
    network = load_published("dncnn", state)
    assert sum(parameter.numel() for parameter in network.parameters()) == 555_137
    with torch.no_grad():
        torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-4)


def prenet(lstm: bool, shared: bool, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    released = Released()
    released.add("conv0.0", 32, 6, 3, 3)
    for index in range(1 if shared else 5):
        released.add(f"res_conv{index + 1}.0", 32, 32, 3, 3)
        released.add(f"res_conv{index + 1}.2", 32, 32, 3, 3)
    for gate in "ifgo" if lstm else "":
        released.add(f"conv_{gate}.0", 32, 64, 3, 3)
    released.add("conv.0", 3, 32, 3, 3)
    estimate, hidden, cell = image, torch.zeros(1, 32, *image.shape[2:]), torch.zeros(1, 32, *image.shape[2:])
    for _ in range(6):
        x = F.relu(released.conv("conv0.0", torch.cat((image, estimate), 1)))
        if lstm:
            gates = {gate: released.conv(f"conv_{gate}.0", torch.cat((x, hidden), 1)) for gate in "ifgo"}
            cell = gates["f"].sigmoid() * cell + gates["i"].sigmoid() * gates["g"].tanh()
            x = hidden = gates["o"].sigmoid() * cell.tanh()
        for index in range(5):
            block = f"res_conv{1 if shared else index + 1}"
            inner = F.relu(released.conv(f"{block}.2", F.relu(released.conv(f"{block}.0", x))))
            x = F.relu(inner + x)
        estimate = released.conv("conv.0", x) + image
    return released.state, estimate


@pytest.mark.parametrize(
    ("name", "lstm", "shared"),
    [("prn-r", False, True), ("prn", False, False), ("prenet-r", True, True), ("prenet", True, False)],
)
def test_prenets_weights_compute_what_the_released_graph_computes(name: str, lstm: bool, shared: bool) -> None:
    image = an_input(name, 9, 8)
    state, expected = prenet(lstm, shared, image)
    assert sum(tensor.numel() for tensor in state.values()) == COUNTS[name][0]
    parallel = {f"module.{key}": value for key, value in state.items()}
    with torch.no_grad():
        for given in (state, parallel):
            torch.testing.assert_close(load_published(name, given)(image), expected, rtol=1e-4, atol=1e-4)


def test_cbdnets_weights_compute_what_the_released_graph_computes() -> None:
    released, image = Released(), an_input("cbdnet", 10, 13)
    for index, (inp, out) in enumerate(((3, 32), (32, 32), (32, 32), (32, 32), (32, 3))):
        released.add(f"fcn.fcn.{2 * index}", out, inp, 3, 3)
    rows = {
        "inc": (6, 64, 2),
        "conv1": (64, 128, 3),
        "conv2": (128, 256, 6),
        "conv3": (128, 128, 3),
        "conv4": (64, 64, 2),
    }
    for row, (inp, out, depth) in rows.items():
        for index in range(depth):
            released.add(f"unet.{row}.{index}.conv.0", out, inp if index == 0 else out, 3, 3)
    released.add("unet.up1.up", 256, 128, 2, 2, bias=128)
    released.add("unet.up2.up", 128, 64, 2, 2, bias=64)
    released.add("unet.outc.conv", 3, 64, 1, 1)

    def run(row: str, x: Tensor) -> Tensor:
        for index in range(rows[row][2]):
            x = F.relu(released.conv(f"unet.{row}.{index}.conv.0", x))
        return x

    def up(name: str, x: Tensor, skip: Tensor) -> Tensor:
        x = F.conv_transpose2d(x, released.state[f"{name}.weight"], released.state[f"{name}.bias"], stride=2)
        rows_missing, columns_missing = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        assert 0 <= rows_missing <= 1
        assert 0 <= columns_missing <= 1
        return skip + F.pad(x, (0, columns_missing, 0, rows_missing))

    level = image
    for index in range(5):
        level = F.relu(released.conv(f"fcn.fcn.{2 * index}", level))
    full = run("inc", torch.cat((image, level), 1))
    half = run("conv1", F.avg_pool2d(full, 2))
    quarter = run("conv2", F.avg_pool2d(half, 2))
    x = run("conv4", up("unet.up2.up", run("conv3", up("unet.up1.up", quarter, half)), full))
    expected = image + released.conv("unet.outc.conv", x)
    with torch.no_grad():
        torch.testing.assert_close(load_published("cbdnet", released.state)(image), expected, rtol=1e-4, atol=1e-4)


def test_layouts_are_of_entries_and_name_their_source() -> None:
    for name, layouts in RELEASED_RESTORE.items():
        assert name in PAPERS
        assert all("/" in layout.source for layout in layouts)
    state, _ = kair("dncnn-s", an_input("dncnn-s", 4, 4))
    del state["model.0.weight"]
    with pytest.raises(UserError, match=r"'model.0.weight' must have shape \(64, 1, 3, 3\), but it is missing"):
        load_published("dncnn-s", state)


def test_saoyans_weights_compute_what_its_graph_computes() -> None:
    image, state = an_input("dncnn", 9, 8), {}
    generator = torch.Generator().manual_seed(3)
    for index, at in enumerate((0, *range(2, 45, 3), 47)):
        out, inp = (1 if index == 16 else 64), (1 if index == 0 else 64)
        state[f"dncnn.{at}.weight"] = torch.randn(out, inp, 3, 3, generator=generator) / (9 * inp) ** 0.5
        if 0 < index < 16:
            norm = {key: torch.rand(64, generator=generator) + 0.5 for key in ("weight", "bias", "running_mean")}
            state |= {f"dncnn.{at + 1}.{key}": value for key, value in norm.items()}
            state[f"dncnn.{at + 1}.running_var"] = torch.rand(64, generator=generator) + 0.5
            state[f"dncnn.{at + 1}.num_batches_tracked"] = torch.tensor(7)
    assert sum(value.numel() for name, value in state.items() if "running" not in name and "num" not in name) == 556_032
    x = F.relu(F.conv2d(image, state["dncnn.0.weight"], padding=1))
    for at in range(2, 45, 3):
        x = F.conv2d(x, state[f"dncnn.{at}.weight"], padding=1)
        mean, variance, weight, bias = (
            state[f"dncnn.{at + 1}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        x = F.relu(F.batch_norm(x, mean, variance, weight, bias))
    expected = image - F.conv2d(x, state["dncnn.47.weight"], padding=1)
    older = {f"module.{name}": value for name, value in state.items() if "num_batches" not in name}
    for given in (state, older):
        loaded = load_network("dncnn", given)
        assert (loaded.name, loaded.layout.source) == ("dncnn", "SaoYan/DnCNN-PyTorch, models.py")
        with torch.no_grad():
            torch.testing.assert_close(loaded.network(image), expected, rtol=1e-4, atol=1e-4)


def test_pmrids_weights_compute_what_the_released_graph_computes() -> None:
    released, image = Released(), an_input("pmrid", 32, 16)

    def add(name: str, inp: int, out: int, kernel: int) -> None:
        weight = torch.randn(inp, 1, kernel, kernel, generator=released.generator) / kernel
        released.state[f"{name}.depthwise.weight"] = weight
        released.add(f"{name}.pointwise", out, inp, 1, 1)

    def separable(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = released.state[f"{name}.depthwise.weight"]
        x = F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=len(weight))
        return released.conv(f"{name}.pointwise", x)

    released.add("conv0.conv", 16, 4, 3, 3)
    x, inp, skips = F.relu(released.conv("conv0.conv", image)), 16, []
    for stage, (out, blocks) in enumerate(((64, 2), (128, 2), (256, 4), (512, 4)), start=1):
        skips.append((x, inp))
        for index in range(blocks):
            block, stride = f"enc{stage}.{index}", 1 if index else 2
            add(f"{block}.conv1", inp, out // 4, 5)
            add(f"{block}.conv2", out // 4, out, 5)
            skip = x
            if index == 0:
                add(f"{block}.proj", inp, out, 3)
                skip = separable(f"{block}.proj", x, 2)
            x = F.relu(separable(f"{block}.conv2", F.relu(separable(f"{block}.conv1", x, stride))) + skip)
            inp = out
    add("encdec", 512, 64, 3)
    x, inp = F.relu(separable("encdec", x)), 64
    for stage, out in enumerate((64, 32, 32, 16), start=1):
        skip, skip_channels = skips.pop()
        add(f"dec{stage}.decode_conv.conv0", inp, inp, 3)
        add(f"dec{stage}.decode_conv.conv1", inp, inp, 3)
        released.add(f"dec{stage}.upsample", inp, out, 2, 2, bias=out)
        add(f"dec{stage}.proj_conv", skip_channels, out, 3)
        at = f"dec{stage}.decode_conv"
        x = separable(f"{at}.conv1", F.relu(separable(f"{at}.conv0", x))) + x
        weight, bias = (released.state[f"dec{stage}.upsample.{key}"] for key in ("weight", "bias"))
        x = F.conv_transpose2d(x, weight, bias, stride=2) + F.relu(separable(f"dec{stage}.proj_conv", skip))
        inp = out
    add("out0.conv0", 16, 16, 3)
    add("out0.conv1", 16, 16, 3)
    released.add("out1.conv", 4, 16, 3, 3)
    x = separable("out0.conv1", F.relu(separable("out0.conv0", x))) + x
    expected = image + released.conv("out1.conv", x)
    assert sum(value.numel() for value in released.state.values()) == 1_031_908
    with torch.no_grad():
        ours = load_published("pmrid", {"state_dict": released.state, "epoch": 4000})(image)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_ffdnet_takes_the_mean_of_its_map_over_2x2_pixels() -> None:
    network, image = randomised("ffdnet"), an_input("ffdnet", 8, 8)
    even = image.clone()
    even[:, 1:] = F.interpolate(F.avg_pool2d(image[:, 1:], 2), scale_factor=2)
    with torch.no_grad():
        assert torch.allclose(network(image), network(even), atol=1e-5)
    assert PAPERS["ffdnet"].architecture.shape == IOShape(2, 1)
