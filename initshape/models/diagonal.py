"""Diagonal linear networks of any depth: w = prod_l u_l^+ - prod_l u_l^-, coordinate by coordinate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from typing import final

import numpy as np

from initshape.models.base import AbstractModel, Array


@final
@dataclass(frozen=True)
class Diagonal(AbstractModel):
    """Diagonal network of depth L >= 2 on d features.

    theta.reshape(2, L, d) holds [plus, minus] x layers x coordinates; P = 2 L d. With p_l = prod_{k != l} u_k, the
    Jacobian of w is diagonal in the coordinates, so that J J^T = X diag(m) X^T, m = sum_l (p_l^+)^2 + sum_l (p_l^-)^2.

    **Source**: Woodworth et al. 2020 (layers of one size); Azulay et al. 2021, section 4 (L = 2).
    """

    depth: int
    dimension: int

    def __post_init__(self) -> None:
        if self.depth < 2 or self.dimension < 1:
            raise ValueError("a diagonal network needs depth >= 2 and dimension >= 1")

    @property
    def degree(self) -> int:
        """L, the number of layers."""
        return self.depth

    @property
    def size(self) -> int:
        """P = 2 L d."""
        return 2 * self.depth * self.dimension

    def layers(self, theta: Array) -> Array:
        """theta as [plus, minus] x layers x coordinates. **Shape**: (..., 2, L, d)."""
        return theta.reshape(*theta.shape[:-1], 2, self.depth, self.dimension)

    def predictor(self, theta: Array) -> Array:
        """w = prod_l u_l^+ - prod_l u_l^-."""
        layers = self.layers(theta)
        return _difference(reduce(mul, (layers[..., k, :] for k in range(self.depth))))

    def outputs(self, theta: Array, X: Array) -> Array:
        """X w."""
        return self.predictor(theta) @ X.T

    def jvp(self, theta: Array, X: Array, v: Array) -> Array:
        """X dw with dw = sum_l p_l^+ v_l^+ - sum_l p_l^- v_l^-."""
        others, changes = self._others(theta), self.layers(v)
        return _difference(reduce(add, (others[..., k, :] * changes[..., k, :] for k in range(self.depth)))) @ X.T

    def vjp(self, theta: Array, X: Array, z: Array) -> Array:
        """p_l^+ g on the plus branch and -p_l^- g on the minus branch, g = X^T z."""
        gradient, others = z @ X, self._others(theta)
        parts = [others[..., 0, k, :] * gradient for k in range(self.depth)]
        parts += [others[..., 1, k, :] * -gradient for k in range(self.depth)]
        return gradient.__array_namespace__().concat(parts, axis=-1)

    def kernel(self, theta: Array, X: Array) -> Array:
        """X diag(m) X^T."""
        return (X * self._metric(theta)) @ X.T

    def kernel_trace(self, theta: Array, X: Array) -> Array:
        """sum_i m_i ||x_i||^2."""
        return (X * X).sum(0) @ self._metric(theta)

    def invariants(self, theta: Array) -> Array:
        """u_l^2 - u_{l+1}^2 of both branches; at depth 2 also the products that tie the two branches together.

        Depth 2: u+v of the + branch and u-v of the - branch grow as e^R, the other two as e^-R (R = X^T nu), so the
        four products of one growing and one decaying factor are conserved. Differences of squares are products of
        sums, so the invariants of a balanced network are exact zeros. **Shape**: (..., 4d), else (..., 2(L-1)d).
        """
        layers = self.layers(theta)
        low, high = layers[..., :-1, :], layers[..., 1:, :]
        if self.depth > 2:
            within = (low - high) * (low + high)
            return within.reshape(*within.shape[:-3], -1)
        # [plus, minus] x [u+v, u-v]: their products along either axis.
        xp = theta.__array_namespace__()
        factors = xp.concat([low + high, low - high], axis=-2)
        return _products(factors)

    def invariant_scale(self, theta: Array) -> Array:
        """u_l^2 + u_{l+1}^2; at depth 2 (|u|+|v|)^2, and (|u+|+|v+|)(|u-|+|v-|) for the products across branches."""
        layers = self.layers(theta)
        low, high = layers[..., :-1, :], layers[..., 1:, :]
        if self.depth > 2:
            within = low * low + high * high
            return within.reshape(*within.shape[:-3], -1)
        xp = theta.__array_namespace__()
        sums = abs(low) + abs(high)
        return _products(xp.concat([sums, sums], axis=-2))

    def magnitude(self, theta: Array) -> Array:
        """|u_l|, but for the smallest layer of a branch the second smallest.

        u_l^2 - u_k^2 is conserved, so the smallest layer is y = c sinh(tau) with c of the order of the next one: a
        change of y matters relative to c, also where y passes through zero. Branches at rest (two zero layers) take
        the largest parameter, for want of a scale.
        """
        layers = np.abs(self.layers(np.asarray(theta)))
        scale = np.maximum(layers, np.sort(layers, axis=-2)[..., 1:2, :])
        return np.where(scale > 0.0, scale, layers.max(initial=0.0) or 1.0).reshape(-1)

    def pad(
        self, theta: Array, X: Array, y: Array, dimension: int, samples: int
    ) -> tuple[Diagonal, Array, Array, Array]:
        """Zero parameters and zero data in the new coordinates, zero rows for the new samples."""
        more_features, more_samples = dimension - self.dimension, samples - len(y)
        if more_features < 0 or more_samples < 0:
            raise ValueError("padding cannot shrink a problem")
        layers = np.pad(self.layers(np.asarray(theta)), ((0, 0), (0, 0), (0, more_features)))
        return (
            Diagonal(self.depth, dimension),
            layers.reshape(-1),
            np.pad(np.asarray(X), ((0, more_samples), (0, more_features))),
            np.pad(np.asarray(y), (0, more_samples)),
        )

    def unpad(self, theta: Array) -> Array:
        """The first d coordinates of every layer."""
        padded = theta.reshape(*theta.shape[:-1], 2, self.depth, -1)
        return padded[..., : self.dimension].reshape(*theta.shape[:-1], self.size)

    def _metric(self, theta: Array) -> Array:
        """m = dw/dR, the diagonal of J_w J_w^T; a sum of squares, so nothing cancels. **Shape**: (..., d)."""
        return (self._others(theta) ** 2).sum((-3, -2))

    def _others(self, theta: Array) -> Array:
        """p_l, the product of all layers but l, without divisions. **Shape**: (..., 2, L, d)."""
        layers = self.layers(theta)
        if self.depth == 2:
            return layers[..., ::-1, :]
        before = [layers[..., 0, :]]
        after = [layers[..., -1, :]]
        for k in range(1, self.depth - 1):
            before.append(before[-1] * layers[..., k, :])
            after.append(after[-1] * layers[..., -1 - k, :])
        after.reverse()
        inner = [before[k - 1] * after[k] for k in range(1, self.depth - 1)]
        return theta.__array_namespace__().stack([after[0], *inner, before[-1]], axis=-2)


def _difference(branches: Array) -> Array:
    """Plus minus minus. **Shape**: (..., 2, d) -> (..., d)."""
    return branches[..., 0, :] - branches[..., 1, :]


def _products(factors: Array) -> Array:
    """f_00 f_01, f_10 f_11 and f_00 f_10, f_01 f_11 of factors [plus, minus] x [sum, difference], flat."""
    within = factors[..., 0, :] * factors[..., 1, :]
    across = factors[..., 0, :, :] * factors[..., 1, :, :]
    xp = factors.__array_namespace__()
    both = xp.concat([within, across], axis=-2)
    return both.reshape(*both.shape[:-2], -1)
