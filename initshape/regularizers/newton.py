"""Dual Newton: the interpolating w that minimises a separable potential Q."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, solve_triangular
from scipy.linalg.blas import dsyrk

from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.regularizers.constraints import Constraints
from initshape.spec.outcome import Outcome

_TOLERANCE = 1e-13
_ROUNDING_FLOOR = 1e-11
"""Relative residual below which a step that no merit accepts means rounding, not failure."""
_SHORTEST = 1e-12
_ARMIJO = 1e-4


@dataclass(frozen=True, eq=False)
class DualSolution:
    """Where the iteration ended: converged, stalled or nonfinite, with the relative residual of the constraints."""

    state: AbstractMirrorState
    outcome: Outcome
    residual: float
    iterations: int


def minimise(start: AbstractMirrorState, constraints: Constraints, *, max_iterations: int = 300) -> DualSolution:
    """min Q(w) s.t. rows w = target, by Newton's method on the dual D(nu) = sum psi(rows^T nu) - target.nu.

    grad D = rows w - target, Hessian rows diag(dw/dR) rows^T, scaled symmetrically to unit diagonal. The state moves
    by increments of R, never from rows^T nu. Two merits together: near the solution D changes by less than its own
    rounding, and far from it the residual may have to rise; a step is taken where either of them falls.

    **Errors**: none; trouble is the `outcome`.

    **Source**: Newton's method with backtracking on the dual of the mirror flow's limit (Azulay et al. 2021, section
    3: grad Q(w) = X^T nu).
    """
    rows, target = constraints.rows, constraints.target
    state = start
    gap = rows @ state.w - target
    norm = float(np.linalg.norm(gap))
    scale = float(np.linalg.norm(target)) or norm
    for iteration in range(max_iterations):
        if not np.isfinite(norm):
            return DualSolution(state, Outcome.nonfinite, np.inf, iteration)
        if norm <= _TOLERANCE * scale:
            return DualSolution(state, Outcome.converged, norm / scale if scale else 0.0, iteration)
        taken = None
        step = _newton_step(rows, state.slope, gap)
        if step is not None:
            taken = _search(state, rows, target, step, gap, norm, at_floor=norm <= _ROUNDING_FLOOR * scale)
        if taken is None:
            outcome = Outcome.converged if norm <= _ROUNDING_FLOOR * scale else Outcome.stalled
            return DualSolution(state, outcome, norm / scale, iteration)
        state, gap, norm = taken
    return DualSolution(state, Outcome.stalled, norm / scale, max_iterations)


def _search(
    state: AbstractMirrorState,
    rows: Array,
    target: Array,
    step: Array,
    gap: Array,
    norm: float,
    *,
    at_floor: bool,
) -> tuple[AbstractMirrorState, Array, float] | None:
    """Backtracks along nu - t step from the longest safe t; None where no t is accepted.

    The floor on t is relative to the first t: with tiny potentials and large y that is already of order 1e-18.
    """
    direction = -(step @ rows)
    decrease = float(gap @ step)
    first = t = min(1.0, state.longest_step(direction))
    while t > _SHORTEST * first:
        with np.errstate(over="ignore", invalid="ignore"):
            moved, gains = state.advance(t * direction)
            new_gap = rows @ moved.w - target
            new_norm = float(np.linalg.norm(new_gap))
            change = float(np.sum(gains)) + t * float(step @ target)
        if np.isfinite(new_norm):
            if new_norm < (1.0 - (0.5 if at_floor else _ARMIJO * t)) * norm:
                return moved, new_gap, new_norm
            if not at_floor and change <= -_ARMIJO * t * decrease:
                return moved, new_gap, new_norm
        if at_floor:
            return None  # Newton converges quadratically there: a full step that does not halve the gap is rounding
        t *= 0.5
    return None


def _newton_step(rows: Array, slope: Array, gap: Array) -> Array | None:
    """H^-1 gap with H = rows diag(slope) rows^T; None where H is zero or not finite."""
    weighted = rows * np.sqrt(slope)
    scale = np.linalg.norm(weighted, axis=1)
    if not np.all(np.isfinite(scale)) or np.any(scale == 0.0):
        return None
    weighted /= scale[:, None]
    right = gap / scale
    hessian = dsyrk(1.0, weighted.T, trans=1, lower=1)
    try:
        factor = cho_factor(hessian, lower=True, overwrite_a=True, check_finite=False)
        step = cho_solve(factor, right, check_finite=False) / scale
    except LinAlgError:
        step = _step_by_qr(weighted, right) / scale
    return step if np.all(np.isfinite(step)) else None


def _step_by_qr(weighted: Array, right: Array) -> Array:
    """The same from a QR of diag(slope)^(1/2) rows^T, which does not square the condition number.

    Rows in order of size and column pivoting make Householder QR accurate row by row, hence for slopes that differ
    by many powers of ten (Cox and Higham 1998).
    """
    order = np.argsort(-np.max(np.abs(weighted), axis=0))
    factor, columns = qr(weighted.T[order], mode="r", pivoting=True, check_finite=False)
    factor = factor[: weighted.shape[0]]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        half = solve_triangular(factor, right[columns], trans="T", check_finite=False)
        step = np.empty_like(right)
        step[columns] = solve_triangular(factor, half, check_finite=False)
    return step
