"""A neuron's flow in its own few coordinates, only as far as it takes to know a sign.

Part of the theory, not of the simulation: 1 + rank unknowns instead of all parameters, and it stops at ||r|| < ||y||.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.integrate import Radau
from scipy.linalg import LinAlgError, LinAlgWarning

from initshape.regularizers.base import Array
from initshape.regularizers.neuron_coordinates import NeuronCoordinates, loss_gap
from initshape.spec.outcome import Outcome

RTOL = 1e-10
CLOSEST = 1e-7
"""Nearest approach to a saddle, relative to the start, beyond which the sign is rounding and not dynamics."""
HELD = 0.1
"""See `ReducedSystem.is_held`."""
MAX_STEPS = 2_000


class Decision(NamedTuple):
    """The sign, None unless the outcome is converged (else saddle, stalled or nonfinite), and the steps taken."""

    sign: float | None
    outcome: Outcome
    steps: int


@dataclass(frozen=True, eq=False)
class ReducedSystem:
    """b_g' = p_g c.rho, c' = phi rho, rho = A^T r = pull e_1 - phi gram c; time in units of N.

    Scalars of equal size stay equal in size, so each group g is one unknown b_g with multiplicity m_g, phi =
    tau prod b_g^m_g and p_g = phi / b_g, written as a product. The smallest may pass through zero if m_g = 1.
    """

    multiplicity: Array
    tau: float
    gram: Array
    pull: float

    @classmethod
    def of(cls, start: NeuronCoordinates) -> tuple[Self, Array]:
        """The system and its first state (b, c)."""
        sizes, multiplicity = np.unique(np.abs(start.scalars), return_counts=True)
        # A scalar at zero has no sign: that of the others is the right one, for it may take either.
        tau = float(np.prod(np.sign(start.scalars[start.scalars != 0.0])))
        system = cls(multiplicity.astype(np.float64), tau, start.gram, start.pull)
        return system, np.concatenate([sizes, start.along])

    def solver(self, state: Array, rtol: float) -> Radau:
        """Radau IIA from this state on, without end.

        Only what is small can lose digits to a common tolerance, so each unknown has its own, below its start.
        """
        b, c = self.split(state)
        atol: Any = 1e-3 * rtol * np.where(state != 0.0, np.abs(state), np.hypot(b[0], c[0]))
        return Radau(self.slope, 0.0, state, np.inf, rtol=rtol, atol=atol, jac=self.jacobian)

    def split(self, state: Array) -> tuple[Array, Array]:
        groups = len(self.multiplicity)
        return state[:groups], state[groups:]

    def product(self, b: Array) -> float:
        return self.tau * float(np.prod(b**self.multiplicity))

    def over(self, b: Array) -> Array:
        """p_g = phi/b_g."""
        powers = self.multiplicity[None, :] - np.eye(len(b))
        return np.asarray(self.tau * np.prod(b[None, :] ** powers, axis=1))

    def force(self, b: Array, c: Array) -> Array:
        """rho = A^T r."""
        rho = -self.product(b) * (self.gram @ c)
        rho[0] += self.pull
        return np.asarray(rho)

    def slope(self, _: float, state: Array) -> Array:
        b, c = self.split(state)
        rho = self.force(b, c)
        return np.concatenate([self.over(b) * (c @ rho), self.product(b) * rho])

    def jacobian(self, _: float, state: Array) -> Array:
        b, c = self.split(state)
        phi, over = self.product(b), self.over(b)
        gram_c, rho = self.gram @ c, self.force(b, c)
        change = self.multiplicity * over  # d phi / d b
        total = np.empty((len(state), len(state)))
        k = len(b)
        total[:k, :k] = self._over_change(b) * (c @ rho) - np.outer(over, change) * (c @ gram_c)
        total[:k, k:] = np.outer(over, rho - phi * gram_c)
        total[k:, :k] = np.outer(rho - phi * gram_c, change)
        total[k:, k:] = -phi * phi * self.gram
        return total

    def is_held(self, b: Array, c: Array) -> bool:
        """Whether the smallest scalars, two or more of one size, can be seen to decay to zero together.

        While phi c_1 < 0, d(b^2)/dt = 2 phi c.rho <= 2 phi pull c_1 < 0, and |dc_1/dt| = |phi rho_1|. Once |phi| ||gram
        c|| is small against pull, c_1^2 falls no faster than b^2: with b^2 below c_1^2/100, c_1 keeps its sign for
        ever, and b, which cannot pass through zero, tends to it.
        """
        phi = self.product(b)
        slow = abs(phi) * float(np.linalg.norm(self.gram @ c)) <= HELD**2 * self.pull
        return slow and phi * c[0] < 0.0 and float(b[0]) <= HELD * abs(float(c[0]))

    def _over_change(self, b: Array) -> Array:
        """d p_g / d b_h = (m_h - [g = h]) phi / (b_g b_h), written as a product."""
        identity = np.eye(len(b))
        factors = self.multiplicity[None, :] - identity
        powers = np.maximum(self.multiplicity - identity[:, None, :] - identity[None, :, :], 0.0)
        return np.asarray(factors * self.tau * np.prod(b**powers, axis=-1))


def final_sign(start: NeuronCoordinates) -> Decision:
    """The sign of phi once ||r|| < ||y||, by Radau IIA."""
    system, state = ReducedSystem.of(start)
    held = system.multiplicity[0] > 1
    begin = np.hypot(state[0], start.along[0])
    with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)  # a singular stage system is an entry that is not finite
        try:
            solver = system.solver(state, RTOL)
            for step in range(1, MAX_STEPS + 1):
                # From a step that is not a number SciPy would look for the next one without end.
                if not (np.isfinite(solver.h_abs) and np.all(np.isfinite(solver.y))):
                    return Decision(None, Outcome.nonfinite, step)
                if solver.step() is not None:
                    return Decision(None, Outcome.stalled, step)
                b, c = system.split(solver.y)
                phi = system.product(b)
                if loss_gap(phi, c, start.gram, start.pull) < 0.0:
                    return Decision(float(np.sign(phi)), Outcome.converged, step)
                close = np.hypot(b[0], c[0]) <= CLOSEST * begin
                if close or (held and system.is_held(b, c)):
                    return Decision(None, Outcome.saddle, step)
        except (ValueError, LinAlgError):  # the solver's own checks: an entry that is not finite
            return Decision(None, Outcome.nonfinite, 0)
    return Decision(None, Outcome.stalled, MAX_STEPS)
