"""Can any weights at all fit the labels of a linear problem?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INCONSISTENT = 1e-10
"""Relative least-squares residual of y above which data are not interpolable."""


def relative_least_squares_residual(X: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """min_w ||X w - y|| / ||y||: 0 where y is in the range of X, 1 where no weights explain any of it; 0 for y = 0.

    **Shape**: X (N, d), y (N,). X and y are rescaled first, so that neither huge nor tiny data overflow, and singular
    values below the rounding of X do not count towards its range.
    """
    size, norm = float(np.max(np.abs(X), initial=0.0)), float(np.max(np.abs(y), initial=0.0))
    if norm == 0.0:
        return 0.0
    if size == 0.0:
        return 1.0
    scaled, target = X / size, y / norm
    w = np.linalg.lstsq(scaled, target, rcond=None)[0]
    return float(np.linalg.norm(scaled @ w - target) / np.linalg.norm(target))
