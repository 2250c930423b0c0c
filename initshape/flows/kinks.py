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
from initshape.models.kinks import curved, gated, slope_gap, unit_forces, unit_inputs, unit_normals, unit_scales

OVERSTEP = 0.1
"""Largest overstep of an event: h |jump of theta'| in units of the tolerance."""
LANDING = 0.05
"""Aimed overstep, so that an event is behind the step that was shortened for it."""
PATIENT = 5
"""Steps that may miss an event before more and more overstep is allowed."""
NOISE = 1e-13
"""Distance from a kink, or of a multiplier from its bound, that is rounding, relative to its terms."""
REST = 1e-14
"""Distance of held units from their kinks, relative to the terms of their input; below `NOISE`."""
TINY = 1e-300
"""Keeps quotients with a residual of zero finite."""
DEPENDENT = 1e-12
"""Eigenvalues of the Gram matrix of normals below this, relative to the largest, count as zero."""
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
    At more than two layers kinks are curved and P depends on theta.
    """

    model: AbstractModel
    kinks: Kinks

    linear = False

    def outputs(self, theta: Array, X: Any) -> Array:
        """f of the branch; held units are at zero, where both sides agree."""
        return self.model.outputs(theta, self.gated(X))

    def jvp(self, theta: Array, X: Any, v: Array) -> Array:
        """J P v."""
        return self.model.jvp(theta, self.gated(X), self.project(theta, X, v))

    def vjp(self, theta: Array, X: Any, z: Array) -> Array:
        """P J^T z."""
        return self.project(theta, X, self.model.vjp(theta, self.gated(X), z))

    def kernel(self, theta: Array, X: Any) -> Array:
        """J P J^T."""
        normals, inverse = self.across(theta, X)
        X = self.gated(X)
        moved = self.model.jvp(theta, X, normals)
        return self.model.kernel(theta, X) - moved.T @ inverse @ moved

    def project(self, theta: Array, X: Any, v: Array) -> Array:
        """v without its part along the normals of held kinks."""
        normals, _ = self.across(theta, X)
        return v + (self.multipliers(theta, X, v)[..., None, :] @ normals)[..., 0, :]

    def multipliers(self, theta: Array, X: Any, v: Array) -> Array:
        """mu with v + mu.normals orthogonal to the normals. **Shape**: (..., P) -> (..., Q)."""
        normals, inverse = self.across(theta, X)
        return -((v[..., None, :] @ normals.mT) @ inverse)[..., 0, :]

    def across(self, theta: Array, X: Any) -> tuple[Array, Array]:
        """Normals of the held kinks at theta, and the pseudo-inverse of their Gram matrix."""
        kinks = self.kinks
        if not curved(self.model):
            return kinks.normals, kinks.inverse
        normals = unit_normals(self.model, theta, self.gated(X), kinks.units) * kinks.used[:, None]
        return normals, theta.__array_namespace__().linalg.pinv(normals @ normals.mT, rtol=DEPENDENT, hermitian=True)

    def onto(self, theta: Array, X: Any) -> Array:
        """theta with held units on the negative side of their kinks by rounding: one Newton step, exact where flat.

        That is the side whose slope a unit at zero is said to have, and makes whoever evaluates the network see it.
        """
        kinks, data = self.kinks, self.gated(X)
        normals, inverse = self.across(theta, X)
        inputs = unit_inputs(self.model, theta, data)[..., kinks.units]
        rest = REST * unit_scales(self.model, theta, data)[..., kinks.units]
        off = theta.__array_namespace__().where(kinks.used, inputs + rest, 0.0)
        return theta - (off @ inverse) @ normals

    def gated(self, X: Any) -> Any:
        """X with the sides of the branch."""
        return gated(self.model, X, self.kinks.sides)


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
    branch, xp = Branch(model, kinks), theta.__array_namespace__()
    data = branch.gated(X)
    noise = NOISE * unit_scales(model, theta, data)
    inputs = xp.where(kinks.sides, 1.0, -1.0) * unit_inputs(model, theta, data) + noise
    outputs = model.outputs(theta, data)
    residual = loss.residual(outputs, y)
    mu = branch.multipliers(theta, X, model.vjp(theta, data, residual) / samples)
    forces = bounds(branch, theta, X, residual, samples, mu)
    c, noise = forces[..., kinks.units], rounding(loss, outputs, y, forces)[..., None]
    parts = [
        xp.where(kinks.held, xp.inf, inputs),
        xp.where(kinks.used, noise - mu, xp.inf),
        xp.where(kinks.used, noise + mu - c, xp.inf),
    ]
    return xp.concat(parts, axis=-1)


def bounds(branch: Branch, theta: Array, X: Any, residual: Array, samples: Array, mu: Array) -> Array:
    """c of every unit: the multiplier that a held one has at slope 1. mu is what the held ones pass down.

    **Shape**: (..., U).
    """
    model, kinks = branch.model, branch.kinks
    passed = None
    if curved(model):
        place = (kinks.units[:, None] == theta.__array_namespace__().arange(len(kinks.sides))) & kinks.used[:, None]
        passed = samples * (mu @ (place * 1.0))
    return slope_gap(model) * unit_forces(model, theta, branch.gated(X), residual, passed) / samples


def rounding(loss: AbstractLoss, outputs: Array, y: Array, forces: Array) -> Array:
    """What rounding leaves of `forces` and of multipliers: relative to them, and to outputs near their labels.

    A unit on a sample that is fitted long before the others has nothing but rounding for mu and for c.

    **Shape**: outputs (..., N), forces (..., U) -> (...).
    """
    residual = loss.residual(outputs, y)
    moved = abs(loss.residual((1.0 + NOISE) * outputs, y) - residual).max(-1)
    size = abs(residual).max(-1)
    return (NOISE + moved / (size + TINY)) * abs(forces).max(-1)


def watch(
    model: AbstractModel, loss: AbstractLoss, problem: Problem, controls: Controls, state: FlowState, attempt: Attempt
) -> Attempt:
    """The attempt as it is where the branch holds over it; else an event at its end, or a shorter step to try."""
    kinks: Any = state.kinks
    if isinstance(kinks, tuple) and not kinks:
        return attempt
    memory = attempt.memory
    if curved(model):
        attempt = _corrected(Branch(model, kinks), loss, problem, attempt)

    def along(x: Array) -> Array:
        *lower, change = memory.polynomial
        for q in reversed(lower):
            change = q + x * change
        return state.theta + x * change

    def margin(x: Array) -> Array:
        return margins(model, loss, problem.X, problem.y, problem.samples, kinks, along(x))

    fractions = jnp.array([0.0, NODES[0], 0.4, NODES[1], 0.82, 1.0])
    found = margin(fractions[:, None])
    dip, dipped = _lowest_dip(margin, fractions, found)
    broken = (found[1:] < 0.0).any(-1)
    first = jnp.where(broken.any(), fractions[1 + jnp.argmax(broken)], jnp.inf)
    in_a_dip = (dipped < 0.0).any() & (dip < first)

    def holds() -> Attempt:
        landing = attempt.accepted & (attempt.step < kinks.resume)
        resume, tries = jnp.where(landing, kinks.resume, 0.0), jnp.where(landing, kinks.tries, 0)
        step = jnp.maximum(attempt.next_step, resume)
        return attempt._replace(next_step=step, kinks=kinks._replace(resume=resume, tries=tries))

    def ends() -> Attempt:
        high = jnp.where(in_a_dip, dip, first)
        before = jnp.searchsorted(fractions, high) - 1
        high_margin = jnp.where(in_a_dip, dipped, found[before + 1])
        where = _first_root(margin, fractions[before], high, found[before], high_margin)
        beyond = _jump(model, loss, problem, kinks, attempt, jnp.minimum(found[1:].min(0), dipped))
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

    watched: Attempt = lax.cond(attempt.accepted & (broken.any() | in_a_dip), ends, holds)
    return watched


def _corrected(branch: Branch, loss: AbstractLoss, problem: Problem, attempt: Attempt) -> Attempt:
    """Curved kinks are conserved to the accuracy of a step only: its end is put back onto them."""
    theta = branch.onto(attempt.theta, problem.X)
    residual = loss.residual(branch.outputs(theta, problem.X), problem.y)
    return attempt._replace(theta=theta, slope=branch.vjp(theta, problem.X, residual) / problem.samples)


def _lowest_dip(margin: Any, fractions: Array, found: Array) -> tuple[Array, Array]:
    """Where some margin is lowest between the points that it was seen at, and all margins there.

    By parabolas through three neighbouring points: a unit may touch its kink and be back before the next point.
    """
    x, f = fractions[:, None], found
    rise = (f[1:] - f[:-1]) / (x[1:] - x[:-1])
    bend = (rise[1:] - rise[:-1]) / (x[2:] - x[:-2])
    curved_up = jnp.isfinite(bend) & (bend > 0.0)
    lowest = 0.5 * (x[:-2] + x[1:-1]) - 0.5 * rise[:-1] / jnp.where(curved_up, bend, 1.0)
    value = f[:-2] + (lowest - x[:-2]) * (rise[:-1] + bend * (lowest - x[1:-1]))
    value = jnp.where(curved_up & (lowest > x[:-2]) & (lowest < x[2:]), value, jnp.inf)
    worst = jnp.where(value.min() < 0.0, lowest.reshape(-1)[jnp.argmin(value)], 1.0)
    return worst, margin(worst)


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
    """Bound, parameter by parameter, of how theta' changes at the end if units whose margin was negative change.

    Units above one that crosses follow it where nothing else feeds them, so the sides of the network itself at the
    end are a second candidate.
    """
    units, slots = len(kinks.sides), len(kinks.units)
    crossed = lowest[:units] < 0.0
    actual = (unit_inputs(model, attempt.theta, problem.X) > 0.0) & ~kinks.held
    excess = jnp.maximum(-lowest[units : units + slots], 0.0) + jnp.maximum(-lowest[units + slots :], 0.0)
    jump = jnp.where(kinks.used, excess, 0.0) @ abs(kinks.normals)
    for sides in (kinks.sides ^ crossed, actual):
        other = Branch(model, kinks._replace(sides=sides))
        residual = loss.residual(other.outputs(attempt.theta, problem.X), problem.y)
        flipped = other.vjp(attempt.theta, problem.X, residual) / problem.samples
        jump = jnp.maximum(jump, abs(flipped - attempt.slope))
    return jump
