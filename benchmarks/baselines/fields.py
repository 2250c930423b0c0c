"""The right-hand sides that generic ODE solvers get: all parameters, and the reduced dual."""

from __future__ import annotations

import numpy as np

from benchmarks.problem import Floats, Problem


def parameters(problem: Problem) -> Floats:
    """theta(0) = [u+, v+, u-, v-]. **Shape**: (4d,)."""
    u, v = problem.factors()
    one = np.ones(problem.dimension)
    return np.concatenate([u * one, v * one, u * one, v * one])


def predictor(theta: Floats) -> Floats:
    """w = u+ v+ - u- v-."""
    a, b, c, d = theta.reshape(4, -1)
    return np.asarray(a * b - c * d)


class FullField:
    """theta' = -grad ||X w - y||^2 / (2N) in all 4d parameters."""

    def __init__(self, problem: Problem) -> None:
        self.X, self.y = problem.data()

    def residual(self, theta: Floats) -> Floats:
        """y - X w."""
        return np.asarray(self.y - self.X @ predictor(theta))

    def __call__(self, _: float, theta: Floats) -> Floats:
        g = self.residual(theta) @ self.X / len(self.y)
        a, b, c, d = theta.reshape(4, -1)
        return np.concatenate([g * b, g * a, -g * d, -g * c])

    def jacobian(self, _: float, theta: Floats) -> Floats:
        """The exact one, dense. **Shape**: (4d, 4d)."""
        X, samples = self.X, len(self.y)
        g = self.residual(theta) @ X / samples
        a, b, c, d = theta.reshape(4, -1)
        J = np.concatenate([X * b, X * a, -X * d, -X * c], axis=1)
        out = -(J.T @ J) / samples
        size = X.shape[1]
        i = np.arange(size)
        for first, second, sign in ((0, 1, 1.0), (2, 3, -1.0)):
            out[first * size + i, second * size + i] += sign * g
            out[second * size + i, first * size + i] += sign * g
        return np.asarray(out)


class DualField:
    """nu' = (y - X w)/N with w = (sqrt(k)/2) sinh(2 X^T nu): the same w(t) in N unknowns, if one knows the theory."""

    def __init__(self, problem: Problem) -> None:
        self.X, self.y = problem.data()
        self.half = problem.root_k() / 2.0

    def weights(self, nu: Floats) -> Floats:
        """w(nu)."""
        return np.asarray(self.half * np.sinh(2.0 * (nu @ self.X)))

    def residual(self, nu: Floats) -> Floats:
        """y - X w."""
        return np.asarray(self.y - self.X @ self.weights(nu))

    def __call__(self, _: float, nu: Floats) -> Floats:
        return self.residual(nu) / len(self.y)

    def jacobian(self, _: float, nu: Floats) -> Floats:
        """-(1/N) X diag(dw/dR) X^T, symmetric negative definite. **Shape**: (N, N)."""
        slope = 2.0 * np.hypot(self.half, self.weights(nu))
        return np.asarray(-((self.X * slope) @ self.X.T) / len(self.y))
