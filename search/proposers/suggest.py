"""A choice of the search space as a suggestion of Optuna's: the one place where the two meet."""

from __future__ import annotations

import optuna

from space.knobs import Value
from space.search_space import Parameter


def suggest(trial: optuna.trial.Trial, parameter: Parameter) -> Value:
    """A value of ``parameter``: evenly spaced numbers keep their order, all else is a category."""
    low, high, step = parameter.values[0], parameter.values[-1], parameter.step
    if isinstance(low, int) and isinstance(high, int) and isinstance(step, int):
        return trial.suggest_int(parameter.name, low, high, step=step)
    if not isinstance(low, str) and not isinstance(high, str) and step is not None:
        return trial.suggest_float(parameter.name, low, high, step=step)
    choice = trial.suggest_categorical(parameter.name, parameter.values)
    assert choice is not None  # it is none of the values
    return choice
