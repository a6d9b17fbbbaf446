"""How each task degrades an image, what its baseline is, and how its result is measured: one file per task.

The file is named after the task (``raw-denoise``: ``raw_denoise.py``) and assigns its rules' class to ``RULES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from evaluators.tasks.pair import Pair
from evaluators.tasks.rules import TaskRules
from space.errors import UserError
from space.tasks import TASKS

RULES: dict[str, type[TaskRules]] = {
    name: import_module(f"evaluators.tasks.{name.replace('-', '_')}").RULES for name in TASKS
}


def rules_of(task: str, scale: int | None = None, options: Mapping[str, Any] | None = None) -> TaskRules:
    """The rules of ``task``; ``options`` are as in a record, and missing ones take their defaults.

    Raises:
        UserError: the scale, the channels or an option is unknown.
    """
    scale = TASKS[task].default_scale if scale is None else scale
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in (options or {}).items()
    }
    return RULES[task](scale=scale, **values)


def rules_from_text(task: str, scale: int | None, texts: Mapping[str, str | None]) -> TaskRules:
    """The rules of ``task`` with options as text from a command line; None means the default.

    Raises:
        UserError: the task does not have an option, or a value cannot be parsed.
    """
    readers: dict[str, Callable[[str], Any]] = {"channels": str, **RULES[task].option_readers}
    values = {}
    for name, text in texts.items():
        if text is None:
            continue
        if name not in readers:
            others = ", ".join(other for other, each in TASKS.items() if name in each.options) or "no task"
            raise UserError(f"--{name} is an option of {others} and not of {task}, got {text!r}; leave it out")
        values[name] = readers[name](text)
    return rules_of(task, scale, values)


__all__ = ["RULES", "Pair", "TaskRules", "rules_from_text", "rules_of"]
