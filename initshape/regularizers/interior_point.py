"""Which constraints of min Q(w) s.t. rows w >= level are active: a primal-dual interior-point method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.spec.outcome import Outcome

_TOLERANCE = 1e-9
"""Complementarity and misfit, relative to their scales, at which the active set can be told."""
_MAX_ITERATIONS = 160
_TO_BOUNDARY = 0.99
_ARMIJO = 1e-4
_SHORTEST = 1e-10


@dataclass(frozen=True, eq=False)
class InteriorPoint:
    """nu > 0 with R = rows^T nu, and slacks > 0 near the margins' excess over the level. **Shape**: (N,) each."""

    state: AbstractMirrorState
    nu: Array
    slack: Array
    outcome: Outcome
    iterations: int


def approach(start: AbstractMirrorState, rows: Array, level: float, unit: float) -> InteriorPoint:
    """Follows the central path nu_n slack_n = t, rows w - level = slack, t -> 0, from the state at R = 0.

    `unit` is the size of margins that matters, of the order of the level's distance from those of w(0).

    Newton on both equations at once; the matrix rows diag(dw/dR) rows^T + diag(slack/nu) is positive definite for any
    number of samples. A step is taken where the barrier function psi(R) - level sum nu - t sum ln nu falls, or where
    the misfit of both equations does: near the end the former drowns in rounding.

    **Errors**: none; `stalled` where no progress is made, as when no w has positive margins.

    **Source**: Nocedal and Wright, Numerical Optimization, chapter 19.
    """
    state, nu = _first_point(start, rows, level, unit)
    slack = np.maximum(rows @ state.w - level, 0.1 * unit)
    centring = 0.2
    for iteration in range(_MAX_ITERATIONS):
        gap = rows @ state.w - level - slack
        complementarity = nu * slack
        total = unit * float(np.sum(nu))
        if np.max(np.abs(gap)) <= _TOLERANCE * unit and np.sum(complementarity) <= _TOLERANCE * total:
            return InteriorPoint(state, nu, slack, Outcome.converged, iteration)
        t = centring * float(np.mean(complementarity))
        step = _newton_step(rows, state.slope, nu, slack, gap + slack - t / nu)
        if step is None:
            return InteriorPoint(state, nu, slack, Outcome.stalled, iteration)
        slack_step = (t - slack * step) / nu - slack
        taken = _search(state, rows, level, unit, nu, slack, step, slack_step, t)
        if taken is None:
            return InteriorPoint(state, nu, slack, Outcome.stalled, iteration)
        state, nu, slack, length = taken
        centring = 0.1 if length > 0.9 else 0.3 if length > 0.1 else 0.8
    return InteriorPoint(state, nu, slack, Outcome.stalled, _MAX_ITERATIONS)


def walk(state: AbstractMirrorState, change: Array) -> AbstractMirrorState:
    """The state moved by `change` in R, or as far in that direction as is safe."""
    left = 1.0
    for _ in range(200):
        part = min(left, 0.9 * state.longest_step(change))
        if not part > 1e-3 * left and part < 1e-12:
            break
        state, _ = state.advance(part * change)
        left -= part
        if left <= 0.0:
            break
    return state


def _first_point(
    start: AbstractMirrorState, rows: Array, level: float, unit: float
) -> tuple[AbstractMirrorState, Array]:
    """The multiple of equal (scaled) multipliers at which the mean margin reaches the level: Newton on a line."""
    weights = 1.0 / np.linalg.norm(rows, axis=1)
    direction = weights @ rows
    state, c = start, 0.0
    for _ in range(200):
        missing = float(weights @ (level - rows @ state.w))
        slope = float(direction @ (state.slope * direction))
        if abs(missing) <= 0.1 * unit * float(np.sum(weights)) or not slope > 0.0:
            break
        change = missing / slope
        limit = 0.9 * state.longest_step(direction)
        change = float(np.clip(change, -min(limit, 0.5 * c), limit))
        if change == 0.0:
            break
        state, _ = state.advance(change * direction)
        c += change
    if c == 0.0:  # the mean margin is there already, the least is not: multipliers that move the margins a little
        slope = float(direction @ (state.slope * direction))
        c = 0.1 * unit * float(np.sum(weights)) / slope if slope > 0.0 else 1.0
        c = min(c, 0.9 * state.longest_step(direction))
        state, _ = state.advance(c * direction)
    return state, c * weights


def _newton_step(rows: Array, slope: Array, nu: Array, slack: Array, gradient: Array) -> Array | None:
    """-(rows diag(slope) rows^T + diag(slack/nu))^-1 gradient, scaled to unit diagonal."""
    weighted = rows * np.sqrt(slope)
    diagonal = np.einsum("nd,nd->n", weighted, weighted) + slack / nu
    scale = np.sqrt(diagonal)
    if not np.all(np.isfinite(scale)) or np.any(scale == 0.0):
        return None
    weighted = weighted / scale[:, None]
    matrix = weighted @ weighted.T
    matrix[np.diag_indices_from(matrix)] = 1.0 + 4.0 * np.finfo(float).eps
    try:
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        matrix = weighted @ weighted.T
        matrix[np.diag_indices_from(matrix)] = 1.0 + 1e-10
        try:
            factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return None
    step = -cho_solve(factor, gradient / scale, check_finite=False) / scale
    return step if np.all(np.isfinite(step)) else None


def _search(
    state: AbstractMirrorState,
    rows: Array,
    level: float,
    unit: float,
    nu: Array,
    slack: Array,
    step: Array,
    slack_step: Array,
    t: float,
) -> tuple[AbstractMirrorState, Array, Array, float] | None:
    """Backtracks from the longest step that keeps nu and slack positive and the state safe."""
    direction = step @ rows
    first = min(1.0, _to_boundary(nu, step), _to_boundary(slack, slack_step), 0.9 * state.longest_step(direction))
    slope = float((rows @ state.w - level - t / nu) @ step)
    before = _misfit(rows @ state.w - level, nu, slack, t, unit)
    length = first
    while length > _SHORTEST * first:
        with np.errstate(over="ignore", invalid="ignore"):
            moved, gains = state.advance(length * direction)
            new_nu, new_slack = nu + length * step, slack + length * slack_step
            change = (
                float(np.sum(gains)) - level * length * float(np.sum(step)) - t * float(np.sum(np.log(new_nu / nu)))
            )
            after = _misfit(rows @ moved.w - level, new_nu, new_slack, t, unit)
        if np.isfinite(after) and (change <= _ARMIJO * length * slope or after <= (1.0 - _ARMIJO * length) * before):
            return moved, new_nu, new_slack, length
        length *= 0.5
    return None


def _to_boundary(values: Array, step: Array) -> float:
    falling = step < 0.0
    return float(np.min(_TO_BOUNDARY * values[falling] / -step[falling], initial=np.inf))


def _misfit(excess: Array, nu: Array, slack: Array, t: float, unit: float) -> float:
    """Size of both equations, each in its own unit."""
    return float(np.hypot(np.linalg.norm(excess - slack) / unit, np.linalg.norm(nu * slack - t) / max(t, 1e-300)))
