"""min ||w||_1 s.t. rows w >= 1: a linear program, then its vertex solved exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from initshape.regularizers.base import Array
from initshape.regularizers.linear_program import minimum

Mask = NDArray[np.bool_]
_POLISHED = 1e-11
_STRICT = 1e-9
"""Distance of a certificate from 1, and of a multiplier from 0, that rounding cannot produce."""


@dataclass(frozen=True, eq=False)
class L1Margin:
    """A vertex solution and its proof: nu >= 0, ||rows^T nu||_inf <= 1, sum nu = ||w||_1.

    `certificate` s = rows^T nu is sign(w) on the support. `unique` where complementarity is strict: |s| < 1 off the
    support by `margin`, and the active rows determine w on it. `polished` says that all was verified to rounding.

    **Shape**: `w`, `certificate` (d,), `nu` (N,).
    """

    w: Array
    nu: Array
    certificate: Array
    margin: float
    unique: bool
    polished: bool
    iterations: int

    @property
    def gap(self) -> float:
        """(||w||_1 - sum nu)/||w||_1: 0 at an optimum."""
        size = float(np.sum(np.abs(self.w)))
        return abs(size - float(np.sum(self.nu))) / size


def solve(rows: Array) -> L1Margin | None:
    """A minimiser; None where the linear program is not solved, as when no w has positive margins.

    w = w+ - w- and a slack a row, all nonnegative, by HiGHS' dual simplex; then the support and the active rows by
    least squares: the library's answer is within its tolerance, the vertex is then exact. Rows are scaled to unit
    size first, and w with their common size.

    **Source**: Huangfu and Hall 2018 (HiGHS).
    """
    size = float(np.max(np.abs(rows)))
    unit = rows / size
    n, d = unit.shape
    for presolve in (False, True):
        answer = minimum(
            np.r_[np.ones(2 * d), np.zeros(n)],
            A_eq=np.hstack([unit, -unit, -np.eye(n)]),
            b_eq=np.ones(n),
            bounds=np.tile([0.0, np.inf], (2 * d + n, 1)),
            method="highs-ds",
            presolve=presolve,
        )
        if answer is not None:
            break
    else:
        return None
    w, nu = answer.x[:d] - answer.x[d : 2 * d], np.maximum(answer.multipliers, 0.0)
    support = np.abs(w) > 1e-9 * np.max(np.abs(w))
    exact = None
    for active in (nu > 1e-9 * np.max(nu), unit @ w <= 1.0 + 1e-8):
        exact = exact or _polish(unit, active, support, w, nu)
    if exact is None:
        return L1Margin(w / size, nu / size, nu @ unit, 0.0, unique=False, polished=False, iterations=answer.iterations)
    w, nu = exact
    certificate = nu @ unit
    off = 1.0 - float(np.max(np.abs(certificate[~support]), initial=0.0))
    determined = nu > _STRICT * np.max(nu)
    unique = off > _STRICT and np.linalg.matrix_rank(unit[np.ix_(determined, support)]) == np.sum(support)
    return L1Margin(
        w / size, nu / size, certificate, off, unique=bool(unique), polished=True, iterations=answer.iterations
    )


def _polish(rows: Array, active: Mask, support: Mask, w: Array, nu: Array) -> tuple[Array, Array] | None:
    """The vertex with this support and these active rows, and its multipliers; None unless all conditions verify."""
    block = rows[np.ix_(active, support)]
    signs = np.sign(w[support])
    part, weights = _least_squares(block, np.ones(block.shape[0])), _least_squares(block.T, signs)
    exact, exact_nu = np.zeros_like(w), np.zeros_like(nu)
    exact[support], exact_nu[active] = part, weights
    fine = (
        np.all(np.sign(part) == signs)
        and np.min(rows @ exact) >= 1.0 - _POLISHED
        and np.min(weights, initial=0.0) >= -_POLISHED * np.max(np.abs(weights))
        and np.max(np.abs(exact_nu @ rows)) <= 1.0 + _POLISHED
        and np.max(np.abs(block @ part - 1.0)) <= _POLISHED
    )
    return (exact, np.maximum(exact_nu, 0.0)) if fine else None


def _least_squares(matrix: Array, target: Array) -> Array:
    """With one step of refinement."""
    inverse = np.linalg.pinv(matrix)
    found = inverse @ target
    return np.asarray(found + inverse @ (target - matrix @ found))
