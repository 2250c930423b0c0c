"""Linear systems with a shifted Gauss-Newton matrix, solved in the N dimensions of the samples."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from initshape.models import Array


class Factors(NamedTuple):
    """Factorisations of a N I + K (real a: Cholesky) and c N I + K (complex c: LU). **Shape**: (N, N), (N,)."""

    cholesky: Array
    lu: Array
    permutation: Array


def factor(K: Array, real: Array, complex_: Array, samples: Array) -> Factors:
    """Factors for the shifts `real` > 0 and `complex_`; K is the tangent kernel J J^T, `samples` the true N.

    Zero rows of padded samples leave a N on the diagonal, which is harmless.
    """
    identity = jnp.eye(K.shape[0])
    cholesky = lax.linalg.cholesky(K + (real * samples) * identity, symmetrize_input=False)
    lu, _, permutation = lax.linalg.lu(K + (complex_ * samples) * identity)
    return Factors(cholesky, lu, permutation)


def solve_real(factors: Factors, b: Array) -> Array:
    """(a N I + K)^{-1} b. **Shape**: (N,)."""
    half = _triangular(factors.cholesky, b, lower=True)
    return _triangular(factors.cholesky, half, lower=True, transpose=True)


def solve_complex(factors: Factors, b: Array) -> Array:
    """(c N I + K)^{-1} b. **Shape**: (N,), complex."""
    half = _triangular(factors.lu, b[factors.permutation], lower=True, unit=True)
    return _triangular(factors.lu, half, lower=False)


def _triangular(matrix: Array, b: Array, *, lower: bool, transpose: bool = False, unit: bool = False) -> Array:
    column = lax.linalg.triangular_solve(
        matrix, b[:, None], left_side=True, lower=lower, transpose_a=transpose, unit_diagonal=unit
    )
    return column[:, 0]
