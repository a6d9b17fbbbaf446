"""A choice of the search space as a suggestion of Optuna's: the one place where the two meet."""

from __future__ import annotations

import optuna

from space.knobs import Value
from space.search_space import Parameter


def suggest(trial: optuna.trial.Trial, parameter: Parameter) -> Value:
    """A value of ``parameter``: evenly spaced numbers keep their order, all else is a category."""
    low, high = parameter.values[0], parameter.values[-1]
    if isinstance(parameter.step, int):
        return trial.suggest_int(parameter.name, low, high, step=parameter.step)
    if parameter.step is not None:
        return trial.suggest_float(parameter.name, low, high, step=parameter.step)
    return trial.suggest_categorical(parameter.name, parameter.values)
