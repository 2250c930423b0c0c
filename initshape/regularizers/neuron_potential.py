"""The potential of a single linear neuron: a radial function, and a linear term from the first weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from initshape.regularizers.base import AbstractRegularizer, Array
from initshape.regularizers.layer_magnitudes import excess, smallest_magnitude

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_DECAY = 19
"""Panels of unit length in ln s before the integrand, which grows at least like s^2, is below rounding."""


@dataclass(frozen=True, eq=False)
class NeuronPotential(AbstractRegularizer):
    """Q(w) = qhat(||w||) + z.w for f = phi u.x, w = phi u, phi = a_1 ... a_k, with qhat(0) = 0.

    a_j^2 - ||u||^2 are conserved, hence ||w|| determines n = ||u||, and qhat'(||w||) = C n, z = -C sigma u(0) with
    sigma = sign(phi) at the end and C = (k + 2)/(k + 1). One scalar: qhat'(x) = (3/2) sqrt(hypot(x, delta/2) -
    delta/2), delta = a^2 - ||u||^2. Q is convex; where some |a_j| < ||u||, it has a kink at w = 0.

    **Shape**: `roots` (k + 1,): sqrt(v^2 - min v^2) of the sizes v = ||u||, |a_1| ... |a_k|; `linear` = z (d,).

    **Source**: Azulay et al. 2021 (one scalar), with the sign at the end in z, where the paper has that at the start:
    they differ where phi passes through zero. More scalars by the same argument, grad Q = C sigma (u - u(0)).
    """

    roots: Array
    linear: Array
    sign: float

    latex: ClassVar[str] = (
        r"Q(w) = \hat q_\delta(\lVert w \rVert) - \tfrac32 \operatorname{sign}(a_\infty)\, w_0^\top w, \quad"
        r" \hat q_\delta'(x) = \tfrac32 \sqrt{\sqrt{x^2 + \delta^2/4} - \delta/2}, \quad"
        r" \delta = a^2 - \lVert w \rVert^2"
    )

    @classmethod
    def of(cls, scalars: Array, weights: Array, sign: float) -> NeuronPotential:
        """From the initial a_1 ... a_k and u, and the sign of their product at the end."""
        size = np.append(np.linalg.norm(weights), np.abs(scalars))
        return cls(roots=excess(size), linear=-(sign * _constant(len(scalars))) * weights, sign=sign)

    @property
    def scalar_layers(self) -> int:
        """k."""
        return len(self.roots) - 1

    def value(self, w: Array) -> float:
        """qhat(||w||) + z.w."""
        return float(self.profile(np.array(np.linalg.norm(w)))) + float(self.linear @ w)

    def gradient(self, w: Array) -> Array:
        """C n w/||w|| + z; z at w = 0, a subgradient if there is a kink."""
        size = float(np.linalg.norm(w))
        return float(self.profile_slope(np.array(size))) * (w / (size or 1.0)) + self.linear

    def inverse(self, R: Array) -> Array:
        """The w with gradient R, sigma |phi| u with u = u(0) + sigma R/C; 0 where R is a subgradient at the kink."""
        weights = (self.sign / _constant(self.scalar_layers)) * (R - self.linear)
        norm = float(np.linalg.norm(weights))
        if norm <= self.roots[0]:
            return np.zeros_like(weights)
        s = np.sqrt((norm - self.roots[0]) * (norm + self.roots[0]))
        return self.sign * float(np.prod(np.hypot(s, self.roots[1:]))) * weights

    def profile_slope(self, x: Array) -> Array:
        """qhat'(x) = C n(x), x = ||w|| >= 0 of any shape."""
        n = np.hypot(smallest_magnitude(self.roots, x), self.roots[0])
        return np.asarray(_constant(self.scalar_layers) * n)

    def profile(self, x: Array) -> Array:
        """qhat(x) - qhat(0) = C (x n - integral of x dn), x >= 0 of any shape; the two terms never cancel."""
        x = np.asarray(x, dtype=np.float64)
        s = smallest_magnitude(self.roots, x)
        if self.scalar_layers == 1:
            return _one_scalar(s, *self.roots)
        n = np.hypot(s, self.roots[0])
        return np.asarray(_constant(self.scalar_layers) * (x * n - _integral(s, self.roots[1:])))


def _constant(scalar_layers: int) -> float:
    """C, chosen so that balanced layers have qhat(x) = x^C."""
    return (scalar_layers + 2) / (scalar_layers + 1)


def _one_scalar(s: Array, weight_root: float, scalar_root: float) -> Array:
    """qhat for k = 1: from the smaller of ||u|| and |a|, and the excess of both."""
    a, n = np.hypot(s, scalar_root), np.hypot(s, weight_root)
    if scalar_root == 0.0:
        return np.asarray(0.5 * a * (3.0 * n * n - a * a))
    return np.asarray(0.5 * n * n * (2.0 * a * a + 2.0 * a * scalar_root - scalar_root**2) / (a + scalar_root))


def _integral(s: Array, roots: Array) -> Array:
    """int_0^s prod_j hypot(r, f_j) r dr, in ln r, where the integrand is analytic within pi/2 of the real axis."""
    depth = np.arange(_DECAY)[:, None] + 0.5 * (1.0 - _NODES)  # distance below ln s
    r = s[..., None, None] * np.exp(-depth)
    integrand = r * r * np.prod(np.hypot(r[..., None], roots), axis=-1)
    return np.asarray(np.sum(0.5 * _WEIGHTS * integrand, axis=(-2, -1)))
