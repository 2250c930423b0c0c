"""Fully connected networks with scalar output: f = W_L act(W_{L-1} ... act(W_1 x)), no biases."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np

from initshape.models import linear_layers, rectified_layers
from initshape.models.base import AbstractModel, Array, NotLinearError

NEGATIVE_SLOPES = {"identity": 1.0, "relu": 0.0, "leaky_relu": 0.01}
"""Slope of each activation at and below zero; above zero it is 1."""

WIDEST_MATRIX_INVARIANTS = 64
"""Networks wider than this report the diagonals of their conserved matrices only: the matrices outgrow theta."""


@final
@dataclass(frozen=True)
class FullyConnected(AbstractModel):
    """Fully connected network of depth L >= 2, the same width m in every hidden layer, on d features.

    theta is W_1 (m x d), W_2 ... W_{L-1} (m x m), W_L (1 x m), each row by row, one after the other. The slope of
    relu and leaky_relu at a kink is that of the negative side: 0 and 0.01. A gradient flow of the square loss takes
    from Clarke's subdifferential what holds a unit at its kink instead, where both sides push it there.

    **Source**: Azulay et al. 2021; the conserved W_{l+1}^T W_{l+1} - W_l W_l^T are from Arora, Cohen and Hazan 2018,
    their diagonals under relu from Du, Hu and Lee 2018.
    """

    depth: int
    width: int
    dimension: int
    activation: str = "identity"

    def __post_init__(self) -> None:
        if self.depth < 2 or self.width < 1 or self.dimension < 1:
            raise ValueError("a fully connected network needs depth >= 2, width >= 1 and dimension >= 1")
        if self.activation not in NEGATIVE_SLOPES:
            raise ValueError(f"unknown activation {self.activation!r}; known: {', '.join(NEGATIVE_SLOPES)}")

    @property
    def linear(self) -> bool:
        """Whether the network is linear in x: the identity activation."""
        return self.activation == "identity"

    @property
    def negative_slope(self) -> float:
        """Slope of the activation at and below zero."""
        return NEGATIVE_SLOPES[self.activation]

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(m_l, m_{l-1}) of every layer, first to last."""
        sizes = (self.dimension, *[self.width] * (self.depth - 1), 1)
        return tuple((rows, columns) for columns, rows in pairwise(sizes))

    @property
    def degree(self) -> int:
        """L, with (leaky) ReLU too: they are homogeneous of degree one."""
        return self.depth

    @property
    def size(self) -> int:
        """P = m d + (L - 2) m^2 + m."""
        return sum(rows * columns for rows, columns in self.shapes)

    def layers(self, theta: Array) -> list[Array]:
        """W_1 ... W_L. **Shape**: each (..., m_l, m_{l-1})."""
        found, begin = [], 0
        for rows, columns in self.shapes:
            end = begin + rows * columns
            found.append(theta[..., begin:end].reshape(*theta.shape[:-1], rows, columns))
            begin = end
        return found

    def predictor(self, theta: Array) -> Array:
        """w = W_L ... W_1. **Errors**: NotLinearError with an activation other than the identity."""
        if not self.linear:
            raise NotLinearError(f"a {self.activation} network is not linear in x: it has outputs, but no predictor w")
        return linear_layers.predictor(self.layers(theta))

    def outputs(self, theta: Array, X: Array) -> Array:
        """f(x_n); X w where the network is linear."""
        if self.linear:
            return self.predictor(theta) @ X.T
        return rectified_layers.forward(self.layers(theta), X, self.negative_slope).outputs

    def jvp(self, theta: Array, X: Array, v: Array) -> Array:
        """J v by tangents through the layers."""
        layers, changes = self.layers(theta), self.layers(v)
        if self.linear:
            return linear_layers.predictor_change(layers, changes) @ X.T
        return rectified_layers.output_change(layers, changes, X, self.negative_slope)

    def vjp(self, theta: Array, X: Array, z: Array) -> Array:
        """J^T z by back-propagation."""
        layers = self.layers(theta)
        if self.linear:
            found = linear_layers.gradients(layers, z @ X)
        else:
            found = rectified_layers.gradients(layers, X, z, self.negative_slope)
        return theta.__array_namespace__().concat([_flat(gradient) for gradient in found], axis=-1)

    def kernel(self, theta: Array, X: Array) -> Array:
        """J J^T from the signals of each layer; no Jacobian of size N x P is formed."""
        layers = self.layers(theta)
        if self.linear:
            return linear_layers.kernel(layers, X)
        return rectified_layers.kernel(layers, X, self.negative_slope)

    def invariants(self, theta: Array) -> Array:
        """W_{l+1}^T W_{l+1} - W_l W_l^T for l = 1 ... L - 1; the diagonals only for relu and for wide networks.

        **Shape**: (..., (L - 1) m^2), else (..., (L - 1) m).
        """
        pairs = pairwise(self.layers(theta))
        if self._matrix_invariants:
            found = [_flat(above.mT @ above - below @ below.mT) for below, above in pairs]
        else:
            norms = (((above * above).sum(-2) ** 0.5, (below * below).sum(-1) ** 0.5) for below, above in pairs)
            found = [(outgoing - incoming) * (outgoing + incoming) for outgoing, incoming in norms]
        return theta.__array_namespace__().concat(found, axis=-1)

    def invariant_scale(self, theta: Array) -> Array:
        """Norms of the columns and rows that meet in each entry, by Cauchy and Schwarz."""
        found = []
        for below, above in pairwise(self.layers(theta)):
            squares = (above * above).sum(-2) + (below * below).sum(-1)
            if self._matrix_invariants:
                outgoing, incoming = (above * above).sum(-2) ** 0.5, (below * below).sum(-1) ** 0.5
                squares = _flat(
                    outgoing[..., :, None] * outgoing[..., None, :] + incoming[..., :, None] * incoming[..., None, :]
                )
            found.append(squares)
        return theta.__array_namespace__().concat(found, axis=-1)

    def magnitude(self, theta: Array) -> Array:
        """Norm of each layer over the root of its entries, the smallest raised to the second smallest.

        At depth 2 neuron by neuron, ||w_i|| and |a_i| both over sqrt(d), so that they weigh the same. Differences of
        squared norms are conserved, so a layer that passes through zero moves on the scale of the next one. Dead
        neurons take the scale of the largest, for want of their own.
        """
        first, *rest = layers = self.layers(np.asarray(theta))
        if self.depth == 2:
            neurons = _alive(np.maximum(np.linalg.norm(first, axis=1), np.abs(rest[0][0])))
            return np.append(np.repeat(neurons, self.dimension), neurons) / np.sqrt(self.dimension)
        norms = np.array([np.linalg.norm(W) for W in layers])
        sizes = _alive(np.maximum(norms, np.sort(norms)[1]))
        return np.concatenate([np.full(W.size, size / np.sqrt(W.size)) for W, size in zip(layers, sizes, strict=True)])

    def pad(
        self, theta: Array, X: Array, y: Array, dimension: int, samples: int
    ) -> tuple[FullyConnected, Array, Array, Array]:
        """Zero columns of W_1 on zero features, zero rows for the new samples; the width stays."""
        more_features, more_samples = dimension - self.dimension, samples - len(y)
        if more_features < 0 or more_samples < 0:
            raise ValueError("padding cannot shrink a problem")
        first, *rest = self.layers(np.asarray(theta))
        padded = np.pad(first, ((0, 0), (0, more_features)))
        return (
            FullyConnected(self.depth, self.width, dimension, self.activation),
            np.concatenate([padded.reshape(-1), *(W.reshape(-1) for W in rest)]),
            np.pad(np.asarray(X), ((0, more_samples), (0, more_features))),
            np.pad(np.asarray(y), (0, more_samples)),
        )

    def unpad(self, theta: Array) -> Array:
        """The first d columns of W_1, and the other layers as they are."""
        rest = self.size - self.width * self.dimension
        first = theta[..., : theta.shape[-1] - rest].reshape(*theta.shape[:-1], self.width, -1)
        kept = _flat(first[..., : self.dimension])
        return theta.__array_namespace__().concat([kept, theta[..., theta.shape[-1] - rest :]], axis=-1)

    @property
    def _matrix_invariants(self) -> bool:
        return self.linear and self.width <= WIDEST_MATRIX_INVARIANTS


def _flat(matrix: Array) -> Array:
    """Row by row. **Shape**: (..., m, n) -> (..., m n)."""
    return matrix.reshape(*matrix.shape[:-2], -1)


def _alive(sizes: Array) -> Array:
    """Zeros replaced by the largest, or by 1 where all are zero."""
    return np.where(sizes > 0.0, sizes, sizes.max() or 1.0)
