"""How the neurons of a summed potential share one predictor: a concave problem in their output weights alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from initshape.regularizers.base import Array
from initshape.spec.outcome import Outcome

CONVERGED = 1e-14
"""Newton step relative to the predictors of the neurons at which the iteration has arrived."""
SMALL = 1e-6
QUADRATIC = 1e-5
"""Below this relative step Newton's method is not damped; a step that fails to halve the last is rounding."""
ROUNDING_FLOOR = 1e-9
_ARMIJO = 1e-4
_SHORTEST = 1e-14
_UNSEEN = 1e-12
_MAX_ITERATIONS = 300


@dataclass(frozen=True, eq=False)
class Neurons:
    """Neurons with |a_i| and u_i = sign(a_i) w_i at the start, and the rates at which a dual variable R moves them.

    grad q_i(wt_i) = c_i R means u_i(R) = u_i + rates_i R, a_i(R)^2 = max(z_i(R), 0), z_i - ||u_i||^2 conserved.

    **Shape**: a (m,), u (m, n), rates = 2c/3 > 0 (m,).
    """

    a: Array
    u: Array
    rates: Array


@dataclass(frozen=True, eq=False)
class Split:
    """wt_i = a_i u_i with sum_i wt_i = target, and the dual variable R; `gap` is the last relative Newton step."""

    a: Array
    u: Array
    R: Array
    outcome: Outcome
    gap: float
    iterations: int


@dataclass(frozen=True, eq=False)
class _Point:
    """G and its ascent direction at a >= 0."""

    a: Array
    R: Array
    u: Array
    mass: float
    excess: Array
    value: float
    terms: float

    @property
    def projected(self) -> Array:
        """The part of grad G (times 2 rates) along which a can move."""
        return np.where((self.a > 0.0) | (self.excess > 0.0), self.excess, 0.0)


def split(neurons: Neurons, target: Array) -> Split:
    """argmin sum_i q_i(wt_i)/c_i s.t. sum_i wt_i = target.

    The dual min_R sum_i a_i(R)^3/(3 rates_i) - target.R has curved valleys with square-root walls where some a_i is
    small. Since z^(3/2)/3 = max_{a >= 0} (a z/2 - a^3/6), it equals the maximum over a >= 0 of the concave

        G(a) = sum_i (a_i z_i(0) - a_i^3/3)/(2 rates_i) - ||target - sum_i a_i u_i(0)||^2/(2 sum_i rates_i a_i),

    with grad G = (z(R) - a^2)/(2 rates) at R = (target - sum a_i u_i(0))/sum rates_i a_i, which interpolates for any
    a. Maximised by projected Newton steps, min(m, n) unknowns each.

    **Shape**: target (n,). **Errors**: none; trouble is the `outcome`.
    """
    point = _at(neurons, target, _first(neurons, target))
    last = np.inf
    for iteration in range(_MAX_ITERATIONS):
        if not np.isfinite(point.value):
            return _answer(point, Outcome.nonfinite, np.inf, iteration)
        step = _newton_step(neurons, point)
        if step is None:
            return _answer(point, Outcome.nonfinite, np.inf, iteration)
        size = _relative(step, point)
        if size <= CONVERGED or (size <= ROUNDING_FLOOR and size > 0.5 * last):
            return _answer(point, Outcome.converged, size, iteration)
        moved = _at(neurons, target, np.maximum(point.a + step, 0.0)) if size <= QUADRATIC else None
        if moved is None or not np.isfinite(moved.value):
            moved = _search(neurons, target, point, step)
        if moved is None:
            outcome = Outcome.converged if size <= ROUNDING_FLOOR else Outcome.stalled
            return _answer(point, outcome, size, iteration)
        point, last = moved, size
    return _answer(point, Outcome.stalled, last, _MAX_ITERATIONS)


def _first(neurons: Neurons, target: Array) -> Array:
    """a_i(0), or where that is larger the a_i that neurons which start from zero would need: rates_i ||R||."""
    needed = neurons.rates * np.sqrt(np.linalg.norm(target) / np.sum(neurons.rates**2))
    first = np.maximum(neurons.a, needed)
    return first if np.any(first > 0.0) else np.ones_like(first)


