"""A single linear neuron behind scalar layers: f = phi w.x, phi = a_1 ... a_k."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import final

import numpy as np

from initshape.models.base import AbstractModel, Array


@final
@dataclass(frozen=True)
class SingleNeuron(AbstractModel):
    """One neuron on d features with k >= 1 scalar layers after it.

    theta = [a_1 ... a_k, w], P = k + d. With p_j = prod_{i != j} a_i and q = X w, J J^T = (sum_j p_j^2) q q^T +
    phi^2 X X^T: the network has a kernel of its own for w and one direction more for the scalars.

    **Source**: Azulay et al. 2021 (k = 1); more scalar layers conserve the same differences of squares.
    """

    scalar_layers: int
    dimension: int

    def __post_init__(self) -> None:
        if self.scalar_layers < 1 or self.dimension < 1:
            raise ValueError("a single neuron needs scalar_layers >= 1 and dimension >= 1")

    @property
    def size(self) -> int:
        """P = k + d."""
        return self.scalar_layers + self.dimension

    @property
    def degree(self) -> int:
        """k + 1."""
        return self.scalar_layers + 1

    def scalars(self, theta: Array) -> Array:
        """a_1 ... a_k. **Shape**: (..., k)."""
        return theta[..., : self.scalar_layers]

    def weights(self, theta: Array) -> Array:
        """w, the neuron's own weights; the predictor is phi w. **Shape**: (..., d)."""
        return theta[..., self.scalar_layers :]

    def predictor(self, theta: Array) -> Array:
        """phi w."""
        return self._product(theta) * self.weights(theta)

    def outputs(self, theta: Array, X: Array) -> Array:
        """X phi w."""
        return self.predictor(theta) @ X.T

    def jvp(self, theta: Array, X: Array, v: Array) -> Array:
        """X (phi dw + w sum_j p_j da_j)."""
        change = (self._others(theta) * self.scalars(v)).sum(-1)[..., None]
        return (self._product(theta) * self.weights(v) + change * self.weights(theta)) @ X.T

    def vjp(self, theta: Array, X: Array, z: Array) -> Array:
        """p_j w.g for each scalar and phi g for w, g = X^T z."""
        gradient = z @ X
        scalars = self._others(theta) * (self.weights(theta) * gradient).sum(-1)[..., None]
        return theta.__array_namespace__().concat([scalars, self._product(theta) * gradient], axis=-1)

    def kernel(self, theta: Array, X: Array) -> Array:
        """(sum_j p_j^2) q q^T + phi^2 X X^T."""
        q = self.weights(theta) @ X.T
        others = self._others(theta)
        return (others * others).sum() * (q[:, None] * q) + (X * self._product(theta) ** 2) @ X.T

    def invariants(self, theta: Array) -> Array:
        """a_j^2 - ||w||^2, then a_j^2 - a_{j+1}^2; products of sum and difference. **Shape**: (..., 2k - 1)."""
        a, norm = self._magnitudes(theta)
        within = (a[..., :-1] - a[..., 1:]) * (a[..., :-1] + a[..., 1:])
        return theta.__array_namespace__().concat([(a - norm) * (a + norm), within], axis=-1)

    def invariant_scale(self, theta: Array) -> Array:
        """a_j^2 + ||w||^2, then a_j^2 + a_{j+1}^2."""
        a, norm = self._magnitudes(theta)
        squares = a * a
        return theta.__array_namespace__().concat(
            [squares + norm * norm, squares[..., :-1] + squares[..., 1:]], axis=-1
        )

    def magnitude(self, theta: Array) -> Array:
        """|a_j| and ||w||, the smallest raised to the second smallest, over sqrt(d).

        Differences of squares are conserved, so a layer that passes through zero moves on the scale of the next one.
        Errors are judged by their root mean square over all P parameters: over sqrt(d), a scalar weighs as much as w.
        """
        theta = np.asarray(theta)
        layers = np.append(np.abs(self.scalars(theta)), np.linalg.norm(self.weights(theta)))
        scale = np.maximum(layers, np.sort(layers)[1])
        scale = np.where(scale > 0.0, scale, layers.max(initial=0.0) or 1.0)
        return np.repeat(scale, [1] * self.scalar_layers + [self.dimension]) / np.sqrt(self.dimension)

    def pad(
        self, theta: Array, X: Array, y: Array, dimension: int, samples: int
    ) -> tuple[SingleNeuron, Array, Array, Array]:
        """Zero weights on zero features, zero rows for the new samples."""
        more_features, more_samples = dimension - self.dimension, samples - len(y)
        if more_features < 0 or more_samples < 0:
            raise ValueError("padding cannot shrink a problem")
        return (
            SingleNeuron(self.scalar_layers, dimension),
            np.pad(np.asarray(theta), (0, more_features)),
            np.pad(np.asarray(X), ((0, more_samples), (0, more_features))),
            np.pad(np.asarray(y), (0, more_samples)),
        )

    def unpad(self, theta: Array) -> Array:
        """The scalars and the first d weights."""
        return theta[..., : self.size]

    def _product(self, theta: Array) -> Array:
        """phi. **Shape**: (..., 1)."""
        return reduce(mul, (theta[..., j : j + 1] for j in range(self.scalar_layers)))

    def _others(self, theta: Array) -> Array:
        """p_j, the product of all scalars but a_j, without divisions. **Shape**: (..., k)."""
        a, k, xp = self.scalars(theta), self.scalar_layers, theta.__array_namespace__()
        if k == 1:
            return xp.ones_like(a)
        return xp.stack([reduce(mul, (a[..., i] for i in range(k) if i != j)) for j in range(k)], axis=-1)

    def _magnitudes(self, theta: Array) -> tuple[Array, Array]:
        """|a_j| (..., k) and ||w|| (..., 1)."""
        w = self.weights(theta)
        return abs(self.scalars(theta)), (w * w).sum(-1)[..., None] ** 0.5
