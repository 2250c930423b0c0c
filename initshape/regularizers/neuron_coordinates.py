"""A single neuron's flow in as few coordinates as the data leave it: the scalars, and its weights along the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from initshape.regularizers.base import Array
from initshape.regularizers.kkt import row_space


@dataclass(frozen=True, eq=False)
class NeuronCoordinates:
    """u = u(0) + X^T mu never leaves `across` + span of the rows of X, so c, the part along them, is all that moves.

    `along` = c(0) in an orthonormal basis of that span whose first vector is X^T y/||X^T y||; `gram` = A^T A and
    `pull` = ||A^T y|| for A = X basis^T, so that A^T r = pull e_1 - phi gram c. `scalars` = a_1(0) ... a_k(0).

    **Shape**: scalars (k,), along (rank,), across (d,), gram (rank, rank).
    """

    scalars: Array
    along: Array
    across: Array
    gram: Array
    pull: float

    @classmethod
    def of(cls, scalars: Array, weights: Array, X: Array, y: Array) -> Self:
        """From the initial scalars and weights u(0). **Shape**: X (N, d), y (N,)."""
        basis = row_space(X)
        A = X @ basis.T
        pull = A.T @ y
        size = float(np.linalg.norm(pull))
        if size > 0.0:
            basis = _with_first(basis, pull / size)
            A = X @ basis.T
        along = basis @ weights
        across = weights - along @ basis
        correction = basis @ across
        across = across - correction @ basis
        return cls(scalars=scalars, along=along + correction, across=across, gram=A.T @ A, pull=size)

    def in_units(self) -> Self:
        """The same flow with layers measured by a power of two near the largest, so that products stay in range."""
        largest = max(float(np.linalg.norm(self.along)), float(np.max(np.abs(self.scalars))))
        exponent = int(np.frexp(largest)[1])
        return replace(
            self,
            scalars=np.ldexp(self.scalars, -exponent),
            along=np.ldexp(self.along, -exponent),
            across=np.ldexp(self.across, -exponent),
            pull=float(np.ldexp(self.pull, -exponent * (len(self.scalars) + 1))),
        )

    @property
    def product(self) -> float:
        """phi(0)."""
        return float(np.prod(self.scalars))

    @property
    def margins(self) -> Array:
        """b_j = a_j^2 - ||c||^2, conserved, too. **Shape**: (k,).

        Equal to a_j^2 - ||u||^2 + ||across||^2, which holds its digits where both terms are positive.
        """
        a, size = np.abs(self.scalars), float(np.linalg.norm(self.along))
        total = np.hypot(size, np.linalg.norm(self.across))
        balance = (a - total) * (a + total)
        return np.where(balance >= 0.0, balance + self.across @ self.across, (a - size) * (a + size))


def loss_gap(phi: float, c: Array, gram: Array, pull: float) -> float:
    """||r||^2 - ||y||^2 at r = y - phi A c, in digits of its own: negative once phi can no longer pass through zero."""
    return float(phi * (phi * (c @ gram @ c) - 2.0 * pull * c[0]))


def _with_first(basis: Array, first: Array) -> Array:
    """The basis reflected so that its first vector is the unit vector with these coordinates (Householder)."""
    normal = first.copy()
    normal[0] += 1.0 if first[0] >= 0.0 else -1.0
    reflected = basis - np.outer(normal * (2.0 / (normal @ normal)), normal @ basis)
    return np.asarray(reflected if first[0] < 0.0 else np.vstack([-reflected[:1], reflected[1:]]))
