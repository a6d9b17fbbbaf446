"""What every export format gives: a file of a network of any task, which its engine runs as torch does."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import space
from evaluators.export import FORMATS, FP16, FP32, Exportable, ExportError, Format, format_named
from evaluators.export.check import compared, shots
from evaluators.export.deploy import export_form, multiple_of
from evaluators.export.tolerances import TOLERANCES
from space import TASKS
from space.errors import UserError
from tests.small_networks import small_model

SOURCES = str(Path(space.__file__).parents[1]).encode()
SIZE = (20, 18)  # (width, height): of no even number of halvings
DEFAULT = ("sr",)  # tasks of the default suite; the others are marked long
TASK_NAMES = [name if name in DEFAULT else pytest.param(name, marks=pytest.mark.long) for name in TASKS]

# With bicubic enlargement and the filling of holes; elsewhere the first values.
KNOBS = {"sr": {"input_skip": "bicubic"}, "inpaint": {"input_skip": "push-pull"}}

# A file for any size of ncnn has no bicubic enlargement: pnnx knows no ``ones_like``.
NOT_DYNAMIC = {("ncnn", "sr"): {"input_skip": "bilinear"}}


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> Format:
    found = FORMATS[request.param]
    for package in found.needs:
        pytest.importorskip(package)
    return found


def figures_of(form: Format, dtype: str, task: str, folder: Path, dynamic: bool = False, **knobs: object) -> dict:
    """Of a small network's file, run on one photograph; of one for any size, on two of different sizes."""
    model = small_model(task, **knobs)
    channels, multiple = model.rules.shape.in_channels, multiple_of(model.network)
    size = tuple(side // multiple * multiple * 2 for side in (max(each, multiple) for each in SIZE))
    size = size if dynamic else SIZE
    what = Exportable(export_form(model.network, None if dynamic else SIZE), channels, size, dynamic, multiple, dtype)
    path = folder / f"model{form.suffix}"
    form.write(what, path)
    engine = form.open(path)
    assert engine.size == (None if dynamic else SIZE)
    sizes = [size, (size[0] + multiple, size[1] + 3 * multiple)] if dynamic else [size]
    taken = [shots(model.network, channels, each, 1, (), None)[0] for each in sizes]
    return compared(taken, [engine.run(shot.image) for shot in taken])


@pytest.mark.parametrize("task", TASK_NAMES)
def test_a_file_gives_what_torch_gives(form: Format, task: str, tmp_path: Path) -> None:
    figures = figures_of(form, FP32, task, tmp_path, **KNOBS.get(task, {}))
    assert TOLERANCES[FP32].broken_by(figures) == ()
    assert figures["largest_error"] < 1e-5
    assert not any(SOURCES in path.read_bytes() for path in tmp_path.iterdir()), (
        "it says where this machine has its code"
    )


def test_half_precision_gives_nearly_what_torch_gives(form: Format, tmp_path: Path) -> None:
    if FP16 not in form.dtypes:
        pytest.skip(f"{form.name} has no fp16")
    figures = figures_of(form, FP16, "sr", tmp_path)
    assert TOLERANCES[FP16].broken_by(figures) == ()
    assert figures["largest_error"] > 0


@pytest.mark.parametrize("task", ["sr", pytest.param("inpaint", marks=pytest.mark.long)])
def test_a_file_for_any_size_takes_several(form: Format, task: str, tmp_path: Path) -> None:
    if not form.can_be_dynamic:
        pytest.skip(f"{form.name} takes one size")
    knobs = KNOBS[task] | NOT_DYNAMIC.get((form.name, task), {})
    figures = figures_of(form, FP32, task, tmp_path, dynamic=True, **knobs)
    assert TOLERANCES[FP32].broken_by(figures) == ()


def test_versions_are_told(form: Format) -> None:
    versions = form.versions()
    assert versions
    assert all(isinstance(value, str) and value for value in versions.values())


def test_what_is_declared() -> None:
    assert all(name == form.name for name, form in FORMATS.items())
    assert all(FP32 in form.dtypes for form in FORMATS.values())
    assert all(set(form.dtypes) <= set(TOLERANCES) for form in FORMATS.values())
    assert len({form.suffix for form in FORMATS.values()}) == len(FORMATS)
    assert all(bool(form.extra) == bool(form.needs) for form in FORMATS.values())


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.needs])
def test_without_its_packages_the_extra_is_named(name: str, monkeypatch) -> None:
    form = FORMATS[name]
    for package in form.needs:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError) as caught:
        form.require()
    assert f"pip install 'litefront[{form.extra}]'" in str(caught.value)
    assert form.needs[0] in str(caught.value)


def test_an_unknown_format_is_told_the_known() -> None:
    with pytest.raises(UserError, match=r"--format must be among pt2, onnx, .*, got 'tensorrt'"):
        format_named("tensorrt")


def test_a_file_that_is_none_is_refused_in_one_line(form: Format, tmp_path: Path) -> None:
    path = tmp_path / f"model{form.suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(200))
    with pytest.raises(ExportError) as caught:
        form.open(path)
    assert "\n" not in str(caught.value)


class Unexportable(torch.nn.Module):
    """With a loop of as many passes as the picture's values say."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        for _ in range(int(image.sum())):
            image = image + 1
        return image


def test_what_a_converter_refuses_is_told_in_one_line(form: Format, tmp_path: Path) -> None:
    if form.name == "ncnn":
        pytest.skip("its converter traces the passes that one picture takes; the check finds that")
    path = tmp_path / f"model{form.suffix}"
    with pytest.raises(ExportError) as caught:
        form.write(Exportable(Unexportable(), 3, SIZE), path)
    assert "\n" not in str(caught.value)
    assert not path.exists()


def test_a_refusal_does_not_say_where_this_machine_has_its_packages() -> None:
    line = "litert-torch refuses it: /home/me/venv/lib/python3.11/site-packages/torch/nn/modules/conv.py:1198: no"
    assert str(ExportError(line)) == "litert-torch refuses it: torch/nn/modules/conv.py:1198: no"


def test_a_refused_file_is_told_by_its_name_alone(form: Format, tmp_path: Path) -> None:
    path = tmp_path / f"model-x{form.suffix}"
    for name in {path.name, path.with_suffix(".bin").name}:
        (tmp_path / name).write_bytes(b"no network" * 20)
    with pytest.raises(ExportError, match=f"refuses|cannot load|{path.name}") as caught:
        form.open(path).run(np.zeros((1, 3, 8, 8), np.float32))
    assert str(tmp_path) not in str(caught.value)
