"""Runs that never trained: real architectures, real costs, and quality from a formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from evaluators.costs import architecture_costs
from search.records import SEARCHED, RungResult, RunResult, RunSettings, TrialRecord
from search.request.tables import TableUse, load_used, tables_of
from space.architecture import Architecture, IOShape
from space.backbones import BACKBONES
from space.zoo import ZOO, with_input_skip
from tests.small_table import write_small_table

BICUBIC_DB = 26.41
RUNGS = (120, 480, 1920)
IMAGES = ("astronaut", "coffee")
CHOICES = {
    "width": (8, 12, 16, 20, 24, 32),
    "blocks_per_stage": (1, 2, 3),
    "recursion": (1, 2),
    "inverted_ratio": (0.0, 0.5, 0.75),
    "activation_kept": ("1/2", "all"),
    "pool": ("none", "normal"),
    "upsampler": ("dense-two-step", "dense-one-step", "depthwise", "nearest"),
    "input_skip": ("none", "nearest", "bicubic"),
}
INPUT = (320, 180)
SYMMETRIC = BACKBONES["symmetric"]


def architecture_of(knobs: dict) -> Architecture:
    plain = {knob.name: knob.values[0] for knob in SYMMETRIC.knobs if not knob.when}
    own = {"residual_scale": 1.0, "inverted_expansion": 2, "inverted_at": "spread", "convolution": "dense"}
    chosen = {**plain, **own, **knobs}
    settings, ends = SYMMETRIC.settings_from_knobs(chosen), SYMMETRIC.ends_from_knobs(chosen)
    return Architecture(IOShape(3, 3, 4), "symmetric", settings, ends)


def quality_of(architecture: Architecture, steps: int, noise: float) -> float:
    macs = architecture_costs(architecture, INPUT).macs
    gain = 0.9 * math.log10(macs / 1e8) * (1 - 0.6 * math.exp(-steps / 500))
    without_skip = 0.0 if architecture.ends.input_skip != "none" else 2.2 * math.exp(-steps / 700)
    return BICUBIC_DB + gain - without_skip + noise


def rung_result(architecture: Architecture, rung: int, noise: float) -> RungResult:
    psnr_db = quality_of(architecture, RUNGS[rung], noise)
    by_image = {name: psnr_db + 0.5 * index for index, name in enumerate(IMAGES)}
    return RungResult(rung, RUNGS[rung], psnr_db, 0.7 + psnr_db / 400, 20.0 * (rung + 1), 1.5, by_image)


def synthetic_run(
    searched: int = 40,
    papers: tuple[str, ...] = ("s-lwsr16",),
    budget: str = "200k-params",
    limit: float = 200_000,
    objectives: tuple[str, ...] = ("psnr", "macs"),
    noise_db: float = 0.06,
    seed: int = 0,
    tables: tuple[TableUse, ...] = (),
) -> RunResult:
    """A finished run: a third of the candidates reach each next rung, the fixed trials all of them."""
    rng = np.random.default_rng(seed)
    trials: list[TrialRecord] = []
    for name in papers:
        released = ZOO[name].architecture
        for source, architecture in ((name, released), (f"{name}+skip", with_input_skip(released))):
            rungs = tuple(rung_result(architecture, rung, 0.0) for rung in range(3))
            costs = architecture_costs(architecture, INPUT, load_used(tables))
            trials.append(TrialRecord(len(trials), source, "trained", architecture, {}, costs, rungs))
    for _ in range(searched):
        knobs = {name: values[rng.integers(len(values))] for name, values in CHOICES.items()}
        architecture = architecture_of(knobs)
        costs = architecture_costs(architecture, INPUT, load_used(tables))
        if costs.params > limit:
            reason = f"params {costs.params:,} is over 200,000"
            trials.append(TrialRecord(len(trials), SEARCHED, "over-budget", architecture, knobs, costs, (), reason))
        elif rng.random() < 0.05:
            reason = "loss was NaN at step 37"
            trials.append(TrialRecord(len(trials), SEARCHED, "failed", architecture, knobs, costs, (), reason))
        else:
            noise = noise_db * rng.standard_normal()
            reached = 1 + int(rng.random() < 0.6) + int(rng.random() < 0.6)
            rungs = tuple(rung_result(architecture, rung, noise) for rung in range(reached))
            trials.append(TrialRecord(len(trials), SEARCHED, "trained", architecture, knobs, costs, rungs))
    settings = RunSettings(
        task="sr",
        scale=4,
        budget=budget,
        objectives=objectives,
        input_size=INPUT,
        sampler="tpe",
        seed=seed,
        rungs=RUNGS,
        workers=2,
        train_data="embedded photographs (1f0c)",
        val_data="embedded photographs (77ab)",
        training={"batch": 16, "patch_px": 32, "learning_rate": 0.001},
        created="2026-01-02T03:04:05Z",
        environment={"litefront": "0.1.0", "torch": "2.13.0", "commit": "0123abc", "device": "CPU, 2 threads"},
        tables=tables,
    )
    return RunResult(
        "demo", settings, tuple(trials), BICUBIC_DB, 612.0, "python -m search run --task sr --budget 200k-params"
    )


@pytest.fixture(scope="session")
def make_run() -> Callable[..., RunResult]:
    return synthetic_run


@pytest.fixture(scope="session")
def tables(tmp_path_factory) -> tuple[TableUse, ...]:
    """Two boards, of which the second moves bytes more slowly."""
    folder = tmp_path_factory.mktemp("tables")
    paths = (
        write_small_table(folder, "board-x1"),
        write_small_table(folder, "board-y2", 2.0, 4.0, device="Board Y", core="Cortex-Y"),
    )
    return tables_of("--device", map(str, paths))


@pytest.fixture(scope="session")
def timed_run(tables) -> RunResult:
    """A run that was asked for milliseconds on two boards."""
    return synthetic_run(
        budget="200k-params,700ms@board-x1", objectives=("psnr", "ms@board-x1", "ms@board-y2"), tables=tables
    )


@pytest.fixture(scope="session")
def run() -> RunResult:
    return synthetic_run()
