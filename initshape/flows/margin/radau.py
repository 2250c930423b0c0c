"""One Radau step of the rescaled flow d theta/d tau = grad gamma, and its landing on the requested gamma."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.control import HOLD_BELOW, growth
from initshape.flows.margin.gain import Gain, gain
from initshape.flows.margin.linear import Factors, Linearisation, factor, solve_modes, solve_real
from initshape.flows.margin.state import MarginControls, MarginProblem, MarginState, Verdict
from initshape.flows.margin_loss import AbstractMarginLoss
from initshape.flows.stages import MAX_ITERATIONS, solve_stages
from initshape.flows.tableau import ERROR_WEIGHTS, NODES, TO_POLYNOMIAL, combine
from initshape.models import AbstractModel, Array

NAME = "radau"
SLOW_RATE, SLOW_ITERATIONS = 1e-3, 2
"""A contraction slower than this after more than two iterations is worth a new linearisation."""
EPSILON = float(np.finfo(np.float64).eps)
ROUNDING = 400.0
"""A tolerance below this many units of rounding of a parameter cannot be met by its stages."""
LANDED, NEAR, LANDINGS = 1e-11, 1e-9, 8
"""A run has arrived this close to the requested gamma, relative to it; or near it, where more attempts do not help."""
QUIET_AFTER, STATIONARY, LONG_STEP = 5, 1e-12, 10.0


class Memory(NamedTuple):
    """The last collocation polynomial (from `start`, over `last_step`), and the linearisation with its factors.

    `gamma` and `speed` hold at `start`. `rebuild` asks for a new linearisation, `retry` says that the last attempt
    failed. `last_step` = 0: no step yet.
    """

    polynomial: Array
    start: Array
    gamma: Array
    speed: Array
    last_step: Array
    last_error: Array
    linearisation: Linearisation
    factors: Factors
    factored_step: Array
    rebuild: Array
    retry: Array


def memory(theta: Array, samples: int) -> Memory:
    """Nothing known yet; NumPy."""
    nought, row, square = np.float64(0.0), np.zeros(samples), np.zeros((samples, samples))
    pivots = np.zeros(samples, dtype=np.int32)
    return Memory(
        polynomial=np.zeros((3, theta.size)),
        start=theta,
        gamma=nought,
        speed=nought,
        last_step=nought,
        last_error=nought,
        linearisation=Linearisation(theta, row, row, square),
        factors=Factors(square, pivots, square.astype(np.complex128), pivots),
        factored_step=nought,
        rebuild=np.True_,
        retry=np.False_,
    )


def ascent(
    model: AbstractModel, loss: AbstractMarginLoss, X: Any, y: Array, samples: Array, theta: Array
) -> tuple[Array, Gain]:
    """grad gamma, and gamma with its derivatives by the margins. **Shape**: theta (..., P)."""
    found = gain(loss, y * model.outputs(theta, X), y, samples)
    return model.vjp(theta, X, y * found.weights), found


def interpolate(state: MarginState, x: Array) -> Array:
    """theta inside the last accepted step, x = 0 at its start and 1 at its end; order 3."""
    q = state.memory.polynomial
    return state.memory.start + x * (q[0] + x * (q[1] + x * q[2]))


def fraction_at(state: MarginState, gamma: Array) -> Array:
    """x at which the cubic through gamma and its slopes at both ends of the last step takes the value `gamma`."""
    last: Memory = state.memory
    return _crossing(last.gamma, state.gamma, last.speed * last.last_step, _square(state.slope) * last.last_step, gamma)


def attempt(
    model: AbstractModel,
    loss: AbstractMarginLoss,
    problem: MarginProblem,
    controls: MarginControls,
    state: MarginState,
) -> MarginState:
    """One attempted step and all that follows from it.

    Tolerances are relative to the displacement theta - theta(0), not to theta: in the lazy regime w is a small
    difference of large parameters. A step that overshoots the requested gamma is tried again, shortened to where the
    cubic in gamma says the target is; that converges faster than quadratically.

    **Source**: Hairer and Wanner, Solving Ordinary Differential Equations II, section IV.8 (method and control).
    """
    last: Memory = state.memory
    X, y, theta = problem.X, problem.y, state.theta
    speed = _square(state.slope)
    to_go = controls.target - state.gamma
    step, at_end = _clip(state, controls, to_go / speed)

    at = lax.cond(
        last.rebuild,
        lambda: Linearisation(theta, state.weights, state.curvature, y[:, None] * model.kernel(theta, X) * y),
        lambda: last.linearisation,
    )
    factors = lax.cond(last.rebuild | (step != last.factored_step), lambda: factor(at, step), lambda: last.factors)

    def velocity(at_theta: Array) -> Array:
        return ascent(model, loss, X, y, problem.samples, at_theta)[0]

    def scale(reached: Array) -> Array:
        moved = jnp.maximum(abs(theta - problem.start), abs(reached - problem.start))
        return jnp.maximum(controls.atol + controls.rtol * moved, ROUNDING * EPSILON * abs(theta))

    before = scale(theta)
    noise = (10 * EPSILON * abs(theta) / before).max()
    tolerance = jnp.maximum(noise, jnp.minimum(0.03, jnp.sqrt(controls.rtol)))
    stages = solve_stages(
        velocity,
        lambda v: solve_modes(model, X, y, at, factors, step, v),
        theta,
        step,
        _guess(last, step),
        before,
        tolerance,
        problem.parameters,
    )
    reached = theta + stages.Z[2]
    slope, found = ascent(model, loss, X, y, problem.samples, reached)
    retry = last.retry & stages.converged

    after = scale(reached)
    increment = combine(ERROR_WEIGHTS, stages.Z)[0] / step

    def error_of(slope: Array) -> tuple[Array, Array]:
        estimate = solve_real(model, X, y, at, factors, step, slope + increment)
        return estimate, jnp.sqrt(((estimate / after) ** 2).sum() / problem.parameters)

    first, size = error_of(state.slope)
    error = lax.cond(retry & (size > 1.0), lambda: error_of(velocity(theta + first))[1], lambda: size)

    finite = stages.finite & jnp.isfinite(error) & jnp.isfinite(found.gamma)
    fine = stages.converged & (error <= 1.0) & finite
    gap = controls.target - found.gamma
    unit = jnp.maximum(1.0, abs(controls.target))
    rounding = 4 * EPSILON * jnp.sqrt(jnp.trace(at.K) * _square(reached))
    close = fine & (abs(gap) <= jnp.maximum(NEAR * unit, rounding))
    landings = state.landings + close
    landed = close & ((abs(gap) <= jnp.maximum(LANDED * unit, rounding)) | (landings > LANDINGS))
    overshot = fine & ~landed & (gap < 0.0)
    accepted = fine & ~overshot

    safety = 0.9 * (2 * MAX_ITERATIONS + 1) / (2 * MAX_ITERATIONS + stages.iterations)
    factor_ = growth(error, step, last.last_error, last.last_step, safety)
    slow = (stages.iterations > SLOW_ITERATIONS) & (stages.rate > SLOW_RATE)
    hold = accepted & ~slow & (factor_ >= 1.0) & (factor_ < HOLD_BELOW)
    # Newton that fails with an old linearisation deserves a new one before a shorter step.
    after_failure = jnp.where(last.rebuild, 0.5, 1.0)
    estimated = stages.converged & jnp.isfinite(error)
    wanted = jnp.where(hold, 1.0, jnp.where(estimated, factor_, after_failure))
    landing = _crossing(state.gamma, found.gamma, speed * step, _square(slope) * step, controls.target)
    next_step = step * jnp.where(overshot, jnp.clip(landing, 1e-3, 1 - 1e-3), wanted)

    def updated(new: Any, old: Any) -> Any:
        return jnp.where(accepted, new, old)

    accepted_steps = state.accepted + accepted
    quiet = jnp.where(_at_rest(at, after, slope, found, step), state.quiet + 1, 0)
    stuck = ~accepted & ((next_step <= 1e-14 * last.last_step) | (next_step < 1e-300))
    verdict = jnp.select(
        [
            landed,
            accepted & (quiet >= QUIET_AFTER),
            accepted & at_end,
            accepted & (accepted_steps >= controls.max_steps),
            stuck & finite,
            stuck,
        ],
        [
            Verdict.log_train_loss,
            Verdict.stationary,
            Verdict.max_time,
            Verdict.max_steps,
            Verdict.step_size,
            Verdict.nonfinite,
        ],
        Verdict.running,
    )
    return MarginState(
        time=updated(jnp.where(at_end, controls.max_time, state.time + step), state.time),
        theta=updated(reached, theta),
        slope=updated(slope, state.slope),
        gamma=updated(found.gamma, state.gamma),
        weights=updated(found.weights, state.weights),
        curvature=updated(found.curvature, state.curvature),
        step=next_step,
        next_save=state.next_save,
        accepted=accepted_steps,
        rejected=state.rejected + ~fine,
        iterations=state.iterations + stages.iterations,
        kernels=state.kernels + last.rebuild,
        landings=landings,
        quiet=updated(quiet, state.quiet),
        verdict=verdict.astype(np.int64),
        memory=Memory(
            polynomial=updated(combine(TO_POLYNOMIAL, stages.Z), last.polynomial),
            start=updated(theta, last.start),
            gamma=updated(state.gamma, last.gamma),
            speed=updated(speed, last.speed),
            last_step=updated(step, last.last_step),
            last_error=updated(error, last.last_error),
            linearisation=at,
            factors=factors,
            factored_step=step,
            rebuild=jnp.where(accepted, slow, ~estimated & ~last.rebuild),
            retry=~fine & (stages.converged | last.retry),
        ),
    )


def _clip(state: MarginState, controls: MarginControls, straight: Array) -> tuple[Array, Array]:
    """The step to try: at most to max_time, nor (`straight`) past the target if gamma went on at its present speed."""
    step = jnp.minimum(state.step, jnp.where(straight > 0.0, straight, jnp.inf))
    at_end = state.time + step >= controls.max_time
    return jnp.where(at_end, controls.max_time - state.time, step), at_end


def _at_rest(at: Linearisation, scale: Array, slope: Array, found: Gain, step: Array) -> Array:
    """A step, long against the fastest relaxation, in which J^T q is zero to rounding and no parameter moves."""
    stiffness = jnp.trace(at.K)
    no_force = _square(slope) <= STATIONARY**2 * stiffness * _square(found.weights)
    no_motion = step * (abs(slope) / scale).max() <= 1.0
    return no_force & no_motion & (step * stiffness >= LONG_STEP)


def _crossing(start: Array, end: Array, slope_start: Array, slope_end: Array, value: Array) -> Array:
    """x in [0, 1] where the cubic with these ends and slopes takes `value`, by bisection."""
    rise = end - start

    def halve(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        x = 0.5 * (low + high)
        cubic = x * (
            slope_start + x * (3 * rise - 2 * slope_start - slope_end + x * (slope_start + slope_end - 2 * rise))
        )
        below = cubic < value - start
        return jnp.where(below, x, low), jnp.where(below, high, x)

    return lax.fori_loop(0, 60, halve, (jnp.float64(0.0), jnp.float64(1.0)))[1]


def _guess(last: Memory, step: Array) -> Array:
    """The last collocation polynomial continued to the new stages; zero before the first step. **Shape**: (3, P)."""
    known = last.last_step > 0
    x = 1.0 + jnp.where(known, step / jnp.where(known, last.last_step, 1.0), 0.0) * NODES
    q = last.polynomial
    return (x - 1)[:, None] * q[0] + (x**2 - 1)[:, None] * q[1] + (x**3 - 1)[:, None] * q[2]


def _square(v: Array) -> Array:
    return (v * v).sum()
