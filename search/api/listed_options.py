"""Functions whose options are a list that the command line has too: their signature, their help, the same command."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluators.images.names import escaped_name
from search.request.options import Option

Flags = Mapping[str, tuple[str, str]]  # options without a value: their group and help, by name


def command_line(command: str, spec: str, listed: Sequence[Option], flags: Flags, given: Mapping[str, object]) -> str:
    """The command line that asks for the same as a call with ``given``."""
    words = [spec]
    for option in listed:
        if given.get(option.key) is not None:
            words += [f"--{option.name}", str(option.text(given[option.key]))]
    words += [f"--{flag}" for flag in flags if given.get(flag.replace("-", "_"))]
    return escaped_name(f"python -m search {command} " + shlex.join(words))


def with_options(function: Callable[..., Any], listed: Sequence[Option], flags: Flags) -> None:
    """Give ``function``, which takes them as keywords, the options in its docstring and its signature."""
    lines = [f"        {option.key}: {option.help}." for option in listed]
    lines += [f"        {flag.replace('-', '_')}: {text}." for flag, (_, text) in flags.items()]
    text = "\n".join(["", "    Options, as Python values or as text as on the command line:", *lines, "    "])
    function.__doc__ = f"{function.__doc__ or ''}{text}"
    own = inspect.signature(function)
    named = [each for each in own.parameters.values() if each.kind is not each.VAR_KEYWORD]
    keyword = inspect.Parameter.KEYWORD_ONLY
    named += [inspect.Parameter(option.key, keyword, default=option.default) for option in listed]
    named += [inspect.Parameter(flag.replace("-", "_"), keyword, default=False) for flag in flags]
    vars(function)["__signature__"] = own.replace(parameters=named)
