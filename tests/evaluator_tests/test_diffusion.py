"""Diffusion into holes: harmonic pictures come back exactly, edges have no neighbour beyond, and its task names it."""

from __future__ import annotations

import numpy as np
import pytest

from evaluators import data
from evaluators.images.diffusion import diffuse
from evaluators.quality import baseline, classical_baselines
from evaluators.tasks import rules_of
from space import TASKS

Y, X = np.mgrid[:24, :30].astype(float)


@pytest.mark.parametrize("picture", [3 * X - 2 * Y + 5, X * Y, X**2 - Y**2], ids=["plane", "saddle", "turned saddle"])
def test_harmonic_pictures_come_back(picture: np.ndarray) -> None:
    holes = np.zeros(X.shape, bool)
    holes[3:15, 4:20] = holes[10:22, 15:28] = holes[1, 1] = True
    values = np.stack([picture, -picture], axis=2)
    filled = diffuse(np.where(holes[..., None], 1e6, values), holes)
    assert np.abs(filled - values).max() < 1e-9


def test_at_the_edge_only_the_neighbours_that_are_there_count() -> None:
    holes = (X > 4) & (X < 9)  # a band from edge to edge, and one that ends at the right edge
    holes |= X > 20
    filled = diffuse(np.where(holes, 7.0, X)[..., None], holes)[..., 0]
    assert np.allclose(filled, np.minimum(X, 20))


def test_a_picture_without_holes_stays_and_one_of_a_hole_alone_is_refused() -> None:
    values = np.stack([X], axis=2)
    assert np.array_equal(diffuse(values, np.zeros(X.shape, bool)), values)
    with pytest.raises(ValueError, match="must leave some of the picture"):
        diffuse(values, np.ones(X.shape, bool))


def test_inpaint_is_measured_against_it_and_no_other_task_has_a_classical_baseline() -> None:
    rules = rules_of("inpaint")
    assert [name for name in TASKS if rules_of(name, TASKS[name].default_scale).measure.classical_baselines] == [
        "inpaint"
    ]
    pairs = data.validation_pairs(data.validation_images(None, rules), rules)
    output = rules.measure.classical_baselines["diffusion"](pairs[0].degraded)
    outside = pairs[0].degraded[..., 3] == 0
    assert output.dtype == np.uint8
    assert np.array_equal(output[outside], pairs[0].target[outside])
    found = classical_baselines(pairs, rules)["diffusion"].psnr_db
    assert baseline(pairs, rules).psnr_db == pytest.approx(11.53, abs=0.05)
    assert found == pytest.approx(20.67, abs=0.05)
