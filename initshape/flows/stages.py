"""Simplified Newton iteration for the three collocation stages of a Radau step, for any velocity and linear solver."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from initshape.flows.tableau import FROM_MODES, SHIFT_COMPLEX, SHIFT_REAL, TO_MODES, combine
from initshape.models import Array

MAX_ITERATIONS = 6
TINY = 1e-3
_GOING, _CONVERGED, _FAILED = 0, 1, 2


class Stages(NamedTuple):
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


def solve_stages(
    velocity: Callable[[Array], Array],
    solve: Callable[[Array], Array],
    theta: Array,
    step: Array,
    guess: Array,
    scale: Array,
    tolerance: Array,
    parameters: Array,
) -> Stages:
    """Solves Z = h A F(theta + Z), F = `velocity`, from `guess`, to `tolerance` times the error `scale`.

    `solve` maps the defects of the real mode and of real and imaginary part of the complex mode, (3, P), to their
    Newton changes. Stops when the contraction promises an error below the tolerance, or that it will not get there.

    **Source**: Hairer and Wanner, Solving Ordinary Differential Equations II, section IV.8.
    """
    real, cplx = SHIFT_REAL / step, SHIFT_COMPLEX / step

    def iterate(now: _Iteration) -> _Iteration:
        F = combine(TO_MODES, velocity(theta + now.Z))
        W = now.W
        defect = jnp.stack(
            [
                F[0] - real * W[0],
                F[1] - (cplx.real * W[1] - cplx.imag * W[2]),
                F[2] - (cplx.real * W[2] + cplx.imag * W[1]),
            ]
        )
        change = solve(defect)
        size = jnp.sqrt(((change / scale) ** 2).sum() / (3 * parameters))
        later = now.count > 0
        rate = jnp.where(later, size / now.size, 0.0)
        left = rate / (1 - rate) * size
        hopeless = (rate >= 1) | (rate ** (MAX_ITERATIONS - 1 - now.count) * left > tolerance)
        # Far below the tolerance the ratio of two changes is rounding, and says nothing of the contraction.
        tiny = size <= TINY * tolerance
        failed = ~jnp.isfinite(size) | (later & hopeless & ~tiny)
        converged = ~failed & (tiny | (later & (left < tolerance)))
        status = jnp.where(failed, _FAILED, jnp.where(converged, _CONVERGED, _GOING))
        return _Iteration(W + change, combine(FROM_MODES, W + change), now.count + 1, size, rate, status)

    start = _Iteration(
        combine(TO_MODES, guess), guess, jnp.int64(0), jnp.float64(1.0), jnp.float64(0.0), jnp.int64(_GOING)
    )
    end = lax.while_loop(lambda now: (now.status == _GOING) & (now.count < MAX_ITERATIONS), iterate, start)
    return Stages(end.Z, end.status == _CONVERGED, end.count, end.rate, jnp.isfinite(end.size))
