"""A network by the words of a command line: a paper's name, a torch.export file, or a Python factory."""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from space.build import build
from space.errors import UserError
from space.papers import PAPERS, known_names
from space.tasks import TASKS

FORCE_PLAIN = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # torch's own switch
DEFAULT_INPUT = (320, 180)  # of a network that does not say: 1280x720 after four-fold enlargement


@dataclass(frozen=True)
class NamedNetwork:
    """A network and what it takes in; ``input_size`` is the (width, height) that its costs are stated for."""

    name: str
    network: nn.Module
    in_channels: int
    input_size: tuple[int, int] = DEFAULT_INPUT
    only_this_size: bool = False

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises: UserError: the network was exported for another size only."""
        if self.only_this_size and size != self.input_size:
            width, height = self.input_size
            raise UserError(
                f"--input of {self.name} must be {width}x{height}, the only size it was exported for, got "
                f"{size[0]}x{size[1]}; export it with dynamic height and width for others"
            )


def named_network(spec: str, scale: int | None = None) -> NamedNetwork:
    """The network of a paper, of ``FILE.pt2`` (``torch.export.save``), or of ``MODULE:FACTORY``, called plainly.

    ``scale`` is another upscaling factor of a paper's network than the paper's.

    Raises:
        UserError: there is no such name, file, module or factory, or what it gives is no network of images.
    """
    if spec in PAPERS:
        entry = PAPERS[spec]
        scale = scale or entry.architecture.shape.scale
        TASKS[entry.task].shape(scale)
        network = build(entry.at_scale(scale))
        return NamedNetwork(spec, network, entry.architecture.shape.in_channels, TASKS[entry.task].input_sizes[scale])
    if scale is not None:
        raise UserError(f"--scale is for the papers' networks, got it with {spec!r}; leave it out")
    if spec.endswith(".pt2"):
        return _exported(Path(spec))
    module, colon, factory = spec.partition(":")
    if not colon or not module or not factory:
        raise UserError(f"unknown network {spec!r}; {known_names(spec)}; or give FILE.pt2 or MODULE:FACTORY")
    return _made(spec, module, factory)


def _exported(path: Path) -> NamedNetwork:
    if not path.is_file():
        raise UserError(f"{path} must be a file written by torch.export.save, got no such file")
    _check_without_pickle(path)
    try:
        with _without_pickle(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(path)
            network = program.module()
    except Exception as error:
        raise UserError(f"{path} must be a file written by torch.export.save: {_first_line(error)}") from error
    shapes = [
        tuple(node.meta["val"].shape)
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    ]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise UserError(f"{path} must take one image (N, C, H, W), got inputs {shapes}")
    _, channels, height, width = shapes[0]
    fixed = all(isinstance(side, int) for side in (height, width))
    network.eval = lambda: network  # an exported program was put in its mode when it was exported
    return NamedNetwork(path.stem, network, int(channels), (width, height) if fixed else DEFAULT_INPUT, fixed)


@contextmanager
def _without_pickle() -> Iterator[None]:
    """torch.export.load reads example inputs as plain tensors first and, should that fail, as a pickle: not here."""
    before = os.environ.get(FORCE_PLAIN)
    os.environ[FORCE_PLAIN] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FORCE_PLAIN]
        else:
            os.environ[FORCE_PLAIN] = before


def _check_without_pickle(path: Path) -> None:
    """A torch.export file may hold pickles, which can run any code when they are loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            for name in names:
                if name.endswith(("weights_config.json", "constants_config.json")):
                    entries = json.loads(archive.read(name)).get("config", {}).values()
                    if any(entry.get("use_pickle") for entry in entries):
                        raise UserError(f"{path} must hold plain tensors, got pickled ones; export them as tensors")
                if "custom_obj" in name or "opaque_obj" in name:
                    raise UserError(f"{path} must hold plain tensors, got a pickled object {name}")
    except (zipfile.BadZipFile, ValueError) as error:
        raise UserError(f"{path} must be a file written by torch.export.save: {_first_line(error)}") from None


def _made(spec: str, module: str, factory: str) -> NamedNetwork:
    sys.path.insert(0, "")  # as python -m does: the folder that the command runs in
    try:
        make = getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{spec!r} must be MODULE:FACTORY that can be imported from here: {error}") from error
    finally:
        sys.path.remove("")
    try:
        network = make()
    except Exception as error:
        raise UserError(f"{spec!r} must make a network without arguments: {_first_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise UserError(f"{spec!r} must give a torch.nn.Module, got {type(network).__name__}")
    first = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    return NamedNetwork(spec, network, first.in_channels if first else 3)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
