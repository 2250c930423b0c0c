"""A design matrix beyond the caches of a core: one memory layout, products that read it in pieces."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax

from initshape.models import Array

PIECE = 1024
"""Features a piece: one of X (100 samples, 0.8 MB) stays in a core's cache while X diag(m) X^T is summed."""
FEW = 4
"""Vectors up to which a product with X^T goes one by one; more of them go through one matrix product."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LargeDesign:
    """X (N, d) row by row; models use it as they use an array: `w @ X.T`, `z @ X`, `(X * m) @ X.T`.

    A transposed copy would cost as much memory as X and would be no faster once X comes from main memory (9.1 against
    10.9 ms for three vectors at N = 104, d = 102400); the sum over pieces is twice as fast as one product with a
    scaled copy of X (52 against 113 ms), and needs no such copy.
    """

    rows: Array

    @property
    def T(self) -> _Transposed:  # noqa: N802 - the name that arrays use
        """X^T; no copy."""
        return _Transposed(self.rows)

    def __rmatmul__(self, left: Array) -> Array:
        return left @ self.rows

    def __mul__(self, weights: Array) -> _Scaled:
        return _Scaled(self.rows, jnp.broadcast_to(weights, self.rows.shape[1:]))


@dataclass(frozen=True)
class _Transposed:
    """X^T, for products from the left."""

    rows: Array

    def __rmatmul__(self, left: Array) -> Array:
        if left.ndim == 1:
            return self.rows @ left
        if left.ndim == 2 and len(left) <= FEW:
            return jnp.stack([self.rows @ vector for vector in left])
        return left @ self.rows.T


@dataclass(frozen=True)
class _Scaled:
    """X diag(m), which is never formed."""

    rows: Array
    weights: Array

    def __matmul__(self, other: _Transposed) -> Array:
        """X diag(m) X^T, piece by piece, the upper triangle of blocks copied from the lower. **Shape**: (N, N)."""
        samples, features = self.rows.shape
        half = samples // 2
        lower = (jnp.zeros((half, half)), jnp.zeros((samples - half, samples)))

        def add(now: tuple[Array, Array], left: Array, right: Array, weights: Array) -> tuple[Array, Array]:
            scaled = left * weights
            return now[0] + scaled[:half] @ right[:half].T, now[1] + scaled[half:] @ right.T

        def piece(k: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            start = (0, k * PIECE)
            left = lax.dynamic_slice(self.rows, start, (samples, PIECE))
            right = left if other.rows is self.rows else lax.dynamic_slice(other.rows, start, (samples, PIECE))
            return add(now, left, right, lax.dynamic_slice(self.weights, start[1:], (PIECE,)))

        if whole := features // PIECE:
            lower = lax.fori_loop(0, whole, piece, lower)
        if rest := features - whole * PIECE:
            lower = add(lower, self.rows[:, -rest:], other.rows[:, -rest:], self.weights[-rest:])
        first, second = lower
        return jnp.block([[first, second[:, :half].T], [second]])
