"""A network named on a command line: a published network, a ``torch.export`` file, or a Python factory."""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from space.architecture import Architecture
from space.build import build
from space.errors import UserError, first_line
from space.foreign_code import network_of_factory
from space.operators import UnknownOperatorError, trace
from space.operators.operator import Shape
from space.tasks import TASKS
from space.zoo import ZOO, known_names

FORCE_PLAIN = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # torch's own switch
GUESSED_AT, MOST_GUESSES = (64, 64), 12  # px; numbers of channels that are tried
DEFAULT_INPUT = (320, 180)  # of a network that does not say: 1280x720 after four-fold enlargement


@dataclass(frozen=True)
class OtherInput:
    """An input after the first image: an image, of a fixed size if it has one, or a tensor of a fixed ``shape``."""

    channels: int = 0
    size: tuple[int, int] | None = None
    shape: Shape | None = None


@dataclass(frozen=True)
class NamedNetwork:
    """A network and its inputs; its costs are stated for ``input_size``, (width, height) in pixels."""

    name: str
    network: nn.Module
    in_channels: int
    input_size: tuple[int, int] = DEFAULT_INPUT
    only_this_size: bool = False
    others: tuple[OtherInput, ...] = ()

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises: UserError: the network was exported for another size only."""
        if self.only_this_size and size != self.input_size:
            width, height = self.input_size
            raise UserError(
                f"--input of {self.name} must be {width}x{height}, the only size it was exported for, got "
                f"{size[0]}x{size[1]}; export it with dynamic height and width for others"
            )

    def more_inputs(self, sizes: Sequence[tuple[int, int]]) -> tuple[Shape, ...]:
        """The shapes of the inputs after the first.

        ``sizes`` has one (width, height) for all inputs, or one per input.

        Raises:
            UserError: the number of sizes does not fit, or a size differs from that of the export.
        """
        count = 1 + len(self.others)
        if len(sizes) not in (1, count):
            raise UserError(
                f"--input must be one size or {count}, for each input of {self.name} one, got {len(sizes)}; "
                "--channels says how many inputs there are"
            )
        shapes = []
        for place, other in enumerate(self.others, start=1):
            given = sizes[place] if len(sizes) > 1 else None
            if other.shape is not None:
                shapes.append(other.shape)
                continue
            if given and other.size and given != other.size:
                raise UserError(
                    f"--input of {self.name} must be {other.size[0]}x{other.size[1]} at place {place + 1}, as "
                    f"exported, got {given[0]}x{given[1]}"
                )
            width, height = given or other.size or sizes[0]
            shapes.append((1, other.channels, height, width))
        return tuple(shapes)


def named_network(
    spec: str, scale: int | None = None, channels: tuple[int, ...] = (), may_run_code: bool = True
) -> NamedNetwork:
    """A published network, the network in ``FILE.pt2`` (``torch.export.save``), or the result of ``MODULE:FACTORY``.

    ``scale`` overrides the upscaling factor of a published network. ``channels`` are those of each input of
    MODULE:FACTORY (default: one image, with the channels of the first convolution). ``may_run_code`` is False for names
    read from a file: only a name that a person types may run code.

    Raises:
        UserError: the name, file, module or factory does not exist, or does not give a network that takes images.
    """
    if spec in ZOO:
        entry = ZOO[spec]
        scale = scale or entry.architecture.shape.scale
        TASKS[entry.task].shape(scale)
        if channels:
            raise UserError(f"--channels is for your own MODULE:FACTORY, got it with {spec}; leave it out")
        network = build(entry.at_scale(scale))
        return NamedNetwork(spec, network, entry.architecture.shape.in_channels, TASKS[entry.task].input_sizes[scale])
    if scale is not None:
        raise UserError(f"--scale is for published networks, got it with {spec!r}; leave it out")
    if spec.endswith(".pt2"):
        return _exported(Path(spec), channels)
    module, colon, factory = spec.partition(":")
    if not colon or not module or not factory:
        raise UserError(f"unknown network {spec!r}; {known_names(spec)}; or give FILE.pt2 or MODULE:FACTORY")
    if not may_run_code:
        raise UserError(
            f"a network in a file must be a published network's name or FILE.pt2, got {spec!r}: MODULE:FACTORY would "
            "run code; "
            "export it (torch.export.save) and name the file"
        )
    network = network_of_factory(spec, module, factory)
    first, *others = channels or (_channels(network),)
    return NamedNetwork(spec, network, first, others=tuple(OtherInput(count) for count in others))


def given_network(network: nn.Module | Architecture | str) -> NamedNetwork:
    """A network given by a program: a module, an architecture, or a name for ``named_network``.

    Raises:
        UserError: the name or file does not exist.
    """
    if isinstance(network, str):
        return named_network(network)
    if isinstance(network, Architecture):
        return NamedNetwork(network.key, build(network), network.shape.in_channels)
    return NamedNetwork(type(network).__name__, network, _channels(network))


def _channels(network: nn.Module) -> int:
    """Those of the image: of the first convolution with which the network runs, in the order in which they are made."""
    convs = [module.in_channels for module in network.modules() if isinstance(module, nn.Conv2d)]
    candidates = list(dict.fromkeys((*convs[:1], 3, 1, 4, *convs)))[:MOST_GUESSES]
    for count in candidates:
        try:
            trace(network, (1, count, *GUESSED_AT))
        except UnknownOperatorError:
            return count
        except UserError:
            continue
        return count
    return candidates[0]


def _exported(path: Path, channels: tuple[int, ...]) -> NamedNetwork:
    if not path.is_file():
        raise UserError(f"{path} must be a file written by torch.export.save, got no such file")
    _check_without_pickle(path)
    try:
        with _without_pickle(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(path)
            network = program.module()
    except Exception as error:
        raise UserError(f"{path} must be a file written by torch.export.save: {first_line(error)}") from error
    shapes = [
        tuple(node.meta["val"].shape)
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    ]
    if not shapes or len(shapes[0]) != 4:
        raise UserError(f"{path} must take an image (N, C, H, W) first, got inputs {shapes}")
    own = tuple(int(shape[1]) for shape in shapes if len(shape) == 4)
    if channels and channels != own:
        raise UserError(f"--channels of {path} must be {','.join(map(str, own))}, as exported, or be left out")
    others = tuple(_other_input(path, shape) for shape in shapes[1:])
    return NamedNetwork(path.stem, network, own[0], _size(shapes[0]) or DEFAULT_INPUT, bool(_size(shapes[0])), others)


def _size(shape: Sequence[int | torch.SymInt]) -> tuple[int, int] | None:
    """The (width, height) that an image was exported for; None where they are free."""
    *_, height, width = shape
    return (width, height) if isinstance(height, int) and isinstance(width, int) else None


def _other_input(path: Path, shape: Sequence[int | torch.SymInt]) -> OtherInput:
    if len(shape) == 4:
        return OtherInput(int(shape[1]), _size(shape))
    one = (1,) if shape and not isinstance(shape[0], int) else ()  # of a batch of any size
    fixed = (*one, *(side for side in shape if isinstance(side, int)))
    if len(fixed) < len(shape):
        raise UserError(f"{path} must take images (N, C, H, W) and tensors of fixed shape, got {tuple(shape)}")
    return OtherInput(shape=fixed)


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
        raise UserError(f"{path} must be a file written by torch.export.save: {first_line(error)}") from None
