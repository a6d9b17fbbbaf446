"""Values of a task's options: read from the command line, written into titles."""

from __future__ import annotations

from space.errors import UserError


def read_range(text: str, option: str, low: float, high: float, example: str) -> tuple[float, float]:
    """``25`` as (25, 25) and ``0-50`` as (0, 50).

    Raises:
        UserError: not one number or two increasing ones joined by ``-``, or outside ``low`` to ``high``.
    """
    try:
        values = tuple(float(word) for word in text.split("-"))
    except ValueError:
        values = ()
    if len(values) not in (1, 2) or not low <= values[0] <= values[-1] <= high:
        raise UserError(
            f"{option} must be a number or a range LOW-HIGH from {low:g} to {high:g}, got {text!r}; "
            f"for example {example}"
        )
    return values[0], values[-1]


def range_text(values: tuple[float, float]) -> str:
    """``25`` or ``0–50``."""
    low, high = values
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def read_choice(text: str, option: str, choices: tuple[str, ...]) -> str:
    """``text`` itself.

    Raises:
        UserError: ``text`` is not one of ``choices``.
    """
    if text not in choices:
        raise UserError(f"{option} must be one of {', '.join(choices)}, got {text!r}")
    return text
