"""Networks by the words of a command line."""

import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from space.errors import UserError
from space.named_network import named_network
from space.operators import trace


def own_network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "own.pt2"
    torch.export.save(torch.export.export(own_network().eval(), (torch.rand(1, 4, 24, 32),)), path)
    return path


def test_a_papers_network_at_its_own_size() -> None:
    found = named_network("s-lwsr16")
    assert (found.in_channels, found.input_size) == (3, (320, 180))
    assert named_network("s-lwsr16", scale=2).input_size == (640, 360)


def test_an_exported_program_gives_the_operators_of_its_network(exported: Path) -> None:
    found = named_network(str(exported))
    assert (found.name, found.in_channels, found.input_size) == ("own", 4, (32, 24))
    ours = trace(found.network, (1, 4, 24, 32)).operators
    assert [(op.kind, op.macs) for op in ours] == [
        (op.kind, op.macs) for op in trace(own_network(), (1, 4, 24, 32)).operators
    ]
    with pytest.raises(UserError, match="must be 32x24, the only size it was exported for, got 64x64"):
        found.check_size((64, 64))


def test_an_exported_program_with_dynamic_size_runs_at_any(tmp_path: Path) -> None:
    path, any_size = tmp_path / "dynamic.pt2", {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    torch.export.save(
        torch.export.export(own_network().eval(), (torch.rand(1, 4, 24, 32),), dynamic_shapes=(any_size,)), path
    )
    found = named_network(str(path))
    found.check_size((64, 48))
    assert trace(found.network, (1, 4, 48, 64)).macs == 4 * trace(found.network, (1, 4, 24, 32)).macs


def test_a_factory() -> None:
    found = named_network(f"{__name__}:own_network")
    assert (found.in_channels, found.input_size) == (4, (320, 180))


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        ("nothing", "unknown network 'nothing'; python -m search list has all; or give FILE.pt2"),
        ("s-lwsr61", r"unknown network 's-lwsr61'; did you mean s-lwsr64 or .* python -m search list has all"),
        ("nowhere.pt2", "no such file"),
        ("no_such_module:make", "can be imported"),
        ("torch.nn:NoSuchThing", "can be imported"),
        ("torch.nn:Conv2d", "without arguments"),
        ("os:getcwd", "must give a torch.nn.Module, got str"),
        (":", "unknown network"),
    ],
)
def test_what_is_no_network_is_refused(spec: str, rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        named_network(spec)


def test_a_file_that_is_no_export_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.pt2"
    path.write_bytes(b"rubbish")
    with pytest.raises(UserError, match=r"torch\.export\.save"):
        named_network(str(path))


class _Marks:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_inside_an_export_is_never_loaded(exported: Path, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.pt2"
    payload = io.BytesIO()
    torch.save(_Marks(marker), payload)
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("weights_config.json"):
                content = content.replace(b'"use_pickle": false', b'"use_pickle": true')
            elif "weight_" in name:
                content = payload.getvalue()
            elif "sample_inputs" in name:
                content = pickle.dumps(_Marks(marker))
            target.writestr(name, content)
    with pytest.raises(UserError):
        named_network(str(path))
    assert not marker.exists()


def test_a_pickle_in_place_of_the_sample_inputs_is_never_loaded(exported: Path, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.pt2"
    payload = io.BytesIO()
    torch.save(_Marks(marker), payload)
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, payload.getvalue() if "sample_inputs" in name else source.read(name))
    with pytest.raises(UserError):
        named_network(str(path))
    assert not marker.exists()
