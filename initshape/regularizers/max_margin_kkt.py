"""Is w the minimiser of Q among all w with margins of at least 1? A check that knows no solver."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from initshape.regularizers.base import AbstractPotential, AbstractRegularizer, Array

_ACTIVE = 1e-8


def cone_residual(q: AbstractRegularizer, w: Array, rows: Array) -> float:
    """Largest of what the KKT conditions of min Q s.t. rows w >= 1 miss, each relative.

    The distance of grad Q(w) from the cone of the rows whose margin is 1 (to 1e-8), over ||grad Q(w)||, and how far
    some margin falls short of 1. Coordinates that cannot move take no part.

    **Shape**: w (d,), rows = y_n x_n (N, d). NaN where w lies outside the domain of Q.
    """
    gradient, m = q.gradient(w), rows @ w
    if isinstance(q, AbstractPotential):
        lower, upper = q.domain()
        free = lower < upper
        gradient, rows = gradient[free], rows[:, free]
    if not np.all(np.isfinite(gradient)):
        return float("nan")
    short = max(0.0, 1.0 - float(np.min(m)))
    size = float(np.linalg.norm(gradient))
    if size == 0.0:
        return short
    active = rows[m <= 1.0 + _ACTIVE]
    if active.shape[0] == 0:
        return 1.0
    scale = np.linalg.norm(active, axis=1)
    outside = float(nnls((active / scale[:, None]).T, gradient / size)[1])
    return max(short, outside)
