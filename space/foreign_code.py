"""Runs user code in isolation: what it prints, parses or changes does not affect the command that runs it."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module

import torch
from torch import nn

from space.errors import UserError, first_line


class CodeStoppedError(RuntimeError):
    """The code called ``sys.exit`` instead of returning a result."""


@contextlib.contextmanager
def foreign_code() -> Iterator[None]:
    """While user code runs, redirect its output to standard error and hide our command-line arguments from it.

    torch's default dtype and device are restored afterwards.

    Raises:
        CodeStoppedError: it called ``sys.exit``; the message contains its argument.
    """
    arguments, dtype, device = sys.argv, torch.get_default_dtype(), torch.get_default_device()
    sys.argv = [arguments[0] if arguments else ""]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except SystemExit as stop:
        status = 0 if stop.code is None else stop.code
        raise CodeStoppedError(f"it ends the program (exit {status!r}) where it gets no arguments") from stop
    finally:
        sys.argv = arguments
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(device)


def network_of_factory(spec: str, module: str, factory: str) -> nn.Module:
    """The network that ``factory`` in ``module`` returns when called without arguments.

    Raises:
        UserError: the module is missing or fails; or the factory is missing, needs arguments, fails, exits, or returns
            something other than a network.
    """
    make = _imported(spec, module, factory)
    if isinstance(make, nn.Module):
        return make
    if not callable(make):
        raise UserError(f"{spec!r} must name a function that returns a torch.nn.Module, got {_kind(make)}")
    if needed := _needed_arguments(make):
        raise UserError(
            f"{spec!r} must make a network without arguments, got one that needs {', '.join(needed)}; write a function "
            "that calls it with them"
        )
    try:
        with foreign_code():
            network = make()
    except Exception as error:
        raise UserError(f"{spec!r} must make a network without arguments: {first_line(error)}") from error
    if not isinstance(network, nn.Module):
        remedy = "; name that itself" if callable(network) else ""
        raise UserError(f"{spec!r} must give a torch.nn.Module, got {_kind(network)}{remedy}")
    return network


def _imported(spec: str, module: str, factory: str) -> object:
    if module.endswith(".py") or not all(part.isidentifier() for part in module.split(".")):
        remedy = ""
        if module.endswith(".py"):
            name = os.path.splitext(module.replace("\\", "/").strip("/").replace("/", "."))[0]
            remedy = f"; for a file in this folder write {name}:{factory}"
        raise UserError(f"{spec!r} must be MODULE:FACTORY, a module's name as in an import, got {module!r}{remedy}")
    sys.path.insert(0, "")  # as python -m does: the folder that the command runs in
    try:
        with foreign_code():
            found = import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f"{spec!r} must be MODULE:FACTORY that can be imported from here: {error}") from error
    except Exception as error:
        raise UserError(
            f"{spec!r} must be MODULE:FACTORY that can be imported from here: {module} fails with {first_line(error)}"
        ) from error
    finally:
        sys.path.remove("")
    for part in factory.split("."):
        try:
            found = getattr(found, part)
        except Exception as error:
            raise UserError(
                f"{spec!r} must be MODULE:FACTORY that can be imported from here: {first_line(error)}"
            ) from error
    return found


def _needed_arguments(make: Callable[..., object]) -> list[str]:
    """The names of arguments without a default; none where Python cannot tell."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return []
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [each.name for each in parameters if each.kind in named and each.default is inspect.Parameter.empty]


def _kind(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    return type(value).__name__
