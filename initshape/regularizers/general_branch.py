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
_UNSEEN = 345.0
"""z^2 = e^-690 scale^2 is at the end of double precision."""
_VANISHED = 25.0
"""e^-50 of a product is nothing to rounding."""


@dataclass(frozen=True, eq=False)
class BranchShape:
    """The conserved quantities of a branch: u_l^2 = z^2 + c_l.

    tau replaces z: z = scale sinh(tau) where the second smallest layer exceeds the smallest (c_1 = scale^2 > 0), so
    that z may pass through 0; z = +-scale e^(+-tau) where the two are tied, and z keeps its sign. In both cases
    ds/dtau = 1/P, P = prod_{l >= 2} sqrt(z^2 + c_l) > 0: smooth, without the small scale.

    **Shape**: `z0`, `scale`, `side` (d,); `c` (L-1, d), all layers but the smallest, in order of size. `side`
    is the sign of z0 where tied, else 0. Branches with two zero layers are `frozen`.
    """

    z0: Array
    scale: Array
    side: Array
    c: Array
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
            turn = self.side * step
            larger = self.side * self.scale * np.exp(self.side * tau + np.maximum(turn, 0.0))
            tied = larger * np.copysign(np.expm1(-np.abs(turn)), turn)
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

    def change(self, z: Array, dz: Array, origin: Array) -> Array:
        """product(z) - product(origin) with dz = z - origin: by a telescoping sum whose terms have one sign."""
        square, head, total = z * z, z, dz
        for c in self.c:
            now, then = np.sqrt(square + c), np.sqrt(origin * origin + c)
            total = total * then + head * (dz * (z + origin) / (now + then))
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
        return self.shape.change(self._z, self.dz, self.shape.z0)

    @cached_property
    def slope(self) -> Array:  # type: ignore[override]
        """sum_l prod_{k != l} u_k^2."""
        return self.shape.slope(self._z)

    def reach(self, forward: Mask) -> Array:
        """The integral of 1/P over the tau that multiply |z| by e^(8/L), and over those where ds/dtau is constant."""
        length = np.where(forward, 1.0, -1.0) * GROWTH / self.shape.depth
        panels = int(np.ceil(GROWTH / self.shape.depth))
        total = np.zeros_like(self.grown)
        for k in range(panels):
            total += np.abs(self._time(self._tau + length * (k / panels), length / panels))
        stride = self._stride(self._tau, forward)
        return np.where(self.shape.frozen, np.inf, total + (stride - 1.0) / self.shape.rate(self._z))

    def advance(self, ds: Array) -> tuple[Self, Array]:
        """Newton in tau for the time ds, in steps of at most 1 unless ds/dtau is constant, one panel of nodes each."""
        shape = self.shape
        left = np.where(shape.frozen, 0.0, ds)
        tau, total = self._tau, np.zeros_like(ds)
        for _ in range(100):
            step = left * shape.rate(shape.z(tau))
            stride = self._stride(tau, left > 0.0)
            step = np.clip(step, -stride, stride)
            moving = np.abs(step) > 4.0 * _EPS * np.abs(total)
            if not np.any(moving):
                break
            left = left - self._time(tau, step)
            tau, total = tau + step, total + step
        dz = np.where(shape.frozen, 0.0, shape.z_step(self._tau, total))
        moved = type(self)(shape, self.grown + total, self.dz + dz)
        return moved, dz * (self._z + 0.5 * dz)

    def area(self) -> Array:
        shape, felt = self.shape, self._felt
        rest = (self.grown - felt) * shape.product(shape.z0) / shape.rate(shape.z(shape.tau0 + felt))
        return self._swept(shape.tau0, felt, shape.z0) - np.where(shape.frozen, 0.0, rest)

    def cost(self) -> Array:
        """int (product here - product) ds, by parts: one sign, so nothing cancels."""
        tau = self.shape.tau0 + self._felt
        return self._swept(tau, -self._felt, self.shape.z(tau))

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
    def _felt(self) -> Array:
        """`grown`, ended where a product that decays like e^-tau is zero to rounding and ds/dtau constant."""
        shape = self.shape
        with np.errstate(divide="ignore"):
            ratio = np.log(np.abs(shape.z0)) - 0.5 * np.log(_LINEAR * shape.c[1])
        limit = np.where(shape.side * self.grown < 0.0, np.maximum(ratio, _VANISHED), np.inf)
        return np.clip(self.grown, -limit, limit)

    @cached_property
    def _tau(self) -> Array:
        return self.shape.tau0 + self.grown

    @cached_property
    def _z(self) -> Array:
        return self.shape.z(self._tau)

    def _swept(self, tau: Array, step: Array, origin: Array) -> Array:
        """int (product - product(origin)) ds over [tau, tau + step], z(tau) = origin."""
        panels = max(1, int(np.ceil(np.max(np.abs(step), initial=0.0))))
        nodes, weights = _gauss(20)
        width, total = step / panels, np.zeros_like(step)
        for k in range(panels):
            gone = width * (k + nodes[:, None])
            z, dz = self.shape.z(tau + gone), self.shape.z_step(tau, gone)
            total += width * (weights @ (self.shape.change(z, dz, origin) / self.shape.rate(z)))
        return np.where(self.shape.frozen, 0.0, total)

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
        part = BranchShape(s.z0[mask], s.scale[mask], s.side[mask], s.c[:, mask], s.frozen[mask])
        return GeneralBranch(part, self.grown[mask], self.dz[mask])

    def _stride(self, tau: Array, forward: Mask) -> Array:
        """How far tau may move at once: 1; more where z stays too small to matter beside the other layers.

        Without end where z shrinks; where it grows, until the product could be told from zero.
        """
        shape, stride = self.shape, np.ones_like(tau)
        if np.any(shape.side):
            below = (shape.side != 0.0) & (shape.z(tau) ** 2 <= _LINEAR * shape.c[1])
            shrinking = shape.side == np.where(forward, -1.0, 1.0)
            stride = np.where(below, np.where(shrinking, np.inf, np.maximum(stride, -shape.side * tau - _UNSEEN)), 1.0)
        return stride


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
        frozen=frozen,
    )
    zero = np.zeros_like(smallest)
    return GeneralBranch(shape, grown=zero, dz=zero)
