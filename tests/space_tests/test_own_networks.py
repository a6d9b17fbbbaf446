"""What a user's own network costs, however it is written; and one line where it cannot be said."""

from __future__ import annotations

import copy
import inspect
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

import space
from evaluators.costs import network_costs
from space.errors import UserError
from space.layers.protocols import Foldable
from space.named_network import named_network
from space.operators import UnknownOperatorError, trace
from tests.space_tests import own_networks
from tests.space_tests.own_networks import MACS, PARAMS

SIZE = (32, 32)


def costs(factory: str) -> tuple[int, int]:
    found = named_network(f"{own_networks.__name__}:{factory}")
    counted = network_costs(found.network, SIZE, found.in_channels)
    return counted.params, counted.macs


@pytest.mark.parametrize(
    "factory",
    [
        "plain",
        "weight_normed",
        "spectral_normed",
        "orthogonal",
        "pruned",
        "Around",
        "ConstantFilled",
        "Reparameterised",
        "MethodFold",
        "SubmoduleFold",
        "GivesDataclass",
        "GivesDict",
        "half",
        "double",
        "data_parallel",
        "prints",
        "parses",
        "PrintsInForward",
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_same_network_costs_the_same_however_it_is_written(factory: str) -> None:
    assert costs(factory) == (PARAMS, MACS)
    assert torch.get_default_dtype() == torch.float32


def test_arithmetic_on_weights_alone_is_no_operator() -> None:
    def names(factory: str) -> list[str]:
        network = named_network(f"{own_networks.__name__}:{factory}").network
        return [operator.name for operator in trace(network, (1, 3, 32, 32)).operators]

    assert names("spectral_normed") == names("pruned") == names("Reparameterised") == names("plain")


@pytest.mark.parametrize(
    ("factory", "params"),
    [("PlainTensors", PARAMS + 6), ("Tied", 576 + 8 + 8 + 24 + 8), ("RunTwice", 32 + 576 + 8), ("LowRank", 4 * 64)],
)
def test_what_is_stored_counts_once_and_in_the_smaller_form(factory: str, params: int) -> None:
    assert costs(factory)[0] == params


def test_the_network_itself_is_left_alone() -> None:
    network = own_networks.pruned()
    before = copy.copy(vars(network[0]))
    network_costs(network, SIZE)
    assert network.training
    assert vars(network[0]) == before
    assert network(torch.rand(1, 3, 16, 16)).isfinite().all()


def test_compiled_networks_are_seen_as_they_were_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for torch's wrapper, whose import takes seconds."""

    class OptimizedModule(nn.Module):
        def __init__(self, inside: nn.Module) -> None:
            super().__init__()
            self._orig_mod = inside

        def forward(self, *_: object) -> None:
            raise AssertionError("it compiles")

    stand_in = type(sys)("torch._dynamo.eval_frame")
    stand_in.OptimizedModule = OptimizedModule
    monkeypatch.setitem(sys.modules, "torch._dynamo.eval_frame", stand_in)
    network = OptimizedModule(nn.Sequential(nn.DataParallel(OptimizedModule(own_networks.plain()))))
    assert network_costs(network, SIZE).macs == MACS


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused() -> None:
    network = torch.jit.trace(own_networks.plain().eval(), torch.rand(1, 3, 16, 16))
    with pytest.raises(UserError, match="got TorchScript"):
        network_costs(network, SIZE)


def test_several_inputs_have_their_channels_and_sizes() -> None:
    spec = f"{own_networks.__name__}:ImageAndMask"
    found = named_network(spec, channels=(3, 1))
    assert found.more_inputs([(32, 24)]) == ((1, 1, 24, 32),)
    small = found.more_inputs([(32, 24), (16, 12)])
    assert small == ((1, 1, 12, 16),)
    assert network_costs(found.network, (32, 24), 3, small).macs == 32 * 24 * 4 * 3 * 9
    with pytest.raises(UserError, match=r"one size or 2, for each input of .* one, got 3"):
        found.more_inputs([(32, 24)] * 3)
    alone = named_network(spec)
    with pytest.raises(UserError, match=r"takes 2 inputs \(image, mask\), got 1; .* --channels 3,1"):
        network_costs(alone.network, SIZE, alone.in_channels)
    with pytest.raises(UserError, match="takes 1 inputs, got 2"):
        network_costs(own_networks.plain(), SIZE, 3, small)


@pytest.mark.parametrize(
    ("factory", "rule"),
    [
        ("exits", r"ends the program \(exit 3\)"),
        ("raises_without_words", "without arguments: KeyError$"),
        ("gives_class", "must give a torch.nn.Module, got the class Around; name that itself"),
        ("gives_function", "must give a torch.nn.Module, got the function plain"),
        ("needs_width", "without arguments, got one that needs width"),
        ("no_factory", "must name a function .* got int"),
        ("missing", "AttributeError: .* has no attribute 'missing'"),
    ],
)
def test_what_makes_no_network_is_refused_in_one_line(factory: str, rule: str) -> None:
    with pytest.raises(UserError, match=rule) as refused:
        costs(factory)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("factory", "rule"),
    [
        ("GivesNothing", "must return a tensor, or a tuple, dict or dataclass of tensors, got nothing"),
        ("Fails", "cannot be traced at input 1x3x32x32: TypeError: unsupported operand"),
        ("lazy", "parameters' shapes, got lazy ones"),
    ],
)
def test_what_cannot_run_is_refused_in_one_line(factory: str, rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        costs(factory)


def test_random_numbers_for_each_image_are_no_constants() -> None:
    with pytest.raises(UnknownOperatorError, match="randn"):
        costs("Draws")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("import sys; sys.exit('no such camera')", "ends the program"),
        ("1 / 0", "fails with ZeroDivisionError: division by zero"),
        ("def f(:", "fails with SyntaxError"),
        ("raise SystemExit", "ends the program"),
    ],
)
def test_a_module_that_fails_at_import(
    text: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name = "own_broken_module"
    (tmp_path / f"{name}.py").write_text("print('importing')\n" * (text != "def f(:") + text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    sys.path_importer_cache.pop(str(tmp_path), None)
    with pytest.raises(UserError, match=rule):
        named_network(f"{name}:f")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("spec", ["nets.py:f", "../nets:f", "a b:f", "-:f", "folder/nets.py:f"])
def test_a_path_is_no_module(spec: str) -> None:
    with pytest.raises(UserError, match="a module's name as in an import"):
        named_network(spec)


def test_a_name_in_a_file_runs_no_code() -> None:
    with pytest.raises(UserError, match="would run code"):
        named_network(f"{own_networks.__name__}:plain", may_run_code=False)


def exported(network: nn.Module, path: Path, *inputs: torch.Tensor) -> str:
    torch.export.save(torch.export.export(network.eval(), inputs), path)
    return str(path)


def test_shared_storages_of_an_export_count_once(tmp_path: Path) -> None:
    found = named_network(exported(own_networks.Tied(), tmp_path / "tied.pt2", torch.rand(1, 3, 32, 32)))
    assert network_costs(found.network, found.input_size).params == costs("Tied")[0]


def test_an_export_of_two_inputs_with_half_weights(tmp_path: Path) -> None:
    network = own_networks.ImageAndMask().half()
    inputs = (torch.rand(1, 3, 24, 32).half(), torch.rand(1, 1, 12, 16).half())
    found = named_network(exported(network, tmp_path / "two.pt2", *inputs))
    assert (found.in_channels, found.input_size, found.more_inputs([(32, 24)])) == (3, (32, 24), ((1, 1, 12, 16),))
    assert network_costs(found.network, (32, 24), 3, found.more_inputs([(32, 24)])).macs == 32 * 24 * 4 * 3 * 9
    with pytest.raises(UserError, match="must be 16x12 at place 2, as exported, got 8x8"):
        found.more_inputs([(32, 24), (8, 8)])
    with pytest.raises(UserError, match="must be 3,1, as exported"):
        named_network(str(tmp_path / "two.pt2"), channels=(3, 2))


def test_every_part_of_ours_that_folds_says_so() -> None:
    """``deploy_form`` calls what is declared, so that a part that forgets it would never be folded."""
    found = set()
    for module in pkgutil.walk_packages(space.__path__, "space."):
        for _, part in inspect.getmembers(import_module(module.name), inspect.isclass):
            if issubclass(part, nn.Module) and part.__module__.startswith("space.") and "fold" in vars(part):
                found.add(part)
    assert len(found) >= 6
    assert all(issubclass(part, Foldable) for part in found)
