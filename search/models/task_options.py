"""Options of a task that are given beside a network: they must be those that it is made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evaluators.tasks import RULES, TaskRules, rules_from_text, rules_of
from space.errors import UserError
from space.tasks import TASKS


def read_rules(task: str, scale: int | None, options: Mapping[str, Any] | None) -> TaskRules:
    """The rules of ``task``; ``options`` as in a record or as text from a command line, None for the default.

    Raises:
        UserError: the task does not have the scale or an option, or a value cannot be parsed.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    values = {name: value for name, value in given.items() if not isinstance(value, str) and name in _options(task)}
    texts = {name: str(value) for name, value in given.items() if name not in values}
    return rules_of(task, scale, {**rules_from_text(task, scale, texts).options, **values})


def _options(task: str) -> tuple[str, ...]:
    return ("channels", *RULES[task].option_readers)


def fitted(
    name: str, rules: TaskRules, scale: int | None, options: Mapping[str, Any] | None, specialists: int = 1
) -> TaskRules:
    """``rules`` of the network ``name``, narrowed to the part of their ranges that ``options`` give.

    A network for noise of 0 to 50 can be measured at 25; one for two-fold enlargement is none for four-fold. The range
    that ``specialists`` share stays whole: it says which of them a level is for.

    Raises:
        UserError: an option or the scale is not what the network is made for, or the task has no such option.
    """
    if scale is not None and scale != rules.scale:
        own = f"{rules.scale}, that of {name}" if TASKS[rules.task].has_scales else f"left out with {name}"
        raise UserError(f"--scale must be {own}, got {scale}; leave it out")
    wanted = {key: value for key, value in (options or {}).items() if value is not None}
    asked = read_rules(rules.task, rules.scale, wanted)
    changed = {}
    for option, text in wanted.items():
        own, value = getattr(rules, option), getattr(asked, option)
        inside = specialists == 1 and isinstance(own, tuple) and own[0] <= value[0] and value[1] <= own[1]
        if value != own and not inside:
            raise UserError(
                f"--{option} must be what {name} is for ({_said(own)}), got {_said(text)}; leave it out, or choose "
                "another network"
            )
        changed[option] = value
    return replace(rules, **changed)


def _said(value: Any) -> str:
    return "-".join(f"{each:g}" for each in dict.fromkeys(value)) if isinstance(value, tuple | list) else str(value)
