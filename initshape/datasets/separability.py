"""Can any linear predictor separate the two classes?"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linprog

from initshape.datasets.base import Array

SEPARABLE = 1e-9
"""Least separation that counts; the linear program resolves about 1e-10."""


def separation(X: Array, y: Array) -> float:
    """A lower bound of max_w min_n y_n x_n.w / ||x_n||, ||w||_inf <= 1, that is above `SEPARABLE` wherever that is.

    Least squares answers most questions (always, where X has full row rank); a linear program the others, and then
    the value is the maximum itself. Up to `SEPARABLE` the classes overlap or touch, and the infimum of a
    classification loss is not 0.

    **Shape**: X (N, d), y (N,) of -1 and 1.
    """
    rows = _unit_rows(X, y)
    if rows is None:
        return 0.0
    w = np.linalg.lstsq(rows, np.ones(rows.shape[0]), rcond=None)[0]
    size = float(np.max(np.abs(w), initial=0.0))
    found = float(np.min(rows @ w)) / size if size > 0.0 else 0.0
    return found if found > 1e3 * SEPARABLE else max(_maximum(rows), found, 0.0)


def _maximum(rows: Array) -> float:
    """max_w min_n rows_n.w, ||w||_inf <= 1, by HiGHS; 0 where it finds no optimum."""
    samples, d = rows.shape
    answer: Any = linprog(
        np.r_[np.zeros(d), -1.0],
        A_ub=np.hstack([-rows, np.ones((samples, 1))]),
        b_ub=np.zeros(samples),
        bounds=[*[(-1.0, 1.0)] * d, (0.0, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return float(np.min(rows @ answer.x[:d])) if answer.status == 0 else 0.0


def _unit_rows(X: Array, y: Array) -> Array | None:
    """y_n x_n / ||x_n||; None where some sample is zero, which no predictor puts on either side."""
    size = np.max(np.abs(X), axis=1, initial=0.0)
    if np.any(size == 0.0):
        return None
    rows = y[:, None] * (X / size[:, None])
    return np.asarray(rows / np.linalg.norm(rows, axis=1)[:, None])
