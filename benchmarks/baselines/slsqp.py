"""scipy's SLSQP on Q subject to X w = y, with and without gradients, as the published notebook fits Q."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from benchmarks.problem import Floats, Problem


@dataclass(frozen=True)
class Minimised:
    """Weights, iterations, whether SLSQP says that it succeeded, and its message."""

    w: Floats
    iterations: int
    success: bool
    message: str


def minimise(
    problem: Problem,
    *,
    gradients: bool,
    ftol: float = 1e-10,
    max_iterations: int = 100_000,
    report: Callable[[int, Floats], None] = lambda iterations, w: None,
) -> Minimised:
    """min Q(w) s.t. X w = y from the least-norm interpolator, which is feasible; `gradients` of Q and constraints.

    Q is one vectorised NumPy expression in the form that loses no digits (the published one is a Python loop).

    **Source**: Azulay et al. 2021, Theorem 4.1: q(x) = (x/2)(asinh t - t/(1 + sqrt(1 + t^2))), t = 2x/sqrt(k).
    """
    X, y = problem.data()
    root = problem.root_k()

    def value(w: Floats) -> float:
        t = 2.0 * w / root
        return float(np.sum(0.5 * w * (np.arcsinh(t) - t / (1.0 + np.hypot(1.0, t)))))

    def gradient(w: Floats) -> Floats:
        return np.asarray(0.5 * np.arcsinh(2.0 * w / root))

    count = 0

    def watch(w: Floats) -> None:
        nonlocal count
        count += 1
        report(count, w)

    constraint: dict[str, Any] = {"type": "eq", "fun": lambda w: X @ w - y}
    if gradients:
        constraint["jac"] = lambda w: X
    start = np.linalg.lstsq(X, y, rcond=None)[0]
    run: Any = minimize
    with np.errstate(over="ignore", invalid="ignore"):
        found = run(
            value,
            start,
            method="SLSQP",
            jac=gradient if gradients else None,
            constraints=[constraint],
            callback=watch,
            options={"maxiter": max_iterations, "ftol": ftol},
        )
    return Minimised(np.asarray(found.x), int(found.nit), bool(found.success), str(found.message))
