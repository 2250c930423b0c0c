"""Can any weights at all fit the labels?"""

from __future__ import annotations

import numpy as np

from initshape.datasets.base import Array


def relative_least_squares_residual(X: Array, y: Array) -> float:
    """min_w ||X w - y|| / ||y||: 0 where y is in the range of X, 1 where no weights explain any of it; 0 for y = 0.

    **Shape**: X (N, d), y (N,). Rows of X and y are rescaled first, so that neither huge nor tiny data overflow, and
    singular values below the rounding of X do not count towards its range.
    """
    size, norm = float(np.max(np.abs(X), initial=0.0)), float(np.max(np.abs(y), initial=0.0))
    if norm == 0.0:
        return 0.0
    if size == 0.0:
        return 1.0
    scaled, target = X / size, y / norm
    w = np.linalg.lstsq(scaled, target, rcond=None)[0]
    return float(np.linalg.norm(scaled @ w - target) / np.linalg.norm(target))
