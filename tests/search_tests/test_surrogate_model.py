"""What the surrogate sees, what it predicts, and what an improvement is worth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from evaluators.costs import architecture_costs
from search.proposers.features import Features
from search.proposers.gaussian_process import GaussianProcess, negative_log_posterior, priors
from search.proposers.improvement import Front
from space import TASKS, ZOO, SearchSpace

INPUT = (64, 36)
BLOCK_OF = np.array([0, 0, 1, 2, 2, 2])


def results(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and a smooth quality with an interaction, of which the last block says nothing."""
    rows = np.random.default_rng(seed).random((count, 6))
    return rows, 28 + np.sin(3 * rows[:, 0]) * rows[:, 2] + rows[:, 1]


@pytest.mark.parametrize("task", TASKS)
def test_every_design_is_a_row_and_different_designs_are_different_rows(task: str) -> None:
    space = SearchSpace(TASKS[task], TASKS[task].shape(TASKS[task].default_scale))
    features, generator = Features(space, ("macs", "memory")), np.random.default_rng(0)
    rows: dict[str, tuple[float, ...]] = {}
    for _ in range(40):
        values = space.random(generator)
        arch = space.decode(values)
        rows[arch.key] = tuple(features.row(values, architecture_costs(arch, INPUT)))
    assert {len(row) for row in rows.values()} == {len(features.block_of)}
    assert len(set(rows.values())) == len(rows)
    assert np.isfinite(list(rows.values())).all()
    assert [block.name for block in features.blocks[-3:]] == ["params", "macs", "memory"]
    assert features.block_of[-1] == len(features.blocks) - 1


def test_a_knob_that_does_not_apply_and_one_off_the_grid_have_their_places() -> None:
    space, published = SearchSpace(TASKS["sr"], TASKS["sr"].shape(4)), ZOO["s-lwsr16"]
    features = Features(space, ("macs",))
    costs = architecture_costs(published.architecture, INPUT)
    at = [block.name for block in features.blocks].index("width")
    own = np.flatnonzero(features.block_of == at)
    narrow, between, wide, none = (
        features.row({"backbone": "plain", **width}, costs)[own]
        for width in ({"width": 8}, {"width": 10}, {"width": 64}, {})
    )
    assert narrow[0] == 0
    assert narrow[0] < between[0] < 1 / 14
    assert wide[0] == 1
    assert none[1] > 0 == wide[1]


@pytest.mark.parametrize("costs", [1, 2])
def test_what_is_known_improves_by_what_is_known_with_hardly_any_doubt(costs: int) -> None:
    generator = np.random.default_rng(costs)
    front = Front(generator.random((6, costs)), 28 + generator.random(6), 28.0)
    designs, quality, reference = generator.random((9, costs)), 28 + generator.random(9), np.full(costs, 1.2)
    known = front.expected_improvement(designs, quality, np.zeros(9), reference)
    nearly = front.expected_improvement(designs, quality, np.full(9, 1e-6), reference)
    assert known == pytest.approx(nearly, abs=1e-5)
    assert (known >= 0).all()
    assert known.any()
    on_it = front.expected_improvement(front.costs, front.quality, np.zeros(6), reference)
    assert on_it == pytest.approx(0, abs=1e-12)


def test_the_gradient_is_that_of_the_density() -> None:
    rows, quality = results(12)
    logs = priors(3)[0] + np.random.default_rng(1).normal(size=6)
    arguments = (rows - rows.mean(axis=0), BLOCK_OF, quality - quality.mean())
    _, gradient = negative_log_posterior(logs, *arguments)
    numeric = approx_fprime(logs, lambda at: negative_log_posterior(at, *arguments)[0], 1e-6)
    assert gradient == pytest.approx(numeric, abs=1e-3)


