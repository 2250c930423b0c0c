"""Kinks along a flow, inside the compiled block: smooth steps on one branch, which end where a unit reaches its kink.

Between two events every unit is on one side of its kink, or held on it, and the flow is smooth: steps are taken with
fixed slopes, the constraints of held units as projections. A step across an event is tried again, shorter, until
what it oversteps is worth less than the tolerance. What happens at the event is decided outside (`kink_events`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import jax.numpy as jnp
from jax import lax

from initshape.flows.loss import AbstractLoss
from initshape.flows.state import Attempt, Controls, FlowState, Problem
from initshape.flows.tableau import NODES
from initshape.models import AbstractModel, Array
from initshape.models.kinks import gated, slope_gap, unit_forces, unit_inputs, unit_scales

OVERSTEP = 0.1
"""Largest overstep of an event: h |jump of theta'| in units of the tolerance."""
LANDING = 0.05
"""Aimed overstep, so that an event is behind the step that was shortened for it."""
PATIENT = 5
"""Steps that may miss an event before more and more overstep is allowed."""
NOISE = 1e-13
"""Distance from a kink, or of a multiplier from its bound, that is rounding, relative to its terms."""
REFINEMENTS = 8


class Kinks(NamedTuple):
    """The branch: `sides` of all units (true: slope 1) and the units that are held at their kink.

    Slots of `units`, with `normals` grad g (zero rows: free slots) and the pseudo-inverse of their Gram matrix; `held`
    (U,) marks the same units. Their sides are false. `resume` is the step size that an event cut short and `tries` the
    steps that missed the event since then; `changes` counts units that changed side, were held or released.

    **Shape**: sides, held (U,); units, used (Q,); normals (Q, P); inverse (Q, Q).
    """

    sides: Array
    held: Array
    units: Array
    used: Array
    normals: Array
    inverse: Array
    resume: Array
    tries: Array
    changes: Array


@dataclass(frozen=True)
class Branch:
    """A model continued smoothly from one branch: slopes fixed, motion across held kinks projected out.

    The projection turns J into J P, with which everything that a flow needs is again outputs, J v, J^T z and J J^T.
    """

    model: AbstractModel
    kinks: Kinks

    linear = False

    def outputs(self, theta: Array, X: Any) -> Array:
        """f of the branch; held units are at zero, where both sides agree."""
        return self.model.outputs(theta, gated(self.model, X, self.kinks.sides))

    def jvp(self, theta: Array, X: Any, v: Array) -> Array:
        """J P v."""
        return self.model.jvp(theta, gated(self.model, X, self.kinks.sides), self.project(v))

    def vjp(self, theta: Array, X: Any, z: Array) -> Array:
        """P J^T z."""
        return self.project(self.model.vjp(theta, gated(self.model, X, self.kinks.sides), z))

    def kernel(self, theta: Array, X: Any) -> Array:
        """J P J^T."""
        X = gated(self.model, X, self.kinks.sides)
        across = self.model.jvp(theta, X, self.kinks.normals)
        return self.model.kernel(theta, X) - across.T @ self.kinks.inverse @ across

    def project(self, v: Array) -> Array:
        """v without its part along the normals of held kinks."""
        return v + self.multipliers(v) @ self.kinks.normals

    def multipliers(self, v: Array) -> Array:
        """mu with v + mu.normals orthogonal to the normals. **Shape**: (..., P) -> (..., Q)."""
        return -(v @ self.kinks.normals.T) @ self.kinks.inverse


def branch_of(model: AbstractModel, kinks: Any) -> AbstractModel:
    """The branch as a model; the model itself where it is smooth (no kinks: an empty tuple)."""
    return model if isinstance(kinks, tuple) and not kinks else cast(AbstractModel, Branch(model, kinks))


def margins(
    model: AbstractModel, loss: AbstractLoss, X: Any, y: Array, samples: Array, kinks: Kinks, theta: Array
) -> Array:
    """Positive while the branch holds; an event is where one of them becomes negative. NumPy and JAX alike.

    Of a free unit its input, towards its own side. Of a held unit the distances of its multiplier mu from 0 and from
    c = (1 - s) force/N < 0: mu/c is the slope in (s, 1) that holds it, 0 and 1 standing for both sides.

    **Shape**: theta (..., P) -> (..., U + 2 Q).
    """
    data = gated(model, X, kinks.sides)
    xp = theta.__array_namespace__()
    noise = NOISE * unit_scales(model, theta, data)
    inputs = xp.where(kinks.sides, 1.0, -1.0) * unit_inputs(model, theta, data) + noise
    residual = loss.residual(model.outputs(theta, data), y)
    mu = Branch(model, kinks).multipliers(model.vjp(theta, data, residual) / samples)
    forces = slope_gap(model) * unit_forces(model, theta, data, residual) / samples
    c, noise = forces[..., kinks.units], NOISE * abs(forces).max(-1)[..., None]
    parts = [
        xp.where(kinks.held, xp.inf, inputs),
        xp.where(kinks.used, noise - mu, xp.inf),
        xp.where(kinks.used, noise + mu - c, xp.inf),
    ]
    return xp.concat(parts, axis=-1)


