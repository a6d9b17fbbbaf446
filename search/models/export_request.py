"""What is to be exported: formats, number formats and the input, checked before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from evaluators.data import SMALLEST_PX
from evaluators.export import FORMATS, FP16, FP32, INT8, Format, format_named
from evaluators.export.deploy import multiple_of
from search.models.costs import input_of
from search.models.model import Model
from space.command_line import parse_size
from space.errors import UserError, first_line
from space.specialists import networks_of

DTYPES = (FP32, FP16, INT8)
DYNAMIC = "dynamic"
TRACED_AT = (96, 64)  # (width, height) of the image with which a file for any size is traced


@dataclass(frozen=True)
class Input:
    """The image that a file takes: of ``size`` (width, height), or ``dynamic``: of any that ``multiple`` divides."""

    channels: int
    size: tuple[int, int]
    dynamic: bool
    multiple: int

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        return None if self.dynamic else self.size

    @property
    def text(self) -> str:
        """As names of files have it."""
        return DYNAMIC if self.dynamic else f"{self.size[0]}x{self.size[1]}"

    @property
    def in_words(self) -> str:
        width, height = self.size
        multiples = f" of sides that are multiples of {self.multiple}" if self.multiple > 1 else ""
        return f"images of any size{multiples}" if self.dynamic else f"images of {width}x{height}"


def wanted_formats(formats: Sequence[str], dtypes: Sequence[str]) -> tuple[tuple[Format, str], ...]:
    """Each format with each number format that it has.

    Raises:
        UserError: one is unknown, finds no partner, or its engine is not installed.
    """
    chosen = [format_named(name) for name in dict.fromkeys(formats)]
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise UserError(f"--dtype must be among {', '.join(DTYPES)}, got {dtype!r}")
        if not any(dtype in form.dtypes for form in chosen):
            able = ", ".join(name for name, form in FORMATS.items() if dtype in form.dtypes) or "no format"
            raise UserError(f"--dtype {dtype} is for {able}, got --format {','.join(formats)}; leave it out")
    for form in chosen:
        if not any(dtype in form.dtypes for dtype in dtypes):
            raise UserError(
                f"--format {form.name} is for --dtype {', '.join(form.dtypes)}, got {','.join(dtypes)}; leave it out"
            )
        form.require()
    return tuple((form, dtype) for form in chosen for dtype in dict.fromkeys(dtypes) if dtype in form.dtypes)


def left_out(formats: Sequence[str], dtypes: Sequence[str]) -> tuple[str, ...]:
    """The combinations that do not exist, such as ``pt2 int8``."""
    return tuple(
        f"{name} {dtype}"
        for name in dict.fromkeys(formats)
        for dtype in dict.fromkeys(dtypes)
        if dtype not in format_named(name).dtypes
    )


def wanted_input(model: Model, text: str | None, forms: Sequence[Format]) -> Input:
    """The image that ``text`` means: ``WIDTHxHEIGHT``, ``dynamic``, or None for the size of the task.

    Raises:
        UserError: it cannot be read, is too small to be checked, the network cannot take it, or a format cannot.
    """
    channels, usual = input_of(model)
    if text == DYNAMIC:
        fixed = [form.name for form in forms if not form.can_be_dynamic]
        if fixed:
            able = ", ".join(name for name, form in FORMATS.items() if form.can_be_dynamic)
            raise UserError(f"--input {DYNAMIC} is for {able}, got --format {', '.join(fixed)}; give WIDTHxHEIGHT")
        multiple = multiple_of(model.network)
        width, height = (-(-side // multiple) * multiple for side in TRACED_AT)
        return Input(channels, (width, height), True, multiple)
    size = usual if text is None else _size(text)
    if min(size) < SMALLEST_PX:
        raise UserError(
            f"--input must be at least {SMALLEST_PX}x{SMALLEST_PX}, for a smaller output cannot be measured, got "
            f"{size[0]}x{size[1]}"
        )
    for network in networks_of(model.network):
        _check_takes(model.name, network, channels, size)
    return Input(channels, size, False, 1)


def _size(text: str) -> tuple[int, int]:
    try:
        return parse_size("--input", text)
    except UserError as error:
        raise UserError(f"{error}, or {DYNAMIC}") from None


def _check_takes(name: str, network: nn.Module, channels: int, size: tuple[int, int]) -> None:
    width, height = size
    try:
        with torch.inference_mode():
            network(torch.zeros(1, channels, height, width))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise UserError(
            f"--input of {name} must be a size that the network takes, got {width}x{height}: {first_line(error)}"
        ) from None
