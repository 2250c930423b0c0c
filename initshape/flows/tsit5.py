"""Tsitouras' explicit Runge-Kutta method of order 5, for flows that are not stiff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import jax.numpy as jnp
import numpy as np

from initshape.flows.collocation import velocity
from initshape.flows.control import LARGEST_FACTOR, SMALLEST_FACTOR, clip_to_end, rounded_down
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.kinks import branch_of, watch
from initshape.flows.loss import AbstractLoss
from initshape.flows.state import Attempt, Controls, FlowState, Problem
from initshape.flows.tableau import combine
from initshape.flows.tsitouras import ERROR, INTERPOLANT, STAGES
from initshape.models import AbstractModel, Array

SAFETY, PRESENT, PAST = 0.9, 0.17, 0.04
"""Exponents of the PI controller of DOPRI5: steps at the edge of stability then do not oscillate."""

DAMPED = 2.0
"""Longest step times the fastest relaxation rate. Stability ends at about 3.3, but there the fastest modes hover at the
size of the tolerance; at 2 they die out, so that the residual may fall below it."""

ROUNDING = 1e-12


class Tsit5Memory(NamedTuple):
    """The interpolant of the last step (from `start`, over `last_step`) and its error over tolerance.

    `last_step` = 0: no step yet. `rebuild` says that the branch of a network with kinks has changed: its slope is in
    the state already, but the last error predicts nothing. `longest` is the step that damps the fastest modes.
    """

    polynomial: Array
    start: Array
    last_step: Array
    last_error: Array
    rebuild: Array
    longest: Array


@final
@dataclass(frozen=True)
class Tsit5(AbstractIntegrator):
    """Seven stages, the last of which is the first of the next step; interpolant of order 4.

    A step costs six gradients and nothing else, but is limited to twice the fastest relaxation time:
    a stiff flow takes as many steps as its slowest time scale is longer than its fastest, and is for `radau`.

    **Source**: Tsitouras 2011; step sizes as in Hairer, Norsett and Wanner I, section II.4.
    """

    name: ClassVar[str] = "tsit5"  # type: ignore[misc]

    def memory(self, theta: Array, samples: int) -> Tsit5Memory:
        """Nothing known yet."""
        polynomial = np.zeros((INTERPOLANT.shape[1], theta.size))
        return Tsit5Memory(polynomial, theta, np.float64(0.0), np.float64(1.0), np.True_, np.float64(np.inf))

    def rest(self, state: FlowState) -> FlowState:
        """Every attempt costs the same six gradients."""
        return state

    def interpolate(self, state: FlowState, time: Array) -> Array:
        """Order 4 inside a step, x = 1 at its end."""
        memory: Tsit5Memory = state.memory
        x = 1.0 + (time - state.time) / memory.last_step
        q = memory.polynomial
        return memory.start + x * (q[0] + x * (q[1] + x * (q[2] + x * q[3])))

    def attempt(
        self, model: AbstractModel, loss: AbstractLoss, problem: Problem, controls: Controls, state: FlowState
    ) -> Attempt:
        """One step, its error estimate, and what to do next."""
        memory: Tsit5Memory = state.memory
        whole, model = model, branch_of(model, state.kinks)
        step = clip_to_end(state, controls)
        theta, before, slopes, residual = state.theta, state.theta, [state.slope], problem.y
        for row in STAGES:
            before = theta
            theta = state.theta + step.size * combine(np.array([row]), jnp.stack(slopes))[0]
            slope, residual = velocity(model, loss, problem, theta)
            slopes.append(slope)
        k = jnp.stack(slopes)
        relative_residual = jnp.sqrt((residual * residual).sum()) / problem.y_norm
        scale = controls.atol + controls.rtol * jnp.maximum(abs(state.theta), abs(theta))
        error = step.size * combine(ERROR[None], k)[0] / scale
        size = jnp.sqrt((error * error).sum() / problem.parameters)
        finite = jnp.isfinite(size) & jnp.isfinite(relative_residual)
        accepted = finite & (size <= 1.0)
        known = jnp.maximum(size, 1e-8)
        past = jnp.where(memory.rebuild, 1.0, memory.last_error)
        factor = jnp.clip(SAFETY * known**-PRESENT * past**PAST, SMALLEST_FACTOR, LARGEST_FACTOR)
        factor = jnp.where(accepted, factor, jnp.where(finite, jnp.minimum(factor, SAFETY), SMALLEST_FACTOR))
        longest = _longest(slopes[-1] - slopes[-2], theta - before, theta, memory.longest)
        attempt = Attempt(
            accepted=accepted,
            last=step.last,
            time=step.end,
            theta=theta,
            slope=slope,
            relative_residual=relative_residual,
            step=step.size,
            next_step=rounded_down(jnp.where(finite, jnp.minimum(step.size * factor, longest), step.size * factor)),
            stiffness=_stiffness(model, problem, theta),
            finite=finite,
            iterations=jnp.int64(0),
            kernels=jnp.int64(0),
            memory=Tsit5Memory(
                polynomial=step.size * combine(INTERPOLANT.T, k),
                start=state.theta,
                last_step=step.size,
                last_error=jnp.maximum(size, 1e-4),
                rebuild=jnp.bool_(False),
                longest=longest,
            ),
            memory_if_rejected=memory,
            kinks=state.kinks,
            longest=longest,
        )
        return watch(whole, loss, problem, controls, state, attempt)


def _longest(pulled: Array, apart: Array, theta: Array, known: Array) -> Array:
    """DAMPED over the rate at which the flow pulls two states together that are `apart` at one time.

    The last two stages are two such states, of unequal accuracy. Where they differ by rounding, what is `known` stays.
    """
    distance = _size(apart)
    rate = _size(pulled) / jnp.where(distance > 0.0, distance, 1.0)
    tells = (distance > ROUNDING * _size(theta)) & jnp.isfinite(rate) & (rate > 0.0)
    return jnp.where(tells, DAMPED / jnp.where(tells, rate, 1.0), known)


def _size(v: Array) -> Array:
    return jnp.sqrt((v * v).sum())


def _stiffness(model: AbstractModel, problem: Problem, theta: Array) -> Array:
    """tr(J J^T), estimated by ||J^T z||^2 with fixed random signs z (Hutchinson 1990): no kernel is ever built."""
    signs = np.random.RandomState(0).choice([-1.0, 1.0], size=problem.y.shape[0])
    pulled = model.vjp(theta, problem.X, jnp.asarray(signs))
    return (pulled * pulled).sum()
