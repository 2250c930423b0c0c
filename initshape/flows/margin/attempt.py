"""Judging an attempted step: accepted or not, landed on the requested gamma or past it, and what comes next."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.control import HOLD_BELOW, growth
from initshape.flows.margin.radau import EPSILON, Memory, Trial, next_memory, square, trial
from initshape.flows.margin.state import MarginControls, MarginProblem, MarginState, Verdict
from initshape.flows.margin_loss import AbstractMarginLoss
from initshape.flows.stages import MAX_ITERATIONS
from initshape.models import AbstractModel, Array

SLOW_RATE, SLOW_ITERATIONS = 1e-3, 2
"""A contraction slower than this after more than two iterations is worth a new linearisation."""
LANDED, NEAR, LANDINGS = 1e-11, 1e-9, 8
"""A run has arrived this close to the requested gamma, relative to it; or near it, where more attempts do not help."""
MOST_REJECTED = 10_000
"""More rejected steps than this, and than twice the accepted ones, are a standstill (sliding along a kink, say)."""


def attempt(
    model: AbstractModel,
    loss: AbstractMarginLoss,
    problem: MarginProblem,
    controls: MarginControls,
    state: MarginState,
) -> MarginState:
    """One attempted step and all that follows from it.

    A step that overshoots the requested gamma is tried again, shortened to where the cubic in gamma says the target
    is; that converges faster than quadratically.
    """
    tried = trial(model, loss, problem, controls, state)
    fine = tried.stages.converged & (tried.error <= 1.0) & tried.finite
    close, landed, overshot = _landing(controls, state, tried, fine)
    accepted = fine & ~overshot
    slow = (tried.stages.iterations > SLOW_ITERATIONS) & (tried.stages.rate > SLOW_RATE)
    next_step = jnp.where(
        overshot,
        jnp.clip(_crossing_of(state, tried, controls.target), 1e-3, 1 - 1e-3) * tried.step,
        _regular(state.memory, tried, accepted & ~slow),
    )
    steps, rejected = state.accepted + accepted, state.rejected + ~fine
    stuck = ~accepted & ((next_step <= 1e-14 * state.memory.last_step) | (next_step < 1e-300))
    verdict = jnp.select(
        [
            landed,
            accepted & ~tried.slope.any(),
            accepted & tried.at_end,
            accepted & (steps >= controls.max_steps),
            (stuck & tried.finite) | (rejected > MOST_REJECTED + 2 * steps),
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

    def updated(new: Any, old: Any) -> Any:
        return jnp.where(accepted, new, old)

    return MarginState(
        time=updated(jnp.where(tried.at_end, controls.max_time, state.time + tried.step), state.time),
        theta=updated(tried.theta, state.theta),
        slope=updated(tried.slope, state.slope),
        gamma=updated(tried.gain.gamma, state.gamma),
        weights=updated(tried.gain.weights, state.weights),
        curvature=updated(tried.gain.curvature, state.curvature),
        step=next_step,
        next_save=state.next_save,
        accepted=steps,
        rejected=rejected,
        iterations=state.iterations + tried.stages.iterations,
        kernels=state.kernels + state.memory.rebuild,
        landings=state.landings + close,
        verdict=verdict.astype(np.int64),
        memory=next_memory(state, tried, accepted=accepted, fine=fine, slow=slow),
    )


def fraction_at(state: MarginState, gamma: Array) -> Array:
    """x at which the cubic through gamma and its slopes at both ends of the last step takes the value `gamma`."""
    last: Memory = state.memory
    return _crossing(last.gamma, state.gamma, last.speed * last.last_step, square(state.slope) * last.last_step, gamma)


def _landing(controls: MarginControls, state: MarginState, tried: Trial, fine: Array) -> tuple[Array, Array, Array]:
    """Whether the step ends near the target, on it (as nearly as rounding of the outputs allows), or past it."""
    gap = controls.target - tried.gain.gamma
    unit = jnp.maximum(1.0, abs(controls.target))
    rounding = 4 * EPSILON * jnp.sqrt(jnp.trace(tried.linearisation.K) * square(tried.theta))
    close = fine & (abs(gap) <= jnp.maximum(NEAR * unit, rounding))
    landed = close & ((abs(gap) <= jnp.maximum(LANDED * unit, rounding)) | (state.landings >= LANDINGS))
    return close, landed, fine & ~landed & (gap < 0.0)


def _regular(last: Memory, tried: Trial, steady: Array) -> Array:
    """The next step by the error of this one; held where a new factorisation is not worth it."""
    safety = 0.9 * (2 * MAX_ITERATIONS + 1) / (2 * MAX_ITERATIONS + tried.stages.iterations)
    wanted = growth(tried.error, tried.step, last.last_error, last.last_step, safety)
    hold = steady & (wanted >= 1.0) & (wanted < HOLD_BELOW)
    # Newton that fails with an old linearisation deserves a new one before a shorter step.
    after_failure = jnp.where(last.rebuild, 0.5, 1.0)
    estimated = tried.stages.converged & jnp.isfinite(tried.error)
    return tried.step * jnp.where(hold, 1.0, jnp.where(estimated, wanted, after_failure))


def _crossing_of(state: MarginState, tried: Trial, gamma: Array) -> Array:
    """The same inside the step that is being judged."""
    rise = square(state.slope) * tried.step, square(tried.slope) * tried.step
    return _crossing(state.gamma, tried.gain.gamma, *rise, gamma)


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