def watch(
    model: AbstractModel, loss: AbstractLoss, problem: Problem, controls: Controls, state: FlowState, attempt: Attempt
) -> Attempt:
    """The attempt as it is where the branch holds over it; else an event at its end, or a shorter step to try."""
    kinks: Any = state.kinks
    if isinstance(kinks, tuple) and not kinks:
        return attempt
    memory = attempt.memory

    def along(x: Array) -> Array:
        *lower, change = memory.polynomial
        for q in reversed(lower):
            change = q + x * change
        return state.theta + x * change

    def margin(x: Array) -> Array:
        return margins(model, loss, problem.X, problem.y, problem.samples, kinks, along(x))

    fractions = jnp.array([NODES[0], 0.4, NODES[1], 0.82, 1.0])
    found = margin(fractions[:, None])
    broken = (found < 0.0).any(-1)

    def holds() -> Attempt:
        landing = attempt.accepted & (attempt.step < kinks.resume)
        resume, tries = jnp.where(landing, kinks.resume, 0.0), jnp.where(landing, kinks.tries, 0)
        step = jnp.maximum(attempt.next_step, resume)
        return attempt._replace(next_step=step, kinks=kinks._replace(resume=resume, tries=tries))

    def ends() -> Attempt:
        first = jnp.argmax(broken)
        before = jnp.where(first > 0, first - 1, 0)
        low = jnp.where(first > 0, fractions[before], 0.0)
        low_margin = jnp.where(first > 0, found[before], margin(jnp.float64(0.0)))
        where = _first_root(margin, low, fractions[first], low_margin, found[first])
        beyond = _jump(model, loss, problem, kinks, attempt, found.min(0))
        worth = (abs(beyond) / (controls.atol + controls.rtol * abs(attempt.theta))).max()
        # A unit that drifts through its kink by less than rounding in a step cannot be met any better.
        patience = 2.0 ** jnp.maximum(kinks.tries - PATIENT, 0)
        event = (1.0 - where) * attempt.step * worth <= OVERSTEP * patience
        beyond_it = LANDING * patience
        landing = where * attempt.step + beyond_it / jnp.maximum(worth, beyond_it / attempt.step)
        resume = jnp.maximum(kinks.resume, attempt.step)
        return attempt._replace(
            accepted=event,
            event=event,
            next_step=jnp.where(
                event, jnp.maximum(attempt.next_step, resume), jnp.minimum(landing, 0.9 * attempt.step)
            ),
            kinks=kinks._replace(resume=jnp.where(event, 0.0, resume), tries=jnp.where(event, 0, kinks.tries + 1)),
        )

    watched: Attempt = lax.cond(attempt.accepted & broken.any(), ends, holds)
    return watched


def _first_root(margin: Any, low: Array, high: Array, low_margin: Array, high_margin: Array) -> Array:
    """Where the first margin becomes negative in (low, high): secants of all that do, and bisections in turn."""

    def secant(low: Array, high: Array, f: Array, g: Array) -> Array:
        crossing = jnp.where((g < 0.0) & jnp.isfinite(f), jnp.maximum(f, 0.0) / jnp.maximum(f - g, 1e-300), 1.0)
        return low + (high - low) * crossing.min()

    def refine(k: Array, now: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        low, high, f, g = now
        x = jnp.where(k % 2 == 0, secant(low, high, f, g), 0.5 * (low + high))
        m = margin(x)
        past = (m < 0.0).any()
        return (
            jnp.where(past, low, x),
            jnp.where(past, x, high),
            jnp.where(past, f, m),
            jnp.where(past, m, g),
        )

    return secant(*lax.fori_loop(0, REFINEMENTS, refine, (low, high, low_margin, high_margin)))


def _jump(
    model: AbstractModel,
    loss: AbstractLoss,
    problem: Problem,
    kinks: Kinks,
    attempt: Attempt,
    lowest: Array,
) -> Array:
    """Bound, parameter by parameter, of how theta' changes at the end if units whose margin was negative change."""
    units, slots = len(kinks.sides), len(kinks.units)
    crossed = lowest[:units] < 0.0
    other = Branch(model, kinks._replace(sides=kinks.sides ^ crossed))
    residual = loss.residual(other.outputs(attempt.theta, problem.X), problem.y)
    flipped = other.vjp(attempt.theta, problem.X, residual) / problem.samples
    excess = jnp.maximum(-lowest[units : units + slots], 0.0) + jnp.maximum(-lowest[units + slots :], 0.0)
    return abs(flipped - attempt.slope) + jnp.where(kinks.used, excess, 0.0) @ abs(kinks.normals)
