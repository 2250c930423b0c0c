"""One Radau step of the rescaled flow d theta/d tau = grad gamma, tried but not yet judged."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.margin.gain import Gain, gain
from initshape.flows.margin.linear import Factors, Linearisation, factor, solve_modes, solve_real
from initshape.flows.margin.state import MarginControls, MarginProblem, MarginState
from initshape.flows.margin_loss import AbstractMarginLoss
from initshape.flows.stages import Stages, solve_stages
from initshape.flows.tableau import ERROR_WEIGHTS, NODES, TO_POLYNOMIAL, combine
from initshape.models import AbstractModel, Array

NAME = "radau"
EPSILON = float(np.finfo(np.float64).eps)
ROUNDING = 400.0
"""A tolerance below this many units of rounding of a parameter cannot be met by its stages."""


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


class Trial(NamedTuple):
    """What one attempted step came to: the state at its end if it is accepted, and what the judgement needs.

    `error` is over tolerance, `finite` false after an overflow, `at_end` says that it ends at max_time.
    """

    step: Array
    at_end: Array
    theta: Array
    slope: Array
    gain: Gain
    stages: Stages
    error: Array
    finite: Array
    linearisation: Linearisation
    factors: Factors


def trial(
    model: AbstractModel,
    loss: AbstractMarginLoss,
    problem: MarginProblem,
    controls: MarginControls,
    state: MarginState,
) -> Trial:
    """One step from `state`: linearisation and factors where they are due, stages, error estimate.

    Tolerances are relative to the displacement theta - theta(0), not to theta: in the lazy regime w is a small
    difference of large parameters.

    **Source**: Hairer and Wanner, Solving Ordinary Differential Equations II, section IV.8.
    """
    last: Memory = state.memory
    X, y, theta = problem.X, problem.y, state.theta
    step, at_end = _clip(state, controls)
    at = lax.cond(
        last.rebuild,
        lambda: Linearisation(theta, state.weights, state.curvature, y[:, None] * model.kernel(theta, X) * y),
        lambda: last.linearisation,
    )
    factors = lax.cond(last.rebuild | (step != last.factored_step), lambda: factor(at, step), lambda: last.factors)

    def velocity(where: Array) -> Array:
        return ascent(model, loss, X, y, problem.samples, where)[0]

    def scale(reached: Array) -> Array:
        moved = jnp.maximum(abs(theta - problem.start), abs(reached - problem.start))
        return jnp.maximum(controls.atol + controls.rtol * moved, ROUNDING * EPSILON * abs(theta))

    before = scale(theta)
    noise = (10 * EPSILON * abs(theta) / before).max()
    stages = solve_stages(
        velocity,
        lambda v: solve_modes(model, X, y, at, factors, step, v),
        theta,
        step,
        _guess(last, step),
        before,
        jnp.maximum(noise, jnp.minimum(0.03, jnp.sqrt(controls.rtol))),
        problem.parameters,
    )
    reached = theta + stages.Z[2]
    slope, gain = ascent(model, loss, X, y, problem.samples, reached)

    after = scale(reached)
    increment = combine(ERROR_WEIGHTS, stages.Z)[0] / step

    def error_of(slope: Array) -> tuple[Array, Array]:
        estimate = solve_real(model, X, y, at, factors, step, slope + increment)
        return estimate, jnp.sqrt(((estimate / after) ** 2).sum() / problem.parameters)

    first, size = error_of(state.slope)
    again = last.retry & stages.converged & (size > 1.0)
    error = lax.cond(again, lambda: error_of(velocity(theta + first))[1], lambda: size)
    finite = stages.finite & jnp.isfinite(error) & jnp.isfinite(gain.gamma)
    return Trial(step, at_end, reached, slope, gain, stages, error, finite, at, factors)


def next_memory(state: MarginState, tried: Trial, *, accepted: Array, fine: Array, slow: Array) -> Memory:
    """What the next step needs to know. A fine step that was not accepted overshot the target."""
    last: Memory = state.memory

    def updated(new: Any, old: Any) -> Any:
        return jnp.where(accepted, new, old)

    estimated = tried.stages.converged & jnp.isfinite(tried.error)
    return Memory(
        polynomial=updated(combine(TO_POLYNOMIAL, tried.stages.Z), last.polynomial),
        start=updated(state.theta, last.start),
        gamma=updated(state.gamma, last.gamma),
        speed=updated(square(state.slope), last.speed),
        last_step=updated(tried.step, last.last_step),
        last_error=updated(tried.error, last.last_error),
        linearisation=tried.linearisation,
        factors=tried.factors,
        factored_step=tried.step,
        rebuild=jnp.where(accepted, slow, ~estimated & ~last.rebuild),
        retry=~fine & (tried.stages.converged | last.retry),
    )


def _clip(state: MarginState, controls: MarginControls) -> tuple[Array, Array]:
    """The step to try: at most to max_time, nor past the target if gamma went on at its present speed."""
    straight = (controls.target - state.gamma) / square(state.slope)
    step = jnp.minimum(state.step, jnp.where(straight > 0.0, straight, jnp.inf))
    at_end = state.time + step >= controls.max_time
    return jnp.where(at_end, controls.max_time - state.time, step), at_end


def _guess(last: Memory, step: Array) -> Array:
    """The last collocation polynomial continued to the new stages; zero before the first step. **Shape**: (3, P)."""
    known = last.last_step > 0
    x = 1.0 + jnp.where(known, step / jnp.where(known, last.last_step, 1.0), 0.0) * NODES
    q = last.polynomial
    return (x - 1)[:, None] * q[0] + (x**2 - 1)[:, None] * q[1] + (x**3 - 1)[:, None] * q[2]


def square(v: Array) -> Array:
    """||v||^2."""
    return (v * v).sum()
