"""The limit that every contender is measured against, in extended precision and with no code of this project."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problem import Floats, Problem

LARGEST_MOVE = 2.0
"""Change of 2 R in one Newton step, at which w grows by e^2 at most."""


def exact_limit(problem: Problem, max_iterations: int = 200) -> Floats:
    """w = (sqrt(k)/2) sinh(2 R), R = X^T nu, X w = y: Newton's method on nu, first in double, then in long double.

    Residuals are evaluated in long double (64 bits of mantissa where the platform has them), so that the last
    corrections are right though the systems are solved in double.

    **Shape**: (d,). **Errors**: RuntimeError if it does not converge. **Source**: Azulay et al. 2021, Theorem 4.1.
    """
    X, y = problem.data()
    nu: Any = np.zeros(len(y))
    for dtype in (np.float64, np.longdouble):
        rows: Any = X.astype(dtype)
        target: Any = y.astype(dtype)
        half, nu = dtype(problem.root_k()) / 2, nu.astype(dtype)
        goal = 16 * float(np.finfo(dtype).eps) * float(np.linalg.norm(y))
        last = np.inf
        for _ in range(max_iterations):
            R = nu @ rows
            w = half * np.sinh(2 * R)
            gap = rows @ w - target
            size = float(np.sqrt(gap @ gap))
            if size <= goal or (size < 1e-10 * float(np.linalg.norm(y)) and size > 0.5 * last):
                break
            last = size
            slope = (2 * np.hypot(half, w)).astype(np.float64)
            step = np.linalg.solve((X * slope) @ X.T, gap.astype(np.float64)).astype(dtype)
            nu = nu - step * min(dtype(1.0), dtype(LARGEST_MOVE / 2) / np.max(np.abs(step @ rows)))
        else:
            raise RuntimeError(f"no limit found at alpha = {problem.alpha:g}, s = {problem.shape:g}: residual {size:g}")
    return np.asarray(w, dtype=np.float64)


def distance(w: Floats, target: Floats) -> float:
    """||w - target|| / ||target||."""
    return float(np.linalg.norm(w - target) / np.linalg.norm(target))


def relative_residual(problem: Problem, w: Floats) -> float:
    """||X w - y|| / ||y||."""
    X, y = problem.data()
    return float(np.linalg.norm(X @ w - y) / np.linalg.norm(y))
