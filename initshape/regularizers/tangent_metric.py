"""The metric M0 = J0 J0^T of predictors at initialization: a multiple of the identity and a few directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import qr, svd

from initshape.models import linear_layers
from initshape.regularizers.base import Array


@dataclass(frozen=True, eq=False)
class TangentMetric:
    """M0 = sigma^2 (I - V^T V) + V^T diag(roots^2) V, J0 = dw/dtheta of a chain of weight matrices at theta(0).

    With r_l the row W_L ... W_{l+1} and F_l = W_l ... W_1, M0 = ||r_1||^2 I + sum_{l >= 2} ||r_l||^2 F_{l-1}^T F_{l-1}.
    No d x d matrix is formed, and nothing is squared before it is decomposed.

    **Shape**: directions V (k, d) orthonormal, k <= width; roots (k,) > 0.
    """

    sigma: float
    directions: Array
    roots: Array

    @classmethod
    def of(cls, layers: Sequence[Array]) -> Self:
        """From W_1 ... W_L, the last a row."""
        rows = linear_layers.rows_above(layers)
        sigma = float(np.linalg.norm(rows[1]))
        basis, factor = qr(layers[0].T, mode="economic", check_finite=False)
        features, parts = factor.T, []
        for row, W in zip([*rows[2:], np.ones(1)], layers[1:], strict=True):
            parts.append(float(np.linalg.norm(row)) * features)
            features = W @ features
        _, sizes, right = svd(np.concatenate(parts), full_matrices=False, check_finite=False)
        roots = np.hypot(sigma, sizes)
        moving = sizes > np.finfo(np.float64).eps * (sizes[0] if sizes.size else 0.0)
        return cls(sigma=sigma, directions=(right @ basis.T)[moving], roots=roots[moving])

    @property
    def frozen(self) -> int:
        """Number of directions in which w does not move to first order."""
        return self.directions.shape[1] - len(self.roots) if self.sigma == 0.0 else 0

    def root(self, v: Array) -> Array:
        """M0^(1/2) v. **Shape**: (..., d)."""
        along = v @ self.directions.T
        return np.asarray(self.sigma * v + ((self.roots - self.sigma) * along) @ self.directions)

    def apply(self, v: Array) -> Array:
        """M0 v."""
        return self.root(self.root(v))

    def inverse(self, v: Array) -> Array:
        """M0^+ v."""
        along, across = self._parts(v)
        inside = (along / self.roots / self.roots) @ self.directions
        return np.asarray(inside if self.sigma == 0.0 else inside + across / self.sigma / self.sigma)

    def across(self, v: Array) -> Array:
        """The part of v in which w does not move; zero unless sigma = 0."""
        return self._parts(v)[1] if self.sigma == 0.0 else np.zeros_like(v)

    def _parts(self, v: Array) -> tuple[Array, Array]:
        """Coordinates along the directions, and what is left; projected twice."""
        along = v @ self.directions.T
        across = v - along @ self.directions
        correction = across @ self.directions.T
        return along + correction, across - correction @ self.directions