def _at(neurons: Neurons, target: Array, a: Array) -> _Point:
    mass = float(neurons.rates @ a)
    if not mass > 0.0:
        return _Point(a, np.zeros_like(target), neurons.u, mass, np.zeros_like(a), -np.inf, 0.0)
    left = target - a @ neurons.u
    R = left / mass
    moved = np.outer(neurons.rates, R)
    u = neurons.u + moved
    # z - a^2 with z = a0^2 + ||u||^2 - ||u0||^2, as products of sums and differences.
    excess = (neurons.a - a) * (neurons.a + a) + np.sum(moved * (neurons.u + u), axis=1)
    gains, costs = a * neurons.a**2 / (2.0 * neurons.rates), a**3 / (6.0 * neurons.rates)
    loss = 0.5 * float(left @ R)
    value, terms = float(np.sum(gains - costs)) - loss, float(np.sum(gains + costs)) + loss
    return _Point(a, R, u, mass, excess, value, terms)


def _newton_step(neurons: Neurons, point: _Point) -> Array | None:
    """(diag(k/rates) + u u^T/mass)^-1 grad G over neurons that are not held at 0, by Woodbury where m > n.

    k is a_i, or the mean of a_i and sqrt(z_i) where that is larger: the same to first order at the solution, and
    positive for a sleeping neuron that is about to wake.
    """
    a, rates = point.a, neurons.rates
    free = (a > 0.0) | (point.excess > 0.0)
    root = np.sqrt(np.maximum(point.excess + a * a, 0.0))
    k = (np.maximum(a, 0.5 * (a + root)) / rates)[free]
    gradient = (point.excess / (2.0 * rates))[free]
    scale = 1.0 / np.sqrt(k)
    rows = point.u[free] * (scale / np.sqrt(point.mass))[:, None]
    right = scale * gradient
    fewer = rows.shape[0] <= rows.shape[1]
    inner = rows @ rows.T if fewer else rows.T @ rows
    inner[np.diag_indices_from(inner)] += 1.0
    try:
        factor = cho_factor(inner, lower=True, check_finite=False)
    except LinAlgError:
        return None
    if fewer:
        solved = cho_solve(factor, right, check_finite=False)
    else:
        solved = right - rows @ cho_solve(factor, rows.T @ right, check_finite=False)
    step = np.zeros_like(a)
    step[free] = scale * solved
    return step if np.all(np.isfinite(step)) else None


def _relative(step: Array, point: _Point) -> float:
    """Largest change of a wt_i relative to it; those that are small in the sum count relative to `SMALL` of it."""
    norms = np.linalg.norm(point.u, axis=1)
    predictors = point.a * norms
    scale = predictors + SMALL * float(np.sum(predictors))
    return float(np.max(np.abs(step) * norms / np.where(scale > 0.0, scale, 1.0)))


def _search(neurons: Neurons, target: Array, point: _Point, step: Array) -> _Point | None:
    """Backtracks along the projected path max(a + t step, 0) until G rises enough.

    Near the solution G changes by less than its own rounding: there a fall of its gradient will do, too.
    """
    weights = 1.0 / np.maximum(point.a, float(np.max(np.abs(step))))
    slope = float(np.linalg.norm(point.projected * weights))
    t = 1.0
    while t > _SHORTEST:
        moved = _at(neurons, target, np.maximum(point.a + t * step, 0.0))
        if np.isfinite(moved.value):
            promised = float(point.excess @ ((moved.a - point.a) / (2.0 * neurons.rates)))
            if moved.value - point.value >= _ARMIJO * promised > 0.0:
                return moved
            unseen = abs(moved.value - point.value) <= _UNSEEN * point.terms
            if unseen and float(np.linalg.norm(moved.projected * weights)) < (1.0 - _ARMIJO * t) * slope:
                return moved
        t *= 0.5
    return None


def _answer(point: _Point, outcome: Outcome, gap: float, iterations: int) -> Split:
    return Split(point.a, point.u, point.R, outcome, gap, iterations)
