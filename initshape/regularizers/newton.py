"""Dual Newton: the interpolating w that minimises a separable potential Q."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dpotrs

from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.regularizers.constraints import Constraints
from initshape.spec.outcome import Outcome

_TOLERANCE = 1e-13
_ROUNDING_FLOOR = 1e-11
"""Relative residual below which a step that no merit accepts means rounding, not failure."""
_SHORTEST = 1e-12
_ARMIJO = 1e-4
_MOST_STEPS_TO_GUESS = 100


@dataclass(frozen=True, eq=False)
class DualSolution:
    """Where the iteration ended: converged, stalled or nonfinite, with the relative residual of the constraints.

    **Shape**: `multipliers` nu (n,), one for each row of the constraints: R = rows^T nu.
    """

    state: AbstractMirrorState
    multipliers: Array
    outcome: Outcome
    residual: float
    iterations: int


def minimise(
    start: AbstractMirrorState, constraints: Constraints, *, guess: Array | None = None, max_iterations: int = 300
) -> DualSolution:
    """min Q(w) s.t. rows w = target, by Newton's method on the dual D(nu) = sum psi(rows^T nu) - target.nu.

    grad D = rows w - target, Hessian rows diag(dw/dR) rows^T, scaled symmetrically to unit diagonal. The state moves
    by increments of R, never from rows^T nu. Two merits together: near the solution D changes by less than its own
    rounding, and far from it the residual may have to rise; a step is taken where either of them falls.

    `guess` is a nu near the solution, (n,): the iteration begins there if that is nearer than `start`, and begins
    again at `start` if it does not converge from there. The stop is the same, and at least one step is tried, so that
    a guess changes no more than rounding.

    **Errors**: none; trouble is the `outcome`.

    **Source**: Newton's method with backtracking on the dual of the mirror flow's limit (Azulay et al. 2021, section
    3: grad Q(w) = X^T nu).
    """
    if guess is not None:
        begun = _begin(start, constraints, guess)
        if begun is not None:
            solution = _iterate(begun, guess, constraints, max_iterations, first=1)
            if solution.outcome is Outcome.converged:
                return solution
    return _iterate(start, np.zeros_like(constraints.target), constraints, max_iterations)


def _iterate(
    start: AbstractMirrorState, nu: Array, constraints: Constraints, max_iterations: int, first: int = 0
) -> DualSolution:
    """From a state at R = rows^T nu; does not stop before iteration `first` unless nothing is left to gain."""
    rows, target = constraints.rows, constraints.target
    state = start
    gap = rows @ state.w - target
    norm = _norm(gap)
    scale = _norm(target) or norm
    for iteration in range(max_iterations):
        if not np.isfinite(norm):
            return DualSolution(state, nu, Outcome.nonfinite, np.inf, iteration)
        if norm <= _TOLERANCE * scale and (iteration >= first or norm == 0.0):
            return DualSolution(state, nu, Outcome.converged, norm / scale if scale else 0.0, iteration)
        taken = None
        step = _newton_step(rows, state.slope, gap)
        if step is not None:
            taken = _search(state, rows, target, step, gap, norm, at_floor=norm <= _ROUNDING_FLOOR * scale)
        if step is None or taken is None:
            outcome = Outcome.converged if norm <= _ROUNDING_FLOOR * scale else Outcome.stalled
            return DualSolution(state, nu, outcome, norm / scale, iteration)
        state, gap, norm, length = taken
        nu = nu - length * step
    return DualSolution(state, nu, Outcome.stalled, norm / scale, max_iterations)


def _begin(start: AbstractMirrorState, constraints: Constraints, guess: Array) -> AbstractMirrorState | None:
    """The state at R = rows^T guess, reached in steps that are safe; None unless it is nearer to the constraints."""
    rows, target = constraints.rows, constraints.target
    state, direction, left = start, guess @ rows, 1.0
    if not np.all(np.isfinite(direction)):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(_MOST_STEPS_TO_GUESS):
            part = min(left, state.longest_step(direction))
            state, _ = state.advance(part * direction)
            left -= part
            if left <= 0.0:
                norm = _norm(rows @ state.w - target)
                return state if norm < 0.5 * _norm(rows @ start.w - target) else None
    return None


def _search(
    state: AbstractMirrorState,
    rows: Array,
    target: Array,
    step: Array,
    gap: Array,
    norm: float,
    *,
    at_floor: bool,
) -> tuple[AbstractMirrorState, Array, float, float] | None:
    """Backtracks along nu - t step from the longest safe t: state, gap, its norm, t; None where no t is accepted.

    The floor on t is relative to the first t: with tiny potentials and large y that is already of order 1e-18.
    """
    direction = -(step @ rows)
    decrease = float(gap @ step)
    first = t = min(1.0, state.longest_step(direction))
    while t > _SHORTEST * first:
        with np.errstate(over="ignore", invalid="ignore"):
            moved, gains = state.advance(t * direction)
            new_gap = rows @ moved.w - target
            new_norm = _norm(new_gap)
            change = float(np.sum(gains)) + t * float(step @ target)
        if np.isfinite(new_norm):
            if new_norm < (1.0 - (0.5 if at_floor else _ARMIJO * t)) * norm:
                return moved, new_gap, new_norm, t
            if not at_floor and change <= -_ARMIJO * t * decrease:
                return moved, new_gap, new_norm, t
        if at_floor:
            return None  # Newton converges quadratically there: a full step that does not halve the gap is rounding
        t *= 0.5
    return None


def _newton_step(rows: Array, slope: Array, gap: Array) -> Array | None:
    """H^-1 gap with H = rows diag(slope) rows^T; None where H is zero or not finite."""
    weighted = rows * np.sqrt(slope)
    hessian = dsyrk(1.0, weighted.T, trans=1, lower=1)
    scale = np.sqrt(np.diagonal(hessian))
    if not np.all((scale > 0.0) & (scale < np.inf)):  # false for NaN, too
        return None
    right = gap / scale
    hessian /= scale[:, None]
    hessian /= scale
    factor, failed = dpotrf(hessian, lower=1, overwrite_a=1, clean=0)
    if failed == 0:
        step, _ = dpotrs(factor, right, lower=1)
    else:
        step = _step_by_qr(weighted / scale[:, None], right)
    step = step / scale
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


def _norm(vector: Array) -> float:
    return float(np.sqrt(vector @ vector))
