"""The Gaussian process of `gaussian`: its scales, what it expects of points, and what is gained by trying one.

The loss of a point x after a share s of the way to the full length is modelled as g(x) + (1 - s) h(x) and a level for
each rung: g is what the point comes to in the end, h how far from it a job is early on.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

SQRT5 = math.sqrt(5.0)


@dataclass(frozen=True)
class Scales:
    """How far the process reaches along each column, and how much of a loss is g, h and noise."""

    lengths: Array
    end: float
    early: float
    noise: float


@dataclass(frozen=True)
class Data:
    """Observations: a row of columns per value, the share that was still to come, the rung, and the normal score."""

    points: Array
    left: Array
    rungs: Indices
    scores: Array

    def of(self, rows: Indices) -> "Data":
        """Return some of the observations."""
        return Data(self.points[rows], self.left[rows], self.rungs[rows], self.scores[rows])


def _squares(one: Array, other: Array) -> Array:
    """Return the squared differences of each pair of rows, column by column: columns x rows x rows."""
    return np.asarray((one.T[:, :, None] - other.T[:, None, :]) ** 2)


def _matern(distance: Array) -> Array:
    """Return the Matérn kernel of smoothness 5/2 of scaled distances (Rasmussen and Williams 2006, 4.17)."""
    return np.asarray((1 + SQRT5 * distance + 5 / 3 * distance**2) * np.exp(-SQRT5 * distance))


def _scaled(points: Array, groups: Indices, scales: Scales) -> Array:
    return np.asarray(points / scales.lengths[groups])


def _distances(one: Array, other: Array) -> Array:
    square = (one**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2 * one @ other.T
    return np.asarray(np.sqrt(np.maximum(square, 1e-12)))


def fit(data: Data, groups: Indices) -> Scales:
    """Return the scales under which the data are most likely, given that long reaches and little noise are usual."""
    count = int(groups.max()) + 1 if len(groups) else 0
    squares = _squares(data.points, data.points)
    by_group = np.stack([squares[groups == each].sum(axis=0) for each in range(count)])
    both_left = data.left[:, None] * data.left[None, :]
    level = 1.0 + (data.rungs[:, None] == data.rungs[None, :])
    usual = math.log(0.5) + 0.5 * math.log(max(count, 1)) / 2
    eye = np.eye(len(data.scores))

    def loss(theta: Array) -> tuple[float, Array]:
        lengths, end, early, noise = np.exp(theta[:count]), *np.exp(theta[count:])
        scaled = by_group / (lengths**2)[:, None, None]
        distance = np.sqrt(np.maximum(scaled.sum(axis=0), 1e-12))
        fall = np.exp(-SQRT5 * distance)
        kernel = (1 + SQRT5 * distance + 5 / 3 * distance**2) * fall
        weight = end + early * both_left
        matrix = kernel * weight + level + (noise + 1e-6) * eye
        try:
            factor = cho_factor(matrix, lower=True)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        alpha = cho_solve(factor, data.scores)
        inverse = cho_solve(factor, eye)
        value = 0.5 * data.scores @ alpha + np.log(np.diag(factor[0])).sum()
        outer = 0.5 * (inverse - np.outer(alpha, alpha))
        steep = outer * weight * (5 / 3 * (1 + SQRT5 * distance) * fall)
        slopes = [float((steep * each).sum()) for each in scaled]
        slopes += [
            float((outer * kernel).sum() * end),
            float((outer * kernel * both_left).sum() * early),
            float(np.trace(outer) * noise),
        ]
        off = theta - np.array([usual] * count + [0.0, -1.5, math.log(0.02)])
        width = np.array([1.0] * count + [1.0, 1.0, 1.5])
        return float(value + 0.5 * ((off / width) ** 2).sum()), np.asarray(slopes) + off / width**2

    start = np.array([usual] * count + [0.0, -1.5, math.log(0.02)])
    low, high = np.full(len(start), -7.0), np.full(len(start), 4.0)
    low[:count] = math.log(0.03)
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(low, high, strict=True)),
        options={"maxiter": 40},
    )
    theta = np.exp(found.x)
    return Scales(theta[:count], float(theta[count]), float(theta[count + 1]), float(theta[count + 2]))


class Process:
    """The process given data: what it expects of rows at the full length, and how sure it is."""

    def __init__(self, data: Data, groups: Indices, scales: Scales, last: int) -> None:
        self._data, self._groups, self.scales, self._last = data, groups, scales, last
        self._scaled = _scaled(data.points, groups, scales)
        weight = scales.end + scales.early * data.left[:, None] * data.left[None, :]
        level = 1.0 + (data.rungs[:, None] == data.rungs[None, :])
        matrix = _matern(_distances(self._scaled, self._scaled)) * weight + level
        matrix[np.diag_indices_from(matrix)] += scales.noise + 1e-6
        self._factor = np.linalg.cholesky(matrix)
        self._alpha = cho_solve((self._factor, True), data.scores)

    def mean(self, rows: Array) -> Array:
        """Return the mean of the score of each row at the full length."""
        kernel = _matern(_distances(self._scaled, _scaled(rows, self._groups, self.scales))) * self.scales.end
        kernel += 1.0 + (self._data.rungs[:, None] == self._last)
        return np.asarray(kernel.T @ self._alpha)


class Resolved:
    """How unsure the process is at the full length if it had seen all points there that were tried."""

    def __init__(self, tried: Array, groups: Indices, scales: Scales) -> None:
        self._groups, self._scales = groups, scales
        self._scaled = _scaled(tried, groups, scales)
        matrix = _matern(_distances(self._scaled, self._scaled)) * scales.end + 2.0
        matrix[np.diag_indices_from(matrix)] += scales.noise + 1e-6
        self._factor = np.linalg.cholesky(matrix)

    def deviation(self, rows: Array) -> Array:
        """Return the standard deviation of the score of each row."""
        kernel = (
            _matern(_distances(self._scaled, _scaled(rows, self._groups, self._scales))) * self._scales.end
            + 2.0
        )
        half = solve_triangular(self._factor, kernel, lower=True, check_finite=False)
        return np.asarray(np.sqrt(np.maximum(self._scales.end + 2.0 - (half**2).sum(axis=0), 1e-9)))


def improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Return the logarithm of the expected improvement over the best score, roughly where it is very small."""
    z = (best - mean) / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    usual = np.log(np.maximum(deviation * (density + z * ndtr(z)), 1e-300))
    far = np.log(deviation) - 0.5 * z**2 - 2 * np.log(np.maximum(np.abs(z), 1.0))
    return np.asarray(np.where(z > -5, usual, far))


def normal_scores(losses: Array) -> Array:
    """Return the quantiles of a normal distribution that stand where losses stand in their order; equal ones alike."""
    _, inverse, counts = np.unique(losses, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle = ends - (counts + 1) / 2 + 0.5
    return np.asarray(ndtri((middle[inverse]) / len(losses)))
