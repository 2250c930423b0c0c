"""Radau IIA of order 5 with the Gauss-Newton Jacobian -J^T J/N, solved in the N dimensions of the samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.collocation import MAX_ITERATIONS, collocate, velocity
from initshape.flows.control import HOLD_BELOW, Step, clip_to_end, growth, rounded_down
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.kinks import branch_of, watch
from initshape.flows.lane_cond import lane_cond
from initshape.flows.loss import AbstractLoss
from initshape.flows.shifted import AbstractShiftedSystems, Linearisation
from initshape.flows.state import Attempt, Controls, FlowState, Problem
from initshape.flows.tableau import (
    ERROR_WEIGHTS,
    NODES,
    SHIFT_COMPLEX,
    SHIFT_REAL,
    TO_POLYNOMIAL,
    combine,
)
from initshape.flows.woodbury import Factorised
from initshape.models import AbstractModel, Array

FACTORISED = Factorised()
SLOW_RATE, SLOW_ITERATIONS = 1e-3, 2
"""A contraction slower than this after more than two iterations is worth a new kernel."""

RESTING_STEP = 1e-200


class RadauMemory(NamedTuple):
    """The last collocation polynomial (from `start`, over `last_step`), and the linearisation with its age.

    `K` and the factors belong to `theta` and `factored_step`; `rebuild` asks for a new kernel, `retry` says that the
    last attempt failed. `last_step` = 0: no step yet.
    """

    polynomial: Array
    start: Array
    last_step: Array
    last_error: Array
    theta: Array
    K: Any
    factors: Any
    factored_step: Array
    rebuild: Array
    retry: Array


@final
@dataclass(frozen=True)
class Radau(AbstractIntegrator):
    """Collocation at the Radau points, stiffly accurate and L-stable, order 5, error estimate of order 3.

    Kernel and factorisations are kept while Newton contracts well and the step size holds; `systems` says how they are
    made and used.

    **Source**: Hairer and Wanner, Solving Ordinary Differential Equations II, section IV.8; the low-rank solves use
    the Woodbury identity, so that a step costs O(N^3 + N P).
    """

    name: ClassVar[str] = "radau"  # type: ignore[misc]
    systems: AbstractShiftedSystems = FACTORISED

    def memory(self, theta: Array, samples: int) -> RadauMemory:
        """Nothing known yet: zero step sizes, and a kernel to be built."""
        K, factors = self.systems.nothing(samples)
        nought = np.float64(0.0)
        polynomial = np.zeros((3, theta.size))
        return RadauMemory(polynomial, theta, nought, nought, theta, K, factors, nought, np.True_, np.False_)

    def rest(self, state: FlowState) -> FlowState:
        """No kernel, no factors, and a step so small that the first Newton iteration is the last."""
        step = jnp.float64(RESTING_STEP)
        memory = state.memory._replace(rebuild=jnp.bool_(False), factored_step=step)
        return state._replace(time=jnp.float64(0.0), step=step, memory=memory)

    def interpolate(self, state: FlowState, time: Array) -> Array:
        """The collocation polynomial, order 3 inside a step, x = 1 at its end."""
        memory: RadauMemory = state.memory
        x = 1.0 + (time - state.time) / memory.last_step
        q = memory.polynomial
        return memory.start + x * (q[0] + x * (q[1] + x * q[2]))

    def attempt(
        self, model: AbstractModel, loss: AbstractLoss, problem: Problem, controls: Controls, state: FlowState
    ) -> Attempt:
        """One step: kernel, factors, stages, error estimate, and what to do next."""
        memory: RadauMemory = state.memory
        whole, model = model, branch_of(model, state.kinks)
        step = clip_to_end(state, controls)
        linearisation, K = self._linearise(model, problem, memory, state.theta, step)
        guess = _guess(memory, step.size)
        stages = collocate(model, loss, problem, controls, self.systems, linearisation, state.theta, step.size, guess)
        theta = state.theta + stages.Z[2]
        slope, residual = velocity(model, loss, problem, theta)
        relative_residual = jnp.sqrt((residual * residual).sum()) / problem.y_norm
        retry = memory.retry & stages.converged
        error = self._error(model, loss, problem, controls, linearisation, state, step, stages.Z, retry)
        accepted = stages.converged & (error <= 1.0) & jnp.isfinite(relative_residual)

        safety = 0.9 * (2 * MAX_ITERATIONS + 1) / (2 * MAX_ITERATIONS + stages.iterations)
        factor_ = growth(error, step.size, memory.last_error, memory.last_step, safety)
        slow = (stages.iterations > SLOW_ITERATIONS) & (stages.rate > SLOW_RATE)
        hold = accepted & ~slow & (factor_ >= 1.0) & (factor_ < HOLD_BELOW)
        # Newton that fails with an old kernel deserves a new one before a shorter step.
        after_failure = jnp.where(memory.rebuild, 0.5, 1.0)
        estimated = stages.converged & jnp.isfinite(error)
        changed = rounded_down(step.size * jnp.where(estimated, factor_, after_failure))
        next_step = jnp.where(hold, step.size, changed)

        kept = memory._replace(
            theta=linearisation.theta,
            K=K,
            factors=linearisation.factors,
            factored_step=step.size,
            rebuild=~estimated & ~memory.rebuild,
            retry=stages.converged | memory.retry,
        )
        attempt = Attempt(
            accepted=accepted,
            last=step.last,
            time=step.end,
            theta=theta,
            slope=slope,
            relative_residual=relative_residual,
            step=step.size,
            next_step=next_step,
            stiffness=self.systems.trace(K),
            finite=stages.finite & jnp.isfinite(error) & jnp.isfinite(relative_residual),
            iterations=stages.iterations,
            kernels=memory.rebuild.astype(np.int64),
            memory=kept._replace(
                polynomial=combine(TO_POLYNOMIAL, stages.Z),
                start=state.theta,
                last_step=step.size,
                last_error=error,
                rebuild=slow,
                retry=jnp.bool_(False),
            ),
            memory_if_rejected=kept,
            kinks=state.kinks,
        )
        return watch(whole, loss, problem, controls, state, attempt)

    def _linearise(
        self, model: AbstractModel, problem: Problem, memory: RadauMemory, theta: Array, step: Step
    ) -> tuple[Linearisation, Any]:
        """Kernel and factors, new only where the last attempt asked for it or the step size changed."""
        old = (memory.K, memory.theta)

        def build(X: Any, theta: Array, old: tuple[Any, Array]) -> tuple[Any, Array]:
            return self.systems.kernel(model, theta, X), theta

        K, where = lane_cond(memory.rebuild, build, lambda X, theta, old: old, problem.X, theta, old)

        def decompose(K: Any, size: Array, samples: Array, old: Any) -> Any:
            return self.systems.factor(K, SHIFT_REAL / size, SHIFT_COMPLEX / size, samples)

        changed = memory.rebuild | (step.size != memory.factored_step)
        factors = lane_cond(
            changed, decompose, lambda K, size, samples, old: old, K, step.size, problem.samples, memory.factors
        )
        return Linearisation(where, factors), K

    def _error(
        self,
        model: AbstractModel,
        loss: AbstractLoss,
        problem: Problem,
        controls: Controls,
        linearisation: Linearisation,
        state: FlowState,
        step: Step,
        Z: Array,
        retry: Array,
    ) -> Array:
        """Embedded error over tolerance, root mean square; filtered by the Jacobian, twice after a rejection.

        The filter (c I + J^T J/N)^-1 keeps the estimate bounded in stiff components; the second one also removes the
        transient of an initial value off the slow manifold.
        """
        theta, X = state.theta, problem.X
        scale = controls.atol + controls.rtol * jnp.maximum(abs(theta), abs(theta + Z[2]))
        increment = combine(ERROR_WEIGHTS, Z)[0] / step.size

        def filtered(now: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            error, _, passes = now
            slope = lax.cond(passes == 0, lambda: state.slope, lambda: velocity(model, loss, problem, theta + error)[0])
            v = slope + increment
            s = self.systems.solve_real(model, X, linearisation, model.jvp(linearisation.theta, X, v))
            error = (v - model.vjp(linearisation.theta, X, s)) * (step.size / SHIFT_REAL)
            return error, jnp.sqrt(((error / scale) ** 2).sum() / problem.parameters), passes + 1

        def again(now: tuple[Array, Array, Array]) -> Array:
            _, size, passes = now
            return (passes == 0) | (retry & (passes == 1) & (size > 1.0))

        return lax.while_loop(again, filtered, (jnp.zeros_like(theta), jnp.float64(0.0), jnp.int64(0)))[1]


def _guess(memory: RadauMemory, step: Array) -> Array:
    """The last collocation polynomial continued to the new stages; zero before the first step. **Shape**: (3, P)."""
    known = memory.last_step > 0
    x = 1.0 + jnp.where(known, step / jnp.where(known, memory.last_step, 1.0), 0.0) * NODES
    q = memory.polynomial
    return (x - 1)[:, None] * q[0] + (x**2 - 1)[:, None] * q[1] + (x**3 - 1)[:, None] * q[2]
