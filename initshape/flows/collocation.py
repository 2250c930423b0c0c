"""Simplified Newton iteration for the three collocation stages of a Radau step."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.loss import AbstractLoss
from initshape.flows.shifted import AbstractShiftedSystems, Linearisation
from initshape.flows.state import Controls, Problem
from initshape.flows.tableau import FROM_MODES, SHIFT_COMPLEX, SHIFT_REAL, TO_MODES, combine
from initshape.models import AbstractModel, Array

MAX_ITERATIONS = 6
_EPSILON = float(np.finfo(np.float64).eps)
_GOING, _CONVERGED, _FAILED = 0, 1, 2


class Collocation(NamedTuple):
    """Stage increments Z_i = theta(t + c_i h) - theta(t), **Shape** (3, P), and how the iteration went."""

    Z: Array
    converged: Array
    iterations: Array
    rate: Array
    finite: Array


class _Iteration(NamedTuple):
    W: Array
    Z: Array
    count: Array
    size: Array
    rate: Array
    status: Array


def velocity(model: AbstractModel, loss: AbstractLoss, problem: Problem, theta: Array) -> tuple[Array, Array]:
    """theta' = J^T r / N and the residual r. **Shape**: theta (..., P) -> (..., P), (..., N)."""
    residual = loss.residual(model.outputs(theta, problem.X), problem.y)
    return model.vjp(theta, problem.X, residual) / problem.samples, residual


def collocate(
    model: AbstractModel,
    loss: AbstractLoss,
    problem: Problem,
    controls: Controls,
    systems: AbstractShiftedSystems,
    linearisation: Linearisation,
    theta: Array,
    step: Array,
    guess: Array,
) -> Collocation:
    """Solves Z = h A F(theta + Z) to a small fraction of the error tolerance, from `guess`.

    The missing second-order part of the Jacobian slows the iteration only: the order of the method stays. Stops when
    the contraction promises an error below kappa (Hairer and Wanner IV.8), or that it will not get there.
    """
    X = problem.X
    scale = controls.atol + controls.rtol * abs(theta)
    kappa = jnp.maximum(10 * _EPSILON / controls.rtol, jnp.minimum(0.03, jnp.sqrt(controls.rtol)))
    real, cplx = SHIFT_REAL / step, SHIFT_COMPLEX / step
    inverse = 1.0 / cplx

    def iterate(now: _Iteration) -> _Iteration:
        F = combine(TO_MODES, velocity(model, loss, problem, theta + now.Z)[0])
        W = now.W
        defect = jnp.stack(
            [
                F[0] - real * W[0],
                F[1] - (cplx.real * W[1] - cplx.imag * W[2]),
                F[2] - (cplx.real * W[2] + cplx.imag * W[1]),
            ]
        )
        # (c I + J^T J/N)^-1 v = (v - J^T (c N I + J J^T)^-1 J v) / c, for both shifts at once.
        b = model.jvp(linearisation.theta, X, defect)
        u = defect - model.vjp(linearisation.theta, X, systems.solve_modes(model, X, linearisation, b))
        change = jnp.stack(
            [u[0] / real, u[1] * inverse.real - u[2] * inverse.imag, u[1] * inverse.imag + u[2] * inverse.real]
        )
        size = jnp.sqrt(((change / scale) ** 2).sum() / (3 * problem.parameters))
        later = now.count > 0
        rate = jnp.where(later, size / now.size, 0.0)
        left = rate / (1 - rate) * size
        hopeless = (rate >= 1) | (rate ** (MAX_ITERATIONS - 1 - now.count) * left > kappa)
        failed = ~jnp.isfinite(size) | (later & hopeless)
        converged = ~failed & ((size == 0) | (later & (left < kappa)))
        status = jnp.where(failed, _FAILED, jnp.where(converged, _CONVERGED, _GOING))
        return _Iteration(W + change, combine(FROM_MODES, W + change), now.count + 1, size, rate, status)

    start = _Iteration(
        combine(TO_MODES, guess), guess, jnp.int64(0), jnp.float64(1.0), jnp.float64(0.0), jnp.int64(_GOING)
    )
    end = lax.while_loop(lambda now: (now.status == _GOING) & (now.count < MAX_ITERATIONS), iterate, start)
    return Collocation(end.Z, end.status == _CONVERGED, end.count, end.rate, jnp.isfinite(end.size))
