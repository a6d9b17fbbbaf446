"""Holes filled by diffusion of what surrounds them: the simplest inpainting without a network."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu


def diffuse(values: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """``values`` `(h, w, C)`, in float64, with every pixel of a hole the mean of its four neighbours.

    That is the discrete Laplace equation with the hole's surroundings as its boundary, solved exactly; at the picture's
    edge the neighbours that are there count. ``holes`` `(h, w)` is True in the holes.

    Raises:
        ValueError: all of the picture is a hole.
    """
    if holes.all():
        raise ValueError("holes must leave some of the picture, got a hole everywhere")
    height, width = holes.shape
    inside, pixels = holes.ravel(), values.reshape(height * width, -1).astype(np.float64)
    if inside.any():
        rows = (
            sparse.kron(_laplacian(height), sparse.eye_array(width), format="csr")[inside]
            + sparse.kron(sparse.eye_array(height), _laplacian(width), format="csr")[inside]
        )
        within = rows[:, inside].tocsc()
        solver = splu(within, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        pixels[inside] = solver.solve(-(rows[:, ~inside] @ pixels[~inside]))
    return pixels.reshape(values.shape)


def _laplacian(count: int) -> sparse.csr_array:
    """Of ``count`` pixels in a row `(count, count)`: the number of neighbours times a pixel, less the neighbours."""
    differences = sparse.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(count - 1, count))
    return sparse.csr_array(differences.T @ differences)
