"""The potential of strictly balanced linear networks: a power of the norm, and a linear term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from initshape.regularizers.base import AbstractRegularizer, Array


@dataclass(frozen=True, eq=False)
class BalancedPotential(AbstractRegularizer):
    """Q(w) = ||w||^C - C om(0).w with C = (L + 1)/L and om = ||w||^(1/L) w/||w||, the first layer's share of w.

    grad Q = C (om - om(0)). The potential of a single neuron with L - 1 scalars of its own size.

    **Shape**: `first` = om(0) (d,).

    **Source**: Azulay et al. 2021 (strictly balanced fully connected networks).
    """

    depth: int
    first: Array

    latex: ClassVar[str] = (
        r"Q(w) = \lVert w \rVert^{\frac{L+1}{L}} - \tfrac{L+1}{L} \lVert w(0) \rVert^{\frac1L}"
        r" \frac{w(0)^\top w}{\lVert w(0) \rVert}"
    )

    @property
    def power(self) -> float:
        """C."""
        return (self.depth + 1) / self.depth

    def value(self, w: Array) -> float:
        """||w||^C - C om(0).w."""
        return float(np.linalg.norm(w) ** self.power - self.power * (self.first @ w))

    def gradient(self, w: Array) -> Array:
        """C (om - om(0))."""
        size = float(np.linalg.norm(w))
        share = size ** (1 / self.depth) * (w / (size or 1.0))
        return np.asarray(self.power * (share - self.first))

    def inverse(self, R: Array) -> Array:
        """||om||^(L-1) om with om = om(0) + R/C."""
        share = self.first + R / self.power
        return np.asarray(np.linalg.norm(share) ** (self.depth - 1) * share)

    def profile(self, x: Array) -> Array:
        """qhat(x) = x^C, x >= 0 of any shape."""
        return np.asarray(np.asarray(x, dtype=np.float64) ** self.power)

    def profile_slope(self, x: Array) -> Array:
        """qhat'(x) = C x^(1/L)."""
        return np.asarray(self.power * np.asarray(x, dtype=np.float64) ** (1 / self.depth))
