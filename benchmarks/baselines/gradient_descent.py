"""Fixed-step gradient descent on the factors, as the published scripts run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.problem import Floats, Problem

STEP = 1e-3
LOSS = 1e-4
CHECK_EVERY = 10
"""The published scripts look at the loss every 1000 steps; looking more often costs little and ends them earlier."""


@dataclass(frozen=True)
class Descended:
    """Weights, steps done, and the loss ||X w - y||^2 / N there."""

    w: Floats
    steps: int
    loss: float


def descend(
    problem: Problem,
    *,
    loss: float = LOSS,
    max_steps: int = 10_000_000,
    report: Callable[[int, float], None] = lambda steps, residual: None,
) -> Descended:
    """w = u+ v+ - u- v-, steps along the gradient of ||X w - y||^2 / (2N), until ||X w - y||^2 / N <= `loss`.

    Both conventions are the published ones: the gradient has the 2 in its denominator, the reported loss has not.
    `report` gets the steps and the relative residual now and then. Arrays are reused, all else is plain NumPy.
    """
    X, y = problem.data()
    samples, dimension = X.shape
    u, v = problem.factors()
    U, V = np.full((2, dimension), u), np.full((2, dimension), v)
    product, change, gradient = np.empty_like(U), np.empty_like(U), np.empty_like(U)
    w, residual = np.empty(dimension), np.empty(samples)
    y_norm, rate = float(np.linalg.norm(y)), STEP / samples
    steps, now = 0, np.inf
    while True:
        np.multiply(U, V, out=product)
        np.subtract(product[0], product[1], out=w)
        np.dot(X, w, out=residual)
        residual -= y
        if steps % CHECK_EVERY == 0:
            now = float(residual @ residual) / samples
            if now <= loss or steps >= max_steps or not np.isfinite(now):
                return Descended(w.copy(), steps, now)
            if steps % 5000 == 0:
                report(steps, float(np.sqrt(now * samples)) / y_norm)
        np.dot(residual, X, out=gradient[0])
        gradient[0] *= rate
        np.negative(gradient[0], out=gradient[1])
        np.multiply(gradient, V, out=change)
        np.multiply(gradient, U, out=product)
        U -= change
        V -= product
        steps += 1
