"""Radau steps of the dual ODE: all stages in one matrix product, one eigendecomposition for every step size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh

from initshape.dual.snapshot import packed, unpacked
from initshape.dual.system import DualSystem
from initshape.dual.tableau import Tableau, tableau
from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.training.checkpoint import Arrays, part, scalar

STAGES = ((1e-3, 3), (1e-5, 5), (0.0, 7))
"""Number of stages from this rtol on: within a few per cent of the least time, measured at 1e-3, 1e-4, 1e-6, 1e-8."""
KAPPA, SLOW = 1e-2, 0.2
"""Newton stops at this fraction of the tolerance; a slower contraction is worth a new Jacobian."""
LEAST_SHARE = 1e-4
SMALLEST, LARGEST, SAFETY = 0.2, 8.0, 0.9
FIRST_STEP = 1e-2
FARTHEST = 3.0
"""Lengths of the last step to which its polynomial is continued for a first guess."""


@dataclass(frozen=True, eq=False)
class Step:
    """An accepted step: its size, the increments Z (s, N) of nu at its stages, and the state at its end."""

    size: float
    Z: Array
    state: AbstractMirrorState
    residual: Array


class RadauStepper:
    """Steps of nu' = r(nu)/N, each in increments from the state that it starts at.

    J = -H/N is symmetric, H = Q diag(l) Q^T: in the basis Q every matrix (shift/h - J) is diagonal, so that the step
    size may change at will. Collocation with 2s - 1 = 5, 9 or 13 orders, the higher the smaller rtol is.

    **Source**: Hairer and Wanner II, section IV.8 (Newton, error estimate, step sizes).
    """

    def __init__(
        self, system: DualSystem, state: AbstractMirrorState, rtol: float, atol: float, longest: float
    ) -> None:
        self._system, self._atol = system, atol
        self.tableau: Tableau = tableau(next(stages for least, stages in STAGES if rtol >= least))
        self.state, self.residual = state, system.residual(state)
        self._step = self._first_step(longest)
        self._last: Step | None = None
        self._last_error = 0.0
        self._basis, self._values = np.empty(0), np.empty(0)
        self._stale = True
        self.effort = {"rejected_steps": 0, "newton_iterations": 0, "kernels": 0}

    def step(self, left: float) -> Step | None:
        """One accepted step of at most `left`; None where it would have to be shorter than numbers are apart.

        **Errors**: OutOfRangeError where the Jacobian overflows.
        """
        retried, shortest = False, 1e-15 * self._step
        while self._step > shortest:
            h = min(self._step, left)
            fresh = self._stale
            if self._stale:
                self._decompose()
            Z, iterations, rate, converged = self._collocate(h)
            if not converged:
                self.effort["rejected_steps"] += 1
                self._stale = not fresh
                self._step = 0.5 * h if fresh else h
                continue
            error = self._error(h, Z, retried=retried)
            accepted = None
            if error <= 1.0:
                state = self._system.moved(self.state, Z[-1])
                residual = self._system.residual(state)
                accepted = Step(h, Z, state, residual) if np.all(np.isfinite(residual)) else None
            factor = self._factor(h, error, iterations)
            self._stale = rate > SLOW and not (fresh and accepted is None)
            if accepted is None:
                self.effort["rejected_steps"] += 1
                retried, self._step = True, h * min(factor, 0.9) if np.isfinite(error) else 0.2 * h
                continue
            self._step, self._last, self._last_error = h * factor, accepted, max(error, 1e-2)
            self.state, self.residual = accepted.state, accepted.residual
            return accepted
        return None

    def snapshot(self, start: AbstractMirrorState) -> Arrays:
        """All that it carries from step to step; `start` is the state at time 0. Call it after a step."""
        assert self._last is not None  # noqa: S101 - see above
        numbers = {
            "atol": self._atol,
            "step": self._step,
            "last_error": self._last_error,
            "last_size": self._last.size,
            "stale": self._stale,
            **self.effort,
        }
        arrays = {name: np.asarray(value) for name, value in numbers.items()} | packed("state", self.state, start)
        arrays |= {"residual": self.residual, "last_Z": self._last.Z}
        return arrays | {"basis": self._basis, "values": self._values}

    def restore(self, arrays: Mapping[str, Any], start: AbstractMirrorState) -> None:
        """Goes on from there. **Errors**: SnapshotError."""
        samples = len(self.residual)
        state, residual = unpacked("state", arrays, start), part(arrays, "residual", self.residual)
        Z = part(arrays, "last_Z", np.empty((self.tableau.stages, samples)))
        basis, values = part(arrays, "basis", np.empty((samples, samples))), part(arrays, "values", np.empty(samples))
        names = ("atol", "step", "last_error", "last_size", "stale")
        atol, step, error, size, stale = (scalar(arrays, name) for name in names)
        effort = {name: scalar(arrays, name) for name in self.effort}
        self.state, self.residual, self._last = state, residual, Step(size, Z, state, residual)
        self._basis, self._values, self._stale = basis, values, stale
        self._atol, self._step, self._last_error, self.effort = atol, step, error, effort

    def _first_step(self, longest: float) -> float:
        """A fraction of the way to where the maps bend, or of the fastest relaxation time."""
        velocity, samples = self._system.velocity(self.residual), len(self.residual)
        bend = self.state.longest_step(velocity @ self._system.X)
        rate = self._system.relaxation(self.state) / samples
        return float(min(FIRST_STEP * bend, 1.0 / rate if rate > 0.0 else np.inf, longest))

    def _decompose(self) -> None:
        values, self._basis = eigh(-self._system.jacobian(self.state), check_finite=False, driver="evd")
        self._values = np.maximum(values, 0.0)
        self._stale = False
        self.effort["kernels"] += 1

    def _collocate(self, h: float) -> tuple[Array, int, float, bool]:
        """Z = h A f(nu + Z) by simplified Newton. Returns Z, iterations, the contraction, and whether it converged."""
        method = self.tableau
        denominators = method.shifts[:, None] / h + self._values
        limit = 7 + 2 * (method.stages - 3)
        Z, size, rate = self._guess(h), 1.0, 0.0
        residuals = self._system.residuals(self.state, method.stages)
        for iteration in range(limit):
            velocity = self._system.velocity(residuals(Z))
            defect = (velocity - method.inverse @ Z / h) @ self._basis
            change = ((method.T @ ((method.T_inverse @ defect) / denominators)).real) @ self._basis.T
            self.effort["newton_iterations"] += 1
            last, size = size, _rms(change) / self._atol
            if not np.isfinite(size):
                return Z, iteration, 1.0, False
            Z = Z + change
            if iteration > 0:
                rate = size / last
                left = limit - 1 - iteration
                if rate >= 1.0 or rate**left / (1.0 - rate) * size > KAPPA:
                    return Z, iteration, rate, False
            # Below the tolerance, in proportion to the step itself: else the residual would hover at its size.
            share = _rms(Z[-1]) / self._atol
            enough = KAPPA * min(1.0, max(share, LEAST_SHARE))
            if size == 0.0 or (iteration > 0 and rate / (1.0 - rate) * size <= enough):
                return Z, iteration + 1, rate, True
        return Z, limit, rate, False

    def _guess(self, h: float) -> Array:
        """The last polynomial continued, zero where that is too far."""
        last = self._last
        if last is None or h > FARTHEST * last.size:
            return np.zeros((self.tableau.stages, len(self.residual)))
        return np.asarray(self.tableau.weights(1.0 + self.tableau.nodes * (h / last.size)) @ last.Z - last.Z[-1])

    def _error(self, h: float, Z: Array, *, retried: bool) -> float:
        """Embedded error over tolerance; filtered once more after a rejection (Hairer and Wanner, (8.20))."""
        increment = self.tableau.error @ Z / h

        def filtered(velocity: Array) -> Array:
            return np.asarray(
                self._basis @ (((velocity + increment) @ self._basis) / (self.tableau.shift / h + self._values))
            )

        error = filtered(self._system.velocity(self.residual))
        size = _rms(error) / self._atol
        if size > 1.0 and (retried or self._last is None):
            error = filtered(self._system.velocity(self._system.residuals(self.state, 1)(error[None])[0]))
            size = _rms(error) / self._atol
        return size

    def _factor(self, h: float, error: float, iterations: int) -> float:
        """Growth of the step, by the predictive controller of Gustafsson for an estimate of order s."""
        power = -1.0 / (self.tableau.stages + 1)
        limit = 7 + 2 * (self.tableau.stages - 3)
        safety = SAFETY * (2 * limit + 1) / (2 * limit + iterations)
        factor = max(error, 1e-12) ** power
        if self._last is not None:
            factor *= min(1.0, h / self._last.size * (self._last_error / max(error, 1e-12)) ** -power)
        return float(np.clip(safety * factor, SMALLEST, LARGEST))


def _rms(array: Array) -> float:
    """Root mean square, to the bit as `np.mean` has it: step sizes show every digit."""
    return math.sqrt(np.add.reduce(array * array, axis=None) / array.size)
