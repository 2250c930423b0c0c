"""The potential of the two-layer diagonal network: hyperbolic entropy plus a linear term."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from initshape.regularizers.base import AbstractMirrorState, AbstractPotential, Array
from initshape.regularizers.scalar import bregman, growth

_LARGEST_ARGUMENT = 700.0
"""exp overflows at 709.8."""
_LONGEST_CHANGE = 4.0
"""Change of R in one Newton step at which w grows by at most e^8."""


@dataclass(frozen=True, eq=False)
class HyperbolicEntropy(AbstractPotential):
    """Q(w) = sum_i q(w_i) - q'(w0_i) w_i up to a constant, where q is hyperbolic entropy with parameter C.

    q(w) = (w asinh(w/C) - hypot(C, w) + C)/2, so w(R) = C sinh(2(R + phi)) and asinh(w0/C) = 2 phi. With equal
    branches phi = 0 and Q = q_k, sqrt(k) = 2C. C -> 0 is the l1 norm, C -> infinity the l2 norm.

    **Shape**: `c` = C, `log_c` = ln C, `phi`, `w0` (d,). C itself need not fit into double precision: where it does
    not, everything is computed from its logarithm.

    **Source**: Woodworth et al. 2020 (equal layers); Azulay et al. 2021, Theorem 4.1 (phi = 0). The linear term for
    w0 != 0 follows from the same Legendre argument. Ghai et al. 2020 name the function.
    """

    c: Array
    log_c: Array
    phi: Array
    w0: Array

    latex: ClassVar[str] = (
        r"Q(w) = \tfrac12 \sum_i \left[ w_i \left( \operatorname{asinh}\frac{w_i}{C_i} - 2\varphi_i \right)"
        r" - \sqrt{C_i^2 + w_i^2} + \sqrt{C_i^2 + w_i(0)^2} \right]"
    )

    @classmethod
    def unbiased(cls, sqrt_k: Array) -> Self:
        """Equal branches, w(0) = 0: Q = q_k. **Shape**: `sqrt_k` = 2C (d,), positive."""
        zero = np.zeros_like(sqrt_k)
        return cls(c=sqrt_k / 2.0, log_c=np.log(sqrt_k / 2.0), phi=zero, w0=zero)

    def value(self, w: Array) -> float:
        return float(np.sum(self.terms(w)))

    def gradient(self, w: Array) -> Array:
        """R = (asinh(w/C) - 2 phi)/2."""
        return 0.5 * self._twice(w)

    def terms(self, w: Array) -> Array:
        return bregman(w, np.hypot(self.c, w), np.hypot(self.c, self.w0), self._twice(w))

    def inverse(self, R: Array) -> Array:
        """w = C sinh(2(R + phi)), overflowing only where w itself does."""
        return self._scaled_sinh(2.0 * (R + self.phi))

    def start(self) -> HyperbolicState:
        return HyperbolicState.at(self, np.zeros_like(self.phi))

    def domain(self) -> tuple[Array, Array]:
        everything = np.full(self.phi.shape, np.inf)
        return -everything, everything

    def psi_change(self, R: Array, change: Array) -> Array:
        """psi(R + change) - psi(R) = C sinh(change) sinh(change + 2(R + phi)), without cancellation."""
        return np.sinh(change) * self._scaled_sinh(change + 2.0 * (R + self.phi))

    @cached_property
    def _in_range(self) -> bool:
        return bool(np.all(np.abs(self.log_c) < _LARGEST_ARGUMENT - 20.0))

    def _twice(self, w: Array) -> Array:
        """2R = asinh(w/C) - asinh(w0/C), by the addition theorem where w and w0 are close."""
        far = self._asinh(w) - 2.0 * self.phi
        near = (self.w0 != 0.0) & (np.abs(w - self.w0) <= 0.5 * np.abs(self.w0))
        if np.any(near):
            x, x0, c = w[near], self.w0[near], self.c[near]
            far[near] = growth(x, x0, np.hypot(c / x, 1.0), np.hypot(c / x0, 1.0))
        return far

    def _asinh(self, w: Array) -> Array:
        """asinh(w/C), in logarithms where w/C leaves double precision."""
        if self._in_range and np.all(np.abs(w) < 1e290 * np.minimum(self.c, 1.0)):
            return np.arcsinh(w / self.c)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            ratio = np.log(np.abs(w)) - self.log_c  # -inf at w = 0
            small = np.arcsinh(np.exp(np.minimum(ratio, 20.0)))
            large = ratio + np.log(2.0) + 0.25 * np.exp(-2.0 * ratio)
            return np.asarray(np.copysign(np.where(ratio < 20.0, small, large), w))

    def _scaled_sinh(self, x: Array) -> Array:
        """C sinh(x)."""
        if self._in_range and np.max(np.abs(x), initial=0.0) < _LARGEST_ARGUMENT:  # false for NaN, too
            with np.errstate(over="ignore"):
                return np.asarray(self.c * np.sinh(x))
        size = np.abs(x)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(-np.copysign(np.exp(size + self.log_c - np.log(2.0)), x) * np.expm1(-2.0 * size))


@dataclass(frozen=True, eq=False)
class HyperbolicState(AbstractMirrorState):
    """w = C sinh(2(R + phi)). R itself is enough here: the map has no blow-up and w keeps all digits that R holds."""

    potential: HyperbolicEntropy
    R: Array
    w: Array
    slope: Array

    @classmethod
    def at(cls, potential: HyperbolicEntropy, R: Array) -> Self:
        """The state at a given R."""
        w = potential.inverse(R)
        return cls(potential=potential, R=R, w=w, slope=2.0 * np.hypot(potential.c, w))

    def longest_step(self, direction: Array) -> float:
        largest = float(np.max(np.abs(direction), initial=0.0))
        return _LONGEST_CHANGE / largest if largest > 0.0 else np.inf

    def advance(self, change: Array) -> tuple[Self, Array]:
        return type(self).at(self.potential, self.R + change), self.potential.psi_change(self.R, change)
