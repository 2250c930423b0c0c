"""Linear systems with the shifted Jacobian of the rescaled flow, solved in the N dimensions of the samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from initshape.flows.tableau import SHIFT_COMPLEX, SHIFT_REAL
from initshape.models import AbstractModel, Array


class Factors(NamedTuple):
    """LU of a I + K S for a real and for a complex shift a. **Shape**: (N, N), (N,)."""

    real: Array
    real_permutation: Array
    cplx: Array
    cplx_permutation: Array


class Linearisation(NamedTuple):
    """Where the Jacobian was taken: J at `theta`, S = diag D - q q^T and the kernel K = J J^T of the margins.

    The second derivative of the outputs by theta is left out: it slows the iteration, not the order.
    """

    theta: Array
    weights: Array
    curvature: Array
    K: Array


def factor(at: Linearisation, step: Array) -> Factors:
    """Factors for the two shifts of a Radau step.

    S is singular and, for the logistic loss, slightly indefinite, so the nonsymmetric form is used. Rows and columns
    of padded samples are zero but for the shift.
    """
    KS = at.K * at.curvature - (at.K @ at.weights)[:, None] * at.weights
    identity = jnp.eye(KS.shape[0])
    real, _, real_permutation = lax.linalg.lu(SHIFT_REAL / step * identity + KS)
    cplx, _, cplx_permutation = lax.linalg.lu(SHIFT_COMPLEX / step * identity + KS)
    return Factors(real, real_permutation, cplx, cplx_permutation)


def solve_real(model: AbstractModel, X: Any, y: Array, at: Linearisation, f: Factors, step: Array, v: Array) -> Array:
    """(a I + J^T S J)^{-1} v = (v - J^T S (a I + K S)^{-1} J v)/a, a = SHIFT_REAL/h. **Shape**: (P,)."""
    z = _apply(at, _solve(f.real, f.real_permutation, y * model.jvp(at.theta, X, v)))
    return (v - model.vjp(at.theta, X, y * z)) * (step / SHIFT_REAL)


def solve_modes(model: AbstractModel, X: Any, y: Array, at: Linearisation, f: Factors, step: Array, v: Array) -> Array:
    """The same for the real and the complex shift at once: v[0], and v[1] + i v[2]. **Shape**: (3, P)."""
    b = y * model.jvp(at.theta, X, v)
    real = _apply(at, _solve(f.real, f.real_permutation, b[0]))
    cplx = _apply(at, _solve(f.cplx, f.cplx_permutation, b[1] + 1j * b[2]))
    u = v - model.vjp(at.theta, X, y * jnp.stack([real, cplx.real, cplx.imag]))
    inverse = step / SHIFT_COMPLEX
    return jnp.stack(
        [
            u[0] * (step / SHIFT_REAL),
            u[1] * inverse.real - u[2] * inverse.imag,
            u[1] * inverse.imag + u[2] * inverse.real,
        ]
    )


def _apply(at: Linearisation, z: Array) -> Array:
    """S z."""
    return at.curvature * z - at.weights * (at.weights * z).sum(-1)


def _solve(lu: Array, permutation: Array, b: Array) -> Array:
    half = lax.linalg.triangular_solve(lu, b[permutation][:, None], left_side=True, lower=True, unit_diagonal=True)
    return lax.linalg.triangular_solve(lu, half, left_side=True, lower=False)[:, 0]