def test_predictions_are_near_the_truth_and_say_how_near() -> None:
    rows, quality = results(60)
    noisy = quality + np.random.default_rng(2).normal(scale=0.02, size=60)
    unseen, truth = results(200, seed=3)
    model = GaussianProcess(rows, BLOCK_OF, noisy)
    mean, deviation = model.predict(unseen)
    off = np.abs(mean - truth)
    assert off.mean() < 0.1 * truth.std()
    assert (off < 2 * deviation).mean() > 0.8
    assert deviation.mean() < 0.5 * truth.std()
    relevance = np.exp(model.hyperparameters.logs[:3])
    assert relevance[2] < relevance[:2].min()
    again = GaussianProcess(rows, BLOCK_OF, noisy, model.hyperparameters)
    assert np.array_equal(again.predict(unseen)[0], mean)


@pytest.mark.parametrize("quality", [[28.0], [28.0, 28.0, 28.0]])
def test_one_result_or_equal_ones_make_a_model(quality: list[float]) -> None:
    rows, _ = results(len(quality))
    mean, deviation = GaussianProcess(rows, BLOCK_OF, np.array(quality)).predict(rows + 0.1)
    assert mean == pytest.approx(28.0, abs=0.1)
    assert (deviation > 0).all()


def dominated(costs: np.ndarray, quality: np.ndarray, lowest: float, reference: np.ndarray, samples: int) -> float:
    """The hypervolume from 3 decades below the reference on, by counting random points."""
    generator = np.random.default_rng(0)
    drawn = generator.random((samples, len(reference))) * 3 + reference - 3
    level = generator.random(samples) * 4 + lowest
    inside = (costs[None] <= drawn[:, None]).all(axis=2) & (quality[None] >= level[:, None])
    return float(inside.any(axis=1).mean() * 4 * 3 ** len(reference))


@pytest.mark.parametrize("objectives", [1, 2])
def test_the_improvement_of_a_certain_quality_is_the_hypervolume_gained(objectives: int) -> None:
    generator = np.random.default_rng(4)
    costs, quality, reference = (
        6 + 3 * generator.random((8, objectives)),
        28 + 3 * generator.random(8),
        np.full(objectives, 9.0),
    )
    news, samples = 6 + 3 * generator.random((5, objectives)), 200_000
    better = np.array([28.5, 29.5, 30.5, 31.0, 27.0])
    gains = Front(costs, quality, 28.0).expected_improvement(news, better, np.full(5, 1e-9), reference)
    before = dominated(costs, quality, 28.0, reference, samples)
    for new, level, gain in zip(news, better, gains, strict=True):
        after = dominated(np.vstack([costs, new]), np.append(quality, level), 28.0, reference, samples)
        assert gain == pytest.approx(after - before, abs=0.06 * 3**objectives)


def test_uncertainty_is_worth_something_and_nothing_counts_beyond_the_reference() -> None:
    front = Front(np.array([[7.0], [8.0]]), np.array([29.0, 30.0]), 28.0)
    costs, mean = np.array([[7.5], [7.5], [9.5]]), np.array([29.0, 29.0, 33.0])
    certain, uncertain, beyond = front.expected_improvement(costs, mean, np.array([1e-9, 0.3, 0.3]), np.array([9.0]))
    assert certain == pytest.approx(0, abs=1e-6)
    assert uncertain > 0.05
    assert beyond == 0


def test_the_expectation_is_that_of_the_normal_distribution() -> None:
    front = Front(np.array([[7.0], [8.0]]), np.array([29.0, 30.0]), 28.0)
    drawn = 29.4 + 0.5 * np.random.default_rng(5).normal(size=20_000)
    costs, reference = np.full((20_000, 1), 6.5), np.array([9.0])
    each = front.expected_improvement(costs, drawn, np.full(20_000, 1e-9), reference)
    (expected,) = front.expected_improvement(costs[:1], np.array([29.4]), np.array([0.5]), reference)
    assert expected == pytest.approx(each.mean(), rel=0.03)


def test_without_a_cost_among_the_objectives_the_best_counts() -> None:
    front = Front(np.zeros((2, 0)), np.array([29.0, 30.0]), 28.0)
    gains = front.expected_improvement(np.zeros((2, 0)), np.array([29.5, 31.0]), np.full(2, 1e-9), np.zeros(0))
    assert gains == pytest.approx([0, 1], abs=1e-6)
