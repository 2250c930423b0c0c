"""A branch of any layer sizes: Gauss-Legendre quadrature in a variable that the layers' scales drop out of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

import numpy as np

from initshape.regularizers.base import Array
from initshape.regularizers.branch import GROWTH, TIED, AbstractBranch, Mask

_EPS = float(np.finfo(float).eps)
_LINEAR = 1e-20
"""(z/u)^2 for all other layers below which ds/dtau is constant to rounding."""


@dataclass(frozen=True, eq=False)
class BranchShape:
    """The conserved quantities of a branch: u_l^2 = z^2 + c_l.

    tau replaces z: z = scale sinh(tau) where the second smallest layer exceeds the smallest (c_1 = scale^2 > 0), so
    that z may pass through 0; z = +-scale e^(+-tau) where the two are tied, and z keeps its sign. In both cases
    ds/dtau = 1/P, P = prod_{l >= 2} sqrt(z^2 + c_l) > 0: smooth, without the small scale.

    **Shape**: `z0`, `scale`, `side` (d,); `c`, `sizes` (L-1, d), all layers but the smallest, in order of size. `side`
    is the sign of z0 where tied, else 0. Branches with two zero layers are `frozen`.
    """

    z0: Array
    scale: Array
    side: Array
    c: Array
    sizes: Array
    frozen: Mask

    @property
    def depth(self) -> int:
        """Number of layers L."""
        return int(self.c.shape[0]) + 1

    @cached_property
    def tau0(self) -> Array:
        """tau at the initialization."""
        return np.where(self.side == 0.0, np.arcsinh(self.z0 / self.scale), 0.0)

    def z(self, tau: Array) -> Array:
        """The smallest layer, with the sign of the product. **Shape**: (..., d)."""
        with np.errstate(over="ignore"):
            if not np.any(self.side):
                return np.asarray(self.scale * np.sinh(tau))
            tied = self.side * self.scale * np.exp(self.side * tau)
            return np.where(self.side == 0.0, self.scale * np.sinh(tau), tied)

    def z_step(self, tau: Array, step: Array) -> Array:
        """z(tau + step) - z(tau), to full relative accuracy."""
        with np.errstate(over="ignore"):
            tied = self.scale * np.exp(self.side * tau) * self.side * np.expm1(self.side * step)
            free = 2.0 * self.scale * np.cosh(tau + 0.5 * step) * np.sinh(0.5 * step)
            return np.where(self.side == 0.0, free, tied)

    def rate(self, z: Array) -> Array:
        """P = dtau/ds. **Shape**: (..., d)."""
        square, product = z * z, np.ones_like(z)
        for c in self.c[1:]:
            product = product * np.sqrt(square + c)
        return product

    def product(self, z: Array) -> Array:
        """z prod_{l >= 1} sqrt(z^2 + c_l)."""
        return np.where(self.frozen, 0.0, z * np.sqrt(z * z + self.c[0]) * self.rate(z))

    def change(self, z: Array, dz: Array) -> Array:
        """product(z) - product(z0) with dz = z - z0: by a telescoping sum whose terms have one sign."""
        square, head, total = z * z, z, dz
        for c, size in zip(self.c, self.sizes, strict=True):
            now = np.sqrt(square + c)
            total = total * size + head * (dz * (z + self.z0) / (now + size))
            head = head * now
        return np.where(self.frozen, 0.0, total)

    def slope(self, z: Array) -> Array:
        """sum_l prod_{k != l} u_k^2."""
        total, product = np.ones_like(z), z * z
        for c in self.c:
            square = z * z + c
            total, product = total * square + product, product * square
        return np.where(self.frozen, 0.0, total)


@dataclass(frozen=True, eq=False)
class GeneralBranch(AbstractBranch):
    """tau = tau0 + grown, and dz = z - z0. **Source**: quadrature of the conserved-quantity form of the flow."""

    shape: BranchShape
    grown: Array
    dz: Array

    @cached_property
    def product(self) -> Array:  # type: ignore[override]
        """The product of the layers."""
        return self.shape.product(self._z)

    @cached_property
    def change(self) -> Array:  # type: ignore[override]
        """Product minus initial product."""
        return self.shape.change(self._z, self.dz)

    @cached_property
    def slope(self) -> Array:  # type: ignore[override]
        """sum_l prod_{k != l} u_k^2."""
        return self.shape.slope(self._z)

    def reach(self, forward: Mask) -> Array:
        """The integral of 1/P over the tau that multiply |z| by e^(8/L); no limit where ds/dtau is constant."""
        length = np.where(forward, 1.0, -1.0) * GROWTH / self.shape.depth
        panels = int(np.ceil(GROWTH / self.shape.depth))
        total = np.zeros_like(self.grown)
        for k in range(panels):
            total += np.abs(self._time(self._tau + length * (k / panels), length / panels))
        return np.where(self.shape.frozen | self._linear(self._tau, forward), np.inf, total)

    def advance(self, ds: Array) -> tuple[Self, Array]:
        """Newton in tau for the time ds, in steps of at most 1, each step's time by one panel of quadrature."""
        shape = self.shape
        left = np.where(shape.frozen, 0.0, ds)
        tau, total = self._tau, np.zeros_like(ds)
        for _ in range(100):
            step = left * shape.rate(shape.z(tau))
            step = np.where(self._linear(tau, left > 0.0), step, np.clip(step, -1.0, 1.0))
            moving = np.abs(step) > 4.0 * _EPS * np.abs(total)
            if not np.any(moving):
                break
            left = left - self._time(tau, step)
            tau, total = tau + step, total + step
        dz = np.where(shape.frozen, 0.0, shape.z_step(self._tau, total))
        moved = type(self)(shape, self.grown + total, self.dz + dz)
        return moved, dz * (self._z + 0.5 * dz)

    def area(self) -> Array:
        panels = max(1, int(np.ceil(np.max(np.abs(self.grown), initial=0.0))))
        nodes, weights = _gauss(20)
        width, total = self.grown / panels, np.zeros_like(self.grown)
        for k in range(panels):
            grown = width * (k + nodes[:, None])
            z, dz = self.shape.z(self.shape.tau0 + grown), self.shape.z_step(self.shape.tau0, grown)
            total += width * (weights @ (self.shape.change(z, dz) / self.shape.rate(z)))
        return np.where(self.shape.frozen, 0.0, total)

    def extremes(self) -> tuple[Array, Array]:
        rest = self.shape.frozen
        lower = np.where(rest | (self.shape.side > 0.0), 0.0, -np.inf)
        return lower, np.where(rest | (self.shape.side < 0.0), 0.0, np.inf)

    def layers(self, initial: Array) -> Array:
        """z is the smallest layer, which may pass through 0; the others are sqrt(z^2 + c) and keep their signs."""
        order = np.argsort(np.abs(initial), axis=0, kind="stable")
        ranked = np.take_along_axis(initial, order, axis=0)
        signs = np.sign(ranked[1:])
        moved = np.concatenate([[self._z * np.prod(signs, axis=0)], signs * np.sqrt(self._z**2 + self.shape.c)])
        layers = np.empty_like(initial)
        np.put_along_axis(layers, order, moved, axis=0)
        return np.where(self.shape.frozen, initial, layers)

    @cached_property
    def _tau(self) -> Array:
        return self.shape.tau0 + self.grown

    @cached_property
    def _z(self) -> Array:
        return self.shape.z(self._tau)

    def _time(self, tau: Array, step: Array) -> Array:
        """int 1/P over [tau, tau + step], |step| <= 1: 20 nodes, or 8 where the step is short."""
        result = np.empty_like(step)
        long = np.abs(step) > 0.25
        for mask, count in ((long, 20), (~long, 8)):
            if np.all(mask):
                return self._panel(tau, step, count)
            if np.any(mask):
                result[mask] = self._of(mask)._panel(tau[mask], step[mask], count)
        return result

    def _panel(self, tau: Array, step: Array, count: int) -> Array:
        nodes, weights = _gauss(count)
        rate = self.shape.rate(self.shape.z(tau + step * nodes[:, None]))
        return step * (weights @ (1.0 / rate))

    def _of(self, mask: Mask) -> GeneralBranch:
        s = self.shape
        part = BranchShape(s.z0[mask], s.scale[mask], s.side[mask], s.c[:, mask], s.sizes[:, mask], s.frozen[mask])
        return GeneralBranch(part, self.grown[mask], self.dz[mask])

    def _linear(self, tau: Array, forward: Mask) -> Mask:
        """Where z shrinks towards 0 and no longer matters beside the other layers."""
        shrinking = self.shape.side == np.where(forward, -1.0, 1.0)
        if not np.any(shrinking):
            return np.zeros(shrinking.shape, dtype=np.bool_)
        return np.asarray(shrinking & (self.shape.z(tau) ** 2 <= _LINEAR * self.shape.c[1]), dtype=np.bool_)


@cache
def _gauss(count: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1.0), 0.5 * weights


def general(signs: Array, sizes: Array) -> GeneralBranch:
    """From the signs and magnitudes of all layers. **Shape**: both (L, d)."""
    sizes = np.sort(sizes, axis=0)
    smallest, others = sizes[0], sizes[1:]
    frozen = others[0] == 0.0
    smallest, others = np.where(frozen, 1.0, smallest), np.where(frozen, 1.0, others)
    c = (others - smallest) * (others + smallest)
    tied = c[0] <= TIED * smallest**2
    c = np.where(c <= TIED * smallest**2, 0.0, c)
    sign = np.where(frozen, 1.0, np.prod(signs, axis=0))
    shape = BranchShape(
        z0=np.where(smallest > 0.0, sign * smallest, 0.0),
        scale=np.where(tied, smallest, np.sqrt(c[0])),
        side=np.where(tied, sign, 0.0),
        c=c,
        sizes=others,
        frozen=frozen,
    )
    zero = np.zeros_like(smallest)
    return GeneralBranch(shape, grown=zero, dz=zero)
