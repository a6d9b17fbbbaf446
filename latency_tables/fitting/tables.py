"""From fitted prices to a latency table: rows, resampled prices, and provenance with held-out errors."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import numpy as np

from latency_tables.fitting.fit import BOOTSTRAP_SAMPLES, SEED, Problem, bootstrap_prices, published_problem, set_prices
from latency_tables.fitting.held_out import HeldOut, coverage, leave_out, residual_sd
from latency_tables.fitting.prices import CLASS_PRICES, PASSES, PRICES
from latency_tables.fitting.ratios import PASS, REFERENCES, Ratio, ratios
from latency_tables.fitting.source import COMMIT, COPYRIGHT, DATA, ENGINE, ENGINE_VERSION, LICENCE, REPOSITORY
from latency_tables.tables.relatives import Z90
from latency_tables.tables.rows import Row
from latency_tables.tables.table import LatencyTable

# One table per core of the six phones, and as many threads as an application would give a network.
CORES = (
    "pixel4-a76",
    "pixel4-a76m",
    "pixel4-a76m-2t",
    "pixel4-a76m-3t",
    "pixel4-a55",
    "pixel4-a55-2t",
    "pixel4-a55-4t",
    "s10-m4",
    "s10-m4-2t",
    "s10-a75",
    "s10-a75-2t",
    "s10-a55",
    "s10-a55-4t",
    "mi8se-a75",
    "mi8se-a75-2t",
    "mi8se-a55",
    "mi8se-a55-4t",
    "a03s-a53",
    "a03s-a53-2t",
    "a03s-a53-4t",
    "a03s-a53s",
    "iphone7-hurricane",
    "iphone7-hurricane-2t",
    "iphonexs-vortex",
    "iphonexs-vortex-2t",
    "iphonexs-tempest",
)
SHIPPED = tuple(f"{core}{suffix}" for core in CORES for suffix in ("", "-int8"))
REFERENCE = DATA / "reference_errors.csv"
# Of one factor common to all networks, between these measurements and those of others on cores of the same kind with
# TensorFlow Lite in another version, or without pinning. Measured over predicted: classification cells on a Pixel 4
# 1.41, a restoration network on an unpinned Pixel 4 1.11 to 1.27, FBNet's blocks on a Pixel 3 (by clock) 1.39, blocks
# on a Galaxy Note10 0.98 to 1.08, cells on a Raspberry Pi 5 (by clock) 0.68: root mean square of the five logarithms.
VERSION_SPREAD = 0.29
UNBOUNDED_ERROR = 1.0  # of a price that the measurements do not raise above its lower bound
LARGEST_ERROR = 9.99


def build_table(name: str) -> LatencyTable:
    """The shipped table ``name``, fitted again; identical to the byte every time."""
    problem = published_problem()
    index = [core_set.table for core_set in problem.core_sets].index(name)
    core_set = problem.core_sets[index]
    everything = np.arange(len(problem.networks))
    prices = set_prices(problem, index, everything)
    samples = _with_doubt(bootstrap_prices(problem, index, everything), prices, problem.least[index])
    classes, drawn = _fitted_rows(prices, samples)
    _add_estimates(core_set.dtype, classes, drawn)
    return LatencyTable(
        name,
        core_set.device,
        core_set.soc,
        core_set.core_text,
        core_set.threads,
        core_set.dtype,
        ENGINE,
        ENGINE_VERSION,
        {},
        classes,
        _three_digits(np.array([drawn[entry] for entry in classes])),
        _provenance(problem, index),
    )


def _three_digits(values: np.ndarray) -> np.ndarray:
    """Rounded to three digits: only the spread of bootstrap samples matters, and people read the files."""
    size = 10.0 ** np.floor(np.log10(np.where(values > 0, values, 1.0)) - 2)
    return np.round(values / size) * size


def _with_doubt(samples: np.ndarray, prices: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Bootstrap samples of prices that rest on their bound, spread by it: the measurements only say "little"."""
    at_bound = np.array([price in PASSES for price in PRICES]) & (prices <= least * (1 + 1e-9))
    surplus = np.random.default_rng(SEED).exponential(size=samples.shape) * least[:, None]
    return samples + surplus * at_bound[:, None]


def _fitted_rows(
    prices: np.ndarray, samples: np.ndarray
) -> tuple[dict[tuple[str, str], Row], dict[tuple[str, str], np.ndarray]]:
    position = {price: index for index, price in enumerate(PRICES)}
    rows, drawn = {}, {}
    source = "fit to 102 whole networks"
    for name, terms in CLASS_PRICES.items():
        for term, parts in terms.items():
            places = [position[part] for part in parts]
            value, sample = float(prices[places].sum()), samples[places].sum(axis=0)
            if value > 0 or sample.any():
                rows[name, term] = Row(_short(value), "fitted", _error(value, sample), source)
                drawn[name, term] = sample
    return rows, drawn


