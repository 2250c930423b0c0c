"""Linear systems with a shifted Gauss-Newton matrix, factorised in the N dimensions of the samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.shifted import AbstractShiftedSystems, Linearisation
from initshape.models import AbstractModel, Array


class Factors(NamedTuple):
    """Factorisations of a N I + K (real a: Cholesky) and c N I + K (complex c: LU). **Shape**: (N, N), (N,)."""

    cholesky: Array
    lu: Array
    permutation: Array


@final
@dataclass(frozen=True)
class Factorised(AbstractShiftedSystems):
    """K is formed, and each shift of it factorised: O(N^2 d) and O(N^3), and nothing is approximate.

    **Source**: the Woodbury identity, (c I + J^T J/N)^-1 = (I - J^T (c N I + J J^T)^-1 J)/c.
    """

    def nothing(self, samples: int) -> tuple[Any, Any]:
        square = np.zeros((samples, samples))
        return square, Factors(square, square.astype(np.complex128), np.zeros(samples, dtype=np.int32))

    def kernel(self, model: AbstractModel, theta: Array, X: Any) -> Any:
        return model.kernel(theta, X)

    def factor(self, kernel: Any, real: Array, complex_: Array, samples: Array) -> Any:
        """Zero rows of padded samples leave a N on the diagonal, which is harmless."""
        identity = jnp.eye(kernel.shape[0])
        cholesky = lax.linalg.cholesky(kernel + (real * samples) * identity, symmetrize_input=False)
        lu, _, permutation = lax.linalg.lu(kernel + (complex_ * samples) * identity)
        return Factors(cholesky, lu, permutation)

    def solve_real(self, model: AbstractModel, X: Any, at: Linearisation, b: Array) -> Array:
        half = _triangular(at.factors.cholesky, b, lower=True)
        return _triangular(at.factors.cholesky, half, lower=True, transpose=True)

    def solve_modes(self, model: AbstractModel, X: Any, at: Linearisation, b: Array) -> Array:
        real = self.solve_real(model, X, at, b[0])
        half = _triangular(at.factors.lu, (b[1] + 1j * b[2])[at.factors.permutation], lower=True, unit=True)
        cplx = _triangular(at.factors.lu, half, lower=False)
        return jnp.stack([real, cplx.real, cplx.imag])

    def trace(self, kernel: Any) -> Array:
        return jnp.trace(kernel)


def _triangular(matrix: Array, b: Array, *, lower: bool, transpose: bool = False, unit: bool = False) -> Array:
    column = lax.linalg.triangular_solve(
        matrix, b[:, None], left_side=True, lower=lower, transpose_a=transpose, unit_diagonal=unit
    )
    return column[:, 0]
