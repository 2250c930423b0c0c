"""A branch whose layers all have one size: closed forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from initshape.regularizers.base import Array
from initshape.regularizers.branch import GROWTH, AbstractBranch, Mask
from initshape.regularizers.scalar import exp_excess


@dataclass(frozen=True, eq=False)
class BalancedBranch(AbstractBranch):
    """z = sign alpha e^growth with all |u_l| = |z|, so dz/ds = |z|^(L-1) and z^(2-L) is linear in s.

    The growth is the state: s itself does not hold the digits of the distance to the blow-up. sign = 0 is a branch
    at rest at zero.

    **Source**: Woodworth et al. 2020 (depth-D diagonal network), in increments.
    """

    depth: int
    sign: Array
    alpha: Array
    growth: Array

    @property
    def product(self) -> Array:  # type: ignore[override]
        """sign |z|^L."""
        return np.asarray(self.sign * self._size() ** self.depth)

    @property
    def change(self) -> Array:  # type: ignore[override]
        """sign alpha^L (e^(L growth) - 1)."""
        return np.asarray(self.sign * self.alpha**self.depth * np.expm1(self.depth * self.growth))

    @property
    def slope(self) -> Array:  # type: ignore[override]
        """L |z|^(2L-2)."""
        return np.asarray(np.abs(self.sign) * self.depth * self._size() ** (2 * self.depth - 2))

    def reach(self, forward: Mask) -> Array:
        rising = np.where(forward, self.sign, -self.sign)
        power = self.depth - 2
        share = -np.expm1(-power * GROWTH / self.depth)  # of the way to the blow-up
        with np.errstate(divide="ignore"):
            return np.where(rising > 0.0, share / (power * self._size() ** power), np.inf)

    def advance(self, ds: Array) -> tuple[Self, Array]:
        """|z|^(L-2) grows by 1/(1 - x), x = sign (L-2) |z|^(L-2) ds < 1."""
        power, size = self.depth - 2, self._size()
        step = -np.log1p(-self.sign * power * size**power * ds) / power
        gain = 0.5 * size**2 * np.expm1(2.0 * step)
        return type(self)(self.depth, self.sign, self.alpha, self.growth + step), gain

    def area(self) -> Array:
        """alpha^2 (h(2 g)/2 + h(-(L-2) g)/(L-2)) with h(a) = e^a - 1 - a and g the growth."""
        power = self.depth - 2
        return np.asarray(
            self.alpha**2 * (0.5 * exp_excess(2.0 * self.growth) + exp_excess(-power * self.growth) / power)
        )

    def cost(self) -> Array:
        """alpha^2 (f(L g) - (L/2) f(2 g))/(L-2) with g the growth and f(a) = e^a - 1, or e^a - 1 - a where g is small.

        The terms linear in g cancel between the two; neither form loses more than a factor L/(L-2).
        """
        power, half = self.depth - 2, 0.5 * self.depth
        far = np.expm1(self.depth * self.growth) - half * np.expm1(2.0 * self.growth)
        near = exp_excess(self.depth * self.growth) - half * exp_excess(2.0 * self.growth)
        cost = np.where(np.abs(self.growth) <= 1.0, near, far)
        return np.where(self.sign == 0.0, 0.0, self.alpha**2 * cost / power)

    def extremes(self) -> tuple[Array, Array]:
        return np.where(self.sign < 0.0, -np.inf, 0.0), np.where(self.sign > 0.0, np.inf, 0.0)

    def layers(self, initial: Array) -> Array:
        """All of them have grown alike."""
        return np.asarray(initial * np.exp(np.where(self.sign == 0.0, 0.0, self.growth)))

    def _size(self) -> Array:
        return np.asarray(self.alpha * np.exp(self.growth))


def balanced(signs: Array, sizes: Array) -> BalancedBranch:
    """From the signs and magnitudes of all layers, which are equal. **Shape**: both (L, d)."""
    sign, alpha = np.prod(signs, axis=0), np.min(sizes, axis=0)
    return BalancedBranch(depth=signs.shape[0], sign=sign, alpha=alpha, growth=np.zeros_like(alpha))
