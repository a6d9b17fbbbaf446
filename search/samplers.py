"""Knobs as Optuna distributions, and the samplers by name."""

from __future__ import annotations

from collections.abc import Callable

import optuna
from optuna.samplers import BaseSampler

from search.tpe import GroupedTPE
from space.errors import UserError
from space.knobs import Knob, Value

# Random proposals before a model is trusted: fixed trials count towards them.
STARTUP_TRIALS = 12


def _tpe(seed: int) -> BaseSampler:
    return GroupedTPE(seed, STARTUP_TRIALS)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": _tpe,
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=20),
    "nsga3": lambda seed: optuna.samplers.NSGAIIISampler(seed=seed, population_size=20),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP_TRIALS),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}


def sampler(name: str, seed: int) -> BaseSampler:
    """The sampler called ``name``, seeded.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in SAMPLERS:
        raise UserError(f"--sampler must be one of {', '.join(SAMPLERS)}, got {name!r}")
    return SAMPLERS[name](seed % 2**32)


def reseeded(known: BaseSampler | None, name: str, seed: int) -> BaseSampler:
    """The sampler called ``name`` as if it were new with ``seed``; ``known`` is the one before, if there was one."""
    if isinstance(known, GroupedTPE):
        known.reseed(seed % 2**32)
        return known
    return sampler(name, seed)


def choose(trial: optuna.trial.Trial, knob: Knob) -> Value:
    """Ask Optuna for a value of ``knob``: evenly spaced numbers keep their order, all else is a category."""
    low, high = knob.values[0], knob.values[-1]
    if isinstance(knob.step, int):
        return trial.suggest_int(knob.name, low, high, step=knob.step)
    if knob.step is not None:
        return trial.suggest_float(knob.name, low, high, step=knob.step)
    return trial.suggest_categorical(knob.name, knob.values)