def _error(value: float, sample: np.ndarray) -> float:
    low, high = np.quantile(sample, (0.05, 0.95))
    return _short(min(float(high - low) / 2 / value, LARGEST_ERROR), 2) if value > 0 else UNBOUNDED_ERROR


def _short(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")


def _add_estimates(dtype: str, rows: dict[tuple[str, str], Row], drawn: dict[tuple[str, str], np.ndarray]) -> None:
    """Rows of the operators that no published network has; they replace fitted rows of the same class."""
    generator = np.random.default_rng(SEED)
    estimates = [estimate for estimate in ratios() if estimate.dtype == dtype]
    doubts = {
        name: generator.standard_normal(BOOTSTRAP_SAMPLES) / Z90
        for name in dict.fromkeys(estimate.name for estimate in estimates)
    }
    for entry in [entry for entry in rows if entry[0] in doubts]:
        del rows[entry], drawn[entry]
    for estimate in estimates:
        if estimate.reference == PASS and estimate.per == "M elements":
            _add_pass(estimate, rows, drawn, doubts[estimate.name])
            continue
        sums = [[entry for entry in entries if entry in rows] for entries in REFERENCES[estimate.reference]]
        value = math.prod(sum(rows[entry].latency_ms for entry in entries) for entries in sums) ** (1 / len(sums))
        drawn_sums = [np.sum([drawn[entry] for entry in entries], axis=0) for entries in sums]
        sample = np.prod(drawn_sums, axis=0) ** (1 / len(sums))
        error = math.hypot(_error(value, sample), estimate.relative_error)
        entry = (estimate.name, estimate.per)
        rows[entry] = Row(_short(value * estimate.ratio), "traffic-estimate", _short(error, 2), estimate.source)
        drawn[entry] = sample * estimate.ratio * np.exp(doubts[estimate.name] * math.log1p(estimate.relative_error))


def _add_pass(
    estimate: Ratio, rows: dict[tuple[str, str], Row], drawn: dict[tuple[str, str], np.ndarray], doubt: np.ndarray
) -> None:
    """So many passes over the elements: within a core's cache and beyond it apart, as an addition has them, so that a
    small image is not charged the way to memory."""
    for (_, term), reference in [entry for entry in rows.items() if entry[0][0] == "elementwise"]:
        sample = drawn["elementwise", term]
        if term != "call":
            error = math.hypot(_error(reference.latency_ms, sample), estimate.relative_error)
            rows[estimate.name, term] = Row(
                _short(reference.latency_ms * estimate.ratio), "traffic-estimate", _short(error, 2), estimate.source
            )
            sample = sample * estimate.ratio * np.exp(doubt * math.log1p(estimate.relative_error))
        else:
            rows[estimate.name, term] = reference
        drawn[estimate.name, term] = sample


@lru_cache(maxsize=1)
def reference_errors() -> Mapping[str, tuple[float, float]]:
    """Of every core set's table name: (leave-one-model-out, leave-one-family-out) MAPE of the fit to improve upon."""
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        return {row["table"]: (float(row["lomo_mape"]), float(row["lofo_mape"])) for row in csv.DictReader(file)}


@cache
def family_held_out(index: int) -> HeldOut:
    """Every network predicted without its family, with the spread of resampled fits."""
    problem = published_problem()
    return leave_out(problem, index, problem.families, BOOTSTRAP_SAMPLES)


def _provenance(problem: Problem, index: int) -> dict[str, Any]:
    name = problem.core_sets[index].table
    by_family, by_network = family_held_out(index), leave_out(problem, index, problem.networks)
    reference = reference_errors()[name]
    return {
        "repository": f"https://github.com/{REPOSITORY}",
        "commit": COMMIT,
        "licence": LICENCE,
        "copyright": COPYRIGHT,
        "conversion": "mean latencies of 102 whole networks and their operator lists, fitted as "
        "latency_tables/fitting describes; `python -m latency_tables fit` writes this table anew",
        "paper": "Li, Paolieri, Golubchik, A Benchmark for ML Inference Latency on Mobile Devices, EdgeSys 2024",
        "n_networks": len(problem.networks),
        "n_families": len(set(problem.families)),
        "input": "224x224, batch 1",
        "version_spread": VERSION_SPREAD,
        "residual": round(residual_sd(by_family, problem.families), 4),
        "held_out": {
            "lofo_mape": round(by_family.mape, 2),
            "lomo_mape": round(by_network.mape, 2),
            "reference_lofo_mape": round(reference[1], 2),
            "reference_lomo_mape": round(reference[0], 2),
            "spearman": round(by_family.spearman, 4),
            "coverage_90": round(coverage(by_family, problem.families), 3),
        },
    }
