"""Margin maximisers from outside the package: every active set tried, by SciPy's root finder on the dual."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.optimize import root


def enumerate_active_sets(rows: Any, w_of: Any, slope_of: Any, level: float = 1.0) -> tuple[Any, Any]:
    """argmin Q s.t. rows w >= level for grad Q = R, w = w_of(R): w and its multipliers.

    For every subset S of the constraints rows_S w(rows_S^T nu) = level is solved; the one with nu > 0 and all margins
    at least the level is the minimiser, since Q is strictly convex.
    """
    n = len(rows)
    for size in range(1, n + 1):
        for subset in combinations(range(n), size):
            chosen = rows[list(subset)]
            nu = _solve(chosen, w_of, slope_of, level)
            if nu is None or np.min(nu) <= 0.0:
                continue
            w = w_of(chosen.T @ nu)
            if np.min(rows @ w) >= level * (1.0 - 1e-9):
                full = np.zeros(n)
                full[list(subset)] = nu
                return w, full
    raise AssertionError("no active set satisfies the conditions")


def _solve(chosen: Any, w_of: Any, slope_of: Any, level: float) -> Any:
    """From small to full level, each from the solution before."""
    nu = np.zeros(len(chosen))
    for part in np.geomspace(1e-6, 1.0, 40):
        answer = root(
            lambda v, part=part: (chosen @ w_of(chosen.T @ v)) / level - part,
            nu,
            jac=lambda v: (chosen * slope_of(chosen.T @ v)) @ chosen.T / level,
            tol=1e-14,
        )
        nu = answer.x
    return nu if np.max(np.abs(chosen @ w_of(chosen.T @ nu) / level - 1.0)) < 1e-9 else None
