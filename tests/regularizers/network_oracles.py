"""The flow of all weight matrices by SciPy, written without the package: networks with one output, f = W_L ... W_1 x.

A single neuron is the network of width 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.integrate import DOP853


def chain(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """W_L ... W_1 as a vector."""
    row = matrices[-1][0]
    for W in reversed(matrices[:-1]):
        row = row @ W
    return row


def neuron_matrices(scalars: Sequence[float], w: np.ndarray) -> list[np.ndarray]:
    """The neuron as matrices of width 1."""
    return [w[None, :], *(np.array([[a]]) for a in scalars)]


def matrix_flow(
    matrices: Sequence[np.ndarray], X: np.ndarray, y: np.ndarray, *, rtol: float = 1e-11, stop: float = 1e-7
) -> list[np.ndarray]:
    """The limit of theta' = J^T (y - X w), by DOP853.

    An explicit method cannot follow the exponential tail below its tolerance, so it stops at a relative residual of
    `stop`; two Gauss-Newton steps take the rest, with an error of the order of its square.
    """
    shapes = [W.shape for W in matrices]
    cuts = np.cumsum([W.size for W in matrices])
    begins = np.concatenate([[0], cuts[:-1]])

    def split(theta: np.ndarray) -> list[np.ndarray]:
        return [theta[i:j].reshape(s) for i, j, s in zip(begins, cuts, shapes, strict=True)]

    def pull(layers: list[np.ndarray], features: np.ndarray) -> np.ndarray:
        """d(w.features)/d theta."""
        rows = [np.ones(1)]
        for W in reversed(layers[1:]):
            rows.append(rows[-1] @ W)
        parts = []
        for W, row in zip(layers, reversed(rows), strict=True):
            parts.append(np.outer(row, features).ravel())
            features = W @ features
        return np.concatenate(parts)

    def residual(theta: np.ndarray) -> np.ndarray:
        return y - X @ chain(split(theta))

    theta = np.concatenate([W.ravel() for W in matrices])
    atol = 1e-3 * rtol * np.max(np.abs(theta))
    solver = DOP853(lambda _, at: pull(split(at), residual(at) @ X), 0.0, theta, 1e9, rtol=rtol, atol=atol)
    steps = 0
    while np.linalg.norm(residual(solver.y)) > stop * np.linalg.norm(y):
        message, steps = solver.step(), steps + 1
        assert message is None, message
        assert steps < 100_000, "the flow does not fit y"
    theta = solver.y
    for _ in range(2):
        J = np.array([pull(split(theta), x) for x in X])
        theta = theta + J.T @ np.linalg.solve(J @ J.T, residual(theta))
    return split(theta)


def random_data(rng: np.random.Generator, samples: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """X of d = 5..12 features and 1..4 samples with singular values in 0.5..2 (an explicit method has to follow), y."""
    d = int(rng.integers(5, 13))
    n = samples or int(rng.integers(1, 5))
    left, right = np.linalg.qr(rng.normal(size=(n, n)))[0], np.linalg.qr(rng.normal(size=(d, n)))[0]
    return (left * rng.uniform(0.5, 2.0, n)) @ right.T, rng.normal(size=n)


def random_unit(rng: np.random.Generator, d: int) -> np.ndarray:
    """Uniform on the sphere."""
    v = rng.normal(size=d)
    return v / np.linalg.norm(v)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """||a - b|| / ||b||."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))
