"""The same systems by conjugate gradients, where N is so large that factorising K = J J^T stops paying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from initshape.flows.shifted import AbstractShiftedSystems, Linearisation
from initshape.models import AbstractModel, Array

ITERATIVE_FROM = 4096
"""Samples from which a few dozen products with J and J^T cost less than forming and factorising K."""
RANK, TOGETHER = 32, 4
"""Eigenvectors in the preconditioner, and how many products with K are taken at once to find them."""
EPSILON = float(np.finfo(np.float64).eps)
TOLERANCE, MOST = 1e-6, 200
"""Relative residual of a solve, well below the contraction that Newton is judged by; iterations at most."""


class Sketch(NamedTuple):
    """K ~ U diag(values) U^T, its largest eigenvalues, and tr K. **Shape**: U (N, r), values (r,), trace ()."""

    vectors: Array
    values: Array
    trace: Array


class Shifts(NamedTuple):
    """A sketch with a N and c N."""

    sketch: Sketch
    shifts: Array


@final
@dataclass(frozen=True)
class Iterated(AbstractShiftedSystems):
    """Both systems at once by conjugate gradients with the bilinear form x^T y, preconditioned by a sketch of K.

    K is never formed: memory is O(N r + P), an iteration O(N d). A few outlying eigenvalues (the directions that have
    been learned) are what conjugate gradients would spend their iterations on; the sketch removes them.

    **Source**: van der Vorst and Melissen 1990 (COCG for complex symmetric systems); Frangella, Tropp and Udell 2023
    (Nystrom preconditioning).
    """

    rank: int = RANK

    def nothing(self, samples: int) -> tuple[Any, Any]:
        rank = min(self.rank, samples)
        sketch = Sketch(np.zeros((samples, rank)), np.zeros(rank), np.float64(0.0))
        return sketch, Shifts(sketch, np.zeros(2, dtype=np.complex128))

    def kernel(self, model: AbstractModel, theta: Array, X: Any) -> Any:
        """Randomised Nystrom approximation from min(rank, N) products with K; the test matrix is always the same."""
        samples = model.outputs(theta, X).shape[-1]
        rank = min(self.rank, samples)
        probes = jnp.linalg.qr(jax.random.normal(jax.random.key(0), (samples, rank)))[0]
        padded = jnp.pad(probes.T, ((0, -rank % TOGETHER), (0, 0))).reshape(-1, TOGETHER, samples)
        moved = lax.map(lambda z: model.jvp(theta, X, model.vjp(theta, X, z)), padded)
        moved = moved.reshape(-1, samples)[:rank].T
        small = EPSILON * jnp.linalg.norm(moved)
        shifted = moved + small * probes
        core = jnp.linalg.cholesky(probes.T @ shifted)
        root = lax.linalg.triangular_solve(core, shifted, left_side=False, lower=True, transpose_a=True)
        vectors, singular, _ = jnp.linalg.svd(root, full_matrices=False)
        trace = (probes * moved).sum() * (samples / rank)  # of a random subspace: r/N of the whole, on average
        return Sketch(vectors, jnp.maximum(singular**2 - small, 0.0), trace)

    def factor(self, kernel: Any, real: Array, complex_: Array, samples: Array) -> Any:
        return Shifts(kernel, jnp.stack([real + 0j, complex_]) * samples)

    def solve_real(self, model: AbstractModel, X: Any, at: Linearisation, b: Array) -> Array:
        return self._solve(model, X, at, jnp.stack([b + 0j, jnp.zeros_like(b) + 0j]))[0].real

    def solve_modes(self, model: AbstractModel, X: Any, at: Linearisation, b: Array) -> Array:
        x = self._solve(model, X, at, jnp.stack([b[0] + 0j, b[1] + 1j * b[2]]))
        return jnp.stack([x[0].real, x[1].real, x[1].imag])

    def trace(self, kernel: Any) -> Array:
        return kernel.trace

    def _solve(self, model: AbstractModel, X: Any, at: Linearisation, b: Array) -> Array:
        """Row by row (shift_k + K) x_k = b_k; what does not converge is left to Newton to notice. (2, N)."""
        (vectors, values, _), shifts = at.factors

        def matrix(p: Array) -> Array:
            parts = jnp.stack([p[0].real, p[1].real, p[1].imag])
            moved = model.jvp(at.theta, X, model.vjp(at.theta, X, parts))
            return shifts[:, None] * p + jnp.stack([moved[0] + 0j, moved[1] + 1j * moved[2]])

        weights = (values.min() + shifts[:, None]) / (values + shifts[:, None]) - 1.0

        def precondition(r: Array) -> Array:
            return r + ((r @ vectors) * weights) @ vectors.T

        limit = TOLERANCE * jnp.linalg.norm(b, axis=1)

        def going(now: tuple[Array, ...]) -> Array:
            _, r, _, _, count = now
            return (jnp.linalg.norm(r, axis=1) > limit).any() & (count < MOST)

        def iterate(now: tuple[Array, ...]) -> tuple[Array, ...]:
            x, r, p, rho, count = now
            q = matrix(p)
            step = _ratio(rho, (p * q).sum(1))
            x, r = x + step[:, None] * p, r - step[:, None] * q
            z = precondition(r)
            following = (r * z).sum(1)
            return x, r, z + _ratio(following, rho)[:, None] * p, following, count + 1

        z = precondition(b)
        start = (jnp.zeros_like(b), b, z, (b * z).sum(1), jnp.int64(0))
        return lax.while_loop(going, iterate, start)[0]


def _ratio(above: Array, below: Array) -> Array:
    """above / below, and 0 for a system that is solved already."""
    solved = below == 0.0
    return jnp.where(solved, 0.0, above / jnp.where(solved, 1.0, below))
