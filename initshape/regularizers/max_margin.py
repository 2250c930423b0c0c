"""min Q(w) s.t. rows w >= level: an interior-point method on the dual, finished by an exact active set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.interior_point import approach, walk
from initshape.regularizers.newton import minimise
from initshape.spec.outcome import Outcome

Mask = NDArray[np.bool_]
_FEASIBLE = 1e-11
"""Margins may fall short of the level by this fraction of their unit, multipliers of zero of the largest."""
_EXCHANGES = 60
_LOWEST = 1e-30
_DROP, _RUNGS = 1e-3, 12


@dataclass(frozen=True, eq=False)
class MaxMargin:
    """The minimiser with its multipliers nu >= 0: grad Q(w) = rows^T nu, nu_n = 0 where the margin exceeds the level.

    **Shape**: `nu` (N,). The state holds w and R = grad Q(w).
    """

    state: AbstractMirrorState
    nu: Array
    outcome: Outcome
    iterations: int

    @property
    def w(self) -> Array:
        """The minimiser. **Shape**: (d,)."""
        return self.state.w


def solve(start: AbstractMirrorState, rows: Array, level: float, guess: Mask | None = None) -> MaxMargin:
    """The minimiser from the state at R = 0 of a potential Q. **Shape**: rows = y_n x_n, (N, d); guess (N,).

    The interior point says which constraints are active, `guess` spares it where a neighbouring problem is solved.
    On a given active set the constraints are equations, solved to rounding by the dual Newton method; constraints
    with negative multipliers leave the set and violated ones enter it.

    **Errors**: none raised; outcomes `converged`, `stalled` (also where no w has positive margins) and `nonfinite`.
    """
    least = float(np.min(rows @ start.w))
    if least >= level:
        return MaxMargin(start, np.zeros(rows.shape[0]), Outcome.converged, 0)
    unit = max(abs(level), level - least)
    if guess is not None and np.any(guess):
        found = _exchange(start, rows, level, unit, guess, start, 0)
        if found is not None:
            return found
    near = approach(start, rows, level, unit)
    if near.outcome is not Outcome.converged:
        found = _climb(start, rows, level, least)
        return found or MaxMargin(near.state, near.nu, near.outcome, near.iterations)
    active = near.nu * unit > near.slack * np.max(near.nu)
    at_active = walk(start, near.nu[active] @ rows[active])
    found = _exchange(start, rows, level, unit, active, at_active, near.iterations)
    return found if found is not None else MaxMargin(near.state, near.nu, Outcome.stalled, near.iterations)


def _climb(start: AbstractMirrorState, rows: Array, level: float, least: float) -> MaxMargin | None:
    """From a thousandth of the way to the level (or of that), which the interior point solves, up by active sets.

    Near the blow-up of a deep network's mirror map with tiny layers the central path is too steep to follow.
    """
    if level - least <= _LOWEST:
        return None
    below = solve(start, rows, least + _DROP * (level - least))
    if below.outcome is not Outcome.converged:
        return None
    for part in np.geomspace(_DROP, 1.0, _RUNGS + 1)[1:]:
        higher = least + part * (level - least)
        found = _exchange(start, rows, higher, level - least, below.nu > 0.0, start, 0)
        if found is None:
            return None
        below = found
    return below


def _exchange(
    start: AbstractMirrorState,
    rows: Array,
    level: float,
    unit: float,
    active: Mask,
    state: AbstractMirrorState,
    iterations: int,
) -> MaxMargin | None:
    """Solves on one active set after the other; None where sets come back or an equation cannot be solved."""
    seen: set[bytes] = set()
    for _ in range(_EXCHANGES):
        if active.tobytes() in seen or not np.any(active):
            return None
        seen.add(active.tobytes())
        chosen = rows[active]
        constraints = Constraints.of(chosen, np.full(chosen.shape[0], level))
        if not constraints.consistent:
            return None
        answer = minimise(state, constraints)
        iterations += answer.iterations
        if answer.outcome is not Outcome.converged:
            return None
        nu = _multipliers(chosen, answer.state.R, dependent=constraints.rows.shape[0] < chosen.shape[0])
        short = (rows @ answer.state.w < level - _FEASIBLE * unit) & ~active
        negative = nu < -_FEASIBLE * np.max(np.abs(nu))
        if not np.any(short) and not np.any(negative):
            full = np.zeros(rows.shape[0])
            full[active] = np.maximum(nu, 0.0)
            return MaxMargin(answer.state, full, Outcome.converged, iterations)
        kept = nu[~negative] @ chosen[~negative]
        active = active.copy()
        active[np.flatnonzero(active)[negative]] = False
        active |= short
        # R must lie in the span of the new set: what left it goes out of R, too.
        state = walk(start, kept) if np.any(negative) else answer.state
    return None


def _multipliers(chosen: Array, R: Array, *, dependent: bool) -> Array:
    """nu with chosen^T nu = R; of several (dependent samples) nonnegative ones, where there are such."""
    if dependent:
        return np.asarray(nnls(chosen.T, R)[0])
    return np.asarray(np.linalg.lstsq(chosen.T, R, rcond=None)[0])
