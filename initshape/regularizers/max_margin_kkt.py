"""Is w the minimiser of Q among all w with margins of at least 1? A check that knows no solver."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from scipy.optimize import nnls

from initshape.regularizers.base import AbstractPotential, AbstractRegularizer, Array
from initshape.regularizers.l1 import L1Norm

_NEAR = 2.0
"""Margin beyond which a sample cannot be a support vector that only rounding or a late end of training moved."""


@singledispatch
def cone_residual(q: AbstractRegularizer, w: Array, rows: Array) -> float:
    """Largest of what the KKT conditions of min Q s.t. rows w >= 1 miss, each relative.

    The least sqrt(||g - sum_n lambda_n e_n||^2 + (sum_n lambda_n s_n)^2) over lambda >= 0, g = grad Q(w)/||grad Q(w)||,
    e_n = rows_n/||rows_n||, s_n = (m_n - 1)/(||rows_n|| ||w||) the distance of sample n from its margin: stationarity
    and complementarity at once, so that a w near the minimiser has a small residual although no margin of it is 1. And
    how far some margin falls short of 1. Coordinates that cannot move take no part.

    **Shape**: w (d,), rows = y_n x_n (N, d). NaN where w lies outside the domain of Q.
    """
    gradient, m = q.gradient(w), rows @ w
    slack = np.maximum(m - 1.0, 0.0) / float(np.linalg.norm(w))
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
    scale = np.linalg.norm(rows, axis=1)
    near = (m <= _NEAR) & (scale > 0.0)
    if not np.any(near):
        return 1.0
    columns = np.vstack([rows[near].T, slack[near]]) / scale[near]
    return max(short, float(nnls(columns, np.append(gradient / size, 0.0))[1]))


@cone_residual.register
def _(q: L1Norm, w: Array, rows: Array) -> float:
    """The relative duality gap (||w||_1 - sum lambda)/||w||_1, lambda >= 0 the multipliers of the certificate.

    A subgradient jumps with the sign of every coordinate, however small; the gap is continuous, and 0 only at a
    minimiser. And how far some margin falls short of 1.
    """
    norm = float(np.sum(np.abs(w)))
    short = max(0.0, 1.0 - float(np.min(rows @ w)))
    multipliers, _ = nnls(rows.T, q.certificate)
    return max(short, (norm - float(np.sum(multipliers))) / norm)
