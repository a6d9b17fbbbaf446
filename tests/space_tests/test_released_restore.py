"""Authors' weights of restoration networks: their graphs written out over the released names."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from space import ZOO, UserError, build, load_published
from space.architecture import IOShape
from space.weights.loading import load_network


def an_input(name: str, height: int = 24, width: int = 21) -> Tensor:
    channels = ZOO[name].architecture.shape.in_channels
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(2))


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
    settings, shape = ZOO[name].architecture.settings, ZOO[name].architecture.shape
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
    ("name", "lstm", "shared", "count"),
    [
        ("prn-r", False, True, 21_123),
        ("prn", False, False, 95_107),
        ("prenet-r", True, True, 94_979),
        ("prenet", True, False, 168_963),
    ],
)
def test_prenets_weights_compute_what_the_released_graph_computes(
    name: str, lstm: bool, shared: bool, count: int
) -> None:
    image = an_input(name, 9, 8)
    state, expected = prenet(lstm, shared, image)
    assert sum(tensor.numel() for tensor in state.values()) == count
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


def test_a_missing_tensor_is_named() -> None:
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
    network, image = build(ZOO["ffdnet"].architecture).eval(), an_input("ffdnet", 8, 8)
    even = image.clone()
    even[:, 1:] = F.interpolate(F.avg_pool2d(image[:, 1:], 2), scale_factor=2)
    with torch.no_grad():
        assert torch.allclose(network(image), network(even), atol=1e-5)
    assert ZOO["ffdnet"].architecture.shape == IOShape(2, 1)
