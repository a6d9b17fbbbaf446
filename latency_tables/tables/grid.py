"""Costs between measured shapes of one operation: monotone in channels and pixels by construction.

The measured shapes span a box of (input channels, output channels, pixels). Cells of it that nobody measured are filled
from a fitted sum of terms, scaled by the measured neighbours' deviation from it; the box is then made monotone along
every axis, measured cells moving least; between cells costs are linear. Beyond the box a cost lies between that at its
edge and one in proportion to channels and pixels; related rows, where the table has some, say where between.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from scipy.optimize import isotonic_regression, nnls

from latency_tables.lowering.operators import EngineOperator

MEASURED_WEIGHT = 1e4  # of a measured cell against a filled one, when the two must move to become monotone
SWEEPS = 200
STEP_AXIS = 4.0  # how much farther apart two numbers of output channels are than of input channels, for filling


class OperationGrid:
    """The cost of an operation at any channels and size, from ``latency_ms`` at some of them.

    ``model`` gives milliseconds that a fit to related operators expects: a sum of terms that grow along every axis.
    """

    def __init__(
        self, latency_ms: Mapping[EngineOperator, float], model: Callable[[EngineOperator], float] | None = None
    ) -> None:
        operators = list(latency_ms)
        self._model = model
        self._scale = np.median([latency_ms[op] / model(op) for op in operators]) if model else 1.0
        self._tied = all(op.in_channels == op.out_channels for op in operators)
        points = np.array([self._point(op) for op in operators], dtype=float)
        self.lines = tuple(np.unique(points[:, axis]) for axis in range(points.shape[1]))
        cells = tuple(np.searchsorted(line, points[:, axis]) for axis, line in enumerate(self.lines))
        measured = np.zeros([len(line) for line in self.lines])
        measured[cells] = np.array(list(latency_ms.values()))
        self.is_measured = measured > 0
        filled = measured if self.is_measured.all() else self._fill(measured)
        self.values = _monotone(np.log(filled), np.where(self.is_measured, MEASURED_WEIGHT, 1.0))

    def _point(self, op: EngineOperator) -> tuple[float, ...]:
        return (op.out_channels, op.pixels) if self._tied else (op.in_channels, op.out_channels, op.pixels)

    def at(self, op: EngineOperator) -> tuple[float, str, float]:
        """(milliseconds, origin, distance), with ``distance`` how many times outside the box ``op`` is, 1 within.

        Beyond the box cost grows as the model does, at most in proportion; without a model in proportion. Below it,
        cost falls in proportion to the pixels, and not with channels.
        """
        if self._tied and op.in_channels != op.out_channels:
            op_point: tuple[float, ...] = (max(op.in_channels, op.out_channels), op.pixels)
        else:
            op_point = self._point(op)
        growth, shrinkage, distance, exact = 1.0, 1.0, 1.0, True
        edge = []
        corners: list[tuple[tuple[int, float], ...]] = []
        for axis, (value, line) in enumerate(zip(op_point, self.lines, strict=True)):
            inside = min(max(value, line[0]), line[-1])
            edge.append(inside)
            if value > line[-1]:
                growth *= value / line[-1]
            elif value < line[0] and axis == len(self.lines) - 1:
                shrinkage = value / line[0]
            distance *= max(value / inside, inside / value)
            low = min(int(np.searchsorted(line, inside, side="right")) - 1, len(line) - 1)
            if inside == line[low]:
                corners.append(((low, 1.0),))
            else:
                share = (inside - line[low]) / (line[low + 1] - line[low])
                corners.append(((low, 1.0 - share), (low + 1, share)))
                exact = False
        total, known = 0.0, True
        for corner in itertools.product(*corners):
            cell = tuple(index for index, _ in corner)
            total += math.prod(weight for _, weight in corner) * self.values[cell]
            known = known and bool(self.is_measured[cell])
        if growth > 1:
            total = min(total * growth, total + self._more(op, edge)) if self._model else total * growth
        if distance > 1 or not known:
            return float(total * shrinkage), "extrapolated", float(distance)
        return float(total), "measured" if exact else "interpolated", distance

    def _more(self, op: EngineOperator, edge: list[float]) -> float:
        """Milliseconds by which the model grows from the ``edge`` of the box to ``op``.

        A difference of such terms grows along every axis, as no ratio of them does.
        """
        assert self._model is not None
        floor = self.lines[-1][0]
        sizes = (op.in_channels, op.out_channels, max(op.pixels, floor))
        inside = (*((edge[0],) if self._tied else ()), *edge)
        whole, within = (_with_sizes(op, *map(int, point)) for point in (sizes, inside))
        return float(self._scale * max(0.0, self._model(whole) - self._model(within)))

    def _fill(self, measured: np.ndarray) -> np.ndarray:
        """Cells without a measurement: a fitted sum of terms, times the deviation of the measured cells nearby."""
        grid = np.stack(np.meshgrid(*self.lines, indexing="ij"), axis=-1)
        terms = _terms(grid)
        known = self.is_measured
        target = measured[known]
        prices, _ = nnls(terms[known] / target[:, None], np.ones(len(target)))
        fitted = np.maximum(terms @ prices, 1e-9 * target.min())
        deviation = np.log(target / fitted[known])
        positions = np.log(grid)
        filled = measured.copy()
        for cell in zip(*np.nonzero(~known), strict=True):
            gap = np.abs(positions[known] - positions[cell])
            gap[:, -2] *= STEP_AXIS  # a deviation from the fit is mostly a step along output channels
            gap = gap.sum(axis=-1)
            weight = 1 / (gap + 1e-3) ** 2
            filled[cell] = fitted[cell] * math.exp(float(weight @ deviation / weight.sum()))
        return filled


def _with_sizes(op: EngineOperator, in_channels: int, out_channels: int, pixels: int) -> EngineOperator:
    """``op`` with other channels and pixels, reading as much of each."""
    read = max(1, round(op.read_elements * in_channels * pixels / (op.in_channels * op.pixels)))
    return replace(op, in_channels=in_channels, out_channels=out_channels, height=pixels, width=1, read_elements=read)


def _terms(points: np.ndarray) -> np.ndarray:
    """Terms that a cost is made of, at points (..., (in,) out, pixels): each grows along every axis."""
    pixels, out = points[..., -1], points[..., -2]
    wide = points[..., 0] if points.shape[-1] == 3 else np.ones_like(out)
    terms = (wide * out * pixels, wide * pixels, out * pixels, pixels, wide * out, np.ones_like(pixels))
    return np.stack(terms, axis=-1)


def _monotone(logs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """exp of the values near ``logs`` that fall along no axis: isotonic regression along each axis in turn."""
    values = logs.copy()
    for _ in range(SWEEPS):
        before = values.copy()
        for axis in range(values.ndim):
            lines, masses = np.moveaxis(values, axis, -1), np.moveaxis(weights, axis, -1)
            for index in np.ndindex(lines.shape[:-1]):
                if (np.diff(lines[index]) < 0).any():
                    lines[index] = isotonic_regression(lines[index], weights=masses[index]).x
        if np.abs(values - before).max() < 1e-12:
            break
    for axis in range(values.ndim):  # what rounding left
        values = np.maximum.accumulate(values, axis=axis)
    return np.exp(values)
